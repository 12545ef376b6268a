"""Rules as data: the defaults, a user's own file, and what a wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import rules
from engine.errors import InputError
from engine.record import LEARNER
from engine.rules import METRICS
from tests.engine.histories import Life, act

RULES = rules.load()


def test_the_defaults_are_those_of_the_design() -> None:
    assert len(RULES.actions) >= 28 and len(RULES.achievements) >= 20
    wanted = {"lesson_complete": 50, "course_complete": 500, "daily_login": 10, "streak_milestone": 50}
    wanted["perfect_quiz"] = 100
    assert {name: RULES.actions[name].xp for name in wanted} == wanted
    assert RULES.actions["daily_login"].cap == 1
    assert {name for name, action in RULES.actions.items() if action.derived} == {"streak_milestone", "perfect_quiz"}
    silent = {name for name, action in RULES.actions.items() if not action.qualifies and not action.derived}
    assert silent == {"page_view", "search", "notification_open"}
    assert [(level.name, level.xp, level.freezes) for level in RULES.levels] == [
        ("Novice", 0, 0), ("Learner", 100, 0), ("Student", 250, 0), ("Scholar", 500, 1), ("Expert", 1000, 0),
        ("Master", 2000, 2), ("Sage", 4000, 0), ("Guru", 7000, 0), ("Legend", 12000, 3), ("Grandmaster", 20000, 0),
    ]  # fmt: skip
    assert [level.rewards for level in RULES.levels if level.rewards] == [
        ("5% discount",), ("10% lifetime discount", "early access"),
    ]  # fmt: skip
    assert RULES.streak.milestones == (7, 14, 30, 60, 100, 365) and RULES.streak.freezes_at == (7, 30, 100)
    assert RULES.streak.most_freezes == 5 and RULES.streak.bridge_hours == 23
    assert [(band.name, band.from_) for band in RULES.bands] == [
        ("critical", 80), ("high", 60), ("medium", 40), ("low", 0),
    ]  # fmt: skip
    assert (RULES.limits.grace_days, RULES.limits.horizon_days, RULES.limits.future_minutes) == (7, 30, 5)
    badges = {badge.name: (badge.metric, badge.at) for badge in RULES.achievements}
    assert badges["Week Warrior"] == ("longest_streak", 7)
    assert badges["100 Lessons"] == ("total:lesson_complete", 100)


def test_what_the_engine_derives_nobody_may_send() -> None:
    assert not any(action.client for action in RULES.actions.values() if action.derived)


def test_compiled_code_sees_the_same_numbers() -> None:
    seen = RULES.record
    for name, action in RULES.actions.items():
        code = RULES.code(name)
        assert (seen["xp"][code], seen["cap"][code], seen["qualifies"][code]) == (
            action.xp, action.cap, action.qualifies,
        )  # fmt: skip
        assert RULES.kinds[seen["kind"][code]] == action.kind
    assert seen["milestone_days"][: seen["milestone_count"]].tolist() == list(RULES.streak.milestones)
    assert seen["milestone_freezes"].tolist() == [1, 0, 1, 0, 1, 0, 0, 0]
    assert seen["level_xp"][: seen["level_count"]].tolist() == [level.xp for level in RULES.levels]
    assert seen["bridge_ms"] == 23 * 3_600_000


def test_every_metric_is_a_number_of_the_record() -> None:
    for name in METRICS:
        assert name in LEARNER.names or name in LEARNER["view"].names


def own(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "own.toml"
    file.write_text(text)
    return file


def test_a_users_file_overrides_entry_by_entry(tmp_path: Path) -> None:
    text = """
        [actions.lesson_complete]
        xp = 7
        [actions.tai_chi]
        xp = 3
        cap = 2
        kind = "visit"
        qualifies = true
        client = true
        [streak]
        milestones = [3]
        freezes_at = []
    """
    mine = rules.load(own(tmp_path, text))
    assert mine.actions["lesson_complete"] == RULES.actions["lesson_complete"].model_copy(update={"xp": 7})
    assert mine.code("tai_chi") == len(RULES.actions)  # after ours, whose codes stay
    assert mine.streak.milestones == (3,) and mine.streak.most_freezes == 5
    life = Life(with_rules=mine)
    life.fold(*[act(day, "lesson_complete") for day in range(3)])
    life.has(xp=3 * 7 + 50, freezes=0)


ACTION = 'kind = "quiz"\nqualifies = true\nclient = true\n'
WRONG = {
    "unknown table": ("[limitz]\ngrace_days = 3", "limitz", "3", "Did you mean 'limits'?"),
    "unknown key": ("[limits]\ngrace_dais = 3", "limits.grace_dais", "3", "Did you mean 'grace_days'?"),
    "unknown key of an action": ("[actions.note]\ncapp = 3", "actions.note.capp", "3", "Did you mean 'cap'?"),
    "unknown key of a level": ('[[levels]]\nnam = "A"', "levels.0.nam", "'A'", "Did you mean 'name'?"),
    "unknown key of a badge": ('[[achievements]]\nidd = "x"', "achievements.0.idd", "'x'", "Did you mean 'id'?"),
    "unknown key of a band": ('[[bands]]\nnames = "x"', "bands.0.names", "'x'", "Did you mean 'name'?"),
    "wrong type": ('[actions.note]\nxp = "lots"', "actions.note.xp", "'lots'", "integer"),
    "text for a number": ('[actions.note]\nxp = "5"', "actions.note.xp", "'5'", "integer"),
    "truth for a number": ("[actions.note]\nxp = true", "actions.note.xp", "True", "integer"),
    "number for truth": ("[actions.note]\nqualifies = 1", "actions.note.qualifies", "1", "boolean"),
    "text for a table": ('limits = "none"', "limits", "'none'", "object"),
    "cap above what a day counts": ("[actions.note]\ncap = 256", "actions.note.cap", "256", "equal to 255"),
    "cap of nothing": ("[actions.note]\ncap = 0", "actions.note.cap", "0", "equal to 1"),
    "negative": ("[actions.note]\nxp = -1", "actions.note.xp", "-1", "equal to 0"),
    "XP that no record can hold": ("[actions.note]\nxp = 10_000_000", "actions.note.xp", "10000000", "equal to"),
    "grace beyond the open days": ("[limits]\ngrace_days = 8", "limits.grace_days", "8", "equal to 7"),
    "missing entries": (f"[actions.tai_chi]\nxp = 3\n{ACTION}", "actions.tai_chi.cap", "", "required"),
    "a kind of one's own": ('[actions.note]\nkind = "vide"', "actions.note.kind", "'vide'", "Did you mean 'video'?"),
    "an unknown metric": (
        '[[achievements]]\nid = "x"\nname = "X"\nmetric = "total:lesson_complet"\nat = 1',
        "achievements.x.metric", "'total:lesson_complet'", "Did you mean 'total:lesson_complete'?",
    ),
    "an id twice": (
        '[[achievements]]\nid = "x"\nname = "X"\nmetric = "xp"\nat = 1\n' * 2, "achievements.id", "'x'", "each id once",
    ),
    "levels that fall": (
        '[[levels]]\nname = "A"\nxp = 0\n[[levels]]\nname = "B"\nxp = 9\n[[levels]]\nname = "C"\nxp = 8',
        "levels.xp", "[0, 9, 8]", "strictly rising",
    ),
    "levels that begin above nothing": ('[[levels]]\nname = "A"\nxp = 5', "levels.xp", "[5]", "0 first"),
    "more freezes than anyone holds": (
        '[[levels]]\nname = "A"\nxp = 0\nfreezes = 101', "levels.0.freezes", "101", "equal to 100",
    ),
    "milestones out of order": ("[streak]\nmilestones = [7, 3]", "streak.milestones", "[7, 3]", "strictly rising"),
    "nine milestones": ("[streak]\nmilestones = [1,2,3,4,5,6,7,8,9]", "streak.milestones", "9]", "at most 8"),
    "freezes at no milestone": ("[streak]\nfreezes_at = [8]", "streak.freezes_at", "8", "one of the milestones"),
    "bands that rise": (
        '[[bands]]\nname = "a"\nfrom = 0\n[[bands]]\nname = "b"\nfrom = 50', "bands.from", "[0.0, 50.0]", "falling",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_told_key_value_and_remedy(tmp_path: Path, case: str) -> None:
    text, key, value, remedy = WRONG[case]
    file = own(tmp_path, text)
    with pytest.raises(InputError) as refused:
        rules.load(file)
    said = str(refused.value)
    assert refused.value.what == f"{file}: {key}"
    assert value in said and remedy in said


@pytest.mark.parametrize("text", ["xp = ", "[limits]\ngrace_days = 3\ngrace_days = 4", "\x00"])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, text: str) -> None:
    file = own(tmp_path, text)
    with pytest.raises(InputError, match="a readable TOML file") as refused:
        rules.load(file)
    assert str(file) in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.toml"):
        rules.load(tmp_path / "nowhere.toml")


def test_an_action_that_the_engine_itself_uses_has_to_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = rules.DEFAULT_FILE.read_text().replace("perfect_quiz ", "flawless_quiz ").replace(":perfect_quiz", ":note")
    monkeypatch.setattr(rules, "DEFAULT_FILE", own(tmp_path, text))
    with pytest.raises(InputError, match=r"actions\.perfect_quiz"):
        rules.load()


def test_an_unknown_action_gets_the_nearest_name() -> None:
    with pytest.raises(InputError, match="Did you mean 'lesson_complete'"):
        RULES.code("leson_complete")
