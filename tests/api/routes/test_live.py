"""The live stream: what happens is told as it happens, once, and who was away misses nothing."""

from __future__ import annotations

import asyncio
import gc
import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api import keys
from api import streams as module
from api.access import Role
from api.positions import read
from api.routes import live as routes
from api.serving import Trouble, open_app, serve
from api.settings import Settings
from engine.risk import model as risk_model
from tests.api.site import API, RULES, SOON_S, Ear, Site, Told, open_site


def kinds(events: list[Told]) -> list[str]:
    return [event.kind for event in events if event.kind != "risk"]


def missed(site: Site, after: str, role: Role = Role.ADMIN, **params: Any) -> list[Told]:
    """Return what is told after an id, up to now."""
    with site.listen(role, after=after, follow=False, **params) as ear:
        return ear.rest()


def test_outcomes_are_told_as_they_happen(site: Site) -> None:
    with site.listen(Role.LEARNER) as ear:
        site.track()
        first = ear.until("achievement_unlocked")
        assert kinds(first) == ["xp", "achievement_unlocked"]
        assert first[0].data == {
            "type": "xp", "amount": 50, "total": 50, "outcomeId": "ann/xp/0/50", "userId": "ann", "date": "2026-03-02",
        }  # fmt: skip
        assert first[-1].data["id"] == "first_steps"
        site.track()
        assert kinds(ear.until("level_up")) == ["xp", "level_up"]
        risk = ear.until("risk")[-1].data
        assert (
            risk["userId"] == "ann"
            and 0 <= risk["dropOffRisk"] <= 100
            and risk["band"] in {band.name for band in RULES.bands}
        )


def test_a_learner_hears_own_news_and_admins_hear_all(site: Site) -> None:
    with site.listen(Role.LEARNER) as own, site.listen() as everything, site.listen(Role.SERVICE, userId="bob") as bobs:
        for learner in ("bob", "ann", "bob", "ann"):
            site.track(learner)
        for ear, expected in ((own, {"ann"}), (bobs, {"bob"})):
            assert {event.data["userId"] for event in ear.until("level_up")} == expected
        heard: set[str] = set()
        while heard != {"ann", "bob"}:
            heard.add(everything.next().data["userId"])
    for role, params in ((Role.LEARNER, {"userId": "bob"}), (Role.SERVICE, {})):
        assert site.ask("GET", "/live", role, params=params).status_code == 403


def test_who_comes_back_hears_what_was_missed_and_nothing_twice(site: Site) -> None:
    with site.listen(Role.LEARNER) as ear:
        site.track()
        heard = ear.until("achievement_unlocked")
    site.days(7, "ann", "bob")
    with site.listen(Role.LEARNER, after=heard[-1].id) as ear:
        site.track(eventId="the-last")
        for event in ear:
            heard.append(event)
            if event.kind == "xp" and event.data["total"] == 500:
                break
    told = [event.data["outcomeId"] for event in heard if event.kind not in {"risk", "send"}]
    assert len(told) == len(set(told))
    everything = [event.data for event in missed(site, "0", Role.LEARNER)]
    assert told == [data["outcomeId"] for data in everything if "outcomeId" in data][: len(told)]
    assert {data["userId"] for data in everything} == {"ann"}


def test_every_id_resumes_right_behind_its_event(site: Site) -> None:
    start = missed_id(site)
    site.days(3, "ann", "bob", "cid")
    whole = missed(site, start)
    assert len({event.data["userId"] for event in whole}) == 3
    told = [event.data for event in whole]
    for place, event in enumerate(whole):
        assert [each.data for each in missed(site, event.id)] == told[place + 1 :]


def missed_id(site: Site) -> str:
    with site.listen(follow=False) as ear:
        ear.rest()
        return ear.last_id


def test_what_was_missed_comes_page_by_page_whoever_it_is_about(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAGE", 3)
    site.days(5, "ann", "bob")
    site.profile("eve", locale="de")
    assert [event.data["total"] for event in missed(site, "0", userId="bob") if event.kind == "xp"] == [
        50, 100, 150, 200, 250,
    ]  # fmt: skip
    assert missed(site, "0", userId="eve") == []


def test_a_stream_survives_the_service_and_goes_on(tmp_path: Path) -> None:
    with open_site(tmp_path) as site:
        start = missed_id(site)
        site.track()
    with open_site(tmp_path) as site:
        assert kinds(missed(site, start)) == ["xp", "achievement_unlocked"]
        with site.listen(after=start) as ear:
            assert ear.next().kind == "xp"
            site.track(eventId="2")
            assert ear.until("level_up")


def test_erased_learners_are_in_no_history(site: Site) -> None:
    start = missed_id(site)
    site.track("ann")
    site.track("bob")
    site.ask("DELETE", "/learners/ann", Role.ADMIN)
    assert {event.data["userId"] for event in missed(site, start)} == {"bob"}


def test_a_reminder_is_told(site: Site) -> None:
    site.days(4, "ann")
    with site.listen(Role.LEARNER) as ear:
        site.advance(hours=9)
        send = ear.until("send")[-1].data
    assert send == {
        "type": "send", "sendId": send["sendId"], "userId": "ann", "notification": "streak_warning",
        "date": "2026-03-06", "channels": send["channels"], "campaign": "streaks", "arm": "all",
    }  # fmt: skip
    assert "inApp" in send["channels"]


def test_silence_is_filled_with_heartbeats_that_move_on_over_what_concerns_others(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site.context.streams, "_heartbeat_s", 0.1)
    with site.listen(userId="eve") as ear:
        start = ear.last_id
        assert ear.next(marks=True).id == start
        learner = next(f"u{n}" for n in range(99) if site.service.lane(f"u{n}").log == site.service.lane("eve").log)
        site.track(learner)
        while (mark := ear.next(marks=True)).id == start:
            pass
        assert mark.kind == "" and read(mark.id, [0])[0] > read(start, [0])[0]


def test_whoever_reads_too_slowly_is_disconnected_and_loses_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    batch = [{"userId": "ann", "action": "lesson_complete", "eventId": f"e{number}"} for number in range(50)]
    with site.listen(Role.LEARNER) as ear:
        site.post("/events", batch)
        assert len(ear.rest()) < 10  # the stream has ended by itself
        last = ear.last_id
    assert len([event for event in missed(site, last, Role.LEARNER) if event.kind == "xp"]) >= 8


def test_streams_end_with_the_credentials_and_with_the_service(site: Site) -> None:
    with site.listen(Role.LEARNER) as ear:
        site.clock.advance(minutes=11)
        assert ear.rest() == []
    with site.listen() as ear:
        loop_of(site).call_soon_threadsafe(site.context.streams.end)
        assert ear.rest() == []


def loop_of(site: Site) -> asyncio.AbstractEventLoop:
    """Return the event loop of a site, as one of its streams has it."""
    return site.context.streams._listeners[0]._called._loop  # type: ignore[attr-defined,return-value]  # of asyncio


def test_nobody_listens_any_more_when_all_have_gone(site: Site) -> None:
    with site.listen() as ear:
        assert ear.answer and len(site.context.streams) == 1 and site.service.feed
    for _ in range(100):
        if not len(site.context.streams):
            break
        threading.Event().wait(0.05)
    assert len(site.context.streams) == 0 and not site.service.feed


def test_a_learner_has_some_streams_and_no_more(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    open_ = [site.listen(Role.LEARNER) for _ in range(routes.MOST_EACH)]
    for each in open_:
        each.__enter__()
    refused = site.ask("GET", "/live", Role.LEARNER)
    assert refused.status_code == 429 and "retry-after" in refused.headers
    for each in open_:
        each.__exit__(None, None, None)
    monkeypatch.setattr(routes, "MOST_LISTENERS", 0)
    assert site.ask("GET", "/live", Role.ADMIN).status_code == 503


def test_the_server_ends_though_somebody_listens(tmp_path: Path) -> None:
    trouble, addresses = Trouble(), queue.Queue[str]()
    settings = Settings(port=0)
    with open_app(tmp_path, None, settings, RULES, risk_model.load(), runtime="local", trouble=trouble) as app:
        thread = threading.Thread(target=serve, args=(app, settings, trouble, addresses.put))
        thread.start()
        key = keys.create(app.state.rim.keys, "test", Role.ADMIN, app.state.rim.clock()).text
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.stream("GET", f"{addresses.get(timeout=SOON_S)}{API}/live", headers=headers) as answer:
            chunks = answer.iter_text()
            assert next(chunks).startswith("retry: 1000\nid: ")
            assert trouble.server is not None
            trouble.server.should_exit = True
            assert "".join(chunks) == ""  # the stream ends by itself
        thread.join(SOON_S)
        assert not thread.is_alive()
    gc.unfreeze()


@pytest.mark.parametrize("after", ["x", "1", "1.2.3", "-1.0", "1.", "1-.2", "1e3.0", "9" * 30 + ".1", "1\u0661.2"])
def test_an_id_that_was_not_made_here_is_refused(site: Site, after: str) -> None:
    headers = {b"Last-Event-ID": after.encode()} | {
        name.encode(): value.encode() for name, value in site.bearer(Role.ADMIN).items()
    }
    answer = site.http.get(f"{API}/live", headers=httpx.Headers(headers))
    assert answer.status_code == 422


@pytest.fixture
def busy(site: Site) -> Iterator[tuple[Site, list[str]]]:
    """A site where two others send all the time."""
    over, sent = threading.Event(), list[str]()

    def send(learner: str) -> None:
        number = 0
        while not over.is_set():
            number += 1
            receipt = site.track(learner, "goal_set", eventId=f"{learner}{number}")
            sent.extend(f"{learner}/{each['type']}/{each.get('total')}" for each in receipt["outcomes"])

    senders = [threading.Thread(target=send, args=(learner,)) for learner in ("bob", "cid")]
    for sender in senders:
        sender.start()
    yield site, sent
    over.set()
    for sender in senders:
        sender.join()


def test_coming_and_going_under_load_nothing_is_lost_or_doubled(busy: tuple[Site, list[str]]) -> None:
    site, _ = busy
    heard: list[str] = []
    last = "0.0"
    for number in range(12):
        with site.listen(after=last) as ear:
            for learner in ("ann", "eve"):
                site.track(learner, eventId=f"{learner}-{number}")
            for event in take(ear, 8):
                heard += [event.data["outcomeId"]] if "outcomeId" in event.data else []
            last = ear.last_id
    assert len(heard) == len(set(heard)) > 20
    whole = [event.data["outcomeId"] for event in missed(site, "0.0") if "outcomeId" in event.data]
    behind = {event.data["outcomeId"] for event in missed(site, last) if "outcomeId" in event.data}
    assert set(whole) == set(heard) | behind
    for learner in ("ann", "bob", "cid", "eve"):
        mine = [each for each in whole if each.startswith(learner)]
        assert mine[: len([each for each in heard if each.startswith(learner)])] == [
            each for each in heard if each.startswith(learner)
        ]


def take(ear: Ear, number: int) -> Iterator[Told]:
    for _ in range(number):
        event = ear.next()
        yield event
        if event.data["userId"] == "eve":
            return


def test_an_id_beyond_the_journals_end_is_refused(site: Site) -> None:
    """As after a restore: whoever went on from there would be deaf until the journals had come so far again."""
    site.track()
    last = missed_id(site)
    first, second = map(int, last.split("."))
    for text in (f"{first + 1}.{second}", f"{first}.{second + 1}", "0.999999"):
        answer = site.ask("GET", "/live", Role.ADMIN, headers={"Last-Event-ID": text})
        assert answer.status_code == 422 and "restored" in answer.json()["remedy"]
    assert missed(site, last) == []
