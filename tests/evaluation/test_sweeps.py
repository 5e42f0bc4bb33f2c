import json

import pytest
from omegaconf import OmegaConf

from gan_cli.errors import UserError
from gan_cli.evaluation.sweeps import SweepRun, each_once, groups, sweep_runs, swept_keys

HINGE = {"loss": {"_target_": "gan_cli.losses.Hinge"}, "optimizer": {"lr": 2e-4}, "train": {"n_critic": 1}}
WGAN_GP = {
    "loss": {"_target_": "gan_cli.losses.Wasserstein"},
    "optimizer": {"lr": 1e-4},
    "train": {"n_critic": 5},
    "regularizer": {"gradient_penalty": {"_target_": "gan_cli.regularizers.GradientPenalty", "weight": 10.0}},
}


def run(name, seed, config, overrides=None, problem=None, **extra):
    words = None if overrides is None else [*overrides, f"seed={seed}"]
    return SweepRun(name, {"seed": seed, **config, **extra}, words, problem)


def folder(path, overrides=None, config=None, result=None, composed=None):
    for file, content in ((".hydra/overrides.yaml", overrides), ("config.yaml", config), (".hydra/config.yaml", composed)):
        if content is not None:
            (path / file).parent.mkdir(parents=True, exist_ok=True)
            OmegaConf.save(OmegaConf.create(content), path / file)
    if result is not None:
        path.mkdir(parents=True, exist_ok=True)
        (path / "result.json").write_text(json.dumps(result))


def test_an_option_that_changes_many_values_is_one_key():
    runs = [run(f"h{s}", s, HINGE, ["loss=hinge"]) for s in (1, 2)] + [
        run(f"w{s}", s, WGAN_GP, ["loss=wgan_gp"]) for s in (1, 2)
    ]
    found = groups(runs)
    assert [(group.settings, [sweep_run.name for sweep_run in group.sweep_runs]) for group in found] == [
        ({"loss": "hinge"}, ["h1", "h2"]),
        ({"loss": "wgan_gp"}, ["w1", "w2"]),
    ]


def test_without_recorded_overrides_one_key_represents_dependent_ones():
    runs = [run("h", 1, HINGE), run("w", 1, WGAN_GP), run("w2", 2, WGAN_GP)]
    assert [(group.settings, len(group.sweep_runs)) for group in groups(runs)] == [
        ({"loss._target_": "Hinge"}, 1),
        ({"loss._target_": "Wasserstein"}, 2),
    ]


def test_a_run_without_overrides_falls_back_to_the_configs():
    assert swept_keys([run("h", 1, HINGE, ["loss=hinge"]), run("w", 1, WGAN_GP)]) == ["loss._target_"]


def test_values_come_from_the_config_in_any_notation():
    slow, fast = {"optimizer": {"lr": 1e-3}}, {"optimizer": {"lr": 2e-4}}
    runs = [run("a", 1, slow, ["optimizer.lr=1e-3"]), run("b", 2, slow, ["++optimizer.lr=0.001"]), run("c", 1, fast, [])]
    assert [(group.settings, len(group.sweep_runs)) for group in groups(runs)] == [
        ({"optimizer.lr": "0.001"}, 2),
        ({"optimizer.lr": "0.0002"}, 1),
    ]


def test_differences_outside_overrides_separate_runs():
    runs = [run("old", 1, HINGE, ["loss=hinge"]), run("new", 2, {**HINGE, "optimizer": {"lr": 1e-3}}, ["loss=hinge"])]
    assert [group.settings for group in groups(runs)] == [{"optimizer.lr": "0.0002"}, {"optimizer.lr": "0.001"}]


def test_seeds_and_logging_are_not_settings():
    runs = [
        run("a", 1, HINGE, ["log_every=1"], log_every=1, device="cpu"),
        run("b", 2, HINGE, ["log_every=5", "device=cuda"], log_every=5, device="cuda"),
    ]
    assert [group.settings for group in groups(runs)] == [{}]


def test_keys_of_the_report_are_not_settings():
    """In the overrides they stand with dots, as do others that do not affect the result."""
    runs = [
        run("a", 1, HINGE, ["loss=hinge"]),
        run("b", 2, HINGE, ["loss=hinge", "+report.title=Ring", "report.claims.0.below=1"], report={"title": "Ring"}),
    ]
    assert [group.settings for group in groups(runs)] == [{}]


def test_a_run_that_lies_in_two_folders_counts_once(tmp_path):
    words = ["loss=hinge", "seed=1"]
    folder(tmp_path / "a", [*words, "report.title=x"], {"seed": 1, **HINGE, "report": {"title": "x"}})
    folder(tmp_path / "b", words, {"seed": 1, **HINGE, "report": None}, {"status": "finished"})
    folder(tmp_path / "c", [*words, "device=cuda"], {"seed": 1, **HINGE, "device": "cuda"}, {"status": "finished"})
    folder(tmp_path / "d", ["loss=hinge", "seed=2"], {"seed": 2, **HINGE}, {"status": "finished"})
    found = each_once(sweep_runs(tmp_path))
    assert [(run.name, run.problem) for run in found] == [("a", "unfinished"), ("b", None), ("c", "repeats b"), ("d", None)]
    assert [[run.name for run in group.sweep_runs] for group in groups(found)] == [["b", "d"]]


def test_a_value_equal_to_the_seed_in_every_run_follows_it():
    assert swept_keys([run(str(s), s, {"dataset": {"seed": s}}) for s in (1, 2)]) == []
    assert swept_keys([run("a", 1, {"dataset": {"seed": 1}}), run("b", 2, {"dataset": {"seed": 5}})]) == ["dataset.seed"]


def test_lists_flags_and_options_left_at_their_default():
    runs = [
        run("a", 1, {"betas": [0.5, 0.9], "on": True, "decay": None, "loss": {"x": 1}}, ["loss=x"]),
        run("b", 1, {"betas": [0.0, 0.9], "on": False, "decay": 0.1, "loss": {"x": 1}}, []),
    ]
    assert runs[0].setting("betas") == "[0.5,0.9]"
    assert [runs[0].setting("on"), runs[0].setting("decay")] == ["true", "null"]
    assert groups(runs)[1].settings == {"loss": "-"}


def test_a_failed_job_belongs_to_its_method(tmp_path):
    folder(tmp_path / "good", ["loss=hinge", "seed=1"], {"seed": 1, **HINGE}, {"status": "finished"})
    folder(tmp_path / "bad", ["loss=hinge", "seed=2"], None, {"status": "failed", "reason": "no luck"}, {"seed": 2, **HINGE})
    folder(tmp_path / "killed", ["loss=hinge", "seed=3"], {"seed": 3, **HINGE})
    found = sweep_runs(tmp_path)
    assert [(run.name, run.seed, run.problem) for run in found] == [
        ("bad", 2, "failed: no luck"),
        ("good", 1, None),
        ("killed", 3, "unfinished"),
    ]
    assert [len(group.sweep_runs) for group in groups(found)] == [3]


def test_jobs_without_a_folder_and_unreadable_ones_are_named(tmp_path):
    folder(tmp_path / "good", ["seed=1"], {"seed": 1}, {"status": "finished"})
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.yaml").write_text("a: [")
    (tmp_path / "notes").mkdir()
    jobs = [
        {"overrides": ["seed=1"], "folder": "x/good"},
        {"overrides": ["seed=2"], "folder": "x/gone", "reason": "worker died"},
    ]
    (tmp_path / "sweep.json").write_text(json.dumps({"jobs": jobs}))
    found = {run.name: run.problem for run in sweep_runs(tmp_path)}
    assert found == {"broken": "its config.yaml cannot be read", "good": None, "gone": "worker died"}
    assert [len(group.sweep_runs) for group in groups(sweep_runs(tmp_path))] == [1]


def test_a_folder_without_runs(tmp_path):
    (tmp_path / "empty").mkdir()
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UserError, match="no runs in"):
            sweep_runs(path)


def test_named_methods_use_their_names():
    def named(name, seed, method, config, words, **extra):
        return run(name, seed, {**config, "method": method}, [f"method={method}", *words], **extra)

    runs = [named("h", 1, "SNGAN", HINGE, ["loss=hinge"]), named("w", 1, "WGAN-GP", WGAN_GP, ["loss=wgan_gp"])]
    assert [group.settings for group in groups(runs)] == [{"method": "SNGAN"}, {"method": "WGAN-GP"}]
    assert swept_keys([*runs, named("s", 1, "SNGAN", HINGE, ["loss=hinge", "solver=x"])]) == ["method", "solver"]
    assert swept_keys([*runs, run("n", 1, HINGE, ["loss=hinge"])]) == ["loss", "method"], "it is an override like any other"


def test_dependent_values_are_not_part_of_the_name():
    cases = {"a": ["game=a", "train.n_critic=3", "lr=1"], "b": ["game=b"], "c": ["game=c", "train.steps=9"]}
    runs = [run(f"{name}{data}", 1, {}, [*words, f"dataset={data}"]) for name, words in cases.items() for data in ("x", "y")]
    assert swept_keys(runs) == ["game", "dataset"]
    assert swept_keys([*runs, run("slow", 1, {}, ["game=b", "dataset=x", "lr=2"])]) == ["game", "dataset", "lr"]
