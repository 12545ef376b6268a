"""Claims against cases worked out by hand: every verdict, every reason for none, and both errors side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.errors import EngageError
from simulation.claims import LEAST_DRAWS, PROVISIONAL_NOTE, judge, monte_carlo_se
from simulation.metrics import GROUPS, METRICS
from simulation.scenario import Claim
from simulation.series import Ratio, Series

EACH = 100  # learners of a group
ALL = np.ones(GROUPS, bool)


def claim(**changes: Any) -> Claim:
    entries = {"id": "c", "text": "a claim", "metric": "retention", "month": 1, "arm": "treated", "threshold": 0.15}
    return Claim.model_validate({**entries, **changes})


def series(retained: int, days: int = 31, eligible: int = EACH, **others: int) -> Series:
    """Return counts in which each group has ``retained`` of ``eligible``, and other metrics on every day."""
    counts = np.zeros((days, GROUPS, len(METRICS)), np.int64)
    counts[:, :, METRICS.index("learners")] = EACH
    counts[-1, :, METRICS.index("retention_24_7_eligible")] = eligible
    counts[-1, :, METRICS.index("retention_24_7_retained")] = retained
    for name, value in others.items():
        counts[:, :, METRICS.index(name)] = value
    return Series(counts)


def arms(control: int, treated: list[int]) -> tuple[list[Series], list[Series]]:
    return [series(control) for _ in treated], [series(value) for value in treated]


def test_supported_when_the_lower_end_reaches_the_threshold() -> None:
    verdict = judge(claim(), *arms(50, [60, 62, 64, 66, 68, 70, 72, 74, 76]), drawn=True)
    assert verdict.verdict == "supported"
    assert verdict.control == pytest.approx(0.5)
    assert verdict.treated == pytest.approx(0.68)
    assert verdict.effect == pytest.approx(0.36)
    # Nine effects .20, .24 ... .52: the percentiles lie 0.2 of a step within the ends.
    assert verdict.low == pytest.approx(0.208)
    assert verdict.high == pytest.approx(0.512)
    assert verdict.draws == 9
    assert verdict.reason == "the lower end of the interval, +20.8%, reaches +15.0%"


def test_supported_when_the_lower_end_just_reaches_it() -> None:
    points = claim(kind="points", threshold=0.3)  # as binary fractions 0.9 - 0.6 < 0.3
    assert judge(points, *arms(60, [90] * LEAST_DRAWS), drawn=True).verdict == "supported"


def test_refuted_when_the_upper_end_stays_below() -> None:
    verdict = judge(claim(), *arms(50, [49, 50, 50, 51, 52, 52, 53, 57]), drawn=True)
    assert verdict.verdict == "refuted"
    assert verdict.high is not None
    assert verdict.high < 0.15
    assert verdict.effect == pytest.approx(0.03)


def test_inconclusive_when_the_interval_holds_the_threshold() -> None:
    verdict = judge(claim(), *arms(50, [50, 52, 54, 56, 58, 60, 62, 64]), drawn=True)
    assert verdict.verdict == "inconclusive"
    assert "holds +15.0%" in verdict.reason


def test_points_are_differences_and_lifts_are_relative() -> None:
    control, treated = arms(50, [60] * LEAST_DRAWS)
    lift = judge(claim(threshold=0.2), control, treated, drawn=True)
    points = judge(claim(threshold=0.2, kind="points"), control, treated, drawn=True)
    assert [lift.verdict, points.verdict] == ["supported", "refuted"]
    assert [lift.effect, points.effect] == pytest.approx([0.2, 0.1])
    assert "+10.0 points, stays below +20.0 points" in points.reason


def test_lift_of_daily_active_learners_is_of_their_mean_number() -> None:
    control, treated = ([series(0, active=value) for _ in range(LEAST_DRAWS)] for value in (20, 26))
    verdict = judge(claim(metric="dau", threshold=0.25), control, treated, drawn=True)
    assert (verdict.control, verdict.treated) == (20 * GROUPS, 26 * GROUPS)
    assert verdict.verdict == "supported"
    assert verdict.effect == pytest.approx(0.3)


def test_no_verdict_when_the_control_stands_at_zero() -> None:
    control, treated = ([series(0, completions=value) for _ in range(LEAST_DRAWS)] for value in (0, 3))
    verdict = judge(claim(metric="completions", threshold=0.5), control, treated, drawn=True)
    assert verdict.verdict == "no verdict"
    assert verdict.reason.startswith("zero denominator in 8 of 8 replications: the control arm stands at zero")
    assert verdict.control == 0
    assert verdict.treated == pytest.approx(0.03)
    assert verdict.effect is verdict.low is verdict.high is verdict.monte_carlo_se is None


def test_a_single_zero_denominator_is_enough_for_no_verdict() -> None:
    control, treated = arms(50, [60] * LEAST_DRAWS)
    verdict = judge(claim(), [series(0), *control[1:]], treated, drawn=True)
    assert (verdict.verdict, verdict.effect) == ("no verdict", None)
    assert "1 of 8 replications" in verdict.reason


def test_no_verdict_when_nobody_was_registered_long_enough() -> None:
    pair = [series(0, eligible=0) for _ in range(LEAST_DRAWS)]
    verdict = judge(claim(kind="points"), pair, pair, drawn=True)
    assert (verdict.verdict, verdict.control) == ("no verdict", None)
    assert "no learner was registered long enough" in verdict.reason


def test_no_verdict_on_a_claim_that_contradicts_itself() -> None:
    verdict = judge(claim(threshold=0.4, from_to=[0.6, 0.9]), *arms(60, [90] * LEAST_DRAWS), drawn=True)
    assert verdict.verdict == "no verdict"
    assert verdict.reason == (
        "the claim contradicts itself: 60% -> 90% is +50.0% relative, +30.0 points; "
        "+40.0% on 60% would be 84%, not +40.0%"
    )
    assert verdict.effect == pytest.approx(0.5)  # what was measured stands beside it


@pytest.mark.parametrize(
    ("kind", "threshold", "from_to", "consistent"),
    [
        ("lift", 0.4, [0.6, 0.84], True),
        ("lift", 0.5, [0.6, 0.9], True),
        ("lift", 1.0, [0.4, 0.8], True),
        ("lift", 0.33, [0.6, 0.8], True),  # a third, as people round it
        ("points", 0.3, [0.6, 0.9], True),
        ("points", 0.5, [0.6, 0.9], False),
        ("lift", 0.3, [0.6, 0.9], False),
    ],
)
def test_levels_that_agree_with_the_threshold_are_judged(
    kind: str, threshold: float, from_to: list[float], consistent: bool
) -> None:
    stated = claim(kind=kind, threshold=threshold, from_to=from_to)
    assert (judge(stated, *arms(40, [40] * LEAST_DRAWS), drawn=True).verdict == "refuted") is consistent


def test_no_verdict_with_too_few_draws() -> None:
    verdict = judge(claim(), *arms(50, [70] * (LEAST_DRAWS - 1)), drawn=True)
    assert (verdict.verdict, verdict.low, verdict.draws) == ("no verdict", None, 7)
    assert verdict.reason.startswith("7 draws of the response parameters; at least 8")
    assert verdict.effect == pytest.approx(0.4)


def test_no_verdict_when_replications_differ_by_luck_alone() -> None:
    verdict = judge(claim(), *arms(50, [70] * 20), drawn=False)
    assert (verdict.verdict, verdict.low, verdict.draws) == ("no verdict", None, 0)
    assert "not drawn" in verdict.reason


def test_no_verdict_when_the_series_is_too_short() -> None:
    short = [series(50, days=30) for _ in range(LEAST_DRAWS)]
    verdict = judge(claim(), short, short, drawn=True)
    assert (verdict.verdict, verdict.control, verdict.effect) == ("no verdict", None, None)
    assert verdict.reason == "30 days of data; retention at month 1 needs 31"


def test_every_verdict_is_provisional_and_says_why() -> None:
    verdict = judge(claim(), *arms(50, [70] * LEAST_DRAWS), drawn=True)
    assert verdict.provisional
    assert verdict.notes == (PROVISIONAL_NOTE,) == ("fidelity not yet measured",)


def test_a_control_that_does_not_start_where_the_claim_does_is_noted() -> None:
    verdict = judge(claim(threshold=0.5, from_to=[0.6, 0.9]), *arms(34, [40] * LEAST_DRAWS), drawn=True)
    assert verdict.notes[1] == "the claim starts from 60%; the control arm stands at 34.0%"


def test_arms_of_different_lengths_are_refused() -> None:
    control, treated = arms(50, [60] * LEAST_DRAWS)
    with pytest.raises(EngageError, match="8 and 7 replications"):
        judge(claim(), control, treated[1:], drawn=True)


def test_monte_carlo_error_of_a_difference_is_that_of_batch_means() -> None:
    rng = np.random.default_rng(2)
    control, treated = rng.integers(20, 80, (2, GROUPS)).astype(float)
    sizes = np.full(GROUPS, float(EACH))
    difference = (treated - control) / EACH
    expected = difference.std(ddof=1) / np.sqrt(GROUPS)
    assert monte_carlo_se("points", Ratio(control, sizes), Ratio(treated, sizes), ALL) == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["lift", "points"])
def test_monte_carlo_error_is_the_spread_of_repeated_cohorts(kind: str) -> None:
    """Cohorts of 1,600 learners drawn anew: their effects spread as the error of each says."""
    rng = np.random.default_rng(3)
    effects, errors = [], []
    sizes = np.full(GROUPS, float(EACH))
    for _ in range(600):
        luck = rng.random((GROUPS, EACH))  # twins share it
        control, treated = ((luck < chance).sum(axis=1).astype(float) for chance in (0.3, 0.36))
        a, b = control.sum() / sizes.sum(), treated.sum() / sizes.sum()
        effects.append(b / a - 1 if kind == "lift" else b - a)
        error = monte_carlo_se(kind, Ratio(control, sizes), Ratio(treated, sizes), ALL)
        assert error is not None
        errors.append(error)
    assert np.mean(errors) == pytest.approx(np.std(effects), rel=0.15)


def test_monte_carlo_error_survives_a_group_without_events_and_ignores_one_without_learners() -> None:
    control, treated = np.full(GROUPS, 5.0), np.full(GROUPS, 6.0)
    control[0] = treated[0] = 0
    sizes = np.full(GROUPS, 10.0)
    with_all = monte_carlo_se("lift", Ratio(control, sizes), Ratio(treated, sizes), ALL)
    assert with_all == pytest.approx(0.0, abs=1e-12)  # 20% more in every group that has any
    sizes[0] = 0
    used = sizes > 0
    treated[1] = 9
    fifteen = monte_carlo_se("points", Ratio(control, sizes), Ratio(treated, sizes), used)
    assert fifteen == pytest.approx(((treated - control)[1:] / 10).std(ddof=1) / np.sqrt(GROUPS - 1))


def test_monte_carlo_error_is_none_where_the_effect_hangs_on_one_group() -> None:
    control, treated, sizes = np.zeros(GROUPS), np.ones(GROUPS), np.full(GROUPS, 10.0)
    control[4] = 3
    assert monte_carlo_se("lift", Ratio(control, sizes), Ratio(treated, sizes), ALL) is None
    assert monte_carlo_se("points", Ratio(control, sizes), Ratio(treated, sizes), ALL) is not None
    assert monte_carlo_se("points", Ratio(control, sizes), Ratio(treated, sizes), np.arange(GROUPS) == 4) is None
