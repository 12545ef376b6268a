"""Messages: deciding and sending about live learners, and handing over through the outbox against plain `smtplib`."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path

from actors.delivery.channel import Outgoing
from actors.delivery.email import EmailChannel
from actors.delivery.outbox import Item, Outbox, State
from actors.delivery.sender import Sender
from actors.intake import EventIn, Intake
from actors.live import LiveLearners
from actors.scoring import DirectScorer, ScoringActor
from actors.spec import ActorSpec
from actors.storage.database import open_database
from benchmarks import workload
from benchmarks.measure import Table, seconds_of, side_by_side, speed_ratio
from engine.calendar import MS_PER_DAY
from engine.experiments.campaigns import Campaign
from engine.notifications.facts import Facts
from engine.notifications.words import Words

TITLE = "Messages: deciding, sending, handing over"

_MONDAY = 19_723  # 2024-01-01
_HOUR_MS = MS_PER_DAY // 24
_TYPE = "personalised_content"
_DAYS = 7
_BATCH = 5_000


def run(quick: bool) -> Table:
    """Decide about everybody on some days, then hand over to a mail server in a process of its own."""
    learners, messages = (200, 20) if quick else (20_000, 500)
    rows = [
        (f"{name}, campaign of `{policy}`", f"{rate:,.0f}", "", "")
        for policy in ("blast", "thompson")
        for name, rate in _week(policy, learners).items()
    ]
    with _mail_server() as url, tempfile.TemporaryDirectory(prefix="engage-bench-") as folder:
        channel = EmailChannel(url, "Learn <hello@learn.example>")
        ours, plain = "e-mail through the outbox, one thread", "`smtplib` in a loop, nothing kept"
        found = side_by_side(
            {
                ours: lambda: _through_outbox(Path(folder), channel, messages),
                plain: lambda: _plainly(url, messages),
            }
        )
    for name, timing in found.items():
        ratio = f"{speed_ratio(timing, found[plain]):.2f} x" if name == ours else ""
        rows.append((name, f"{timing.rate(messages):,.0f}", timing.spread(), ratio))
    note = (
        f"Deciding and sending: one actor of {learners:,} learners in this process, a campaign that wants to send "
        "everybody something, over a week under the default limits; looking again whether each may go is in it, the "
        "journal is not. "
        "Handing over: each e-mail is made from its template and given to the mail server on a connection of its own; "
        "through the outbox (SQLite) it is claimed and settled durably."
    )
    return Table(("", "a second, one core", "spread", "outbox / plain"), rows, note)


def _week(policy: str, learners: int) -> dict[str, float]:
    """Return how many learners a second are decided about and sent something, over a week."""
    arm = {"id": "all", "policy": policy, "share": 1.0}
    campaign = Campaign.model_validate({"id": "news", "arms": [arm]})
    spec = ActorSpec(0, 0, 0, workload.RULES, zone="UTC", campaigns=(campaign,))
    live = LiveLearners(spec, DirectScorer(ScoringActor(workload.MODEL)))
    spent: dict[str, list[float]] = {"decide": [0, 0.0], "send": [0, 0.0]}  # learners and seconds
    for day in range(_MONDAY, _MONDAY + 3 + _DAYS):
        at_ms = day * MS_PER_DAY + _HOUR_MS
        if day < _MONDAY + 2:
            for start in range(0, learners, _BATCH):
                events = [_event(number, at_ms) for number in range(start, min(start + _BATCH, learners))]
                live.fold(0, live.resolve("events", Intake.of(events)))
        if day == _MONDAY + 3:
            spent = {kind: [0, 0.0] for kind in spent}  # all is compiled by now
        for hour in range(1, 24):
            _settle(live, day * MS_PER_DAY + hour * _HOUR_MS, spent)
    return {f"{kind}, learners": count / seconds for kind, (count, seconds) in spent.items()}


def _event(number: int, at_ms: int) -> EventIn:
    return EventIn(f"u-{number}", at_ms + number, at_ms, at_ms, number % 8, float("nan"), None, None)


def _settle(live: LiveLearners, now_ms: int, done: dict[str, list[float]]) -> None:
    """Do what is due, and note how many learners it was about and how long it took."""
    while True:
        while live.rescore()[1]:
            pass
        due = live.due(now_ms)
        if not due:
            return
        for kind in due:
            began = time.perf_counter()
            message = live.resolve(kind, now_ms)
            live.fold(0, message)
            if kind in done:
                about = message.body["counts"][0] if kind == "decide" else len(message.body["sends"])
                done[kind][0] += about
                done[kind][1] += time.perf_counter() - began


def _through_outbox(folder: Path, channel: EmailChannel, messages: int) -> float:
    words = Words(None)

    def compose(item: Item) -> Outgoing:
        told = words.render(_TYPE, None, Facts(name=item.learner))
        return Outgoing(item.id, item.learner, f"{item.learner}@learn.example", _TYPE, told, 0, item.expires_ms)

    file = folder / "outbox.db"
    file.unlink(missing_ok=True)
    with open_database(f"sqlite:///{file}") as database:
        database.migrate()
        outbox = Outbox(database)
        items = [Item(f"u-{number}/x/1/email", "email", f"u-{number}", {}, 0, 10**12) for number in range(messages)]
        sender = Sender(outbox, channel, compose, lambda: 1)
        outbox.put(items, 0)
        seconds = seconds_of(lambda: _drain(sender.step))
        assert outbox.counts() == {("email", State.DELIVERED): messages}
    return seconds


def _drain(step: Callable[[], bool]) -> None:
    while step():
        pass


def _plainly(url: str, messages: int) -> None:
    host, _, port = url.removeprefix("smtp://").partition(":")
    words = Words(None)
    for number in range(messages):
        told = words.render(_TYPE, None, Facts(name=f"u-{number}"))
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "hello@learn.example", "u@learn.example", told.subject
        message.set_content(told.body)
        with smtplib.SMTP(host, int(port)) as server:
            server.send_message(message)


@contextlib.contextmanager
def _mail_server() -> Iterator[str]:
    """Return the URL of a mail server that takes everything and keeps nothing."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    where = ("-n", "-l", f"127.0.0.1:{port}", "-c", "aiosmtpd.handlers.Sink")
    process = subprocess.Popen([sys.executable, "-m", "aiosmtpd", *where])
    try:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield f"smtp://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()
