"""Rules are data: XP, caps, levels, milestones, achievements and bands from one validated TOML file.

``load()`` gives the defaults of ``rules.toml``, overridden by a user's own file. People read the names on `Rules`;
compiled code gets the same numbers as **one argument**, ``rules.record``, never as globals.
"""

from __future__ import annotations

import functools
import json
import tomllib
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.calendar import MS_PER_DAY, MS_PER_MINUTE
from engine.errors import InputError, did_you_mean

MAX_ACTIONS = 64
KINDS = ("lesson", "progress", "visit", "quiz", "video", "assignment", "social", "reading")
"""What actions are about, as far as signals tell them apart; a kind's code is its place."""
MAX_KINDS = len(KINDS)
MAX_MILESTONES = 8
MAX_LEVELS = 16
MAX_ACHIEVEMENTS = 62  # bits of one positive int64
DAY_COUNT_LIMIT = 255  # an open day counts an action up to here, so no cap may be higher

DEFAULT_FILE = Path(__file__).with_name("rules.toml")

RULES = np.dtype(
    [
        ("xp", "<i8", (MAX_ACTIONS,)),
        ("cap", "<i8", (MAX_ACTIONS,)),
        ("kind", "<i8", (MAX_ACTIONS,)),
        ("qualifies", "<i8", (MAX_ACTIONS,)),
        ("measure", "<i8", (MAX_ACTIONS,)),  # what the value is: one of NOTHING, SCORE, MINUTES
        ("quiz_complete", "<i8"),  # code of the action
        ("perfect_quiz", "<i8"),  # code of the action
        ("milestone_xp", "<i8"),
        ("milestone_count", "<i8"),
        ("milestone_days", "<i8", (MAX_MILESTONES,)),
        ("milestone_freezes", "<i8", (MAX_MILESTONES,)),
        ("most_freezes", "<i8"),
        ("bridge_ms", "<i8"),
        ("level_count", "<i8"),
        ("level_xp", "<i8", (MAX_LEVELS,)),
        ("level_freezes", "<i8", (MAX_LEVELS,)),
        ("achievement_count", "<i8"),
        ("achievement_metric", "<i8", (MAX_ACHIEVEMENTS,)),  # index into METRICS, or len(METRICS) + action code
        ("achievement_at", "<i8", (MAX_ACHIEVEMENTS,)),
        ("grace_ms", "<i8"),
        ("horizon_ms", "<i8"),
        ("future_ms", "<i8"),
    ]
)
"""The rules as compiled code sees them."""

METRICS = ("longest_streak", "xp", "level", "active_days", "qualifying_days", "freezes_used")
"""What an achievement may be earned by, besides ``total:<action>``; each is a field of the learner's record."""

SCORED = ("quiz_complete", "assignment_submit", "project_submit")
"""Actions whose value is a score from 0 to 1."""

TIMED = ("video_watch", "live_session")
"""Actions whose value is minutes."""

NOTHING, SCORE, MINUTES = range(3)
"""What the engine takes an action's value for."""

Count = Annotated[int, Field(ge=0)]
Freezes = Annotated[int, Field(ge=0, le=100)]  # a learner's outcomes, one for each freeze, have to fit their buffer
ActionXP = Annotated[int, Field(ge=0, le=100_000)]  # a day of every action at the highest cap fits the record's int32


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Limits(_Strict):
    """How late, how long ago and how early an event may be."""

    grace_days: Annotated[int, Field(ge=0, le=7)]  # what `engine.record.OPEN_DAYS` has room for
    horizon_days: Annotated[int, Field(ge=1, le=365)]
    future_minutes: Count


class Action(_Strict):
    """What one action is worth and who may send it."""

    xp: ActionXP
    cap: Annotated[int, Field(ge=1, le=DAY_COUNT_LIMIT)]
    kind: str
    qualifies: bool
    client: bool
    derived: bool = False


class Level(_Strict):
    """A level: reached at ``xp``, its freezes paid once, its rewards state that the API shows."""

    name: str
    xp: Count
    freezes: Freezes = 0
    rewards: tuple[str, ...] = ()


class Streak(_Strict):
    """Streak milestones and freezes."""

    milestones: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(max_length=MAX_MILESTONES)]
    freezes_at: tuple[int, ...]
    most_freezes: Freezes
    bridge_hours: Annotated[float, Field(ge=0, lt=24)]


class Achievement(_Strict):
    """A badge, earned when ``metric`` reaches ``at``."""

    id: str
    name: str
    metric: str
    at: Annotated[int, Field(ge=1)]


class Band(_Strict):
    """A band of the risk score."""

    name: str
    from_: Annotated[float, Field(ge=0, le=100, alias="from")]


class Rules(_Strict):
    """All rules of the product, validated."""

    limits: Limits
    actions: Annotated[dict[str, Action], Field(min_length=1, max_length=MAX_ACTIONS)]
    levels: Annotated[tuple[Level, ...], Field(min_length=1, max_length=MAX_LEVELS)]
    streak: Streak
    achievements: Annotated[tuple[Achievement, ...], Field(max_length=MAX_ACHIEVEMENTS)]
    bands: Annotated[tuple[Band, ...], Field(min_length=1)]

    @functools.cached_property
    def codes(self) -> dict[str, int]:
        """Code of each action: its place in the file."""
        return {name: code for code, name in enumerate(self.actions)}

    @functools.cached_property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of action; a kind's code is its place."""
        return KINDS

    @functools.cached_property
    def band_starts(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Lowest score of each band, highest band first."""
        return np.array([band.from_ for band in self.bands])

    def code(self, action: str) -> int:
        """Return the code of an action, or refuse an unknown name with the nearest one."""
        try:
            return self.codes[action]
        except KeyError:
            raise InputError(
                "action", repr(action), "an action of the rules", did_you_mean(action, self.codes)
            ) from None

    @functools.cached_property
    def record(self) -> Any:
        """The same numbers for compiled code: one row of `RULES`."""
        return _record(self)


def load(path: Path | None = None) -> Rules:
    """Return the default rules, overridden by the entries of the user's own TOML file.

    Args:
        path: the user's file; its tables merge by key, its lists replace ours.

    Raises:
        InputError: unreadable file, or an entry that is unknown or out of range, named with its value and a remedy.
    """
    data = _read(DEFAULT_FILE)
    if path is not None:
        data = _merge(data, _read(path))
    file = str(path or DEFAULT_FILE)
    try:
        # Strict, so that "5" and true are no numbers; as JSON, where even so a list may stand for a tuple.
        rules = Rules.model_validate_json(json.dumps(data, default=str), strict=True)
    except ValidationError as error:
        raise _explain(file, error) from None
    _check_consistency(file, rules)
    return rules


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(str(path), str(error), "a readable TOML file") from None


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        merged[key] = _merge(base[key], value) if both else value
    return merged


def _explain(file: str, error: ValidationError) -> InputError:
    errors = error.errors()
    first = next((each for each in errors if each["type"] == "extra_forbidden"), errors[0])  # a typo also lacks its key
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        tables: dict[str, type[BaseModel]] = {
            "limits": Limits,
            "streak": Streak,
            "actions": Action,
            "levels": Level,
            "achievements": Achievement,
            "bands": Band,
        }
        model = tables.get(str(first["loc"][0]), Rules)
        known = [field.alias or name for name, field in model.model_fields.items()]
        got = f"an unknown key with value {first['input']!r}"
        return InputError(f"{file}: {key}", got, "a key of the rules", did_you_mean(str(first["loc"][-1]), known))
    return InputError(f"{file}: {key}", repr(first["input"]), first["msg"], "See engine/rules.toml for every entry.")


def _check_consistency(file: str, rules: Rules) -> None:
    def need(good: bool, key: str, got: object, expected: str, remedy: str = "") -> None:
        if not good:
            raise InputError(f"{file}: {key}", repr(got), expected, remedy)

    for name, action in rules.actions.items():
        need(
            action.kind in KINDS,
            f"actions.{name}.kind",
            action.kind,
            ", ".join(KINDS),
            did_you_mean(action.kind, KINDS),
        )
    for needed in ("quiz_complete", "perfect_quiz", "streak_milestone"):
        need(needed in rules.actions, f"actions.{needed}", "nothing", "this action, which the engine itself uses")
    xps = [level.xp for level in rules.levels]
    need(xps[0] == 0 and xps == sorted(set(xps)), "levels.xp", xps, "0 first, then strictly rising")
    days = list(rules.streak.milestones)
    need(days == sorted(set(days)), "streak.milestones", days, "strictly rising days")
    for day in rules.streak.freezes_at:
        need(day in days, "streak.freezes_at", day, f"one of the milestones {days}")
    starts = [band.from_ for band in rules.bands]
    need(starts == sorted(set(starts), reverse=True) and starts[-1] == 0, "bands.from", starts, "falling, down to 0")
    for badge in rules.achievements:
        known = [*METRICS, *(f"total:{name}" for name in rules.actions)]
        need(
            badge.metric in known,
            f"achievements.{badge.id}.metric",
            badge.metric,
            "a known metric",
            did_you_mean(badge.metric, known),
        )
    ids = [badge.id for badge in rules.achievements]
    need(len(ids) == len(set(ids)), "achievements.id", ids, "each id once")


def _record(rules: Rules) -> Any:
    record = np.zeros(1, RULES)[0]
    for code, action in enumerate(rules.actions.values()):
        record["xp"][code], record["cap"][code] = action.xp, action.cap
        record["kind"][code], record["qualifies"][code] = rules.kinds.index(action.kind), action.qualifies
    for measure, names in ((SCORE, SCORED), (MINUTES, TIMED)):
        for name in set(names) & set(rules.actions):
            record["measure"][rules.code(name)] = measure
    record["quiz_complete"], record["perfect_quiz"] = rules.code("quiz_complete"), rules.code("perfect_quiz")
    record["milestone_xp"] = rules.actions["streak_milestone"].xp
    record["milestone_count"] = len(rules.streak.milestones)
    for place, days in enumerate(rules.streak.milestones):
        record["milestone_days"][place] = days
        record["milestone_freezes"][place] = days in rules.streak.freezes_at
    record["most_freezes"] = rules.streak.most_freezes
    record["bridge_ms"] = round(rules.streak.bridge_hours * 3_600_000)
    record["level_count"] = len(rules.levels)
    for place, level in enumerate(rules.levels):
        record["level_xp"][place], record["level_freezes"][place] = level.xp, level.freezes
    record["achievement_count"] = len(rules.achievements)
    for place, badge in enumerate(rules.achievements):
        total = badge.metric.removeprefix("total:")
        found = len(METRICS) + rules.code(total) if total != badge.metric else METRICS.index(badge.metric)
        record["achievement_metric"][place], record["achievement_at"][place] = found, badge.at
    record["grace_ms"] = rules.limits.grace_days * MS_PER_DAY
    record["horizon_ms"] = rules.limits.horizon_days * MS_PER_DAY
    record["future_ms"] = rules.limits.future_minutes * MS_PER_MINUTE
    return record
