"""Labels of images in a file, some classes of a set, and batches with equally many samples of each class."""

import json

import pytest
import torch
from PIL import Image
from support import configs
from support.runs import differences, outcome, train

from gan_cli.data.class_choice import data_of_classes
from gan_cli.data.images.fashion_mnist_mini import fashion_mnist_mini
from gan_cli.data.images.label_file import labels_by_path, read_labels
from gan_cli.data.images.published import image_folder
from gan_cli.data.record import DataRecord
from gan_cli.data.stream import Stream, balanced_rows
from gan_cli.errors import UserError

TABLE = "file,kind,colour\na/0.png,flower,red\n1.png,flower,blue\n2.png,temple,red\nb/3.png,temple,blue\n"


@pytest.fixture
def photos(tmp_path):
    for number in range(6):
        folder = tmp_path / "photos" / ("a" if number < 3 else "b")
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 9), (40 * number, 0, 0)).save(folder / f"{number}.png")
    return tmp_path / "photos"


def pictures(data) -> dict[int, str]:
    """Return the class of each image, of both parts, by its number."""
    found = {}
    for part in (data.train, data.heldout):
        x, y = part.batch(torch.arange(len(part)))
        numbers = ((x[:, 0, 0, 0] + 1) * 127.5 / 40).round().int().tolist()
        found |= {number: data.class_names[label] for number, label in zip(numbers, y.tolist(), strict=True)}
    return found


@pytest.mark.parametrize(
    ("name", "text", "column", "classes"),
    [
        ("labels.csv", TABLE, "kind", {0: "flower", 1: "flower", 2: "temple", 3: "temple"}),
        ("labels.csv", TABLE, ["kind", "colour"], {0: "flower+red", 1: "flower+blue", 2: "temple+red", 3: "temple+blue"}),
        ("labels.tsv", "0.png\t10\n5.png\t9\n", None, {0: "10", 5: "9"}),
        ("labels.json", json.dumps({"a/0.png": "x", "./b/4.png": ["y"]}), None, {0: "x", 4: "y"}),
        ("labels.json", json.dumps({"labels": [["a/0.png", 3], ["b/4.png", 11]]}), None, {0: "3", 4: "11"}),
    ],
)
@pytest.mark.filterwarnings("ignore::gan_cli.errors.DamageWarning", "ignore::UserWarning")
def test_a_file_gives_the_classes(name, text, column, classes, photos):
    (photos / name).write_text(text)
    data = image_folder(root=str(photos), size=8, cache=False, heldout=1, labels=name, label=column)
    assert pictures(data) == classes
    assert list(data.class_names) == sorted(
        set(classes.values()), key=lambda word: (not word.isdecimal(), len(word), word)
    ) or (not next(iter(classes.values())).isdecimal())
    assert f"without a label {6 - len(classes)}" in DataRecord.of(data).lines()[1]


def test_other_labels_of_the_same_files_are_cached_anew(photos, tmp_path):
    for words in ("xxyyxy", "xyxyxy"):
        (photos / "labels.json").write_text(json.dumps({f"{k}.png": word for k, word in enumerate(words)}))
        data = image_folder(root=str(photos), size=8, cache_dir=str(tmp_path / "cache"), labels="labels.json")
        assert pictures(data) == dict(enumerate(words))


@pytest.mark.parametrize(
    ("name", "text", "column", "said"),
    [
        ("l.csv", TABLE, None, r"l\.csv has several columns of labels: kind, colour\.\nName one, as dataset\.label=kind"),
        ("l.csv", TABLE, "colur", r"l\.csv has no column colur\. Did you mean colour\? It has kind, colour\."),
        ("l.csv", "a.png,\n", None, r"l\.csv gives a\.png no label"),
        ("l.csv", "a.png\n", None, r"Cannot read .*has no label"),
        ("l.json", '{"a.png": ["cat", "red"]}', None, r"a\.png several labels, cat, red: a game takes one .*\n.*cat\+red\.$"),
        ("l.json", '{"a.png": "cat"}', "kind", r"label='kind': l\.json has no columns"),
        ("l.json", "[1", None, r"Cannot read .*l\.json"),
        ("l.json", "[1, 2]", None, r"Cannot read .*l\.json"),
        ("l.json", "{}", None, r"holds no labels"),
    ],
)
def test_a_file_that_does_not_give_one_label_each_is_refused(name, text, column, said, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=said) as caught:
        read_labels(tmp_path / name, column)
    assert str(caught.value).count("\n") <= 1


def test_a_name_that_two_files_share_needs_its_path():
    assert labels_by_path(["a/x.png", "b/x.png", "b/y.png"], {"x.png": "1", "b/x.png": "2", "y.png": "3"}) == {
        "b/x.png": "2",
        "b/y.png": "3",
    }


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"labels": "none.csv"}, r"labels='.*none\.csv': there is no such file"),
        ({"label": "kind"}, r"label='kind': it names a column of the file dataset\.labels, which is not set"),
        ({"labels": "others.json"}, r"names none of the images in .*: it names z\.png, and the images are a/0\.png"),
        ({"classes": ["c"]}, r"classes=\['c'\]: there is no class c\.\nThe classes are: a, b\.$"),
    ],
)
def test_options_that_do_not_fit_the_folder(options, said, photos):
    (photos / "others.json").write_text('{"z.png": 1}')
    with pytest.raises(UserError, match=said):
        image_folder(root=str(photos), size=8, cache=False, **options)


class TestClasses:
    def test_classes_are_numbered_in_the_order_typed(self):
        whole, data = fashion_mnist_mini(size=8), fashion_mnist_mini(size=8, classes=["Coat", 0, "Coat"])
        assert (data.classes, data.class_names) == (2, ("Coat", "T-shirt/top"))
        assert data.train.known_labels().bincount().tolist() == [1000, 1000]
        x, y = data.heldout.batch(torch.arange(400))
        theirs = whole.heldout.batch((torch.isin(whole.heldout.known_labels(), torch.tensor([0, 4]))).nonzero().flatten())
        assert torch.equal(x, theirs.x)
        assert torch.equal(y, (theirs.y == 0).long())
        assert [(one.name, one.train) for one in DataRecord.of(data).classes] == [("Coat", 1000), ("T-shirt/top", 1000)]

    @pytest.mark.parametrize("cache", [True, False])
    def test_a_folder(self, cache, photos, tmp_path):
        options = {"size": 8, "cache": cache, "cache_dir": str(tmp_path / "cache"), "heldout": 1}
        data = image_folder(root=str(photos), classes=["b"], **options)
        assert pictures(data) == {3: "b", 4: "b", 5: "b"}

    def test_data_without_labels(self, photos):
        with pytest.raises(UserError, match=r"classes=\['a'\]: these samples have no labels"):
            data_of_classes(image_folder(root=str(photos / "a"), size=8, cache=False), ["a"])


class TestBalanced:
    def test_every_batch_holds_equally_many_of_each_class(self):
        labels = torch.tensor([0] * 90 + [2] * 7 + [3] * 3)
        rows = balanced_rows(torch.randperm(100), labels, torch.Generator().manual_seed(0))
        assert len(rows) == 100
        for block in rows[:99].split(3):
            assert sorted(labels[block].tolist()) == [0, 2, 3]
        common = rows[labels[rows] == 0]
        assert len(common.unique()) == len(common), "no sample of a large class comes twice"
        assert (rows.bincount()[90:97] >= 4).all()
        assert (rows.bincount()[97:] == 11).all()

    def test_random_changes_stay(self):
        rows = torch.stack([torch.arange(6), torch.arange(6) * 10], 1)
        found = balanced_rows(rows, torch.tensor([0, 0, 0, 0, 1, 1]), torch.Generator())
        assert torch.equal(found[:, 1], rows[:, 1])

    def test_a_stream_continues_where_it_was(self):
        data = fashion_mnist_mini(size=8, max_samples=50)
        first = Stream(data.train, 20, seed=3, balanced=True)
        batches = [next(first) for _ in range(6)]
        assert all(batch.y.bincount(minlength=10).tolist() == [2] * 10 for batch in batches)
        later = Stream(data.train, 20, seed=3, position=4, balanced=True)
        assert torch.equal(next(later).x, batches[4].x)

    def test_data_without_labels(self):
        data = configs.build_data(configs.config("dataset=swiss_roll"))
        with pytest.raises(UserError, match=r"^train\.batches=balanced needs labels"):
            Stream(data.train, 4, seed=0, balanced=True)

    @pytest.mark.slow
    @pytest.mark.long
    def test_a_resumed_run_equals_an_uninterrupted_one(self, tmp_path):
        cfg = configs.config("game=cgan metric=none", "train.batches=balanced train.batch_size=10 log_every=1")
        train(cfg, tmp_path / "whole", "train.steps=4")
        train(cfg, tmp_path / "parts", "train.steps=2")
        train(cfg, tmp_path / "parts", "train.steps=4", resume=True)
        ours, theirs = outcome(tmp_path / "whole"), outcome(tmp_path / "parts")
        left = [where for where in differences(ours, theirs) if "pictures" not in where]
        assert not left
