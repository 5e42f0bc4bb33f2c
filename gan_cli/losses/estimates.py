"""Meanings of the estimates that losses read off the logits, for those who see them by their short names."""

from collections.abc import Mapping

BOUNDS: Mapping[str, str] = {
    "js": "the Jensen-Shannon divergence, at most log 2 = 0.693",
    "twice_js": "twice the Jensen-Shannon divergence, at most 2 log 2 = 1.386",
    "tv": "the total variation, at most 1",
    "triangular": "the triangular discrimination, the integral of (p - q)^2 / (p + q), at most 2",
    "kl": "the divergence KL(P||Q)",
    "reverse_kl": "the divergence KL(Q||P)",
    "pearson": "Pearson's chi-squared divergence",
    "squared_hellinger": "the squared Hellinger distance without a factor 1/2, at most 2",
    "wasserstein": "the Wasserstein distance times the critic's slope",
}
"""The distances of which estimates on held-out data are lower bounds in expectation, by the names of the estimates."""
NEGATIVE = "A value below 0 says nothing: the discriminator does worse than a constant one."
MEANINGS: Mapping[str, str] = {
    **{name: f"On held-out data a lower bound, in expectation, of {bound}. {NEGATIVE}" for name, bound in BOUNDS.items()},
    "mmd2": "MMD^2 between features, without bias: it scatters around 0 if both laws are equal.",
}
"""Each estimate, described in one or two sentences."""


def meaning(name: str) -> str:
    """Return the meaning of the estimate ``name``; an empty string if it is not known.

    Args:
        name: As in ``estimate/<name>``; where a game has several discriminators it ends in the name of one of them.
    """
    known = max((bound for bound in MEANINGS if name == bound or name.startswith(f"{bound}_")), key=len, default="")
    return MEANINGS.get(known, "")
