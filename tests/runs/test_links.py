"""Links, pipes and oversized pictures in a run folder or among images: nothing is followed, emptied or waited for."""

import os
import sys
import warnings

import pytest
from PIL import Image
from support import configs

from gan_cli.cli import main
from gan_cli.data.images.listing import listing
from gan_cli.errors import FieldError, UserError
from gan_cli.evaluation import results
from gan_cli.report.figures.gallery import Gallery
from gan_cli.report.figures.progression import Pictures, read_image
from gan_cli.report.index import relative_link
from gan_cli.runs.folder import refuse_links, run_folder


@pytest.fixture
def victim(tmp_path):
    """A file outside of the run that must not change."""
    path = tmp_path / "victim"
    path.write_text("precious")
    return path


@pytest.fixture
def run(tmp_path):
    """The folder of a run that has not trained."""
    folder = tmp_path / "run"
    for name in ("checkpoints", "samples", ".hydra"):
        (folder / name).mkdir(parents=True)
    (folder / "config.yaml").write_text("train: {}")
    return folder


@pytest.mark.parametrize(
    ("name", "make"),
    configs.pairs(
        [".eval.json.lock", "train.log", "metrics.jsonl", "checkpoints/step_00000001.pt", ".hydra/x"],
        ["link", "broken link", "circle", "folder", "pipe"],
        ["link"],
        ["metrics.jsonl"],
    ),
)
@pytest.mark.slow
def test_a_run_is_made_of_regular_files(run, victim, monkeypatch, capsys, name, make):
    path = run / name
    {
        "link": lambda: path.symlink_to(victim),
        "broken link": lambda: path.symlink_to(victim.with_name("new")),
        "circle": lambda: path.symlink_to(path),
        "folder": lambda: path.symlink_to(victim.parent),
        "pipe": lambda: os.mkfifo(path),
    }[make]()
    for command, word in ((main.gan_train, f"resume={run}"), (main.gan_sample, str(run)), (main.gan_eval, str(run))):
        monkeypatch.setattr(sys, "argv", ["gan", word])
        assert command() == 2
        said = capsys.readouterr().err
        assert f"{path} is " in said
        assert "a run is made of regular files" in said
        assert len(said.splitlines()) == 1
    assert (victim.read_text(), sorted(path.name for path in victim.parent.iterdir())) == ("precious", ["run", "victim"])


def test_links_inside_a_run_and_a_sweep_of_links_are_allowed(run, tmp_path, victim):
    (run / "best.pt").symlink_to(run / "config.yaml")
    assert run_folder(run) == run
    sweep = tmp_path / "sweep"
    sweep.mkdir()
    (sweep / "a").symlink_to(run)
    refuse_links(sweep)
    (sweep / "sweep.json").symlink_to(victim)
    with pytest.raises(UserError, match=r"sweep\.json is a link"):
        refuse_links(sweep)


def test_a_lock_file_is_not_emptied_or_followed(tmp_path, victim):
    lock = tmp_path / "out" / ".eval.json.lock"
    lock.parent.mkdir()
    lock.write_text("kept")
    results.write(lock.parent, [])
    assert lock.read_text() == "kept"
    lock.unlink()
    lock.symlink_to(victim)
    with pytest.raises(UserError, match="is a link to"):
        results.write(lock.parent, [])
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("name", ["config.yaml", "result.json"])
def test_a_pipe_is_not_waited_for(run, name):
    (run / name).unlink(missing_ok=True)
    os.mkfifo(run / name)
    with pytest.raises(UserError, match=r"no run in|no regular file"):
        run_folder(run)


def test_pipes_are_no_images_and_links_to_files_are(tmp_path, victim):
    folder = tmp_path / "images"
    folder.mkdir()
    os.mkfifo(folder / "a.png")
    (folder / "b.png").symlink_to(victim)
    assert [name for name, _, _ in listing(folder, (".png",))] == ["b.png"]


@pytest.mark.parametrize(("width", "height"), [(8_000, 8_000), (40_000, 3)])
def test_a_huge_picture_is_named(tmp_path, width, height):
    path = tmp_path / "huge.png"
    Image.new("1", (width, height)).save(path)
    with pytest.raises(UserError, match=rf"huge\.png cannot be shown: it has {width} × {height} pixels"):
        read_image(path)


def test_a_decompression_bomb_is_named(tmp_path, monkeypatch):
    path = tmp_path / "bomb.png"
    Image.new("1", (64, 64)).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with warnings.catch_warnings(), pytest.raises(UserError, match=r"bomb\.png cannot be read"):
        read_image(path)
    cfg = configs.config("dataset=image_folder", f"dataset.root={tmp_path}")
    with pytest.raises(UserError, match=r"Cannot decode .*bomb\.png"):
        configs.build_data(cfg)


@pytest.mark.parametrize("pattern", ["../*.png", "/etc/*", "samples/../../*", "", 3, "a\0b"])
def test_a_figure_shows_pictures_of_the_run_alone(pattern):
    for figure in (Gallery, Pictures):
        with pytest.raises(FieldError, match="inside the run folder"):
            figure(glob=pattern)


@pytest.mark.parametrize("name", ["javascript:alert(1)", "<script>", "a\"b'c", "100%#?x", "data:text"])
def test_a_link_in_a_page_is_a_relative_path(tmp_path, name):
    link = relative_link(tmp_path / name / "report.html", tmp_path)
    assert link.startswith("./")
    assert set(link).isdisjoint(":<>\"'#?")
