"""adaptive, adaptive_short: adaptive discriminator augmentation."""

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.augmentations import transforms
from gan_cli.augmentations.base import Augmentation
from gan_cli.errors import FieldError
from gan_cli.parallel.share import current
from gan_cli.types import Stats


class Adaptive(Augmentation):
    """Adaptive discriminator augmentation (ADA; Karras et al., 2020).

    Every transformation is applied with probability p, which rises while r_t = E sign D(x) over the data is above ``target``
    and falls while it is below. r_t lies in [-1, 1]: it is 0 if D cannot tell data from fakes and 1 if D has memorised the
    data. The paper's pipeline has more transformations, stronger colour changes and a filter against aliasing.

    Args:
        flip: Flip images left-right.
        translation: Largest shift, as a fraction of the side, in [0, 1]; 0 switches it off.
        scale: Standard deviation of log2 of the scaling factor, at least 0; 0 switches it off.
        rotation: Largest angle, as a fraction of half a turn, in [0, 1]; 0 switches it off.
        color: Change brightness, saturation and contrast as DiffAugment does.
        target: Target of r_t, in [-1, 1]. None lets p rise to ``limit`` regardless of D, for losses without a ``boundary``.
        interval: Number of D's turns between two updates of p.
        images: Number of images after which p has moved by 1 if it always moves in the same direction.
        start: Initial p, in [0, 1].
        limit: Largest p, in [0, 1]. Below about 0.8, D can still infer the distribution of the original images.
        probability: p in [0, 1], whatever D does; it may follow a law. None: p adapts.

    Raises:
        UserError: If an argument is out of its range.
    """

    p: Tensor
    signs: Tensor
    seen: Tensor
    turns: Tensor
    r_t: Tensor
    pending: Tensor

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
        probability: float | None = None,
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
        if probability is not None:
            checks.share("probability", probability)
        self.probability = probability
        self.flip, self.translation, self.scale, self.rotation, self.color = flip, translation, scale, rotation, color
        self.target, self.interval, self.images, self.limit = target, interval, images, limit
        for name, value in {"p": start, "signs": 0.0, "seen": 0.0, "turns": 0.0, "r_t": 0.0}.items():
            self.register_buffer(name, torch.tensor(float(value)))
        # the sum of the signs that ``observe`` saw, a buffer so that the parts of a batch are averaged; not saved
        self.register_buffer("pending", torch.tensor(0.0), persistent=False)
        self.pending_images = 0

    @property
    def needs_boundary(self) -> bool:
        """True unless ``target`` is None or p is given."""
        return self.target is not None and self.probability is None

    def current_p(self) -> Tensor:
        """Return p, 0-d."""
        return self.p if self.probability is None else torch.full_like(self.p, self.probability)

    def transform(self, x: Tensor) -> Tensor:
        transforms.require_images(x, "adaptive")
        p = self.current_p()
        if self.flip:
            x = transforms.flip(x, p)
        if self.translation:
            x = transforms.translation(x, p, self.translation)
        if self.scale or self.rotation:
            x = transforms.scale_and_rotate(x, p, self.scale, self.rotation)
        if self.color:
            x = transforms.contrast(transforms.saturation(transforms.brightness(x, p), p), p)
        return x

    @torch.no_grad()
    def observe(self, d_real: Tensor) -> None:
        """Keep the sum of the signs over the images; an image's patches or time steps are averaged."""
        share = current()
        parts = 1 if share is None else share.count
        self.pending.copy_(parts * d_real.float().sign().reshape(len(d_real), -1).mean(1).sum())
        self.pending_images = parts * len(d_real)

    @torch.no_grad()
    def adapt(self) -> None:
        """Update p after every ``interval`` turns, without a synchronisation with the device."""
        self.signs += self.pending
        self.seen += self.pending_images
        self.pending.zero_()
        self.pending_images = 0
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
        return {"augmentation/p": self.current_p().clone(), "augmentation/r_t": self.r_t.clone()}
