"""Precisions: what a device computes in, the contexts of rounds, and the scales of losses in float16."""

import math

import pytest
import torch

from gan_cli.errors import UserError
from gan_cli.precision import LossScale, autocast, computes_in, in_full_precision, matrix_products, widened

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def machine(monkeypatch):
    """Pretends a processor with some capabilities, and a GPU of some compute capability."""

    def pretend(*capabilities, gpu=(9, 0)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: dict.fromkeys(capabilities, True), raising=False)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: gpu)

    return pretend


@pytest.mark.parametrize(
    ("capabilities", "bf16", "fp16"),
    [
        (["avx2"], False, False),
        (["avx512_f", "avx512_bf16"], True, False),
        (["amx_tile", "amx_bf16"], True, False),
        (["amx_bf16", "avx512_fp16"], True, True),
        (["neon", "bf16", "fp16_arith"], True, True),
    ],
)
def test_processors(machine, capabilities, bf16, fp16):
    machine(*capabilities)
    assert (computes_in(CPU, torch.bfloat16), computes_in(CPU, torch.float16)) == (bf16, fp16)


@pytest.mark.parametrize(("gpu", "bf16"), [((7, 5), False), ((8, 0), True), ((8, 9), True), ((9, 0), True)])
def test_gpus(machine, gpu, bf16):
    machine(gpu=gpu)
    assert computes_in(CUDA, torch.bfloat16) == bf16
    assert computes_in(CUDA, torch.float16)
    assert not computes_in(torch.device("mps"), torch.bfloat16)


class TestAutocast:
    x = torch.ones(2, 2)

    def test_fp32(self):
        with autocast(CPU, "fp32")():
            assert (self.x @ self.x).dtype == torch.float32

    @pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("fp16", torch.float16)])
    def test_context_is_reusable(self, precision, dtype):
        context = autocast(CPU, precision)
        for _ in range(2):
            with context():
                product = self.x @ self.x
                assert product.dtype == dtype
                assert widened(product).dtype == torch.float32
                with in_full_precision(CPU):
                    assert (self.x @ self.x).dtype == torch.float32
            assert (self.x @ self.x).dtype == torch.float32

    def test_unknown_precision(self):
        with pytest.raises(UserError, match=r"precision=half is not known. Use one of: fp32, bf16, fp16, tf32; or"):
            autocast(CPU, "half")

    @pytest.mark.parametrize("name", ["cpu", "mps", "meta"])
    def test_tf32_is_refused_off_the_gpu(self, name):
        with pytest.raises(UserError, match=rf"^precision=tf32 is a mode of NVIDIA GPUs since Ampere; the device is {name}\."):
            autocast(torch.device(name), "tf32")

    def test_tf32_is_refused_on_an_old_gpu(self, machine):
        machine(gpu=(7, 5))
        with pytest.raises(UserError, match="precision=tf32"):
            autocast(CUDA, "tf32")


class TestMatrixProducts:
    @staticmethod
    def flags():
        return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32

    @pytest.mark.parametrize(("precision", "allowed"), [("tf32", True), ("fp32", False), ("bf16", False)])
    def test_flags_are_set_and_restored(self, machine, precision, allowed):
        machine()
        before = self.flags()
        assert before == (False, True), "torch's defaults: neither TF32 nor float32 throughout"
        with matrix_products(CUDA, precision):
            assert self.flags() == (allowed, allowed)
        assert self.flags() == before
        with pytest.raises(ValueError, match="round"), matrix_products(CUDA, precision):
            raise ValueError("round")
        assert self.flags() == before

    def test_forward_passes_outside_of_rounds(self, machine):
        machine()
        with autocast(CUDA, "tf32")():
            assert self.flags() == (True, True)

    def test_nothing_happens_on_a_cpu(self):
        before = self.flags()
        with matrix_products(CPU, "fp32"):
            assert self.flags() == before


class TestLossScale:
    @pytest.fixture
    def parameter(self):
        return torch.nn.Parameter(torch.ones(3))

    @staticmethod
    def step(scale, parameter, gradient):
        parameter.grad = gradient * scale.factor
        scale.scaled(torch.ones(()))  # which creates the factor
        scale.unscale(torch.optim.SGD([parameter], lr=1.0))
        return parameter.grad

    def test_gradients_are_those_of_the_loss(self, parameter):
        scale = LossScale(CPU)
        gradient = torch.tensor([1.0, -2e-8, 3.0])
        assert torch.equal(self.step(scale, parameter, gradient), gradient)  # the factor is a power of two
        assert not scale.skipped
        assert scale.factor == 2.0**16

    def test_an_overflow_halves_the_factor_and_declines_the_step(self, parameter):
        scale, asked = LossScale(CPU), []
        should_step = scale.unless_skipped(lambda loss, stats: asked.append(loss) or True)
        self.step(scale, parameter, torch.tensor([1.0, math.inf, 0.0]))
        assert scale.skipped
        assert scale.factor == 2.0**15
        assert not should_step(torch.ones(()), {})
        self.step(scale, parameter, torch.ones(3))
        assert not scale.skipped
        assert should_step(torch.ones(()), {})
        assert len(asked) == 1

    def test_an_overflow_without_a_factor_is_divergence(self, parameter):
        scale = LossScale(CPU)
        for _ in range(16):
            self.step(scale, parameter, torch.full((3,), math.nan))
            assert scale.skipped
        assert scale.factor == 1
        self.step(scale, parameter, torch.full((3,), math.nan))
        assert not scale.skipped

    def test_a_turn_without_any_gradient(self, parameter):
        scale = LossScale(CPU)
        scale.scaled(torch.ones(()))
        scale.unscale(torch.optim.SGD([parameter], lr=1.0))
        assert not scale.skipped

    def test_its_state_is_all_it_remembers(self, parameter):
        first, second = LossScale(CPU), LossScale(CPU)
        for value in (math.inf, 1.0, 1.0):
            self.step(first, parameter, torch.full((3,), value))
        second.load_state_dict(first.state_dict())
        for value in (1.0, math.inf, 1.0):
            for scale in (first, second):
                self.step(scale, parameter, torch.full((3,), value))
            assert first.state_dict() == second.state_dict()
