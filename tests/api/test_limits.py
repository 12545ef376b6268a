"""How often one may ask."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.access import Role, Scope
from api.batches import MOST_OWN_EVENTS, NDJSON
from api.clock import ManualClock, steady_clock, wall_clock
from api.keys import TTL_MS
from api.limits import Limiter
from api.settings import Rate, Settings
from engine.errors import InputError
from tests.api.rim import make_scene, served
from tests.api.site import open_site

SMALL = Settings(service_rate=Rate(2, 4), learner_rate=Rate(1, 2), stranger_rate=Rate(0.5, 3))


def test_a_burst_then_a_steady_rate() -> None:
    clock = ManualClock()
    limiter = Limiter(Rate(per_s=2, burst=3), clock)
    taken = [limiter.take("a") for _ in range(4)]
    assert [each.granted for each in taken] == [True, True, True, False]
    assert [each.left for each in taken] == [2, 1, 0, 0]
    assert taken[3].wait_s == 1
    clock.advance(seconds=0.5)
    assert limiter.take("a").granted and not limiter.take("a").granted
    clock.advance(seconds=60)
    assert limiter.take("a") == (True, 2, 1, 0)


def test_one_does_not_spend_what_is_anothers() -> None:
    limiter = Limiter(Rate(1, 1), ManualClock())
    assert limiter.take("a").granted and not limiter.take("a").granted
    assert limiter.take("b").granted


def test_asking_how_long_to_wait_takes_nothing() -> None:
    clock = ManualClock()
    limiter = Limiter(Rate(0.5, 1), clock)
    assert limiter.wait_s("a") == limiter.wait_s("a") == 0
    limiter.take("a")
    assert limiter.wait_s("a") == 2
    clock.advance(seconds=1.5)
    assert limiter.wait_s("a") == 1


@given(
    per_s=st.floats(0.1, 1_000),
    burst=st.integers(1, 50),
    pauses=st.lists(st.integers(0, 3_000), min_size=1, max_size=200),
)
def test_no_span_of_time_grants_more_than_burst_and_rate(per_s: float, burst: int, pauses: list[int]) -> None:
    clock = ManualClock()
    limiter = Limiter(Rate(per_s, burst), clock)
    granted = []
    for pause in pauses:
        clock.advance(seconds=pause / 1_000)
        allowance = limiter.take("a")
        if allowance.granted:
            granted.append(clock())
        else:  # whoever waits as told gets in
            assert allowance.wait_s >= 1
    for first, begin in enumerate(granted):
        for last in range(first, len(granted)):
            assert last - first + 1 <= burst + per_s * (granted[last] - begin) / 1_000 + 1e-6


def test_whoever_waits_as_told_is_let_in() -> None:
    clock = ManualClock()
    limiter = Limiter(Rate(0.3, 2), clock)
    for _ in range(20):
        allowance = limiter.take("a")
        if not allowance.granted:
            clock.advance(seconds=allowance.wait_s)
            assert limiter.take("a").granted


def test_many_are_granted_whole_or_not_at_all() -> None:
    clock = ManualClock()
    limiter = Limiter(Rate(per_s=2, burst=10), clock)
    assert limiter.take("a", 7) == (True, 3, 4, 0)
    assert limiter.take("a", 5) == (False, 3, 4, 1)  # it took nothing
    assert limiter.take("a", 3).granted and not limiter.take("a").granted
    assert limiter.wait_s("a", 4) == 2
    clock.advance(seconds=2)
    assert limiter.take("a", 4).granted and not limiter.take("a").granted


def test_a_clock_that_was_set_back_locks_nobody_out() -> None:
    clock = ManualClock(10**9)
    limiter = Limiter(Rate(1, 1), clock)
    limiter.take("a")
    clock.set(0)
    assert limiter.take("a").wait_s <= 1


def test_memory_follows_those_who_ask_now() -> None:
    clock = ManualClock()
    limiter = Limiter(Rate(1, 1), clock)
    for number in range(40_000):
        clock.advance(seconds=0.001)
        limiter.take(f"caller {number}")
    assert len(limiter) <= 10_000


@pytest.mark.parametrize("wrong", [(0, 1), (-1, 1), (1, 0), (float("nan"), 1)])
def test_a_rate_that_lets_nobody_in_is_refused(wrong: tuple[float, int]) -> None:
    with pytest.raises(InputError):
        Rate(*wrong)


def test_every_answer_says_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = make_scene(monkeypatch, SMALL)
    answers = [scene.ask("GET", "/probe/shared") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429]
    assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["3", "2", "1", "0", "0"]
    assert {answer.headers["ratelimit-limit"] for answer in answers} == {"4"}
    assert answers[4].headers["ratelimit-reset"] == "2" and answers[4].headers["retry-after"] == "1"
    assert answers[4].json()["remedy"] == "Try again in 1 s."
    assert scene.ask("GET", "/probe/shared", Role.ADMIN).status_code == 200  # has a key of its own
    scene.steady.advance(seconds=1)
    assert scene.ask("GET", "/probe/shared").status_code == 200


def test_a_learners_tokens_share_one_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = make_scene(monkeypatch, SMALL)
    asked = []
    for _ in range(3):
        scene.clock.advance(seconds=1)
        token = scene.tokens.mint("u-1", 60, frozenset(Scope)).text
        asked.append(scene.ask("GET", "/probe/shared", None, headers={"Authorization": f"Bearer {token}"}).status_code)
    assert asked == [200, 200, 429]


def batch(count: int) -> list[dict[str, str]]:
    return [{"userId": "ann", "action": "note"} for _ in range(count)]


def test_of_a_learners_batch_each_event_counts(tmp_path: Path) -> None:
    with open_site(tmp_path, settings=Settings(learner_rate=Rate(0.1, 150))) as site:
        answers = [site.ask("POST", "/events", Role.LEARNER, json=batch(MOST_OWN_EVENTS)) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 429, 429, 429, 429]
        assert answers[0].headers["ratelimit-remaining"] == "50"
        told = answers[1].json()
        assert told["item"] == "events" and int(answers[1].headers["retry-after"]) > 400
        assert sum(lane.verdicts["full"] for lane in site.service.lanes) == MOST_OWN_EVENTS
        small = site.ask("POST", "/events", Role.LEARNER, json=batch(20))
        assert small.status_code == 200  # what is left may still be spent


def test_a_learners_batch_is_small_and_a_keys_is_not(tmp_path: Path) -> None:
    many = batch(MOST_OWN_EVENTS + 1)
    lines = "\n".join(map(json.dumps, many))
    with open_site(tmp_path) as site:
        for sent in ({"json": many}, {"content": lines, "headers": {"Content-Type": NDJSON[0]}}):
            refused = site.ask("POST", "/events", Role.LEARNER, **sent)
            told = refused.json()
            assert (refused.status_code, told["item"], told["got"]) == (413, "events", "101")
            assert told["expected"] == "1 to 100 in one request"
            assert site.ask("POST", "/events", **sent).json()["accepted"] == len(many)


def test_a_batch_that_no_bucket_holds_is_too_large_and_not_too_soon(tmp_path: Path) -> None:
    with open_site(tmp_path, settings=Settings(learner_rate=Rate(10, 5))) as site:
        told = site.ask("POST", "/events", Role.LEARNER, json=batch(6)).json()
        assert (told["status"], told["got"], told["expected"]) == (413, "6", "at most 5 at once")


def test_health_is_never_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = make_scene(monkeypatch, SMALL)
    assert {scene.ask("GET", "/health", None).status_code for _ in range(20)} == {200}


def test_whoever_guesses_keys_is_stopped_before_the_store_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = make_scene(monkeypatch, Settings(stranger_rate=Rate(0.1, 3)))
    assert scene.ask("GET", "/probe/shared").status_code == 200  # a known key, from the same address
    finds = scene.store.finds

    def guess(number: int) -> int:
        bearer = {"Authorization": f"Bearer engage_{number:012x}_{'A' * 43}"}
        return scene.ask("GET", "/probe/shared", None, headers=bearer).status_code

    assert [guess(number) for number in range(5)] == [401, 401, 401, 429, 429]
    assert scene.store.finds - finds == 3
    assert scene.ask("GET", "/probe/shared", None).status_code == 429
    assert scene.ask("GET", "/probe/shared", None, headers={"Authorization": "Bearer x.y.z"}).status_code == 429
    scene.steady.advance(seconds=TTL_MS / 1_000)  # the known key has to be looked up, too, and may be
    assert guess(6) == 429
    assert scene.ask("GET", "/probe/shared").status_code == 200


def test_addresses_of_one_network_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from api.guard import _address

    assert _address({"client": ("2001:db8::1", 1)}) == _address({"client": ("2001:db8::ffff:2", 1)}) == "2001:db8::/64"
    assert _address({"client": ("2001:db8:0:1::1", 1)}) != "2001:db8::/64"
    assert _address({"client": ("10.0.0.1", 1)}) == "10.0.0.1"
    assert _address({"client": ("fe80::1%eth0", 1)}) == "fe80::/64"
    assert _address({"client": None}) == "" and _address({"client": ("a:b", 1)}) == "a:b"


def test_over_a_socket_a_caller_is_slowed_down(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = make_scene(monkeypatch, SMALL)
    with served(scene) as (host, port), httpx.Client(base_url=f"http://{host}:{port}") as client:
        asked = [client.get("/probe/shared", headers=scene.bearer(Role.LEARNER)) for _ in range(3)]
    assert [answer.status_code for answer in asked] == [200, 200, 429]
    assert int(asked[2].headers["Retry-After"]) >= 1


def test_the_clocks_go() -> None:
    assert abs(wall_clock() - steady_clock()) > 0
    first, second = steady_clock(), steady_clock()
    assert second >= first and wall_clock() > 1_700_000_000_000
    clock = ManualClock(5)
    clock.advance(days=1, hours=1, minutes=1, seconds=1.5)
    assert clock() == 5 + 90_061_500


def guesses(tmp_path: Path, *trusted: str) -> list[int]:
    """Guess at keys four times, each time under another name; return the statuses."""
    settings = Settings(stranger_rate=Rate(0.01, 2), trusted_proxies=trusted)
    with open_site(tmp_path, settings=settings) as site:
        wrong = {"Authorization": f"Bearer engage_{'0' * 12}_{'A' * 43}"}
        names = [{"X-Forwarded-For": f"203.0.113.{number}"} for number in range(4)]
        return [site.http.get("/api/engagement/xp", headers=wrong | name).status_code for name in names]


def test_a_stranger_is_not_somebody_else_because_a_header_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")  # uvicorn's own, which says nothing here
    assert guesses(tmp_path) == [401, 401, 429, 429]


@pytest.mark.parametrize(("proxy", "last"), [("127.0.0.1", 401), ("127.0.0.0/8", 401), ("192.0.2.1", 429)])
def test_a_proxy_that_is_trusted_tells_strangers_apart(tmp_path: Path, proxy: str, last: int) -> None:
    assert guesses(tmp_path, proxy) == [401, 401, last, last]


@pytest.mark.parametrize("proxy", ["*", "proxy.example", "10.0.0.1/8", ""])
def test_a_proxy_is_named_by_its_address(proxy: str) -> None:
    with pytest.raises(InputError, match="trusted_proxies"):
        Settings(trusted_proxies=(proxy,))
