"""Players that torch.compile compiles: their calls while losses are computed, and what cannot be compiled."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from gan_cli.errors import UserError, first_line
from gan_cli.games.base import Game

COMPILER: Mapping[str, Any] = {"backend": "inductor", "dynamic": False, "options": {"fallback_random": True}}
"""Arguments of ``torch.compile``. With ``fallback_random`` dropout draws the numbers that it draws without the compiler."""


class CompiledPlayers:
    """The players of a game, compiled where a loss calls them; everything else calls them as they are.

    A player keeps its class, its hooks and the names of its weights, and copies of it are not compiled. Its first calls take
    seconds to minutes. Calls of single layers or of ``features`` are not compiled.

    Raises:
        UserError: If a regularizer differentiates gradients, of which compiled networks have no derivative.
    """

    def __init__(self, game: Game) -> None:
        for name, regularizer in game.objective.regularizers.items():
            if regularizer.differentiates_gradients:
                raise no_second_derivatives(f"regularizer.{name}")
        torch.compiler.reset()  # what earlier runs of this process have compiled counts towards a limit
        self.calls = [(player, torch.compile(player.forward, **COMPILER)) for player in game.players().values()]

    @contextmanager
    def called_for(self, moving: Collection[nn.Parameter]) -> Iterator[None]:
        """Compile the calls inside the context, for gradients in the parameters ``moving`` alone.

        A compiled network computes the gradients of all parameters that require one, whichever are asked for.
        """
        ids = {id(parameter) for parameter in moving}
        parameters = [parameter for player, _ in self.calls for parameter in player.parameters()]
        fixed = [parameter for parameter in parameters if parameter.requires_grad and id(parameter) not in ids]
        try:
            for parameter in fixed:
                parameter.requires_grad_(False)
            for player, call in self.calls:
                vars(player)["forward"] = call
            yield
        finally:
            for player, _ in self.calls:
                vars(player).pop("forward", None)
            for parameter in fixed:
                parameter.requires_grad_(True)


def no_second_derivatives(place: str) -> UserError:
    """Return the error about a part of a run that differentiates gradients, named by its place in the config."""
    return UserError(
        f"compile=true: {place} differentiates gradients, and compiled networks have no second derivative. Use compile=false."
    )


@contextmanager
def compiler_errors_named(compiles: bool) -> Iterator[None]:
    """Turn an error of the compiler inside the context into a UserError, if players are compiled there.

    Raises:
        UserError: If torch.compile cannot compile a player.
    """
    if not compiles:
        yield
        return
    from torch._dynamo.exc import TorchDynamoException  # takes seconds to import

    try:
        yield
    except TorchDynamoException as error:
        cause = getattr(error, "inner_exception", error)
        problem = f"{type(cause).__name__}: {first_line(str(cause).strip())}"
        raise UserError(f"compile=true: torch.compile fails: {problem}\nUse compile=false.") from error
    except RuntimeError as error:
        if "double backward" not in str(error):
            raise
        raise no_second_derivatives("a loss or a regularizer") from error
