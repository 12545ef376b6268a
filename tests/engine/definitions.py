"""The definition of every signal, recomputed from a learner's raw history: plain sets of days and lists of events."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from engine import rules
from engine.record import WORD_DAYS
from engine.rules import TIMED
from tests.engine.histories import Act, judged

RULES = rules.load()
QUALIFYING = {name for name, action in RULES.actions.items() if action.qualifies}
DAY_S = 86_400


class Past:
    """A learner's raw history, looked at from the end of the last day that says something.

    Args:
        acts: all that happened in time.
        today: of the learner.
        sent: local days on which a notification was sent.
        ended: streaks that ended, which the oracle does not count.
    """

    def __init__(self, acts: list[Act], today: int, sent: tuple[int, ...] = (), ended: int = 0) -> None:
        self.acts = acts
        self.days = {a.day for a in acts}
        self.now = today if today in self.days else today - 1
        self.ago = sorted(self.now - day for day in self.days if self.now - day < WORD_DAYS)  # newest first
        self.silent = self.ago[0] if self.ago else WORD_DAYS
        self.tenure = max(1, self.now - min(self.days))
        self.view = judged(acts, today)[0]
        # Distances between active days of the last 56, the silence in progress aside.
        self.distances = [older - newer for newer, older in zip(self.ago, self.ago[1:], strict=False)]
        self.sent = [self.now - day for day in sent if 0 <= self.now - day < 28]
        self.sends, self.ended = len(sent), ended

    def active(self, first: int, last: int) -> int:
        """Return the active days of those first..last-1 days ago."""
        return sum(first <= ago < last for ago in self.ago)

    def events(self, half_life: float, kind: str | None = None) -> float:
        """Return events, each weighted by age; a perfect quiz is an event beside the quiz."""
        mine = [a for a in self.acts if kind in {None, kind_of(a)}]
        return math.fsum(2.0 ** (-(self.now - a.day) / half_life) * (2 if perfect(a) else 1) for a in mine)

    def since(self, kind: str) -> float:
        """Return the days since the last event of a kind, to the end of the day in UTC."""
        last = [a.at_ms // 1000 for a in self.acts if kind_of(a) == kind]
        return min(392.0, max(0.0, self.now + 1 - max(last) / DAY_S)) if last else 392.0

    def on(self, ago: int) -> list[Act]:
        """Return what happened on a day."""
        return [a for a in self.acts if self.now - a.day == ago]

    def count(self, first: int, last: int) -> int:
        """Return the number of events of the days first..last-1 days ago."""
        return sum(2 if perfect(a) else 1 for ago in range(first, last) for a in self.on(ago))

    def mean_gap(self) -> float:
        return (sum(self.distances) + 7) / len(self.ago) if self.ago else float(WORD_DAYS)

    def runs(self) -> list[int]:
        """Return the lengths of the runs of active days of the last 56, newest first."""
        lengths: list[int] = []
        for place, ago in enumerate(self.ago):
            if place and ago == self.ago[place - 1] + 1:
                lengths[-1] += 1
            else:
                lengths.append(1)
        return lengths


def kind_of(one: Act) -> str:
    return RULES.actions[one.action].kind


def perfect(one: Act) -> bool:
    return one.action == "quiz_complete" and one.value is not None and one.value >= 1


def coming_weekday(p: Past) -> float:
    same = p.active(6, 7) + sum(p.active(k, k + 1) for k in range(13, WORD_DAYS, 7))
    return (same + 0.5) / (max(min(8, p.tenure // 7 + 1), same) + 1)


def weekend(p: Past) -> float:
    on = sum((p.now - ago + 3) % 7 in {5, 6} for ago in p.ago)  # day 0 was a Thursday, Monday is 0
    return (on + 2) / (len(p.ago) + 7)


def latest_run(p: Past) -> float:
    length = 0
    while p.ago and p.silent + length in p.ago:
        length += 1
    return float(length)


def concentration(p: Past) -> float:
    angles = [2 * math.pi * (a.minute // 60) / 24 for a in p.acts]
    x, y = math.fsum(map(math.cos, angles)), math.fsum(map(math.sin, angles))
    return math.hypot(x, y) / (len(angles) + 1)


def survived(p: Past) -> float:
    if not p.ago:
        return 0.0
    longer = sum(distance > p.silent for distance in p.distances)
    return (longer + 0.5) / len(p.ago)


def scores(p: Past, *actions: str) -> list[float]:
    """Return the scores of these actions, to the ten-thousandth."""
    told = [min(max(a.value, 0.0), 1.0) for a in p.acts if a.action in actions and a.value is not None]
    return [int(score * 10_000 + 0.5) / 10_000 for score in told]


def mean_score(p: Past, *actions: str) -> float:
    return (math.fsum(scores(p, *actions)) + 1) / (len(scores(p, *actions)) + 2)


def minutes(p: Past) -> float:
    """Return the minutes watched, each to the hundredth."""
    told = [
        min(max(float(np.float32(a.value)), 0.0), 1440.0) for a in p.acts if a.action in TIMED and a.value is not None
    ]
    return math.fsum(int(100 * each + 0.5) for each in told) / 100


def since_qualifying(p: Past) -> float:
    ago = [p.now - a.day for a in p.acts if a.action in QUALIFYING]
    return float(min([*ago, WORD_DAYS]))


def span(p: Past) -> float:
    days = [[a.at_ms for a in p.on(ago)] for ago in range(8) if p.on(ago)]
    return sum(max(day) - min(day) for day in days) / 60_000 / max(1, len(days))


def kinds(p: Past) -> float:
    shares = [p.events(28, kind) / p.events(28) for kind in RULES.kinds]
    return min(8.0, max(1.0, 1 / sum(share * share for share in shares)))


def slope(p: Past) -> float:
    weeks = [p.active(7 * week, 7 * week + 7) for week in range(7, -1, -1)]  # oldest first
    return sum((at - 3.5) * days for at, days in enumerate(weeks)) / sum((at - 3.5) ** 2 for at in range(8))


def weekdays(p: Past) -> float:
    counts = [sum(ago % 7 == day for ago in p.ago) for day in range(7)]
    return sum(count * count for count in counts) / len(p.ago) ** 2 if p.ago else 1 / 7


def missed(p: Past) -> float:
    weeks = max(1, min(8, (p.tenure - p.silent) // 7 + 1))
    usual = [sum(ago % 7 == silent % 7 for ago in p.ago) for silent in range(p.silent)]
    return min(p.silent, sum(usual) / weeks)


def night(p: Past) -> float:
    return (sum(a.minute < 6 * 60 for a in p.acts) + 0.25) / (len(p.acts) + 1)


def answered(p: Past) -> float:
    good = sum(ago in p.ago or ago - 1 in p.ago for ago in p.sent)
    return (good + 0.5) / (len(p.sent) + 1)


NAIVE: dict[str, Callable[[Past], float]] = {
    "silent_days": lambda p: p.silent,
    "log_silent_days": lambda p: math.log(1 + p.silent),
    "days_since_qualifying": since_qualifying,
    "log_tenure_days": lambda p: math.log(1 + p.tenure),
    "active_days_3": lambda p: p.active(0, 3),
    "active_days_7": lambda p: p.active(0, 7),
    "active_days_14": lambda p: p.active(0, 14),
    "active_days_28": lambda p: p.active(0, 28),
    "active_days_56": lambda p: p.active(0, 56),
    "active_share": lambda p: min(1.0, (len(p.days) + 1) / (p.tenure + 2)),
    "log_events_1d": lambda p: math.log(1 + p.events(1)),
    "log_events_7d": lambda p: math.log(1 + p.events(7)),
    "log_events_28d": lambda p: math.log(1 + p.events(28)),
    "mean_gap_days": Past.mean_gap,
    "longest_gap_days": lambda p: max(p.distances, default=1) - 1,
    "silence_over_mean_gap": lambda p: p.silent / max(1.0, p.mean_gap()),
    "silences_survived": survived,
    "active_days_change_7": lambda p: p.active(0, 7) - p.active(7, 14),
    "active_days_change_28": lambda p: p.active(0, 28) - p.active(28, 56),
    "events_trend": lambda p: math.log((1 + p.events(7)) / (1 + p.events(28))),
    "usual_on_coming_weekday": coming_weekday,
    "weekend_share": weekend,
    "consecutive_days": latest_run,
    "hour_concentration": concentration,
    "log_streak": lambda p: math.log(1 + p.view["streak"]),
    "log_longest_streak": lambda p: math.log(1 + p.view["longest_streak"]),
    "freezes_held": lambda p: p.view["freezes"],
    "level": lambda p: p.view["level"],
    "log_xp_week": lambda p: math.log(1 + p.view["xp_week"]),
    "quiz_accuracy": lambda p: mean_score(p, "quiz_complete"),
    "assignment_score": lambda p: mean_score(p, "assignment_submit", "project_submit"),
    "log_assignments": lambda p: math.log(1 + len(scores(p, "assignment_submit", "project_submit"))),
    "log_minutes": lambda p: math.log(1 + minutes(p)),
    "log_minutes_a_day": lambda p: math.log(1 + minutes(p) / len({a.day for a in p.acts})),
    "streaks_ended_rate": lambda p: min(1.0, p.ended / p.tenure),
    "days_since_visit": lambda p: p.since("visit"),
    "days_since_video": lambda p: p.since("video"),
    "days_since_reading": lambda p: p.since("reading"),
    "active_weeks_8": lambda p: sum(p.active(7 * week, 7 * week + 7) > 0 for week in range(8)),
    "qualifying_days_28": lambda p: len({a.day for a in p.acts if a.action in QUALIFYING and p.now - a.day < 28}),
    "last_gap_days": lambda p: p.distances[0] if p.distances else WORD_DAYS,
    "next_day_return": lambda p: (p.distances.count(1) + 0.5) / (len([ago for ago in p.ago if ago > 0]) + 1),
    "runs_56": lambda p: len(p.runs()),
    "longest_run_56": lambda p: max(p.runs(), default=0),
    "log_events_a_day": lambda p: math.log(1 + p.events(28) / max(1, p.active(0, 28))),
    "log_busiest_day": lambda p: math.log(1 + max(p.count(ago, ago + 1) for ago in range(8))),
    "mean_span_minutes": span,
    "log_visits_28d": lambda p: math.log(1 + p.events(28, "visit")),
    "log_videos_28d": lambda p: math.log(1 + p.events(28, "video")),
    "log_readings_28d": lambda p: math.log(1 + p.events(28, "reading")),
    "effective_kinds": kinds,
    "active_days_change_14": lambda p: p.active(0, 14) - p.active(14, 28),
    "weekly_slope": slope,
    "events_change_4": lambda p: math.log((1 + p.count(0, 4)) / (1 + p.count(4, 8))),
    "weekday_concentration": weekdays,
    "usual_days_missed": missed,
    "night_share": night,
    "log_lessons_7d": lambda p: math.log(1 + p.events(7, "lesson")),
    "log_lessons_28d": lambda p: math.log(1 + p.events(28, "lesson")),
    "days_since_lesson": lambda p: p.since("lesson"),
    "log_steps_28d": lambda p: math.log(1 + p.events(28, "progress")),
    "days_since_step": lambda p: p.since("progress"),
    "log_xp": lambda p: math.log(1 + p.view["xp"]),
    "log_xp_a_day": lambda p: math.log(1 + p.view["xp"] / p.tenure),
    "log_quizzes": lambda p: math.log(1 + len(scores(p, "quiz_complete"))),
    "log_quiz_events_28d": lambda p: math.log(1 + p.events(28, "quiz")),
    "days_since_quiz": lambda p: p.since("quiz"),
    "log_assignments_28d": lambda p: math.log(1 + p.events(28, "assignment")),
    "days_since_assignment": lambda p: p.since("assignment"),
    "log_social_28d": lambda p: math.log(1 + p.events(28, "social")),
    "social_share_28d": lambda p: p.events(28, "social") / (1 + p.events(28)),
    "days_since_social": lambda p: p.since("social"),
    "streak_of_longest": lambda p: p.view["streak"] / (p.view["longest_streak"] + 1),
    "freezes_used_rate": lambda p: min(1.0, p.view["freezes_used"] / p.tenure),
    "achievements_held": lambda p: len(p.view["achievements"]),
    "log_xp_today": lambda p: math.log(1 + p.view["xp_day"]),
    "message_days_7": lambda p: sum(ago < 7 for ago in p.sent),
    "message_days_28": lambda p: len(p.sent),
    "days_since_message": lambda p: min([*p.sent, 28]),
    "messages_answered": answered,
    "log_messages": lambda p: math.log(1 + p.sends),
    "channels_allowed": lambda p: 4.0,
    "in_first_week": lambda p: float(p.tenure < 7),
    "coming_weekday": lambda p: (p.now + 1 + 3) % 7,
    "season_cosine": lambda p: math.cos(2 * math.pi * p.now / 365.2425),
    "season_sine": lambda p: math.sin(2 * math.pi * p.now / 365.2425),
    "log_late_events": lambda p: 0.0,
}
