"""What benchmarks compare has to be equal: a measurement of a wrong result is worth nothing. Nothing here is timed."""

import pytest

from benchmarks import bare, workload


@pytest.mark.parametrize("loop", [bare.learner_by_learner, bare.day_by_day], ids=["by learner", "by day"])
def test_the_bare_loop_reaches_the_digest_of_the_engine(loop):
    plan = workload.plan(learners=60, days=25, arms=("control",))
    with workload.running(plan) as engine:
        simulation, _ = engine.simulate()

    records = bare.run(plan, bare.setting(plan), loop)

    assert records["active_days"].sum() > 0
    assert bare.digest(records) == simulation.digest
