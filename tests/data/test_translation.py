"""Paired and unpaired data from the bundled images and from folders."""

import numpy as np
import pytest
import torch
from PIL import Image
from support import configs, layouts
from support.players import Numbers

from gan_cli.data.base import Swapped
from gan_cli.data.stream import Stream
from gan_cli.data.translation.degradations import Grey, Hole, grey
from gan_cli.data.translation.paired import degraded_bundled as pairs
from gan_cli.data.translation.paired import side_by_side
from gan_cli.data.translation.unpaired import Unpaired, unpaired_folder
from gan_cli.data.translation.unpaired import unpaired_bundled as domains
from gan_cli.errors import UserError


@pytest.fixture(scope="module")
def pairs_root(tmp_path_factory):
    return configs.write_dataset("side_by_side", tmp_path_factory.mktemp("pairs"))


@pytest.fixture(scope="module")
def domains_root(tmp_path_factory):
    return configs.write_dataset("unpaired_folder", tmp_path_factory.mktemp("domains"))


def take(dataset, n: int = 4):
    return dataset.batch(torch.arange(n))


def test_a_source_is_made_from_its_target():
    data = pairs(Hole(0.5), size=16, max_samples=8)
    assert (data.shape, data.source, data.paired, data.classes) == ((1, 16, 16), (1, 16, 16), True, 0)
    x, y = take(data.train)
    assert torch.equal(y, Hole(0.5)(x))
    assert not torch.equal(take(data.heldout).x, x)


def test_hues_distinguish_classes_and_grey_does_not():
    data = pairs(Grey(), size=16, tint=True, max_samples=100)
    plain = pairs(Grey(), size=16, max_samples=100)
    assert (data.shape, data.source) == ((3, 16, 16), (1, 16, 16))
    (x, y), (g, _) = take(data.train, 100), take(plain.train, 100)
    assert x.abs().max() <= 1
    assert torch.allclose((y + 1) / 2, (g + 1) / 4, atol=1e-5), "half as bright, whatever the hue"
    assert torch.allclose(grey(x), y)
    brightest = (x + 1).flatten(2).amax(2)  # of each channel
    hues = (brightest / brightest.amax(1, keepdim=True)).round(decimals=2)
    assert len(hues.unique(dim=0)) == 10


def test_swapped_exchanges_x_and_y():
    data = pairs(Grey(), size=8, tint=True, max_samples=8)
    back = data.swapped()
    assert (back.shape, back.source, back.paired) == (data.source, data.shape, True)
    assert torch.equal(take(back.train).x, take(data.train).y)
    assert torch.equal(take(back.train).y, take(data.train).x)
    assert torch.equal(take(back.swapped().train).x, take(data.train).x)
    with pytest.raises(UserError, match="no inverse direction"):
        Swapped(Numbers(3))


def test_domains_share_no_image():
    data = domains([0, 6], [0, 6], invert=True, size=32)
    assert (len(data.train), len(data.heldout), data.paired) == (1000, 200, False)
    x = data.train.targets.batch(torch.arange(1000)).x
    y = data.train.sources.batch(torch.arange(1000)).x
    both = {image.numpy().tobytes() for image in -x} & {image.numpy().tobytes() for image in y}
    assert not both
    assert x.mean() > 0 > y.mean(), "negatives of clothes on black"


@pytest.mark.slow
def test_domains_by_name_are_those_by_number():
    named, numbered = domains(["Trouser", "Ankle boot"], ["Dress"], size=8), domains([9, 1, 1], [3], size=8)
    assert len(named.train.sources) == 2000
    assert torch.equal(take(named.train, 100).y, take(numbered.train, 100).y)
    with pytest.raises(UserError, match=r"targets=\['Dres'\]: there is no class Dres\. Did you mean Dress\?"):
        domains([1], ["Dres"])


def test_domains_are_the_selected_classes():
    a, b = domains([1], [3], size=8), domains([3], [1], size=8)
    assert len(a.train) == len(b.train) == 1000
    assert torch.equal(take(a.train.sources).x, take(b.train.targets).x)
    assert torch.equal(take(a.swapped().train).y, take(b.train).y)


def test_domains_are_drawn_independently_and_completely():
    data = Unpaired(Numbers(7), Numbers(3))
    assert len(data) == 7
    g = torch.Generator().manual_seed(0)
    orders = torch.stack([data.order(g) for _ in range(200)])
    assert (orders[:, :, 0].sort(dim=1).values == torch.arange(7)).all(), "every target once an epoch"
    for first in (0, 3):
        assert (orders[:, first : first + 3, 1].sort(dim=1).values == torch.arange(3)).all(), "no source again before its turn"
    counts = torch.zeros(7, 3).index_put_(tuple(orders.flatten(0, 1).T), torch.ones(1400), accumulate=True)
    assert counts.min() > 35, "every pair comes, about 67 times"
    x, y = data.batch(orders[0])
    assert torch.equal(x[:, 0].long(), orders[0, :, 0])
    assert torch.equal(y[:, 0].long(), orders[0, :, 1])


def test_more_sources_than_targets():
    data = Unpaired(Numbers(3), Numbers(7))
    g = torch.Generator().manual_seed(0)
    seen = torch.stack([data.order(g)[:, 1] for _ in range(50)])
    assert set(seen.flatten().tolist()) == set(range(7))
    assert all(len(set(row)) == 3 for row in seen.tolist())


def test_a_stream_of_domains_resumes_exactly():
    data = Unpaired(Numbers(7), Numbers(5))
    whole = Stream(data, 4, seed=1)
    batches = [next(whole) for _ in range(6)]
    other = Stream(data, 4, seed=1)
    other.load_state_dict({**whole.state_dict(), "position": 3})
    again = [next(other) for _ in range(3)]
    for a, b in zip(batches[3:], again, strict=True):
        assert torch.equal(a.x, b.x)
        assert torch.equal(a.y, b.y)
    assert any(not torch.equal(a.x, a.y) for a in batches)
    with pytest.raises(UserError, match="12 samples when the checkpoint was written and has 11 now"):
        Stream(Unpaired(Numbers(7), Numbers(4)), 4, seed=1).load_state_dict(whole.state_dict())


@pytest.mark.parametrize(("sources", "targets"), [([], [1]), ([1], [10]), (1, [2]), ([1.5], [2])])
def test_unknown_classes(sources, targets):
    with pytest.raises(UserError, match=r"(sources|targets)=.*(there is no class|a list of classes)"):
        domains(sources, targets, size=8)


# Folders.


@pytest.mark.parametrize("cache", [True, False])
@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_halves_side_by_side(pairs_root, direction, cache):
    data = side_by_side(str(pairs_root), direction, size=8, cache=cache)
    assert (data.shape, data.source, data.paired, len(data.train), len(data.heldout)) == ((3, 8, 8), (3, 8, 8), True, 6, 6)
    x, y = take(data.train)
    assert (x + y).abs().max() <= 0.02, "negatives of each other"
    first = np.asarray(Image.open(pairs_root / "train" / "0.png").crop((0, 0, 24, 24))).mean() / 127.5 - 1
    a = y if direction == "AtoB" else x
    assert a[0].mean().item() == pytest.approx(first, abs=0.02)


def test_heldout_folder(pairs_root, tmp_path):
    val, test = (side_by_side(str(pairs_root), split=split, size=8).heldout for split in ("val", "test"))
    default = side_by_side(str(pairs_root), size=8).heldout
    assert torch.equal(take(default).x, take(val).x)
    assert not torch.equal(take(val).x, take(test).x)
    layouts.write_side_by_side(tmp_path / "alone", n=20, splits=("train",))
    data = side_by_side(str(tmp_path / "alone"), size=8)
    assert (len(data.train), len(data.heldout)) == (18, 2)
    assert len(side_by_side(str(pairs_root), size=8, heldout=2).heldout) == 2, "of train"


def test_two_folders_are_two_domains(domains_root):
    data = unpaired_folder(str(domains_root), size=8)
    assert (len(data.train), len(data.train.sources), data.paired) == (9, 6, False)
    assert data.shape == data.source == (3, 8, 8)
    back = unpaired_folder(str(domains_root), direction="BtoA", size=8)
    assert torch.equal(take(back.train).x, take(data.train).y)
    assert len(back.train) == 6


def test_domains_without_a_test_part(tmp_path):
    layouts.write_unpaired_folder(tmp_path / "root", n=20, n_target=30, parts=("train",))
    data = unpaired_folder(str(tmp_path / "root"), size=8)
    assert [len(part) for part in (data.train, data.train.sources, data.heldout, data.heldout.sources)] == [27, 18, 3, 2]


@pytest.mark.parametrize("function", [side_by_side, unpaired_folder])
def test_wrong_layouts(function, pairs_root, domains_root, tmp_path):
    wrong = {side_by_side: domains_root, unpaired_folder: pairs_root}[function]
    for root, said in (
        (None, r"needs dataset\.root=DIR"),
        (tmp_path / "nowhere", "there is no folder"),
        (tmp_path, r"there is no folder .*/train.*\nIt should hold train"),
        (wrong, r"is the layout of dataset=(unpaired_folder|side_by_side)"),
    ):
        with pytest.raises(UserError, match=said) as error:
            function(None if root is None else str(root), size=8)
        assert str(error.value).count("\n") <= 1
    with pytest.raises(UserError, match=r"direction='BtoC'"):
        function(str(tmp_path), direction="BtoC")


def test_other_invalid_folders(pairs_root, domains_root, tmp_path):
    with pytest.raises(UserError, match=r"split='dev'"):
        side_by_side(str(pairs_root), split="dev")
    (tmp_path / "train").mkdir()
    with pytest.raises(UserError, match=r"split='test': there is no folder .*test"):
        side_by_side(str(tmp_path), split="test")
    with pytest.raises(UserError, match=r"No images in .*train"):
        side_by_side(str(tmp_path))
    Image.new("RGB", (24, 24)).save(tmp_path / "train" / "square.png")
    with pytest.raises(UserError, match=r"square\.png: it has 24 by 24 pixels, but should hold A and B side by side"):
        side_by_side(str(tmp_path), heldout=1)
    for name in ("trainA", "trainB", "testB"):
        (tmp_path / name).mkdir()
    with pytest.raises(UserError, match="holds testB/ alone"):
        unpaired_folder(str(tmp_path))
