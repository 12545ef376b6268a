"""Contextual Thompson sampling: choose each type as often as it may well be the best for this learner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.chance import PURPOSE_POLICY, normal, uniforms
from engine.policies import gains
from engine.policies.base import Context, State
from engine.policies.learning import Learning

_NOBODY = 0xFFFF_FFFF  # the learner number of no learner: what is drawn for all of them


@dataclass(frozen=True)
class Thompson(Learning):
    """Draws a day's opinions of what each type gains, and follows each as often as the others.

    A decision's chance is the share of opinions that prefer it, so propensities are exact. Sources: W. R. Thompson,
    Biometrika 25, 1933; S. Agrawal & N. Goyal, "Thompson sampling for contextual bandits with linear payoffs", ICML
    2013; opinions for all learners at once: X. Lu & B. Van Roy, "Ensemble sampling", NeurIPS 2017.

    Args:
        opinions: how many are drawn a day.
    """

    name: ClassVar[str] = "thompson"
    explore: float = 0.02
    opinions: int = 16

    def __post_init__(self) -> None:
        """Refuse a number of opinions that cannot be."""
        super().__post_init__()
        self._need("opinions", 1 <= self.opinions <= 1_000, "a number from 1 to 1,000")

    def learned(self, log: NDArray[Any]) -> State:
        """Return the statistics of `engine.policies.gains`."""
        return gains.learned(log, self.reward)

    def preferred(self, context: Context) -> NDArray[np.float64]:
        """Return how many of the day's opinions prefer each choice."""
        options, known = context.options(), gains.fit(context.state or gains.nothing_learned())
        chances = np.zeros((len(options), options.shape[1] + 1))
        roots = np.linalg.cholesky(known.covariance)
        rows = np.arange(len(options))
        for opinion in range(self.opinions):
            lines = known.mean + np.einsum("kab,kb->ka", roots, _normals(context, opinion, known.mean.shape))
            chances[rows, gains.best(gains.along(context.features, lines), options, self.price)] += 1.0 / self.opinions
        return chances


def _normals(context: Context, opinion: int, shape: tuple[int, ...]) -> NDArray[np.float64]:
    count = int(np.prod(shape))
    drawn = []
    for k in range(-(-count // 2)):
        place = 1 + opinion * count + k  # 0 draws the decisions
        u = uniforms(context.stream, _NOBODY, context.day, PURPOSE_POLICY, place)
        drawn += [normal(u[0], u[1]), normal(u[2], u[3])]
    return np.array(drawn[:count]).reshape(shape)
