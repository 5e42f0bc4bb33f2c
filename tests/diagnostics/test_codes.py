"""Agreement of codes and labels."""

import itertools

import pytest
import torch
from support.players import Numbers, points_gan

from gan_cli.data.base import Data
from gan_cli.diagnostics.codes import CodeAccuracy, contingency, one_to_one
from gan_cli.errors import UserError
from gan_cli.games.infogan import InfoGAN
from gan_cli.games.objective import Objective
from gan_cli.losses.non_saturating import NonSaturating
from gan_cli.models.mlp import MLPDiscriminator, MLPGenerator


@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5)])
def test_the_matching_is_the_best_of_all(shape):
    torch.manual_seed(0)
    for _ in range(5):
        table = torch.randint(20, shape)
        long = table if shape[0] >= shape[1] else table.T
        tries = [
            sum(int(long[i, j]) for j, i in enumerate(chosen))
            for chosen in itertools.permutations(range(len(long)), long.shape[1])
        ]
        share, pairs = one_to_one(table)
        assert share == pytest.approx(max(tries) / int(table.sum()))
        assert sum(int(table[i, j]) for i, j in pairs) == max(tries)


def test_renaming_codes_does_not_matter():
    y = torch.arange(30) % 3
    code = torch.tensor([2, 0, 1])[y]
    assert one_to_one(contingency(code, y, 4, 3)) == (1.0, [(0, 1), (1, 2), (2, 0)])
    code[:6] = 3
    assert one_to_one(contingency(code, y, 4, 3))[0] == pytest.approx(24 / 30)
    assert one_to_one(contingency(torch.zeros(30).long(), y, 4, 3))[0] == pytest.approx(1 / 3)


def game(classes=3):
    players = MLPGenerator((2,), 0, 8, 8, 2), MLPDiscriminator((2,), 0, 2, 1)
    return InfoGAN(*players, Objective(NonSaturating()), categorical=classes, continuous=0)


def test_a_q_that_recovers_the_class():
    """Return data x = (i, i), y = i mod 3 and a Q with logits cos(2 pi (i - k) / 3), which recovers y."""
    one = game()
    k = torch.arange(3)

    class Reads(torch.nn.Module):
        def forward(self, x):
            return torch.cos(2 * torch.pi * (x[:, :1] - (k + 1)) / 3)

    one.q = Reads()
    report = CodeAccuracy().diagnose(one, Data(Numbers(9), Numbers(60)), 0)
    assert report.values["codes/accuracy"].value == 1
    assert report.values["codes/used"].value == 3
    assert report.details["matching"] == [(0, 1), (1, 2), (2, 0)]


def test_the_game_is_not_changed():
    one = game()
    before = {name: value.clone() for name, value in one.state_dict().items()}
    CodeAccuracy(batch_size=20).diagnose(one, Data(Numbers(9), Numbers(60)), 0)
    assert one.training
    assert all(torch.equal(value, before[name]) for name, value in one.state_dict().items())


def test_games_without_codes_and_data_without_labels_are_refused():
    with pytest.raises(UserError, match="the codes of game=infogan"):
        CodeAccuracy().diagnose(points_gan(), Data(Numbers(9), Numbers(60)), 0)

    class Unlabelled(Numbers):
        classes = 0

        def batch(self, indices):
            return super().batch(indices)._replace(y=None)

    with pytest.raises(UserError, match="this data set has none"):
        CodeAccuracy().diagnose(game(), Data(Unlabelled(9), Unlabelled(60)), 0)
