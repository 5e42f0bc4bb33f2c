"""Notes of the calls of a game's players while it is played or sampled."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, TypeVar

from torch import nn

Note = TypeVar("Note")


@contextmanager
def first_calls(
    players: Mapping[str, nn.Module], note: Callable[[nn.Module, tuple[Any, ...], dict[str, Any], Any], Note | None]
) -> Iterator[dict[str, Note]]:
    """Yield a note on the first call of each player by its name; they are added while the players are called.

    Args:
        players: The players by name.
        note: (player, positional arguments, keyword arguments, output) -> the note, or None if the call is to be passed over.
    """
    found: dict[str, Note] = {}

    def called(name: str, player: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        if name not in found and (noted := note(player, args, kwargs, output)) is not None:
            found[name] = noted

    with ExitStack() as hooks:
        for name, player in players.items():
            hooks.enter_context(player.register_forward_hook(partial(called, name), with_kwargs=True))
        yield found
