"""Numbers that are not finite, at every place of every player, brought in by a module of the user's own."""

import itertools
from pathlib import Path

import torch
from support.runs import differences

from gan_cli.runs import checkpoint
from gan_cli.training.callbacks import tensors_in
from torture.arena import Arena, Try
from torture.children import call, refusal_problem
from torture.oracle import left_behind, reference

MODULE = '''
import torch
from gan_cli.solvers.alternating import Alternating


class Poisoned(Alternating):
    """Brings ``value`` into one place of one turn at a round."""

    def __init__(self, problem, place, turn, at, value):
        super().__init__(problem)
        self.place, self.turn, self.at, self.value, self.count = place, turn, at, float(value), 0

    def state_dict(self):
        return {**super().state_dict(), "count": self.count}

    def round(self, order, batches):
        self.count += 1
        stats = super().round(order, batches)
        parameters = list(self.turns[self.turn].parameters)
        if self.count == self.at and self.place == "parameter":
            with torch.no_grad():
                parameters[-1].view(-1)[0] = self.value
        if self.count == self.at and self.place == "moment":
            state = self.optimizers[self.turn].state[parameters[0]]
            next(v for v in state.values() if v.dim()).view(-1)[0] = self.value
        return stats

    def loss(self, name, batch):
        loss, stats = super().loss(name, batch)
        if name != self.turn or self.count != self.at:
            return loss, stats
        if self.place == "loss":
            loss = loss * self.value
        if self.place == "gradient":
            loss.register_hook(lambda gradient: gradient * self.value)
        if self.place == "reported":
            stats = {**stats, "own": torch.tensor(self.value)}
        return loss, stats
'''
SOLVER = "solver._target_=own_solver.Poisoned"
PLACES = ("loss", "gradient", "parameter", "moment", "reported")
TURNS = ("generator", "discriminator")
VALUES = ("nan", "inf", "-inf")
WORDS = "model=dcgan_tiny metric=none"
EVERY = "train.steps=12 log_every=4 eval_every=0 sample_every=0 checkpoint_every=2"


def every_place(arena: Arena) -> None:
    """Bring NaN or an infinity into a place: the run ends by name, and each of its checkpoints is finite and as without it."""
    arena.folder.joinpath("own_solver.py").write_text(MODULE)
    start = reference(arena.folder, WORDS, EVERY)

    def play(attempt: Try, case: tuple[str, str, str]) -> str | None:
        place, turn, value = case
        at = attempt.random.randint(1, 11)
        attempt.folder.joinpath("own_solver.py").write_text(MODULE)
        words = [
            SOLVER,
            *(f"+solver.{key}={word}" for key, word in zip(("place", "turn", "at"), (place, turn, at), strict=True)),
        ]
        words += [f"+solver.value='{value}'"]
        run = attempt.folder / "run"
        answer = call([*start.words, *words, f"hydra.run.dir={run}"], attempt.folder)
        if answer.code != 2:
            return f"{case} at {at}: {answer.shown()}"
        if problem := refusal_problem(answer) or left_behind(run):
            return f"{case} at {at}: {problem}"
        if "diverged" not in answer.err:
            return f"{case} at {at}: another error: {answer.shown()}"
        return checkpoints_problem(run, start.folder, f"{case} at {at}")

    cases = list(itertools.product(PLACES, TURNS, VALUES))
    arena.over(cases, play)


def checkpoints_problem(run: Path, good: Path, said: str) -> str | None:
    """Return why the checkpoints of a diverged run are not those of the run without the fault; None if they are."""
    for step in checkpoint.steps_in(run):
        state = checkpoint.load(checkpoint.path_of(run, step))
        if any(not torch.isfinite(tensor).all() for _, tensor in tensors_in(state)):
            return f"{said}: step {step} is not finite"
        expected = checkpoint.load(checkpoint.path_of(good, step))
        if changed := differences(expected["game"], state["game"]):
            return f"{said}: step {step} differs at {changed[:2]}"
    return None
