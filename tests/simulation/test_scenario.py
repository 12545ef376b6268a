"""Scenario files: what is read from them, and what is refused, with a message that a stranger can act on."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from engine.errors import InputError
from simulation import scenario
from simulation.metrics import METRICS
from simulation.scenario import load, shipped
from simulation.series import days_needed

VALID = """
id = "tiny"
title = "A tiny scenario"
population = "free_mooc"
learners = 40
days = 31
start = 2024-02-28
seed = 7
replications = 2

[[arms]]
id = "control"
policy = "none"
control = true

[[arms]]
id = "treated"
policy = "at_risk"
params = { from_risk = 50.0 }

[[claims]]
id = "c1"
text = "+15%"
metric = "retention"
month = 1
arm = "treated"
threshold = 0.15
"""


Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(text: str) -> Path:
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return path

    return to_file


def test_a_file_is_read_whole(write: Write) -> None:
    tiny = load(write(VALID))
    assert (tiny.id, tiny.learners, tiny.days, tiny.seed, tiny.replications) == ("tiny", 40, 31, 7, 2)
    assert tiny.first_day == (date(2024, 2, 28) - date(1970, 1, 1)).days == 19_781
    assert (tiny.control, tiny.place("treated"), tiny.responses) == (0, 1, "drawn")
    assert tiny.arms[1].params == {"from_risk": 50.0}
    assert tiny.metrics == METRICS
    assert (tiny.claims[0].kind, tiny.claims[0].moment.last_day, tiny.claims[0].from_to) == ("lift", 29, None)
    assert pickle.loads(pickle.dumps(tiny)) == tiny  # noqa: S301  # our own bytes: it has to travel to actors


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("learners = 40", "lerners = 40", ["lerners", "unknown key", "Did you mean 'learners'?"]),
        ('policy = "none"', 'polcy = "none"', ["arms.0.polcy", "Did you mean 'policy'?"]),
        ("threshold = 0.15", "treshold = 0.15", ["claims.0.treshold", "Did you mean 'threshold'?"]),
        ("from_risk = 50.0", "from_rsk = 50.0", ["arm 'treated': params", "Did you mean 'from_risk'?"]),
        ("from_risk = 50.0", 'from_risk = "high"', ["arm 'treated': params", "from_risk"]),
        ("from_risk = 50.0", "from_risk = 90.0", ["arm 'treated': params", "from_risk 90.0"]),
        ("learners = 40", "learners = -40", ["learners", "-40"]),
        ("learners = 40", "learners = 40.5", ["learners", "40.5"]),
        ("learners = 40", 'learners = "40"', ["learners", "'40'"]),
        ("learners = 40\n", "", ["learners", "nothing"]),
        ("days = 31", "days = 0", ["days", "got 0"]),
        ("days = 31", "days = true", ["days", "True"]),
        ("seed = 7", "seed = -1", ["seed", "-1"]),
        ("replications = 2", "replications = 0", ["replications", "got 0"]),
        ("start = 2024-02-28", 'start = "soon"', ["start", "'soon'"]),
        ("start = 2024-02-28", "start = 1969-01-01", ["start", "1969"]),
        ("seed = 7", 'seed = 7\nresponses = "draw"', ["responses", "'draw'", "'drawn'"]),
        ('"free_mooc"', '"free_mook"', ["population", "'free_mook'", "Did you mean 'free_mooc'?"]),
        ('policy = "at_risk"', 'policy = "atrisk"', ["arm 'treated': policy", "Did you mean 'at_risk'?"]),
        ("seed = 7", 'seed = 7\nmetrics = ["xp", "actve"]', ["metrics.1", "'actve'", "Did you mean 'active'?"]),
        ("seed = 7", "seed = 7\nmetrics = []", ["metrics", "at least 1"]),
        ('metric = "retention"', 'metric = "retension"', ["claim 'c1': metric", "Did you mean 'retention'?"]),
        ('arm = "treated"', 'arm = "treatd"', ["claim 'c1': arm", "Did you mean 'treated'?"]),
        ('arm = "treated"', 'arm = "control"', ["claim 'c1': arm", "a treated arm"]),
        ('id = "treated"', 'id = "control"', ["arms", "'control' 2 times", "each id once"]),
        ('id = "treated"', 'id = "The treated"', ["arms.1.id", "The treated"]),
        ("control = true", "control = false", ["arms", "control arms: none"]),
        ('id = "treated"', 'id = "treated"\ncontrol = true', ["arms", "control arms: control, treated"]),
        ("month = 1", "month = 1\nday = 7", ["claim 'c1': month, day", "both"]),
        ("month = 1\n", "", ["claim 'c1': month, day", "neither"]),
        ("month = 1", "month = 9", ["claim 'c1': month", "got 9", "month 1, 2 or 3"]),
        ("month = 1", "day = 5", ["claim 'c1': day", "got 5", "1, 7, 14, 30"]),
        ('"retention"', '"dau"\nkind = "points"', ["claim 'c1': kind", "shares of learners"]),
        ("threshold = 0.15", "threshold = 15", ["claims.0.threshold", "got 15"]),
        ("threshold = 0.15", "threshold = nan", ["claims.0.threshold", "nan"]),
        ("threshold = 0.15", 'kind = "points"\nthreshold = 3', ["claim 'c1': threshold", "0.3"]),
        ("threshold = 0.15", "threshold = 0.15\nfrom_to = [0.0, 0.5]", ["claims.0.from_to.0", "0.0"]),
    ],
)
def test_what_is_wrong_is_refused_with_file_key_and_value(write: Write, old: str, new: str, said: list[str]) -> None:
    assert VALID.count(old) >= 1
    path = write(VALID.replace(old, new, 1))
    with pytest.raises(InputError) as refused:
        load(path)
    for part in (str(path), *said):
        assert part in str(refused.value)


def test_a_claim_given_twice_is_refused(write: Write) -> None:
    twice = VALID + VALID[VALID.index("[[claims]]") :]
    with pytest.raises(InputError, match="'c1' 2 times"):
        load(write(twice))


def test_a_slip_of_syntax_is_named_by_its_line(write: Write) -> None:
    with pytest.raises(InputError, match="line 6") as refused:
        load(write(VALID.replace("days = 31", "days = = 31")))
    assert "mine.toml" in str(refused.value)


def test_an_unknown_name_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Did you mean 'retention_claims'"):
        load("retention_claim")
    with pytest.raises(InputError, match=r"none\.toml"):
        load(tmp_path / "none.toml")


def test_sizes_and_seed_can_be_overridden(write: Write) -> None:
    tiny = load(write(VALID))
    other = tiny.with_overrides(learners=5, days=3, seed=0, replications=1)
    assert (other.learners, other.days, other.seed, other.replications) == (5, 3, 0, 1)
    assert (other.arms, other.claims) == (tiny.arms, tiny.claims)
    assert tiny.with_overrides() == tiny


@pytest.mark.parametrize("name", ["learners", "days", "replications"])
def test_an_override_out_of_range_is_refused(write: Write, name: str) -> None:
    with pytest.raises(InputError, match=f"{name}; got 0"):
        load(write(VALID)).with_overrides(**{name: 0})


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_scenario_is_valid_and_named_by_its_id(name: str) -> None:
    assert load(name).id == name
    assert load(scenario.FOLDER / f"{name}.toml") == load(name)


def test_the_flagship_has_the_claims_under_test_with_room_to_judge_them() -> None:
    flagship = load("retention_claims")
    assert [(claim.metric, claim.month, claim.kind, claim.threshold, claim.from_to) for claim in flagship.claims] == [
        ("retention", 1, "lift", 0.15, None),
        ("dau", 1, "lift", 0.25, None),
        ("completions", 1, "lift", 0.5, None),
        ("retention", 3, "lift", 0.4, (0.6, 0.9)),
        ("retention", 3, "lift", 0.4, (0.6, 0.84)),
        ("retention", 3, "points", 0.3, (0.6, 0.9)),
        ("completions", 3, "lift", 1.0, (0.4, 0.8)),
    ]
    needed = max(days_needed(claim.metric, claim.moment) for claim in flagship.claims)
    assert needed == flagship.days == 91
