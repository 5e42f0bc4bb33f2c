"""The path from an earlier checkpoint agrees with closed forms."""

import math

import pytest
import torch
from support.players import Bilinear, images_gan
from support.quadratic import DUMMY_BATCH, Quadratic, random_quadratic
from torch import tensor

from gan_cli.data.base import Data
from gan_cli.data.points.toy import Points
from gan_cli.diagnostics.gradients import gradient_norms
from gan_cli.diagnostics.path_angle import PathAngle, path_angle
from gan_cli.errors import UserError
from gan_cli.types import Batch


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


class TestPathAngle:
    ALPHAS = (-0.5, 0.0, 0.5, 0.9, 1.1, 1.5)

    def path(self, game, end):
        start = {name: value.clone() for name, value in game.state_dict().items()}
        return path_angle(game, start, end, DUMMY_BATCH, self.ALPHAS)

    def test_attraction_changes_the_sign_at_the_end(self):
        game = Quadratic(torch.eye(2), torch.zeros(2, 2), torch.eye(2), tensor([1.0, 2.0]), tensor([3.0, 4.0]))
        path = self.path(game, {name: torch.zeros(2).double() for name in ("theta", "phi")})
        assert path.cosines == pytest.approx([-1, -1, -1, -1, 1, 1])
        assert path.norms == pytest.approx([abs(1 - alpha) * 30**0.5 for alpha in self.ALPHAS])

    def test_rotation_is_orthogonal_to_the_path(self):
        path = self.path(Bilinear(2.0, 1.0), {name: torch.zeros(1).double() for name in ("theta", "phi")})
        assert path.cosines == pytest.approx([0] * 6, abs=1e-12)

    def test_between_any_points(self):
        game, end = random_quadratic(3, 2), random_quadratic(3, 2, seed=1)
        w, to = (torch.cat([g.phi, g.theta]).detach() for g in (game, end))
        path = self.path(game, end.state_dict())
        for alpha, cosine in zip(self.ALPHAS, path.cosines, strict=True):
            v = game.jacobian() @ (w + alpha * (to - w))
            assert cosine == pytest.approx(float(v @ (to - w) / v.norm() / (to - w).norm()))

    def test_a_network_with_buffers(self):
        """The norms at both ends are those of the players' gradients."""
        game, other, batch = images_gan(), images_gan(), Batch(torch.randn(4, 1, 16, 16))
        path = path_angle(game, game.state_dict(), other.state_dict(), batch, (0.0, 1.0), seed=3)
        norms = [math.hypot(*gradient_norms(players, batch, seed=3).values()) for players in (game, other)]
        assert path.norms == pytest.approx(norms)
        assert all(-1 < cosine < 1 for cosine in path.cosines)

    def test_equal_ends_give_nan(self):
        game = Bilinear(1.0, 1.0)
        assert math.isnan(path_angle(game, game.state_dict(), game.state_dict(), DUMMY_BATCH, [0.5]).cosines[0])

    def test_a_state_of_other_players_is_refused(self):
        game = Bilinear(1.0, 1.0)
        with pytest.raises(UserError, match="states of this game's players"):
            path_angle(game, game.state_dict(), random_quadratic(2, 2).state_dict(), DUMMY_BATCH, [0.5])


class TestReport:
    DATA = Data(Points(torch.zeros(8, 1)), Points(torch.zeros(4, 1)))

    def diagnose(self, game, origin, **fields):
        """Return the report of ``game``, whose earlier state is ``origin``."""
        asked = []
        measure = PathAngle(batch_size=2, **fields).since(lambda step: (asked.append(step), origin)[1])
        assert asked == [fields.get("start")]
        return measure.diagnose(game, self.DATA, 0)

    @pytest.mark.slow
    def test_attracted_players(self):
        eye = torch.eye(2)
        start = Quadratic(eye, torch.zeros(2, 2), eye)
        end = Quadratic(eye, torch.zeros(2, 2), eye, torch.zeros(2), torch.zeros(2))
        found = self.diagnose(end, start, points=5)
        assert {name: value.value for name, value in found.values.items()} == {"path_angle/jump": 2, "path_angle/before": -1}
        assert found.details["path"]["alphas"] == (0, 0.5, 1, 1.5, 2)
        assert found.pictures["path_angle"].ndim == 3

    @pytest.mark.slow
    def test_rotating_players(self):
        end = Bilinear(0.0, 0.0)
        found = self.diagnose(end, Bilinear(1.0, 1.0), start=3)
        assert [value.value for value in found.values.values()] == pytest.approx([0, 0], abs=1e-12)

    def test_players_that_have_not_moved_are_refused(self):
        with pytest.raises(UserError, match="there is none with other players"):
            self.diagnose(Bilinear(1.0, 2.0), Bilinear(1.0, 2.0))
        with pytest.raises(UserError, match="there is none with other players"):
            PathAngle().diagnose(Bilinear(1.0, 2.0), self.DATA, 0)

    @pytest.mark.parametrize(
        ("field", "value"), [("points", 4), ("points", 1), ("batch_size", 1), ("start", -1), ("start", "x")]
    )
    def test_a_field_out_of_range(self, field, value):
        with pytest.raises(UserError, match=f"{field}="):
            PathAngle(**{field: value})
