"""Adaptive discriminator augmentation."""

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.augmentations import transforms
from gan_cli.augmentations.base import Augmentation
from gan_cli.errors import FieldError
from gan_cli.types import Stats


class Adaptive(Augmentation):
    """As much augmentation as D's overfitting asks for (Karras et al., 2020: ADA).

    Every transformation is applied with probability p, which rises while r_t = E sign D(x) over the data is above ``target``
    and falls below it. r_t is -1 ... 1: 0 where D does not tell data from fakes, 1 where it has learnt the data by heart.
    p is changed after every ``interval`` turns of D, by the images seen in them over ``images``: so many take it from 0 to 1.
    It starts at ``start`` and never passes ``limit``: below 0.8 or so, what D is shown still tells it the images' own law.
    ``target`` None: p rises to its limit whatever D does, for losses whose logits have no ``boundary`` to take signs from.

    ``flip``: left-right. ``translation``: up to this part of the side. ``scale``: standard deviation of log2 of the size.
    ``rotation``: up to this part of half a turn. ``color``: as in DiffAugment. 0 or false: without. The paper's pipeline has
    more, filters its images against aliasing and goes further in colour.
    """

    p: Tensor
    signs: Tensor
    seen: Tensor
    turns: Tensor
    r_t: Tensor

    def __init__(
        self,
        flip: bool,
        translation: float,
        scale: float,
        rotation: float,
        color: bool,
        target: float | None = 0.6,
        interval: int = 4,
        images: int = 500_000,
        start: float = 0.0,
        limit: float = 0.8,
    ) -> None:
        super().__init__()
        checks.flag("flip", flip)
        checks.flag("color", color)
        checks.number("scale", scale, least=0)
        checks.counts(interval=interval, images=images)
        for name, value in (("translation", translation), ("rotation", rotation), ("start", start), ("limit", limit)):
            checks.share(name, value)
        if target is not None:
            checks.number("target", target, least=-1)
            if target > 1:
                raise FieldError("target", target, "it must be at most 1.")
        self.flip, self.translation, self.scale, self.rotation, self.color = flip, translation, scale, rotation, color
        self.target, self.interval, self.images, self.limit = target, interval, images, limit
        for name, value in {"p": start, "signs": 0.0, "seen": 0.0, "turns": 0.0, "r_t": 0.0}.items():
            self.register_buffer(name, torch.tensor(float(value)))
        self.newest: tuple[Tensor, int] | None = None

    @property
    def goes_by_verdicts(self) -> bool:
        """Unless there is no target."""
        return self.target is not None

    def transform(self, x: Tensor) -> Tensor:
        transforms.need_images(x, "adaptive")
        p = self.p
        if self.flip:
            x = transforms.flip(x, p)
        if self.translation:
            x = transforms.translation(x, p, self.translation)
        if self.scale or self.rotation:
            x = transforms.geometry(x, p, self.scale, self.rotation)
        if self.color:
            x = transforms.contrast(transforms.saturation(transforms.brightness(x, p), p), p)
        return x

    @torch.no_grad()
    def observe(self, d_real: Tensor) -> None:
        """Sums signs over images (patches count in parts)."""
        self.newest = d_real.float().sign().reshape(len(d_real), -1).mean(1).sum(), len(d_real)

    @torch.no_grad()
    def adapt(self) -> None:
        """Moves p after every ``interval`` turns, without asking the device when that is."""
        if self.newest is not None:
            signs, seen = self.newest
            self.signs += signs
            self.seen += seen
            self.newest = None
        self.turns += 1
        due = self.turns >= self.interval
        r_t = self.signs / self.seen.clamp(min=1)
        direction = torch.ones_like(r_t) if self.target is None else (r_t - self.target).sign()
        moved = self.p + direction * self.seen / self.images
        self.r_t.copy_(torch.where(due, r_t, self.r_t))
        self.p.copy_(torch.where(due, moved.clamp(0, self.limit), self.p))
        for counter in (self.signs, self.seen, self.turns):
            counter *= ~due

    def stats(self) -> Stats:
        return {"augmentation/p": self.p.clone(), "augmentation/r_t": self.r_t.clone()}
