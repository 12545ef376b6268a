"""Claims: published statements about effects, each judged by one rule over the draws of what is not known.

A replication draws the response parameters from their published ranges and runs every arm with them. The 95% interval
of an effect runs over these draws: it says how far the published evidence leaves the effect open. The Monte-Carlo
standard error says what the cohort's size leaves open; it stands beside the interval and never for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.errors import EngageError
from simulation.scenario import Claim
from simulation.series import SHARES, Ratio, Series, at, days_needed

LEAST_DRAWS = 8
"""Fewer draws of the response parameters bear no interval."""

PROVISIONAL_NOTE = "fidelity not yet measured"

_ROUNDING = 0.005  # statements round to whole per cents; a difference up to this is no contradiction

_EXACT = 1e-9  # so that 0.9 - 0.6 reaches 0.3

Outcome = Literal["supported", "refuted", "inconclusive", "no verdict"]


@dataclass(frozen=True)
class Verdict:
    """What became of a claim.

    Args:
        claim: its id.
        text: as published.
        metric: what it is about.
        moment: when, such as ``month 1``.
        arm: the arm treated.
        kind: ``lift`` = effects are treated / control - 1; ``points`` = treated - control, 0.01 = one point.
        threshold: the effect claimed.
        verdict: the outcome.
        reason: why, in one sentence or more.
        control: mean over draws of the metric in the control arm; None = not measured.
        treated: the same in the treated arm.
        effect: median of the effect over draws; None = undefined in a draw.
        low: 2.5th percentile of the effect over draws; None = no interval.
        high: 97.5th percentile.
        draws: of the response parameters.
        monte_carlo_se: standard error of one draw's effect from the cohort's finite size, averaged over draws.
        notes: what a reader has to know beside the verdict.
        provisional: the verdict may change when the population's fidelity has been measured.
    """

    claim: str
    text: str
    metric: str
    moment: str
    arm: str
    kind: str
    threshold: float
    verdict: Outcome
    reason: str
    control: float | None
    treated: float | None
    effect: float | None
    low: float | None
    high: float | None
    draws: int
    monte_carlo_se: float | None
    notes: tuple[str, ...] = (PROVISIONAL_NOTE,)
    provisional: bool = True


def judge(claim: Claim, control: Sequence[Series], treated: Sequence[Series], drawn: bool) -> Verdict:
    """Return the verdict of a claim.

    Args:
        claim: validated with its scenario.
        control: the control arm's series, by replication.
        treated: the treated arm's series, by replication in the same order; twins meet the same luck.
        drawn: each replication drew the response parameters (the scenario's ``responses`` is ``drawn``); otherwise
            replications differ by luck alone and bear no interval.

    Raises:
        EngageError: the arms have different numbers of replications, or none.
    """
    if not control or len(control) != len(treated):
        got = f"{len(control)} and {len(treated)} replications"
        raise EngageError(f"claim {claim.id!r}", got, "as many of the control as of the treated arm, and at least one")
    draws = len(control) if drawn else 0
    days = min(series.days for series in (*control, *treated))
    needed = days_needed(claim.metric, claim.moment)
    short = days < needed
    pairs = [] if short else [_pair(claim, c, t) for c, t in zip(control, treated, strict=True)]
    used = np.any([series.column("learners")[-1] > 0 for series in control], axis=0)
    effects = [_effect(claim.kind, c.value(), t.value()) for c, t in pairs]
    known = np.array([effect for effect in effects if effect is not None])
    whole = bool(effects) and len(known) == len(effects)
    low = high = None
    if whole and draws >= LEAST_DRAWS:
        low, high = (float(end) for end in np.percentile(known, [2.5, 97.5]))

    outcome: Outcome = "no verdict"
    if contradiction := _contradiction(claim):
        reason = contradiction
    elif short:
        reason = f"{days} days of data; {claim.metric} at {_when(claim)} needs {needed}"
    elif not whole:
        reason = f"zero denominator in {len(effects) - len(known)} of {len(effects)} replications: {_zero(pairs)}"
    elif not drawn:
        reason = "the response parameters were not drawn from their ranges, so there is no interval over them"
    elif low is None or high is None:
        reason = f"{draws} draws of the response parameters; at least {LEAST_DRAWS} are needed for an interval"
    else:
        outcome, reason = _decide(claim, low, high)
    level = _mean([c.value() for c, _ in pairs])
    return Verdict(
        claim=claim.id,
        text=claim.text,
        metric=claim.metric,
        moment=_when(claim),
        arm=claim.arm,
        kind=claim.kind,
        threshold=claim.threshold,
        verdict=outcome,
        reason=reason,
        control=level,
        treated=_mean([t.value() for _, t in pairs]),
        effect=float(np.median(known)) if whole else None,
        low=low,
        high=high,
        draws=draws,
        monte_carlo_se=_mean([monte_carlo_se(claim.kind, c, t, used) for c, t in pairs]) if whole else None,
        notes=(PROVISIONAL_NOTE, *_other_start(claim, level)),
    )


def _decide(claim: Claim, low: float, high: float) -> tuple[Outcome, str]:
    asked = _size(claim.threshold, claim.kind)
    if low >= claim.threshold - _EXACT:
        return "supported", f"the lower end of the interval, {_size(low, claim.kind)}, reaches {asked}"
    if high < claim.threshold - _EXACT:
        return "refuted", f"the upper end of the interval, {_size(high, claim.kind)}, stays below {asked}"
    return "inconclusive", f"the interval, {_size(low, claim.kind)} to {_size(high, claim.kind)}, holds {asked}"


def _contradiction(claim: Claim) -> str:
    """Return how the levels that a claim names contradict its threshold; empty = they do not."""
    if claim.from_to is None:
        return ""
    start, end = claim.from_to
    lift, points = end / start - 1, end - start
    if abs((lift if claim.kind == "lift" else points) - claim.threshold) <= _ROUNDING:
        return ""
    said = f"{start:.0%} -> {end:.0%} is {_size(lift, 'lift')} relative, {_size(points, 'points')}"
    if claim.kind == "lift":
        said += f"; {_size(claim.threshold, 'lift')} on {start:.0%} would be {start * (1 + claim.threshold):.0%}"
    return f"the claim contradicts itself: {said}, not {_size(claim.threshold, claim.kind)}"


def _other_start(claim: Claim, control: float | None) -> tuple[str, ...]:
    """Return a note if the claim names a level to start from that is not the control's."""
    if claim.from_to is None or claim.metric not in SHARES or control is None:
        return ()
    start = claim.from_to[0]
    if abs(control - start) <= _ROUNDING:
        return ()
    return (f"the claim starts from {start:.0%}; the control arm stands at {control:.1%}",)


def _pair(claim: Claim, control: Series, treated: Series) -> tuple[Ratio, Ratio]:
    return at(control, claim.metric, claim.moment), at(treated, claim.metric, claim.moment)


def _effect(kind: str, control: float | None, treated: float | None) -> float | None:
    if control is None or treated is None or (kind == "lift" and control == 0):
        return None
    return treated / control - 1 if kind == "lift" else treated - control


def monte_carlo_se(kind: str, control: Ratio, treated: Ratio, used: NDArray[np.bool_]) -> float | None:
    """Return the standard error of one replication's effect that comes from its finite number of learners.

    Batch means over the groups of learners, as a jackknife: the effect is computed anew without each group in turn. For
    a mean this is exactly the error by batch means; for a ratio it stays right where a small group's own ratio would be
    undefined. A group is left out in both arms at once, so the luck that twins share cancels.

    Args:
        kind: ``lift`` or ``points``.
        control: the metric in the control arm.
        treated: the metric in the treated arm.
        used: bool (groups,); whether a group holds any learner.

    Returns:
        0 or more; None with fewer than two groups, or where the effect hangs on one group.
    """
    without_control, without_treated = control.without_each()[used], treated.without_each()[used]
    number = len(without_control)
    if number < 2 or np.isnan(without_control).any() or np.isnan(without_treated).any():
        return None
    if kind == "points":
        effects = without_treated - without_control
    elif (without_control == 0).any():
        return None
    else:
        effects = without_treated / without_control - 1
    return float(np.sqrt((number - 1) / number * ((effects - effects.mean()) ** 2).sum()))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def _zero(pairs: Sequence[tuple[Ratio, Ratio]]) -> str:
    if any(ratio.value() is None for pair in pairs for ratio in pair):
        return "no learner was registered long enough"
    return "the control arm stands at zero, and nothing is relative to zero"


def _when(claim: Claim) -> str:
    return f"{claim.moment.unit} {claim.moment.number}"


def _size(effect: float, kind: str) -> str:
    """Return an effect as people write it, such as ``+15.0%`` or ``+30.0 points``."""
    return f"{effect:+.1%}" if kind == "lift" else f"{100 * effect:+.1f} points"
