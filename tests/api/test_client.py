"""The Python client over a real socket: whatever gets lost, each event counts once and brings its first receipt."""

from __future__ import annotations

import pickle
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from api import client
from api.client import AccessError, BusyError, ClientError, EngageClient, Event, RefusedError, UnreachableError
from tests.api.stand_in import TIMEOUT_S, XP, StandIn, stand_in

KEY = "engage_test_key"
BUSY = (503, {"Retry-After": "0"})
FAULTS = ["drop", "lose", "cut", "page", BUSY, (429, {"Retry-After": "1"}), (502, {}), (504, {})]


class Naps:
    """Instead of waiting, notes for how long."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def connect(url: str, **named: Any) -> EngageClient:
    return EngageClient(url, KEY, **{"timeout_s": TIMEOUT_S, "sleep": Naps(), "chance": lambda: 1.0, **named})


def sent_ids(service: StandIn) -> set[str]:
    return {
        body["eventId"] for _, path, body, _ in service.requests if path.endswith("/track") and isinstance(body, dict)
    }


def test_an_event_goes_out_as_the_wire_has_it_and_its_receipt_comes_back() -> None:
    with stand_in() as (service, url), connect(url) as engage:
        receipt = engage.track(
            "ana", "quiz_complete", event_id="quiz-7", occurred_at=datetime(2026, 3, 2, 18, 5, tzinfo=UTC), value=0.9,
            timezone="Europe/Berlin", course_id="python-101",
        )  # fmt: skip
    method, path, body, headers = service.requests[0]
    assert (method, path, headers["Authorization"]) == ("POST", "/api/engagement/track", f"Bearer {KEY}")
    assert body == {
        "userId": "ana", "action": "quiz_complete", "eventId": "quiz-7", "occurredAt": "2026-03-02T18:05:00Z",
        "value": 0.9, "timezone": "Europe/Berlin", "courseId": "python-101",
    }  # fmt: skip
    assert (receipt.event_id, receipt.status, receipt.xp_awarded, receipt.total_xp) == ("quiz-7", "accepted", XP, XP)
    assert (receipt.level_name, receipt.leveled_up, receipt.achievements) == ("Novice", False, ["first_steps"])
    assert receipt.model_extra == {"userId": "ana", "fieldOfTomorrow": 1}


def test_what_is_not_said_is_not_sent_and_each_event_has_its_id() -> None:
    with stand_in() as (service, url), connect(url) as engage:
        first, second = engage.track("ana", "note"), engage.track("ana", "note")
    assert service.requests[0][2] == {"userId": "ana", "action": "note", "eventId": first.event_id}
    assert first.event_id != second.event_id


@pytest.mark.parametrize("fault", [*FAULTS, "late"], ids=str)
def test_a_passing_fault_is_tried_again_under_the_same_id(fault: Any) -> None:
    with stand_in(fault, fault) as (service, url), connect(url) as engage:
        receipt = engage.track("ana", "lesson_complete")
    assert len(service.requests) == 3
    assert sent_ids(service) == {receipt.event_id} == set(service.counted)
    assert (receipt.xp_awarded, receipt.total_xp) == (XP, XP)
    done_before_the_answer = fault in ("lose", "cut", "page", "late")
    assert receipt.status == ("duplicate" if done_before_the_answer else "accepted")


@settings(max_examples=30)
@given(st.lists(st.sampled_from(FAULTS), max_size=12), st.integers(1, 8), st.integers(1, 4))
def test_whatever_gets_lost_each_event_counts_once(faults: list[Any], events: int, chunk: int) -> None:
    with stand_in(*faults) as (service, url), connect(url, attempts=20) as engage:
        wanted = [Event(user_id=f"u{k % 3}", action="lesson_complete", event_id=f"e{k}") for k in range(events)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(client, "MOST_A_REQUEST", chunk)
            receipts = engage.track_many(wanted)
        single = engage.track("u9", "note")
    assert [receipt.event_id for receipt in receipts] == [event.event_id for event in wanted]
    assert set(service.counted) == {event.event_id for event in wanted} | {single.event_id}
    for receipt in [*receipts, single]:
        assert receipt.total_xp == service.counted[receipt.event_id]["totalXp"]


def test_a_refused_item_does_not_hinder_the_others() -> None:
    events = [Event(user_id="ana", action=action) for action in ("note", "danced", "note")]
    with stand_in() as (_, url), connect(url) as engage:
        receipts = engage.track_many(iter(events))
        assert engage.track_many([]) == []
    assert [receipt.status for receipt in receipts] == ["accepted", "refused", "accepted"]
    assert (receipts[1].item, receipts[1].expected) == ("action", "an action of the rules")


def test_many_events_go_in_chunks() -> None:
    with stand_in() as (service, url), connect(url) as engage:
        receipts = engage.track_many(Event(user_id="ana", action="note") for _ in range(1_201))
    assert len(receipts) == len(service.counted) == 1_201
    assert [len(body or ()) for _, _, body, _ in service.requests] == [500, 500, 201]


def test_learners_are_read_back() -> None:
    with stand_in(BUSY) as (service, url), connect(url + "/") as engage:
        assert (engage.xp("a b&c").level, engage.xp("ana").rank) == (2, 4)
        assert engage.streak("ana").current_streak == 7
        assert (engage.risk("ana").drop_off_risk, engage.risk("ana").band) == (63.5, "high")
        assert engage.leaderboard("daily", limit=3).entries[0].display_name == "B"
        assert engage.leaderboard(user_id="ana").standing is None
    assert service.requests[0][1] == "/api/engagement/xp?userId=a+b%26c"
    assert service.requests[-3][2] == {"userId": "ana"}
    assert service.requests[-1][1] == "/api/engagement/leaderboard?period=weekly&limit=10&userId=ana"
    assert service.requests[-2][1] == "/api/engagement/leaderboard?period=daily&limit=3"


def test_pauses_double_with_jitter_and_end() -> None:
    naps = Naps()
    with (
        stand_in(*["drop"] * 99) as (service, url),
        connect(url, sleep=naps, attempts=6, longest_pause_s=1.0) as engage,
    ):
        with pytest.raises(UnreachableError, match="sent again under the same ids it counts once"):
            engage.track("ana", "note")
        assert naps.seconds == [0.1, 0.2, 0.4, 0.8, 1.0]
        with connect(url, sleep=naps, attempts=3, chance=lambda: 0.0) as other, pytest.raises(UnreachableError):
            other.xp("ana")
    assert naps.seconds[5:] == [0.05, 0.1]
    assert len(service.requests) == 9


def test_the_service_says_how_long_to_wait() -> None:
    naps = Naps()
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    answers = [(429, {"Retry-After": "7"}), (503, {"Retry-After": soon}), (503, {"Retry-After": "soon"}), (503, {})]
    with stand_in(*answers) as (_, url), connect(url, sleep=naps) as engage:
        engage.track("ana", "note")
    assert naps.seconds[0] == pytest.approx(7.1)
    assert 15 < naps.seconds[1] <= 20.2
    assert naps.seconds[2:] == [0.4, 0.8]


def test_who_is_asked_to_wait_too_long_is_told_so() -> None:
    naps = Naps()
    too_long = (429, {"Retry-After": "3600"})
    with stand_in(too_long) as (service, url), connect(url, sleep=naps) as engage, pytest.raises(BusyError) as busy:
        engage.track("ana", "note")
    assert (busy.value.status, naps.seconds, len(service.requests)) == (429, [], 1)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, RefusedError), (401, AccessError), (403, AccessError), (404, RefusedError), (422, RefusedError),
     (501, RefusedError), (307, RefusedError)],
)  # fmt: skip
def test_a_refusal_is_told_at_once_with_its_problem(status: int, kind: type[RefusedError]) -> None:
    with stand_in((status, {})) as (service, url), connect(url) as engage, pytest.raises(RefusedError) as refused:
        engage.track("ana", "note")
    assert type(refused.value) is kind
    assert (refused.value.status, refused.value.problem["title"], len(service.requests)) == (status, "Not now", 1)
    assert str(refused.value) == "requests. Wait."
    again = pickle.loads(pickle.dumps(refused.value))  # noqa: S301  # our own bytes
    assert (str(again), again.status, again.problem) == (str(refused.value), status, refused.value.problem)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_does_not_pass_is_told_as_worth_another_try(status: int) -> None:
    answers = [(status, {})] * 3
    with stand_in(*answers) as (service, url), connect(url, attempts=3) as engage, pytest.raises(BusyError) as busy:
        engage.track("ana", "note")
    assert (busy.value.status, len(service.requests)) == (status, 3)


def test_nobody_there_is_told_so() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (
        connect(f"http://127.0.0.1:{port}", attempts=2) as engage,
        pytest.raises(UnreachableError, match="ConnectError"),
    ):
        engage.track("ana", "note")


@pytest.mark.parametrize(
    ("status", "content"), [(400, b"<html>"), (409, b'["no object"]'), (418, b"")], ids=["page", "list", "empty"]
)
def test_a_refusal_without_a_problem_is_one_too(status: int, content: bytes) -> None:
    http = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(status, content=content)))
    with connect("http://service", http=http) as engage, pytest.raises(RefusedError) as refused:
        engage.xp("ana")
    assert (refused.value.status, http.is_closed) == (status, False)
    http.close()


@pytest.mark.parametrize("told", [[], "x", {"status": "perhaps"}, {"totalXp": "many"}, {"results": []}], ids=str)
def test_an_answer_that_makes_no_sense_is_an_error_of_ours(told: Any) -> None:
    http = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, json=told)))
    with http, connect("http://service", http=http) as engage:
        with pytest.raises(ClientError, match="Is the client of the service's version"):
            engage.track("ana", "note")
        with pytest.raises(ClientError, match="Is the client of the service's version"):
            engage.track_many([Event(user_id="ana", action="note")])


def test_an_event_that_cannot_be_sent_is_refused_before_it_is() -> None:
    with pytest.raises(ValidationError):
        Event(user_id="ana", action="note", value=float("nan"))
    with pytest.raises(ValidationError):
        Event(user_id="ana", action="note", occurred_at=datetime(2026, 3, 2))  # noqa: DTZ001  # no zone, on purpose
    with connect("ftp://service") as engage, pytest.raises(httpx.UnsupportedProtocol):
        engage.xp("ana")
