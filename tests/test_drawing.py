"""Pictures: sizes, positions and colours of pixels."""

from inspect import signature

import numpy as np
import pytest
import torch
from PIL import Image
from support import rasters

from gan_cli import drawing
from gan_cli.drawing import analytic, image_panels, point_plots, time_series

pytestmark = pytest.mark.usefixtures("drawn")


def test_to_uint8():
    values = torch.tensor([-1.0, -1 + 2 / 255, 0.0, 1.0, -7.0, 7.0])
    pixels = drawing.to_uint8(values)
    assert pixels.tolist() == [0, 1, 128, 255, 0, 255]
    assert pixels.dtype == torch.uint8


def test_to_uint8_inverts_the_range_of_images():
    levels = torch.arange(256)
    assert torch.equal(drawing.to_uint8(levels / 127.5 - 1).long(), levels)


class TestGrid:
    def test_positions_and_enlargement(self):
        """Four grey 32x32 images, doubled, two by two, with a white frame of 4 pixels."""
        shades = torch.tensor([-1.0, -0.5, 0.0, 0.5])
        picture = drawing.grid(shades[:, None, None, None].expand(4, 1, 32, 32))
        assert picture.shape == (2 * (64 + 4) + 4, 2 * (64 + 4) + 4, 3)
        assert picture.dtype == np.uint8
        expected = drawing.to_uint8(shades).tolist()
        for index, (top, left) in enumerate([(4, 4), (4, 72), (72, 4), (72, 72)]):
            assert (picture[top : top + 64, left : left + 64] == expected[index]).all()
        assert (picture[:4] == 255).all()
        assert (picture[68:72] == 255).all()

    def test_enlargement_does_not_interpolate(self):
        image = torch.rand(1, 3, 16, 16) * 2 - 1
        picture = drawing.grid(image)
        assert picture.shape == (64, 64, 3)
        assert (picture[::4, ::4] == drawing.to_uint8(image[0]).permute(1, 2, 0).numpy()).all()
        assert (picture[3::4, 3::4] == picture[::4, ::4]).all()

    @pytest.mark.parametrize(("n", "columns", "across", "down"), [(6, 3, 3, 2), (6, None, 2, 3), (10, 5, 5, 2), (5, 2, 2, 3)])
    def test_columns(self, n, columns, across, down):
        height, width, _ = drawing.grid(torch.zeros(n, 1, 64, 64), columns).shape
        assert (height, width) == (down * 66 + 2, across * 66 + 2)

    @pytest.mark.parametrize("channels", [2, 4, 7])
    def test_other_channel_counts_show_the_first_channel(self, channels):
        images = torch.full((4, channels, 64, 64), 1.0)
        images[:, 0] = -1
        assert (drawing.grid(images)[2:66, 2:66] == 0).all()

    def test_large_and_non_square_images_are_not_enlarged(self):
        assert drawing.grid(torch.zeros(2, 3, 40, 100), 2).shape == (44, 206, 3)

    def test_does_not_change_its_argument(self):
        images = torch.zeros(4, 1, 8, 8)
        drawing.grid(images)
        assert (images == 0).all()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_picture(channels):
    image = torch.rand(channels, 5, 9) * 2 - 1
    picture = drawing.picture(image)
    assert picture.shape == (5, 9, 3)
    expected = drawing.to_uint8(image if channels == 3 else image[:1].expand(3, -1, -1))
    assert (picture == expected.permute(1, 2, 0).numpy()).all()


def orange(picture):
    """Return the number of pixels in the generator's colour, over any background."""
    red, _, blue = picture.astype(int).transpose(2, 0, 1)
    return int((red - blue > 60).sum())


class TestPoints:
    @pytest.mark.parametrize("d", [1, pytest.param(2, marks=pytest.mark.long), 3])
    @pytest.mark.slow
    def test_figures_have_one_size(self, d):
        torch.manual_seed(0)
        fake, real = torch.randn(50, d), torch.randn(50, d)
        bare = drawing.points(fake)
        both = drawing.points(fake, real)
        with_critic = drawing.points(fake, real, lambda x: x.sum(1))
        for picture in (bare, both, with_critic):
            assert picture.shape == (600, 600, 3)
            assert picture.dtype == np.uint8
        assert orange(bare) > 100
        assert (with_critic != both).any() == (d < 3), "the critic is drawn in one and two dimensions only"

    def test_critic_is_evaluated_over_the_window(self):
        asked = []

        def critic(x):
            asked.append(x)
            return x[:, 0]

        real = torch.tensor([[0.0, -1.0], [10.0, 1.0]])
        drawing.points(torch.randn(5, 2), real, critic)
        assert asked[0].amin(0).tolist() == pytest.approx([-2, -1.4])
        assert asked[0].amax(0).tolist() == pytest.approx([12, 1.4])
        assert asked[0].shape == (10_000, 2)

    def test_window_is_that_of_the_data(self):
        real = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
        far, further = (drawing.points(torch.full((3, 2), at), real) for at in (50.0, 500.0))
        assert (far == further).all()

    @pytest.mark.parametrize("d", [pytest.param(1, marks=pytest.mark.long), 2])
    @pytest.mark.parametrize("logit", [0.0, pytest.param(3.0, marks=pytest.mark.long), float("nan"), float("inf")])
    @pytest.mark.slow
    def test_critics_without_contours(self, d, logit):
        drawing.points(torch.randn(5, d), torch.randn(5, d), lambda x: torch.full((len(x),), logit))

    @pytest.mark.parametrize("d", [1, 2])
    @pytest.mark.slow
    def test_collapsed(self, d):
        drawing.points(torch.zeros(5, d), torch.randn(5, d))
        drawing.points(torch.zeros(5, d))


def test_save_png(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    path = tmp_path / "new" / "a=b ü.png"
    for _ in range(2):
        drawing.save_png(picture, path)
    assert (np.asarray(Image.open(path)) == picture).all()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_the_stand_ins_of_other_tests_take_the_same_arguments():
    for module, name in ((point_plots, "points"), (time_series, "sequences")):
        assert list(signature(getattr(rasters, name)).parameters) == list(signature(getattr(module, name)).parameters)


class TestSequences:
    @pytest.mark.slow
    def test_one_row_per_feature_with_real_sequences_beside(self):
        fake, names = torch.rand(3, 5, 2), ["a", "b"]
        alone, beside = drawing.sequences(fake, names), drawing.sequences(fake, names, torch.rand(4, 5, 2))
        assert alone.dtype == np.uint8
        assert beside.shape[0] == alone.shape[0]
        assert beside.shape[1] > 1.8 * alone.shape[1]
        assert drawing.sequences(fake[:, :, :1], names[:1]).shape[0] < alone.shape[0]

    @pytest.mark.slow
    def test_only_the_first_features_and_sequences_are_drawn(self):
        x = torch.rand(20, 5, 30)
        names = [f"f{k}" for k in range(30)]
        many = drawing.sequences(x, names)
        x[drawing.LINES :] = 7.0
        x[:, :, drawing.FEATURES :] = -7.0
        assert (drawing.sequences(x, names) == many).all()

    def test_a_walk_is_drawn_from_dark_to_light(self):
        x = torch.arange(4.0)[:, None, None].expand(4, 6, 1)  # four level lines, the last one on top
        picture = drawing.sequences(x, ["a"], walk=4).astype(int)
        middle = picture[:, picture.shape[1] // 2]
        lines = middle[(middle.max(1) - middle.min(1)) > 60]  # what is coloured, from top to bottom
        assert lines[0].sum() > lines[-1].sum()


def test_names_are_no_formulas(monkeypatch):
    monkeypatch.setattr(image_panels, "render", lambda figure: figure)
    monkeypatch.setattr(time_series, "render", lambda figure: figure)
    name = "$a$ \n b_c"
    shown = r"\$a\$ \n b_c"
    [axes] = drawing.panels([drawing.Panel(torch.zeros(1, 1, 2, 2), name, [name], [name])]).axes
    assert [axes.get_title(), *(label.get_text() for label in (*axes.get_xticklabels(), *axes.get_yticklabels()))] == [
        shown
    ] * 3
    [axes] = drawing.sequences(torch.zeros(1, 2, 1), [name]).axes
    assert axes.get_ylabel() == shown
    assert drawing.scatter(torch.zeros(2, 2), torch.zeros(2, 2), r"$\no$").any(), "no formula"


class TestGamesWithKnownSolutions:
    """Nothing is cut off at the top, however narrow a law or large a distance is."""

    @pytest.fixture(autouse=True)
    def undrawn(self, monkeypatch):
        """Return figures instead of their pixels, which saves the drawing."""
        monkeypatch.setattr(analytic, "render", lambda figure: figure)

    @staticmethod
    def peaks(std):
        x = np.linspace(-3, 3, 601)
        density = np.exp(-((x / std) ** 2) / 2) / (std * np.sqrt(2 * np.pi))
        return x, density, np.full(601, 0.5)

    @pytest.mark.parametrize("std", [0.05, 0.39, 1.0])
    def test_densities(self, std):
        x, narrow, half = self.peaks(std)
        wide = self.peaks(1.0)[1]
        for p, q in ((wide, narrow), (narrow, wide)):
            laws = drawing.densities(x, p, q, half, half, (0.0, std), (-3, 3)).axes[0]
            assert laws.get_ylim()[1] > max(p.max(), q.max())

    @pytest.mark.parametrize("std", [0.05, 0.39, 1.0])
    def test_judges(self, std):
        x, density, half = self.peaks(std)
        judge = drawing.Judge(half, half / std**2)
        figure = drawing.judges(x, density, density, judge, judge, half)
        assert all(axes.dataLim.y1 <= axes.get_ylim()[1] for axes in figure.axes)
        assert figure.axes[0].get_ylim() == (0, 1.05), "D keeps its scale"

    def test_distances_beyond_one(self):
        rows = [
            {"theta": theta} | {f"{name}/{how}": theta for name in analytic.PANELS for how in analytic.STYLES}
            for theta in (0.0, 5.0)
        ]
        rows.append({**rows[1], "kl/closed": None})
        figure = drawing.distances(rows, (0.0, 5.0))
        assert all(axes.get_ylim()[1] > 5.0 for axes in figure.axes)
        infinite = figure.axes[2].lines[0].get_ydata()[-1]
        assert infinite == 5.0
        assert figure.axes[2].get_yticks().tolist() == [0, 2.5, 5.0]

    def test_probabilities_of_the_generator(self):
        assert drawing.tables(np.array([0.5, 0.5]), np.array([1.0, 0.0]), np.full(2, 0.5)).axes[0].get_ylim()[1] > 1.0

    def test_estimates_of_either_sign(self):
        one = np.ones(2)
        figure = drawing.earth_mover(np.arange(2.0), (one, one), np.zeros((2, 2)), one, {0: -2.0, 1: 3.0, 2: None}, 0.0, 0.0)
        low, high = figure.axes[2].get_ylim()
        assert low <= -2.0
        assert high > 3.0

    def test_a_path_that_leaves(self):
        field = drawing.Field(1.0, np.zeros((3, 3)), np.zeros((2, 3, 3)))
        figure = drawing.phase_portrait([0, 1], np.array([[1e-5, 0.0], [1e4, 0.0]]), field, "θφ")
        low, high = figure.axes[1].get_ylim()
        assert low <= 1e-5
        assert high >= 1e4
