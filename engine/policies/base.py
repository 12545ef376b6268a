"""What a policy sees and says, and the one way in which its chances become decisions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.chance import PURPOSE_POLICY, uniforms
from engine.compiled import compiled
from engine.errors import InputError
from engine.notifications.catalogue import catalogue
from engine.record import NOTIFICATION_TYPES

NO_MESSAGE = -1
"""The decision not to send."""

NOTHING_BIT = NOTIFICATION_TYPES
"""Bit of sending nothing in a set of choices."""

State = dict[str, NDArray[Any]]
"""What a policy knows beyond its parameters: named arrays, the same for all learners of an arm; {} = nothing."""


@dataclass(frozen=True)
class Context:
    """All that a policy may look at: one row a learner, as of local midnight.

    Args:
        day: local day that begins, days since 1970-01-01.
        learners: number of each learner in the whole population, the key of chance.
        risk: 0-100; NaN = not scored.
        standing: band by place in the rules, or a code beyond them (`engine.risk.dropoff.STANDINGS`).
        eligible: types that may be sent, bit k = code k.
        stream: of chance, from `engine.chance.stream`.
        features: of `engine.policies.features`, shape (n, `features.COUNT`); empty for policies that do not ask.
        rested_days: since each type was last sent, 0-255, shape (n, capacity); empty likewise.
        gains: active days that each type would bring, shape (n, types), as only a laboratory's world can tell; empty
            for policies that do not ask, and everywhere else.
        state: what the policy knows beyond its parameters; {} = nothing yet.
    """

    day: int
    learners: NDArray[np.int64]
    risk: NDArray[np.float64]
    standing: NDArray[np.uint8]
    eligible: NDArray[np.uint16]
    stream: int
    features: NDArray[np.int16] = field(default_factory=lambda: np.zeros((0, 0), np.int16))
    rested_days: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 0), np.uint8))
    gains: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    state: State = field(default_factory=dict)

    def may(self, code: int) -> NDArray[np.bool_]:
        """Return who may be sent a type."""
        allowed: NDArray[np.bool_] = (self.eligible >> code) & 1 == 1
        return allowed

    def options(self) -> NDArray[np.bool_]:
        """Return which types each learner may be sent, shape (n, types)."""
        codes = np.arange(len(catalogue().names), dtype=np.uint16)
        allowed: NDArray[np.bool_] = (self.eligible[:, None] >> codes) & 1 == 1
        return allowed

    def sure(self, kinds: NDArray[np.int8]) -> NDArray[np.float64]:
        """Return the chances of a policy that is certain of these types; `NO_MESSAGE` = none."""
        chances = np.zeros((len(kinds), len(catalogue().names) + 1))
        chances[np.arange(len(kinds)), kinds] = 1.0  # -1 is the last column
        return chances

    def first_of(self, types: Sequence[str], among: NDArray[np.bool_]) -> NDArray[np.int8]:
        """Return the first of some types that each learner among some may be sent, `NO_MESSAGE` for all others."""
        kinds = np.full(len(among), NO_MESSAGE, np.int8)
        for name in types:
            code = catalogue().code(name)
            kinds[among & (kinds == NO_MESSAGE) & self.may(code)] = code
        return kinds


@dataclass(frozen=True)
class Decision:
    """What each learner is sent.

    Args:
        kinds: int8 codes of the catalogue; `NO_MESSAGE` = none.
        propensity: probability in (0, 1] with which the policy chose just this, sending nothing included.
        possible: what the policy might have chosen, uint32 bits by type, bit `NOTHING_BIT` for nothing.
    """

    kinds: NDArray[np.int8]
    propensity: NDArray[np.float64]
    possible: NDArray[np.uint32]


@dataclass(frozen=True)
class Policy(ABC):
    """A policy *is* its chances: how likely each learner is sent each type, for all learners of a partition at once.

    Drawing from them is not its business (`decide`), so propensities are right by construction, and a log can be asked
    what any other policy would have done. A subclass is a frozen dataclass; its fields are its parameters.
    """

    name: ClassVar[str]
    reads_features: ClassVar[bool] = False
    """Whether it looks at `Context.features` and `Context.rested_days`."""
    learns: ClassVar[bool] = False
    """Whether its state is worth keeping: what it has learned from decisions that matured."""
    reads_gains: ClassVar[bool] = False
    """Whether it looks at `Context.gains`, which no live learner has."""
    draws: ClassVar[bool] = False
    """Whether it is ever of two minds; then decisions to send nothing are logged, too, and can be evaluated on."""
    shares: ClassVar[bool] = False
    """Whether it gathers something from all learners before a day is decided; then the day waits for everyone."""

    @property
    def state_name(self) -> str:
        """What a state of this policy is a state of; one of another name would be misread."""
        return self.name

    @abstractmethod
    def chances(self, context: Context) -> NDArray[np.float64]:
        """Return the probability of each type and, in the last column, of nothing, shape (n, types + 1).

        Rows sum to 1, and one learner's do not depend on the others' in the same context. A type that a learner may not
        be sent has none.
        """

    def gather(self, context: Context, matured: NDArray[Any]) -> State:
        """Return what the learners of a partition add to the state before today is decided.

        Args:
            context: as the decision will see it, with yesterday's state.
            matured: decisions whose rewards have become known, rows of `engine.policies.decisions.DECISION`.
        """
        return {}

    def merge(self, state: State, parts: Sequence[State]) -> State:
        """Return today's state: yesterday's, and what each partition gathered, in whatever order."""
        return state

    def _need(self, name: str, good: bool, expected: str) -> None:
        """Refuse a parameter that is not as expected."""
        if not good:
            raise InputError(f"policy {self.name!r}: {name}", repr(getattr(self, name)), expected)


def decide(policy: Policy, context: Context) -> Decision:
    """Draw a decision for each learner from a policy's chances, by the luck of (learner, day)."""
    return drawn(policy.chances(context), context)


def drawn(chances: NDArray[np.float64], context: Context) -> Decision:
    """Draw a decision for each learner from chances as `Policy.chances` returns them."""
    kinds = np.empty(len(chances), np.int8)
    propensity = np.empty(len(chances))
    possible = np.empty(len(chances), np.uint32)
    _draw(chances, context.learners, context.day, context.stream, kinds, propensity, possible)
    return Decision(kinds, propensity, possible)


@compiled
def _draw(chances: Any, learners: Any, day: int, stream: int, kinds: Any, propensity: Any, possible: Any) -> None:
    """Write a column drawn for each row, the last one as `NO_MESSAGE`, its chance, and which columns have any."""
    nothing = chances.shape[1] - 1
    for i in range(len(chances)):
        chosen = nothing
        bits = 1 << NOTHING_BIT if chances[i, nothing] > 0.0 else 0
        for code in range(nothing):
            if chances[i, code] > 0.0:
                bits |= 1 << code
        possible[i] = bits
        if chances[i, nothing] < 1.0:
            luck = uniforms(stream, int(learners[i]), day, PURPOSE_POLICY, 0)[0]
            for code in range(nothing):
                if chances[i, code] > 0.0:
                    luck -= chances[i, code]
                    if luck < 0.0:
                        chosen = code
                        break
                    if chances[i, nothing] <= 0.0:
                        chosen = code  # what rounding leaves over belongs to the last one possible
        kinds[i] = chosen if chosen < nothing else NO_MESSAGE
        propensity[i] = chances[i, chosen]
