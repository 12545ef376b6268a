"""Profiles over HTTP: what is set holds, what is left out stays or goes, and nonsense is refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from api.access import Role, Scope
from engine.notifications.catalogue import CHANNELS
from tests.api.site import API, Site

WHOLE = {
    "timezone": "Europe/Berlin",
    "locale": "de-DE",
    "quietHours": {"from": "22:00", "to": "07:00"},
    "consents": {"email": False, "push": True, "inApp": True, "sms": False},
    "displayName": "Ada",
    "pictureUrl": "https://cdn.example.org/ada.png",
    "anonymous": True,
    "learningStyle": "visual",
    "email": "ada@example.org",
    "phone": "+493012345678",
    "pushToken": "d3v1c3:abc",
    "nextItem": "Loops",
    "courseProgressPercent": 40,
}
EMPTY = {**dict.fromkeys(WHOLE), "consents": dict.fromkeys(("email", "push", "inApp", "sms"), True), "anonymous": False}


def put(site: Site, body: Any, role: Role = Role.SERVICE, learner: str = "ann", method: str = "PUT") -> httpx.Response:
    return site.ask(method, f"/learners/{learner}/profile", role, json=body)


def patch(site: Site, body: Any, role: Role = Role.SERVICE) -> httpx.Response:
    return put(site, body, role, method="PATCH")


def read(site: Site, learner: str = "ann") -> Any:
    told = site.get(f"/learners/{learner}/profile")
    assert told.pop("userId") == learner
    return told


def test_what_is_put_is_read_back_and_kept_under_the_engines_names(site: Site) -> None:
    assert put(site, WHOLE).status_code == 204
    assert read(site) == WHOLE
    view = site.service.learner("ann")
    assert view.profile["consents"] == {"email": False, "push": True, "in_app": True, "sms": False}
    allowed = [name for place, name in enumerate(CHANNELS) if int(view.record["consent"][0]) >> place & 1]
    assert allowed == ["push", "in_app"]


def test_a_learner_of_whom_only_events_are_known_has_the_usual_profile(site: Site) -> None:
    site.track()
    assert read(site) == EMPTY


def test_put_takes_out_what_it_leaves_out_but_exposes_nobody_by_silence(site: Site) -> None:
    put(site, WHOLE)
    put(site, {"locale": "fr"})
    assert read(site) == EMPTY | {"locale": "fr", "consents": WHOLE["consents"], "anonymous": True}


def test_patch_changes_what_it_names_and_null_takes_out(site: Site) -> None:
    put(site, WHOLE)
    assert patch(site, {"displayName": "Ada L.", "locale": None, "consents": {"sms": True}}).status_code == 204
    consents = {"email": False, "push": True, "inApp": True, "sms": True}
    assert read(site) == WHOLE | {"displayName": "Ada L.", "locale": None, "consents": consents}
    patch(site, {})
    assert read(site)["displayName"] == "Ada L."


def test_of_consents_withdrawn_at_once_none_is_given_back(site: Site) -> None:
    site.track()
    channels = ["email", "push", "inApp", "sms"] * 5
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda channel: patch(site, {"consents": {channel: False}}), channels))
    assert {answer.status_code for answer in answers} == {204}
    assert set(read(site)["consents"].values()) == {False}


def test_the_zone_decides_from_when_it_was_set(site: Site) -> None:
    site.track()
    put(site, {"timezone": "Pacific/Kiritimati"})
    assert site.get("/streak", userId="ann", days=1)["today"] == "2026-03-03"
    patch(site, {"timezone": None})
    assert read(site)["timezone"] is None


def test_learners_set_their_own_alone(site: Site) -> None:
    assert put(site, {"displayName": "Ann"}, Role.LEARNER).status_code == 204
    assert read(site)["displayName"] == "Ann"
    assert put(site, {"displayName": "Bob"}, Role.LEARNER, "bob").status_code == 403
    assert site.ask("GET", "/learners/bob/profile", Role.LEARNER).status_code == 403


def test_who_may_only_write_does_not_read(site: Site) -> None:
    header = site.bearer(Role.SERVICE, scopes={Scope.INGEST})
    answer = site.http.put(f"{API}/learners/ann/profile", headers=header, json={"displayName": "Ann"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert site.http.get(f"{API}/learners/ann/profile", headers=header).status_code == 403


def test_only_who_is_known_can_be_patched_or_read(site: Site) -> None:
    assert patch(site, {"locale": "de"}).status_code == 404
    assert site.ask("GET", "/learners/ann/profile").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"timezone": "Europe/Berln"}, {"timezone": "../etc/passwd"}, {"timezone": ""}, {"timezone": 1},
        {"locale": "german please"}, {"locale": ""}, {"locale": "x" * 36},
        {"quietHours": {"from": "24:00", "to": "07:00"}}, {"quietHours": {"from": "22:00"}},
        {"quietHours": {"from": "22:00", "to": "22:00"}}, {"quietHours": {"from": "22:00\n", "to": "07:00"}},
        {"quietHours": {"from": "22:00", "to": "\u06607:00"}}, {"quietHours": "22-7"},
        {"consents": {"fax": True}}, {"consents": {"email": None}}, {"consents": None}, {"consents": {"email": "no"}},
        {"displayName": "x" * 81}, {"displayName": "  "}, {"displayName": "a\x00b"}, {"displayName": 7},
        {"pictureUrl": "http://cdn.example.org/a.png"}, {"pictureUrl": "javascript:alert(1)"},
        {"pictureUrl": "https://user:pass@example.org/a.png"}, {"pictureUrl": "https://"},
        {"pictureUrl": "https://example.org/" + "x" * 2_100},
        {"email": "ada"}, {"email": "ada@example.org, eve@example.org"}, {"email": "a\r\nBcc: b@c"},
        {"email": "Ada <ada@example.org>"}, {"phone": "030 12345"}, {"phone": "+0301234567"}, {"pushToken": "a b"},
        {"nextItem": "x" * 201}, {"courseProgressPercent": 101}, {"courseProgressPercent": "40"},
        {"anonymous": None}, {"anonymous": "yes"}, {"learningStyle": "x" * 41}, {"zones": [[0, "UTC"]]}, [], None,
    ],
)  # fmt: skip
def test_nonsense_is_refused_and_changes_nothing(site: Site, body: Any) -> None:
    site.track()
    for method in ("PUT", "PATCH"):
        assert put(site, body, method=method).status_code == 422, method
    assert read(site) == EMPTY


def test_a_zone_that_is_misspelt_is_refused_with_the_nearest(site: Site) -> None:
    assert put(site, {"timezone": "Europe/Berln"}).json()["remedy"] == "Did you mean 'Europe/Berlin'?"


def test_ids_of_any_kind_are_found_behind_the_path(site: Site) -> None:
    for learner in ("a b", "é-17", "100%", "u?x", "u#x"):
        path = f"{API}/learners/{quote(learner, safe='')}/profile"
        answer = site.http.put(path, headers=site.bearer(Role.SERVICE), json={"displayName": learner})
        assert answer.status_code == 204, path
        assert site.service.learner(learner).profile["displayName"] == learner
