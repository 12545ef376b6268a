"""``engage preview``: what campaigns would send, before anything leaves."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from api import preview as driver
from api.cli.console import Stopwatch, console, output_directory, progress, working_directory, write_json
from api.cli.options import DATA, CampaignFile, Data, DatabaseUrl, RetentionPolicy, campaigns_of
from api.clock import wall_clock
from api.learning import registry_of
from api.place import find_place
from engine import rules as engine_rules
from engine.calendar import date_of
from engine.risk import model as risk_model

MOST_DAYS = 14


def preview(
    data: Data = DATA,
    database_url: DatabaseUrl = None,
    campaigns: CampaignFile = None,
    policy: RetentionPolicy = None,
    days: Annotated[int, typer.Option(min=1, max=MOST_DAYS, help="Of 24 hours, from now on")] = 3,
    out: Annotated[Path | None, typer.Option(help="Directory for result.json")] = None,
    rules: Annotated[Path | None, typer.Option(help="The service's own rules, overriding the defaults")] = None,
    model: Annotated[Path | None, typer.Option(help="Risk model; default: the service's champion")] = None,
) -> None:
    """Show the sends of the coming days by hour and type, as if nobody came meanwhile; nothing is sent or written."""
    watch = Stopwatch()
    product_rules, sending = engine_rules.load(rules), campaigns_of(campaigns, policy)
    target = output_directory(out)
    place = find_place(data, database_url)
    risk = registry_of(data).champion_or(risk_model.load(model))
    with place.database, working_directory() as work, progress("steps of 10 minutes") as tick:
        found = driver.preview(place, work, product_rules, risk, sending, wall_clock(), days, tick)
    if target is not None:
        sends = [
            {"date": date_of(day).isoformat(), "hour": hour, "type": kind, "sends": count}
            for (day, hour, kind), count in sorted(found.sends.items())
        ]
        dropped = [
            {"campaign": campaign, "reason": reason, "sends": count}
            for (campaign, reason), count in sorted(found.dropped.items())
        ]
        write_json(target / "result.json", {"days": days, "sends": sends, "dropped": dropped})
    _show(found, days)
    console.print(f"In {watch.seconds():.1f} s. Nobody was assumed to come meanwhile.")


def _show(found: driver.Preview, days: int) -> None:
    by_type: Counter[str] = Counter()
    for (_, _, kind), count in found.sends.items():
        by_type[kind] += count
    title = f"Sends of the next {days} x 24 hours, by the learners' own clocks"
    table = Table("date", "hour", *by_type, title=title, show_footer=True)
    for column, footer in zip(table.columns, ("all", "", *(f"{count:,}" for count in by_type.values())), strict=True):
        column.footer = footer
    shown = None
    for day, hour in sorted({(day, hour) for day, hour, _ in found.sends}):
        counts = (found.sends[day, hour, kind] for kind in by_type)
        date = "" if day == shown else date_of(day).isoformat()
        table.add_row(date, f"{hour:02}:00", *(f"{count:,}" if count else "" for count in counts))
        shown = day
    console.print(table if by_type else "Nothing would be sent.")
    for (campaign, reason), count in found.dropped.most_common():
        console.print(f"{campaign}: {count:,} not sent, {reason}", highlight=False)
