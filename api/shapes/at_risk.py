"""The list of learners at risk, and how risk is spread over all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from api import cursors
from api.roster import Roster, Table
from api.shapes.risk import BAND, SILENT_DAYS, instant, rounded, silent_days
from api.shapes.today import on_today
from api.wire import Wire
from engine.errors import InputError, did_you_mean
from engine.policies.at_risk import AtRisk
from engine.risk.dropoff import standing_names
from engine.rules import Rules

Sort = Literal["-risk", "risk", "lastActive", "-lastActive"]
AT_RISK = AtRisk.from_risk
"""The risk from which on learners count as being at risk: where the policy of that name begins."""


class AtRiskLearner(Wire):
    """A learner of the list."""

    user_id: str = Field(description="The learner.", examples=["u-17"])
    display_name: str | None = Field(description="From the profile.", examples=["Ada"])
    risk: float | None = Field(description="0-100; null outside the bands.", examples=[72.4])
    band: str = Field(description=BAND, examples=["high"])
    confidence: float | None = Field(description="0-100.", examples=[98.6])
    streak: int = Field(description="Days of the run that is alive.", examples=[0])
    silent_days: int | None = Field(description=SILENT_DAYS, examples=[4])
    last_active_at: datetime | None = Field(
        description="The last action that counted.", examples=["2026-11-22T18:30:00Z"]
    )


class BandShare(Wire):
    """How many learners are in a band."""

    band: str = Field(description=BAND, examples=["high"])
    learners: int = Field(description="In this band.", examples=[32])
    share: float | None = Field(description="Of all learners; null where there are none.", examples=[0.08])


class AtRiskPage(Wire):
    """Learners at risk, a page of them, and the whole picture."""

    learners: int = Field(description="All who are known.", examples=[400])
    scored: int = Field(description="Those of them in a band.", examples=[310])
    at_risk: int = Field(description=f"Those with a risk of {AT_RISK:g} or more.", examples=[51])
    share_at_risk: float | None = Field(description="Of the scored; null where there are none.", examples=[0.1645])
    distribution: list[BandShare] = Field(description="Over bands and standings, the highest first.")
    matching: int = Field(description="Learners that the filters let through, on all pages together.", examples=[51])
    results: list[AtRiskLearner] = Field(description="This page.")
    next_cursor: str | None = Field(
        description="Ask with it for the next page; null on the last.", examples=["WyJhdC1yaXNrIC1yaXNrIiwtNzIuNCw3XQ"]
    )


class Query(NamedTuple):
    """What is asked for.

    Args:
        bands: names of bands or standings, empty = any.
        min_risk: 0-100, None = `AT_RISK` where no bands are named.
        sort: order; equal ones as they first appeared.
        cursor: of the page before.
        limit: of the page.
    """

    bands: Sequence[str]
    min_risk: float | None
    sort: Sort
    cursor: str | None
    limit: int


def at_risk_page(roster: Roster, table: Table, query: Query, rules: Rules) -> AtRiskPage:
    """Return a page of learners at risk; it blocks.

    Args:
        roster: names the learners.
        table: of them.
        query: what is asked for.
        rules: of the product.

    Raises:
        InputError: a band or the cursor is not known.
    """
    bands = standing_names(rules)
    codes = [_code(name, bands) for name in query.bands]
    risk, standing = table.columns["risk"], table.columns["standing"]
    matching = _matching(risk, standing, codes, query.min_risk)
    chosen, last = _page(table, matching, query)
    counts = np.bincount(standing, minlength=len(bands)).tolist()
    scored, endangered = sum(counts[: len(rules.bands)]), int((risk >= AT_RISK).sum())
    return AtRiskPage(
        learners=len(table),
        scored=scored,
        at_risk=endangered,
        share_at_risk=_share(endangered, scored),
        distribution=[
            BandShare(band=name, learners=count, share=_share(count, len(table)))
            for name, count in zip(bands, counts, strict=True)
        ],
        matching=int(matching.sum()),
        results=_learners(roster, table, chosen, rules),
        next_cursor=last,
    )


def _code(name: str, bands: Sequence[str]) -> int:
    if name not in bands:
        raise InputError("query.band", repr(name), "a band or standing", did_you_mean(name, bands))
    return bands.index(name)


def _matching(
    risk: NDArray[np.float64], standing: NDArray[np.uint8], codes: list[int], min_risk: float | None
) -> NDArray[np.bool_]:
    if codes and min_risk is None:
        return np.isin(standing, codes)
    enough: NDArray[np.bool_] = risk >= (AT_RISK if min_risk is None else min_risk)
    return enough & np.isin(standing, codes) if codes else enough


def _page(table: Table, matching: NDArray[np.bool_], query: Query) -> tuple[NDArray[np.int64], str | None]:
    """Return the places of a page's learners, and the cursor behind them, None = there are no more."""
    name = query.sort.removeprefix("-")
    key = table.columns["view.last_ms"] if name == "lastActive" else np.nan_to_num(table.columns["risk"], nan=-1.0)
    key = key.astype(np.float64) * (-1 if query.sort.startswith("-") else 1)
    kind = f"at-risk {query.sort}"
    if query.cursor is not None:
        after, number = cursors.decode(query.cursor, kind, [float, int])
        matching = matching & ((key > after) | ((key == after) & (table.number > number)))
    places = np.flatnonzero(matching)
    order = places[np.argsort(key[places], kind="stable")]  # equal keys stay in the order of their numbers
    chosen = order[: query.limit]
    if len(order) <= query.limit:
        return chosen, None
    return chosen, cursors.encode(kind, float(key[chosen[-1]]), int(table.number[chosen[-1]]))


def _learners(roster: Roster, table: Table, places: NDArray[np.int64], rules: Rules) -> list[AtRiskLearner]:
    numbers = table.number[places].tolist()
    told = zip(*(table.columns[name][places].tolist() for name in ("risk", "confidence", "standing")), strict=True)
    there = [
        (user_id, view, facts)
        for user_id, view, facts in zip(map(roster.id_of, numbers), roster.views(numbers), told, strict=True)
        if user_id is not None and view is not None  # else erased since the table was taken
    ]
    bands = standing_names(rules)
    records = on_today([view for _, view, _ in there], rules)
    return [
        AtRiskLearner(
            user_id=user_id,
            display_name=view.profile.get("displayName"),
            risk=rounded(risk),
            band=bands[code],
            confidence=rounded(confidence),
            streak=int(record["view"]["streak"]),
            silent_days=silent_days(record),
            last_active_at=instant(int(record["view"]["last_ms"])),
        )
        for (user_id, view, (risk, confidence, code)), record in zip(there, records, strict=True)
    ]


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
