"""Notes of the first calls of players, from which previews and exports read what goes in and what comes out."""

import pytest
import torch
from torch import nn

from gan_cli.games.calls import first_calls


class Sum(nn.Module):
    def forward(self, x, *, y):
        return x + y


def test_the_first_call_that_has_a_note_is_kept_and_hooks_are_removed():
    players = {"generator": Sum(), "discriminator": Sum(), "idle": Sum()}
    seen = []

    def note(player, args, kwargs, output):
        seen.append(player)
        return f"{args[0].item()} + {kwargs['y'].item()} = {output.item()}" if args[0] > 0 else None

    with first_calls(players, note) as found:
        for player, x in (("discriminator", 0), ("generator", 1), ("discriminator", 2), ("discriminator", 3)):
            players[player](torch.tensor(x), y=torch.tensor(10))
        assert found == {"generator": "1 + 10 = 11", "discriminator": "2 + 10 = 12"}
    players["idle"](torch.tensor(1), y=torch.tensor(1))
    assert players["idle"] not in seen
    assert found.keys() == {"generator", "discriminator"}


def test_hooks_are_removed_after_an_error():
    player = Sum()
    with pytest.raises(ZeroDivisionError), first_calls({"generator": player}, lambda *call: 1 / 0):
        player(torch.zeros(()), y=torch.zeros(()))
    assert not player._forward_hooks
