"""The engine against one bare compiled loop that reaches the same digest: what actors and generality cost."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import bare, workload
from benchmarks.measure import Table, millions, side_by_side, speed_ratio

TITLE = "The engine and a bare compiled loop, one core"


def run(quick: bool) -> Table:
    """Measure both on the control arm of the flagship; their digests must be equal."""
    plan = workload.plan(1_000 if quick else 20_000, 28 if quick else 91, ("control",))
    setting = bare.setting(plan)

    def loop(which: Callable[..., None]) -> Callable[[], None]:
        def work() -> None:
            bare.run(plan, setting, which)

        return work

    with workload.running(plan) as engine:
        digest = engine.simulate()[0].digest
        for which in (bare.learner_by_learner, bare.day_by_day):
            assert bare.digest(bare.run(plan, setting, which)) == digest
        timings = side_by_side(
            {
                "the engine (LocalRuntime, one actor)": engine.days_s,
                "bare, all learners day by day": loop(bare.day_by_day),
                "bare, learner by learner": loop(bare.learner_by_learner),
            }
        )
        units = engine.learner_days
    ours = timings["the engine (LocalRuntime, one actor)"]
    rows = [
        (name, millions(timing.rate(units)), timing.spread(), f"{speed_ratio(ours, timing):.2f}")
        for name, timing in timings.items()
    ]
    note = (
        f"{plan.learners:,} learners x {plan.days} days, policy `none`; digest {digest[:16]}... of all three. The bare "
        "loops compute all signals and scores every day, too; they leave out outcomes, eligibility, policy, metrics, "
        "decision log and snapshots, and share the engine's rules and the world's behaviour."
    )
    return Table(("", "learner-days a second", "spread", "engine / this"), rows, note)
