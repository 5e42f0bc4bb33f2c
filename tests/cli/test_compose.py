"""Overrides are checked against the schema and against the defaults of the components."""

from functools import cache

import omegaconf
import pytest
from hydra.types import RunMode
from omegaconf import OmegaConf

from gan_cli.config import hydra_internals
from gan_cli.config.compose import SCHEMAS, compose, loader, structured
from gan_cli.config.layers import NotPlain, overlaid
from gan_cli.config.scalars import scalars
from gan_cli.errors import UserError


@pytest.fixture
def make(conf):
    """``make("loss=wgan")`` -> the composed config."""
    configs = cache(loader)  # made at the first call, when the test has written its files
    return lambda *overrides: compose(configs(), "train", list(overrides))


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["train.ncritic=3"], "no key 'train.ncritic'. Did you mean train.n_critic?"),
        (["lr=3"], "no key 'lr'. Did you mean optimizer.lr?"),
        (["optimizer.generater.lr=3"], "no key 'optimizer.generater.lr'. Did you mean optimizer.generator.lr?"),
        (
            ["optimizer.second.lr=3"],
            "no key 'optimizer.second.lr'. Did you mean optimizer.lr?\n"
            "If the game has this player, add the key: +optimizer.second.lr=...",
        ),
        (
            ["optimizer.xyz=3"],
            "no key 'optimizer.xyz'. There is optimizer.generator, optimizer.discriminator, optimizer.lr",
        ),
        (["regularizer.penalty.weight=3"], "no key 'regularizer.penalty.weight'. There is regularizer.none."),
        (["zzz=3"], "no key 'zzz'. See --help for groups and keys."),
        (["hydra.run.dirr=x"], "no key 'hydra.run.dirr'. Did you mean hydra.run.dir?"),
        (["train.n_critic=abc"], "train.n_critic must be an integer, not 'abc'"),
        (["train.n_critic=2.5"], "train.n_critic must be an integer, not 2.5"),
        (["train.n_critic=true"], "train.n_critic must be an integer, not True"),
        (["train.n_critic=[1,2]"], "train.n_critic must be one value, not [1, 2]"),
        (["train.n_critic=null"], "train.n_critic must be an integer, not null"),
        (["train.n_critic=0"], "train.n_critic must be at least 1, not 0"),
        (["keep_checkpoints=many"], "keep_checkpoints must be an integer, not 'many'"),
        (["deterministic=perhaps"], "deterministic must be true or false, not 'perhaps'"),
        (["ema=1"], "ema must be below 1, not 1.0"),
        (["ema=nan"], "ema must be at least 0, not nan"),
        (["ema=false"], "ema must be a number or null, not False"),
        (["schedule=null"], "schedule must be an option of its group, or set by its keys, not null"),
        (["device=gpu"], "device must be auto (best one here), cpu, cuda, cuda:N or mps, not 'gpu'"),
        (["precision=half"], "precision must be auto, fp32, bf16, fp16 or tf32, not 'half'"),
        (["memory_format=nhwc"], "memory_format must be auto, contiguous or channels_last, not 'nhwc'"),
        (["++seed=abc"], "seed must be an integer, not 'abc'"),
        (["+seed=3"], "seed is there already: write seed=3 without the +."),
        (["~seed"], "seed cannot be left out."),
        (["model.generator.width=abc"], "model.generator.width must be an integer, not 'abc'"),
        (["model.generator.width=8.5"], "model.generator.width must be an integer, not 8.5"),
        (["model.generator.norm=7.5"], "model.generator.norm must be true or false, not 7.5"),
        (["loss=wgan", "regularizer.penalty.weight=abc"], "regularizer.penalty.weight must be a number, not 'abc'"),
        (["optimizer.generator.lr=fast"], "optimizer.generator.lr must be a number, not 'fast'"),
        (["optimizer.betas=0.5"], "optimizer.betas must be a list, as in [a,b], not 0.5"),
        (["optimizer.betas=[a,b]"], "optimizer.betas must be a list whose elements are each a number, not ['a', 'b']"),
        (["optimizer.lr=[1,2]"], "optimizer.lr must be one value, not [1, 2]"),
        (["optimizer.generator=3"], "optimizer.generator must be set by its keys (lr), not 3"),
        (
            ["+train.x=1"],
            "no key 'train.x'. There is train.steps, train.images, train.epochs, train.minutes, train.processor_minutes, ",
        ),
        (["+x=1"], "no key 'x'. See --help for groups and keys."),
        (["dataset=images"], "dataset.root must be given, as in dataset.root=..."),
        (["seed=${nowhere}"], "seed: Interpolation key 'nowhere' not found"),
        (
            ["seed=${device}"],
            "seed: While dereferencing interpolation '${device}': Value 'auto' of type 'str' could not be conv",
        ),
        (["seed=${train}"], "seed: While dereferencing interpolation '${train}': Value '{"),
        (["++train.batch_size=${train.n_steps}"], "train.batch_size: Interpolation key 'train.n_steps' not found"),
        (["dataset.root=${nowhere}"], "dataset.root: Interpolation key 'nowhere' not found"),
        (
            ["loss=[hinge,wgan]"],
            "loss=[hinge,wgan] names several options where one is used.\nFor a run of each: gan-train -m loss=hinge,wgan",
        ),
        (["model/generator=[tiny,other]"], "model/generator=[tiny,other] names several options where one is used."),
        (["loss={a:1}"], "no loss named '{'a': 1}'.\navailable: hinge, plain, wgan"),
        (["hydra/launcher=jobib"], "no hydra/launcher named 'jobib'. Did you mean joblib?\navailable: basic, joblib"),
        (["seed=1,2"], "seed=1,2 names several values.\nTo try each of them use gan-train -m; a list is written seed=[a,b]."),
        (["model.generator.name=(a"], "cannot read model.generator.name=(a\nQuote a value that holds"),
    ],
)
def test_mistakes(make, overrides, said):
    with pytest.raises(UserError) as error:
        make(*overrides)
    assert str(error.value).startswith(said)
    assert len(str(error.value).splitlines()) <= 2


RIGHT = {
    "optimizer.lr=1": 1,  # an integer will do for a number
    "optimizer.betas=[0,1]": [0, 1],
    "optimizer.generator={lr:3}": {"lr": 3},
    "model.generator.width=${train.batch_size}": 64,
    "model.generator.name=abc": "abc",  # the default null says nothing about the type
    "+optimizer.eps=1e-8": 1e-8,
    "++optimizer.amsgrad=true": True,
    "dataset.root='/a=b, c'": "/a=b, c",
    "regularizer.none=null": None,
    "keep_checkpoints=null": None,
    "ema=null": None,
    "++train.steps=0": 0,
}


def test_what_is_right_passes(make):
    cfg = make(*RIGHT)
    for override, value in RIGHT.items():
        assert OmegaConf.select(cfg, override.partition("=")[0].lstrip("+")) == value


def test_a_key_that_is_null_can_be_left_out(make):
    assert "name" not in make("~model.generator.name").model.generator


@pytest.mark.slow
def test_a_loss_brings_its_parts_along_and_the_command_line_wins(make):
    brought = make("loss=wgan")
    assert (list(brought.regularizer), brought.train.n_critic, brought.optimizer._target_) == (["penalty"], 5, "m.RMSprop")
    assert brought.schedule.n_critic == 5
    kept = make("loss=wgan", "regularizer=none", "optimizer=adam", "train.n_critic=1")
    assert (list(kept.regularizer), kept.train.n_critic, kept.optimizer._target_) == (["none"], 1, "m.Adam")
    both = make("regularizer=[penalty,spectral]", "regularizer.penalty.weight=1")
    assert (list(both.regularizer), both.regularizer.penalty.weight) == (["penalty", "spectral"], 1)
    assert make("loss=[hinge]").loss._target_ == "m.Hinge"
    assert make("model=other", "model/generator=tiny").model.generator.width == 8
    chosen = make("experiment=long", "train.n_critic=2")
    assert (chosen.loss._target_, chosen.train.steps, chosen.train.n_critic) == ("m.Hinge", 9, 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# @package _global_\ntrain: {stepz: 7}\n", "experiment/own.yaml: train.stepz: Key 'stepz' not in 'Train'"),
        ("# @package _global_\ntrain: {steps: abc}\n", "experiment/own.yaml: train.steps: Value 'abc'"),
        ("# @package _global_\ntrain: {steps: -1}\n", "train.steps must be at least 0, not -1"),
        ("# @package _global_\ndefaults:\n  - override /loss: wgam\n", "no loss named 'wgam'. Did you mean wgan?"),
        ("a: [1\nb: 2\n", "FOLDER/experiment/own.yaml, line 2: "),
    ],
)
@pytest.mark.slow
def test_mistakes_in_own_files_name_the_place(conf, tmp_path, text, said):
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    (tmp_path / "mine" / "experiment" / "own.yaml").write_text(text)
    with pytest.raises(UserError) as error:
        compose(loader(str(tmp_path / "mine")), "train", ["experiment=own"])
    assert str(error.value).replace(str(tmp_path / "mine"), "FOLDER").startswith(said)


def test_a_default_in_an_own_file_may_refer_to_another_choice(tmp_path):
    """The options that such a default can refer to are given to Hydra only where there is one."""
    for group in ("experiment", "model"):
        (tmp_path / "mine" / group).mkdir(parents=True)
    (tmp_path / "mine" / "model" / "rmsprop.yaml").write_text("x: 3\n")
    (tmp_path / "mine" / "experiment" / "own.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /model: ${optimizer}\n"
    )
    cfg = compose(loader(str(tmp_path / "mine")), "train", ["experiment=own", "optimizer=rmsprop"])
    assert cfg.model == {"x": 3}


def test_missing_config_dir(conf):
    with pytest.raises(UserError, match="nowhere: there is no such folder"):
        loader("nowhere")


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schemas_are_what_omegaconf_reads(name):
    """Kinds and defaults that help prints are those that OmegaConf enforces."""
    node = structured(SCHEMAS[name])
    for key, scalar in scalars(SCHEMAS[name]).items():
        OmegaConf.update(node, key, None if scalar.optional else [] if scalar.kind is list else scalar.kind(scalar.low or 0))
        found = OmegaConf.select(node, key)
        assert isinstance(OmegaConf.to_container(found) if OmegaConf.is_config(found) else found, (scalar.kind, type(None)))
        assert scalar.default == "???" or scalar.problem(scalar.default) is None


@pytest.mark.slow
def test_what_an_experiment_sets_for_an_option_that_is_replaced_is_left_out(make, conf):
    (conf / "experiment/long.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /optimizer: adam\n  - override /loss: wgan\n"
        "optimizer: {betas: [0.1, 0.2], lr: 0.5}\nregularizer: {penalty: {weight: 3.0}}\n"
    )
    assert make("experiment=long").optimizer.betas == [0.1, 0.2]
    replaced = make("experiment=long", "optimizer=rmsprop").optimizer
    assert (set(replaced), replaced.lr) == ({"_target_", "lr", "generator", "discriminator"}, 0.5)
    assert make("experiment=long", "optimizer=rmsprop", "+optimizer.betas=[1]").optimizer.betas == [1]
    assert list(make("experiment=long", "regularizer=none").regularizer) == ["none"]


@pytest.mark.slow
def test_equal_choices_are_merged_once_and_give_configs_of_their_own(make, conf, monkeypatch):
    (conf / "loss/unique.yaml").write_text("_target_: m.Unique\n")  # the tests share merged configs of equal content
    merged = []

    def counted(contents):
        merged.append([*contents])
        return overlaid(merged[-1])

    monkeypatch.setattr(hydra_internals, "overlaid", counted)
    make("loss=unique", "optimizer.lr=1", "seed=1").loss._target_ = "m.Changed"
    again = make("loss=unique", "optimizer.lr=2", "seed=2")
    assert (again.loss._target_, again.optimizer.lr, again.optimizer.generator.lr) == ("m.Unique", 2, 2)
    assert len(merged) == 1
    assert make("loss=hinge").loss._target_ == "m.Hinge"
    assert len(merged) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "words"), [("eval", []), ("train", ["experiment=wgan_fig3"]), ("train", ["game=timegan", "dataset=sines"])]
)
def test_files_are_merged_as_hydra_merges_them(name, words, monkeypatch):
    ours = loader().load_configuration(name, words, RunMode.RUN, from_shell=False)
    monkeypatch.delattr(hydra_internals._Loader, "_compose_config_from_defaults_list")
    hydras = loader().load_configuration(name, words, RunMode.RUN, from_shell=False)
    assert [*nodes(ours)] == [*nodes(hydras)]


def nodes(cfg, prefix=""):
    """Yield the key, the type and the unresolved value of every node, in order."""
    for key in cfg:
        node = cfg._get_node(key)
        inner = OmegaConf.is_dict(node) and isinstance(node._value(), dict)
        yield f"{prefix}{key}", type(node), node._metadata.ref_type, None if inner else node._value()
        if inner:
            yield from nodes(node, f"{prefix}{key}.")


@pytest.mark.parametrize("above", [7, None, "???", "${b}", [3], {}, {"x": 8, "y": {"z": 9}}, {"y": "${b}"}])
@pytest.mark.parametrize("below", [1, None, "???", "${c}", "${b}", [1, 2], {"x": 1}, {"y": {"z": 1, "w": [1]}}, {"y": "${b}"}])
def test_contents_are_laid_over_one_another_as_omegaconf_merges_them(below, above):
    contents = [{"a": below, "b": {"u": 1}, "c": 2}, {"a": above, "d": above}]
    try:
        laid = overlaid(contents)
    except NotPlain:
        return
    assert laid == OmegaConf.to_container(OmegaConf.merge(*map(OmegaConf.create, contents)))


def test_contents_in_which_a_node_meets_a_value_are_left_to_omegaconf():
    for below, above in (({}, 1), (1, {}), (None, {}), ({}, None), ("${b}", {}), ("${b}", [1]), ("${b}", "???")):
        with pytest.raises(NotPlain):
            overlaid([{"a": below}, {"a": above}])
    assert overlaid([{"a": "${b}"}, {"a": 1}]) == {"a": 1}


def test_an_interpolation_is_parsed_once():
    assert omegaconf.base.parse("${optimizer.lr}") is omegaconf._utils.parse("${optimizer.lr}")


@pytest.mark.slow
def test_an_experiment_is_played_without_its_metric():
    """No key of a metric that is not measured is left in the config."""
    for experiment in ("wgan_fig3", "ebgan", "r3gan"):
        assert list(compose(loader(), "train", [f"experiment={experiment}", "metric=none"]).metric) == ["_target_"]
