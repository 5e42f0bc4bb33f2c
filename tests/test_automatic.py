"""The values of precision=auto and memory_format=auto, by device and networks."""

import pytest
import torch
from support import configs

from gan_cli import automatic
from gan_cli.automatic import kinds_of, memory_format_for, precision_for, settle, warnings

CPU = torch.device("cpu")
FP32, BF16, LAST = ("fp32", "contiguous"), ("bf16", "contiguous"), ("bf16", "channels_last")


@pytest.fixture
def bf16(monkeypatch):
    """Pretends that every device computes in bfloat16."""
    monkeypatch.setattr(automatic, "computes_in", lambda device, dtype: True)


def auto(words=""):
    return configs.config(words, "precision=auto memory_format=auto")


@pytest.mark.parametrize(
    ("words", "kinds", "chosen"),
    [
        ("", {"convolutional"}, LAST),
        ("loss=wgan_gp model=resnet_wgan_gp_small", {"convolutional"}, LAST),
        ("game=cyclegan", {"convolutional"}, LAST),
        ("game=pix2pix", {"convolutional"}, LAST),
        ("game=cgan", {"convolutional"}, LAST),  # the networks inside the labelled ones
        ("game=cgan model=cgan_mlp", {"other"}, FP32),
        ("game=ddpm", {"attentive"}, BF16),
        ("model=biggan_small game=cgan", {"attentive"}, BF16),
        ("model/generator=mlp", {"convolutional", "other"}, FP32),
        ("dataset=ring", {"other"}, FP32),
        ("dataset=sines", {"other"}, FP32),
        ("game=timegan", {"other"}, FP32),
        ("game=bilinear", set(), FP32),
    ],
)
def test_chosen_by_the_networks(bf16, words, kinds, chosen):
    cfg = auto(words)
    assert set(kinds_of(cfg)) == kinds
    [line] = settle(cfg)
    assert (cfg.precision, cfg.memory_format) == chosen
    assert line == f"precision={chosen[0]}, memory_format={chosen[1]}: chosen for cpu and these networks"
    assert settle(cfg) == []


def test_float32_where_nothing_computes_in_16_bits(monkeypatch):
    monkeypatch.setattr(automatic, "computes_in", lambda device, dtype: False)
    cfg = auto()
    settle(cfg)
    assert (cfg.precision, cfg.memory_format) == FP32


def test_the_memory_format_follows_a_precision_that_is_given(bf16):
    for precision, chosen in (("fp32", "contiguous"), ("bf16", "channels_last"), ("fp16", "channels_last")):
        cfg = configs.config("", f"precision={precision} memory_format=auto")
        settle(cfg)
        assert (cfg.precision, cfg.memory_format) == (precision, chosen)


def test_a_gpu_decides_by_its_own_capability(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: (7, 5))
    assert precision_for(torch.device("cuda"), {"convolutional"}) == "fp32"
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: (8, 0))
    assert precision_for(torch.device("cuda"), {"convolutional"}) == "bf16"
    assert memory_format_for(torch.device("cuda"), {"convolutional"}, "tf32") == "contiguous"


def test_a_run_that_has_begun_keeps_its_values(bf16):
    cfg = auto()
    assert settle(cfg, {"precision": "fp32", "memory_format": "contiguous"}) == [
        "precision=fp32, memory_format=contiguous: as the run began"
    ]
    assert (cfg.precision, cfg.memory_format) == FP32


def test_no_default_is_automatic():
    cfg = configs.config()
    assert settle(cfg) == []
    assert (cfg.precision, cfg.memory_format) == FP32
    assert warnings(cfg) == []


def test_a_device_that_emulates_16_bits_is_named(monkeypatch):
    monkeypatch.setattr(automatic, "computes_in", lambda device, dtype: False)
    [line] = warnings(configs.config("", "precision=bf16"))
    assert line.startswith("warning: precision=bf16: cpu has no instructions for it")
