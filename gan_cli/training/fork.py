"""Forks: a new run from another's players, averages, optimizers, random streams and place in the data."""

from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.optim import Optimizer

from gan_cli.config.budget import budget_of, in_words
from gan_cli.config.identity import differences, plain_hash, to_plain
from gan_cli.config.stored import plain_config
from gan_cli.errors import UserError
from gan_cli.games.base import Game
from gan_cli.randomness import set_random_state
from gan_cli.runs import checkpoint
from gan_cli.runs.origin import Origin
from gan_cli.training.initial import Fit, alike, unlike, weights_of
from gan_cli.training.run import Run
from gan_cli.types import Stateful


def fork(run: Run, origin: Origin) -> list[str]:
    """Set ``run`` to the checkpoint that its config names as its origin, as far as it fits what has been changed.

    With nothing changed the rounds that follow are equal to the bit to those of the other run.

    Args:
        run: A new run.
        origin: The checkpoint.

    Returns:
        Lines for the console: the checkpoint, what has been changed, and what could not be taken over.

    Raises:
        UserError: If the checkpoint cannot be read, no weight of a player fits, or no rounds are left to play.
    """
    assert origin.step is not None
    path = checkpoint.path_of(origin.folder, origin.step)
    state = checkpoint.load(path)
    if run.last is not None and run.last <= state["step"]:
        key, _ = budget_of(run.cfg.train)
        raise UserError(
            f"from={origin}: {in_words(run.cfg.train)} is not beyond that step. Give the whole budget of the new run, or a "
            f"further one: {key}=+1000."
        )
    old, new = plain_config(state["config"], path), to_plain(run.cfg)
    changed = differences(new, {**old, "from": new["from"]})
    with checkpoint.fitting(origin.folder):
        fresh = [
            *_restore_players(run, state, origin),
            *_restore_parts(run, state, old, new),
            *_restore_optimizers(run, state, old, new),
            *_restore_place(run, state, old, new),
        ]
    run.step = state["step"]
    run.restore_costs({**state, "costs": {**state["costs"], "of_order": {}}})  # another network takes other FLOPs
    if old["optimizer"] != new["optimizer"] or old["learning_rate"] != new["learning_rate"]:
        run.set_learning_rates(run.step)
    run.origin = {"run": origin.run, "step": run.step, "config": plain_hash(old), "changed": changed, "fresh": fresh}
    return [
        f"goes on from step {run.step} of {origin.folder}",
        f"changed: {'; '.join(changed) or 'nothing'}",
        *(f"not taken over: {words}" for words in fresh),
    ]


def _restore_players(run: Run, state: Mapping[str, Any], origin: Origin) -> Iterator[str]:
    """Load players, averages and the buffers beside them, and yield what does not fit."""
    for game, which in ((run.game, "game"), (run.ema.game, "ema")):
        for name, network in game.players().items():
            fit = Fit.of(network, weights_of(game, network, state[which]))
            if not fit.has_weights:
                advice = "Make them equal, or take single players with init_from=RUN init_players=[...]."
                raise unlike(f"from={origin}", name, state, run.cfg, run.data, advice)
            network.load_state_dict({**network.state_dict(), **fit.taken})
            if fit.left and which == "game":
                yield fit.in_words(name)
        _load_beside_players(game, state[which])


def _load_beside_players(game: Game, stored: Mapping[str, Any]) -> None:
    """Load the entries that belong to no player, such as the probability of an adaptive augmentation, where they fit."""
    own = game.state_dict()
    of_players = {key for name, module in game.named_modules() for key in _keys_in(name, module, game)}
    fitting = {key: stored[key] for key in own if key not in of_players and key in stored and alike(own[key], stored[key])}
    game.load_state_dict({**own, **fitting})


def _keys_in(name: str, module: nn.Module, game: Game) -> list[str]:
    is_player = any(module is player for player in game.players().values())
    return [f"{name}.{key}" for key in module.state_dict()] if is_player and name else []


def _restore_parts(run: Run, state: Mapping[str, Any], old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Load what losses, regularizers, schedules and so on remember, and yield those that are others now."""
    parts = {key: part for key, part in run.game.objective.parts().items() if isinstance(part, Stateful)}
    stored = {**state["objective"], **state["parts"]}
    for key, part in parts.items():
        if key in stored and _target(old, key) == _target(new, key):
            part.load_state_dict(stored[key])
        else:
            yield f"the state of {key}, which is another one"
    run.remember({key: stored[key] for key in run.stateful() if key in stored and _target(old, key) == _target(new, key)})


def _restore_optimizers(run: Run, state: Mapping[str, Any], old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Load the states of the optimizers and of the solver, with the settings of the new config."""
    own = run.solver.state_dict()
    stored: Mapping[str, Any] = _optimizers(state["solver"])
    keep_settings = old["optimizer"] == new["optimizer"] and old["learning_rate"] == new["learning_rate"]
    taken: dict[str, Any] = {}
    for name, optimizer in run.solver.optimizers.items():
        before = stored.get(name)
        if before is not None and _target(old, "optimizer") == _target(new, "optimizer") and _fits(optimizer, before):
            taken[name] = before if keep_settings else _with_settings(before, optimizer.state_dict())
        else:
            yield f"the optimizer's state of the turn {name}"
    if old["solver"] == new["solver"] and len(taken) == len(run.solver.optimizers):
        run.solver.load_state_dict(_with_optimizers(state["solver"], taken, own))
        if run.solver.scales and old["precision"] != new["precision"]:
            yield "the scales of the losses, which are new"
        return
    if own.keys() - {"scales"} != {"optimizers"}:
        yield "the solver's state"
    for name, before in taken.items():
        run.solver.optimizers[name].load_state_dict(before)


def _optimizers(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the states of the optimizers in the state of a solver, which may be wrapped in others."""
    found: Mapping[str, Any] = node["optimizers"] if "optimizers" in node else _optimizers(node["inner"])
    return found


def _with_optimizers(node: Mapping[str, Any], optimizers: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state of a solver with these optimizers, and with the solver's own state where none was stored."""
    if "optimizers" in node:
        return {**own, **node, "optimizers": optimizers}
    return {**node, "inner": _with_optimizers(node["inner"], optimizers, own["inner"])}


def _fits(optimizer: Optimizer, stored: Mapping[str, Any]) -> bool:
    """Return True if the stored state is one of as many parameters of the same shapes."""
    groups = [len(group["params"]) for group in optimizer.param_groups]
    if groups != [len(group["params"]) for group in stored["param_groups"]]:
        return False
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    indices = [index for group in stored["param_groups"] for index in group["params"]]
    entries = ((parameter, stored["state"].get(index, {})) for parameter, index in zip(parameters, indices, strict=True))
    return all(
        not isinstance(value, Tensor) or value.ndim == 0 or value.shape == parameter.shape
        for parameter, entry in entries
        for value in entry.values()
    )


def _with_settings(stored: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the stored state of an optimizer with the settings of another one."""
    pairs = zip(stored["param_groups"], own["param_groups"], strict=True)
    return {"state": stored["state"], "param_groups": [{**new, "params": old["params"]} for old, new in pairs]}


def _restore_place(run: Run, state: Mapping[str, Any], old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Load the place in the data, counted in samples, and the random streams."""
    batches = state["batches"]
    if run.data.matches(state["data"]) and batches["samples"] == run.data.train.size:
        position = batches["position"] * old["train"]["batch_size"] // new["train"]["batch_size"]
        run.batches.load_state_dict({**batches, "position": position})
    else:
        yield "the place in the data, which are other data"
    if old["seed"] == new["seed"]:
        set_random_state(state["random"], run.device)
    else:
        yield "the random streams, which the new seed starts"


def _target(config: Mapping[str, Any], key: str) -> Any:
    """Return the target of the node at a dotted key."""
    node = OmegaConf.select(OmegaConf.create(dict(config)), key)
    return node.get("_target_") if OmegaConf.is_dict(node) else None
