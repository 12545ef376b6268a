"""Leaderboards, as clients read them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from pydantic import Field

from api.roster import Roster, Table
from api.shapes.people import BoardLine, board_line
from api.wire import Wire
from engine.leaderboards import Entry, Standing
from engine.rules import Rules

Period = Literal["daily", "weekly", "all_time"]


class BoardPlace(Wire):
    """Where one learner stands."""

    user_id: str = Field(description="The learner.", examples=["u-17"])
    rank: int = Field(description="Shared by equal XP.", examples=[4])
    percentile: float = Field(description="Percent of the learners who have less; below 100.", examples=[92.5])
    xp: int = Field(description="Of the period.", examples=[150])
    neighbours: list[BoardLine] = Field(description="The lines around the learner's own, which is among them.")


class Board(Wire):
    """The best of a period, each learner on the own local date."""

    period: Period = Field(description="daily, weekly (ISO weeks) or all_time.", examples=["weekly"])
    as_of: datetime = Field(
        description="The board is of this moment: a second ago, or longer where there are very many learners.",
        examples=["2026-11-22T18:30:00Z"],
    )
    learners: int = Field(description="How many are on the board; all who are known, also without XP.", examples=[1200])
    entries: list[BoardLine] = Field(description="The best first.")
    standing: BoardPlace | None = Field(
        description="Of the learner who asks, or who was asked for; null for nobody, or somebody new within a second."
    )


def board(
    roster: Roster,
    table: Table,
    period: Period,
    limit: int,
    neighbours: int,
    subject: str | None,
    rules: Rules,
    *,
    knows_all: bool,
) -> Board:
    """Return a leaderboard; it blocks.

    Args:
        roster: names the learners.
        table: of them.
        period: of the board.
        limit: lines, from the top.
        neighbours: lines on either side of the learner's own.
        subject: the learner whose place is told, None = nobody's.
        rules: of the product.
        knows_all: whoever asks may know who the anonymous are.

    Raises:
        UnknownLearnerError: of ``subject``.
    """
    ranked = table.board(period)
    place = None if subject is None else roster.place(subject, table)
    own: Standing | None = None if place is None else ranked.standing(place, neighbours)
    around = [] if own is None else [*own.above, own.entry, *own.below]
    top = ranked.top(limit)
    lines = _lines(roster, [*top, *around], subject, rules, knows_all=knows_all)
    told = [line for entry in top if (line := lines[entry.learner])]
    standing = None
    if own is not None and subject is not None:
        standing = BoardPlace(
            user_id=subject,
            rank=own.entry.rank,
            percentile=round(own.percentile, 2),
            xp=own.entry.score,
            neighbours=[line for entry in around if (line := lines[entry.learner])],
        )
    at = datetime.fromtimestamp(table.at_ms / 1_000, UTC)
    return Board(period=period, as_of=at, learners=len(table), entries=told, standing=standing)


def _lines(
    roster: Roster, entries: list[Entry], subject: str | None, rules: Rules, *, knows_all: bool
) -> dict[int, BoardLine | None]:
    """Return the line of each learner by number, None where the learner was erased meanwhile."""
    wanted = {entry.learner: entry for entry in entries}
    lines: dict[int, BoardLine | None] = {}
    for number, view in zip(wanted, roster.views(list(wanted)), strict=True):
        user_id, entry = roster.id_of(number), wanted[number]
        lines[number] = None
        if user_id is not None and view is not None:
            known = knows_all or user_id == subject
            lines[number] = board_line(entry.rank, entry.score, user_id, view, rules, known=known)
    return lines
