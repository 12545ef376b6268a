"""Learners' tokens: who makes them, and all that must not pass for one."""

from __future__ import annotations

import base64
import hmac
import json
import os
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from api.access import Role, Scope
from api.clock import ManualClock
from api.tokens import LONGEST_S, SECRET_FILE, SECRET_VARIABLE, Tokens, token_secrets
from engine.errors import InputError
from tests.api.rim import NOW_MS, SECRET, Scene, served

NOW_S = NOW_MS // 1_000
CLAIMS = {"iss": "engage", "aud": "engage", "sub": "u-1", "scope": "ingest read", "iat": NOW_S, "exp": NOW_S + 600}
OTHER = b"another-secret-another-secret-an"


def tokens(*secrets: bytes) -> Tokens:
    return Tokens(secrets or [SECRET], ManualClock(NOW_MS))


def signed(secret: Any = SECRET, algorithm: str = "HS256", header: dict[str, Any] | None = None, **changes: Any) -> str:
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}
    return jwt.encode(claims, secret, algorithm, header)


def encoded(part: Any) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def test_a_token_opens_one_learners_data() -> None:
    made = tokens().mint("u-1", 600, frozenset(Scope))
    principal = tokens().check(made.text)
    assert principal is not None
    assert (principal.role, principal.learner_id, principal.name) == (Role.LEARNER, "u-1", "learner:u-1")
    assert principal.scopes == {Scope.INGEST, Scope.READ}  # never admin
    assert made.expires_ms == principal.until_ms == NOW_MS + 600_000
    assert tokens().check(signed()) is not None  # so the forgeries below fail for what is wrong with them


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "elsewhere"},
        {"aud": ["elsewhere"]},
        {"aud": None},
        {"iss": "elsewhere"},
        {"iss": None},
        {"exp": NOW_S},
        {"exp": None},
        {"exp": NOW_S + LONGEST_S + 1},
        {"exp": 10**30},
        {"exp": str(NOW_S + 600)},
        {"exp": NOW_S + 600.5},
        {"exp": True},
        {"iat": None},
        {"iat": NOW_S + 60, "exp": NOW_S + 120},
        {"iat": "now"},
        {"sub": None},
        {"sub": ""},
        {"sub": 17},
        {"sub": ["u-1"]},
    ],
    ids=str,
)
def test_claims_that_are_not_ours_are_refused(changes: dict[str, Any]) -> None:
    assert tokens().check(signed(**changes)) is None


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_a_token_does_not_choose_how_it_is_checked(algorithm: str) -> None:
    assert tokens().check(signed(SECRET * 2, algorithm)) is None


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", ""])
def test_an_unsigned_token_is_refused(name: str) -> None:
    for signature in ("", encoded(b"x")):
        assert tokens().check(f"{encoded({'alg': name, 'typ': 'JWT'})}.{encoded(CLAIMS)}.{signature}") is None


def test_a_public_key_is_no_secret_and_a_token_names_no_key() -> None:
    """The confusion of HS256 with RS256: the attacker signs with a public key, or says that a signature is RSA's."""
    public = b"-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAL\n-----END PUBLIC KEY-----\n"
    for algorithm, secret in (("HS256", public), ("RS256", public), ("RS256", SECRET), ("ES256", SECRET)):
        head = f"{encoded({'alg': algorithm, 'typ': 'JWT'})}.{encoded(CLAIMS)}"
        signature = hmac.digest(secret, head.encode(), "sha256")
        assert tokens(SECRET, OTHER).check(f"{head}.{encoded(signature)}") is None
    named = {"jwk": {"kty": "oct", "k": encoded(OTHER)}, "jku": "https://evil.example/keys", "kid": "../../dev/null"}
    assert tokens().check(signed(OTHER, header=named)) is None


def test_a_token_that_was_tampered_with_is_refused() -> None:
    text = tokens().mint("u-1", 600, frozenset(Scope)).text
    head, body, signature = text.split(".")
    forged = encoded({**CLAIMS, "sub": "u-2"})
    for wrong in (
        f"{head}.{forged}.{signature}",
        f"{head}.{body}.",
        f"{head}.{body}",
        f"{head}.{body}.{signature[:-4]}AAAA",
        f".{body}.{signature}",
        text + ".x",
        "..",
        "",
        "x" * 100_000,
        signed(OTHER),
    ):
        assert tokens().check(wrong) is None


def test_a_token_ends_by_the_services_own_clock() -> None:
    clock = ManualClock(NOW_MS)
    made = Tokens([SECRET], clock)
    text = made.mint("u-1", 60, frozenset(Scope)).text
    assert made.check(text)
    clock.advance(seconds=59)
    assert made.check(text)
    clock.advance(seconds=1)
    assert made.check(text) is None  # though its signature has been checked before
    clock.set(NOW_MS - 60_000)
    assert made.check(text) is None  # not made yet


def test_a_secret_is_changed_without_an_outage() -> None:
    text = tokens(SECRET).mint("u-1", 600, frozenset(Scope)).text
    assert tokens(OTHER, SECRET).check(text)
    assert tokens(OTHER).check(text) is None
    newer = tokens(OTHER, SECRET).mint("u-1", 600, frozenset(Scope)).text
    assert tokens(OTHER).check(newer)
    assert tokens(SECRET).check(newer) is None


def test_secrets_that_can_be_guessed_are_refused() -> None:
    for weak in ([], [b""], [SECRET, b"short"], [SECRET[:-1]]):
        with pytest.raises(InputError, match="token secret"):
            Tokens(weak, ManualClock())


def test_no_token_lives_longer_than_an_hour() -> None:
    assert tokens().mint("u-1", 10**9, frozenset(Scope)).expires_ms == NOW_MS + 3_600_000


def test_the_file_of_the_secret_is_its_owners_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECRET_VARIABLE, raising=False)
    old_mask = os.umask(0)
    try:
        first = token_secrets(tmp_path)
    finally:
        os.umask(old_mask)
    file = tmp_path / SECRET_FILE
    assert file.stat().st_mode & 0o777 == 0o600
    assert token_secrets(tmp_path) == first and [path.name for path in tmp_path.iterdir()] == [SECRET_FILE]
    Tokens(first, ManualClock())
    file.write_text("a" * 40 + "\n" + first[0].decode() + "\n")
    assert token_secrets(tmp_path) == [b"a" * 40, first[0]]
    file.chmod(0o640)
    with pytest.raises(InputError, match="only its owner may read"):
        token_secrets(tmp_path)
    monkeypatch.setenv(SECRET_VARIABLE, "b" * 40 + " " + "c" * 40)
    assert token_secrets(tmp_path) == [b"b" * 40, b"c" * 40]


def mint(scene: Scene, headers: dict[str, str], **body: Any) -> httpx.Response:
    return scene.ask("POST", "/api/engagement/tokens", None, headers=headers, json={"userId": "u-5", **body})


def test_a_service_makes_tokens_over_http(scene: Scene) -> None:
    answer = mint(scene, scene.bearer(Role.SERVICE), ttlSeconds=60).json()
    assert answer["tokenType"] == "Bearer" and answer["userId"] == "u-5" and answer["scopes"] == ["ingest", "read"]
    bearer = {"Authorization": f"Bearer {answer['token']}"}
    assert scene.ask("GET", "/probe/own", None, headers=bearer, params={"userId": "u-5"}).status_code == 200
    assert scene.ask("GET", "/probe/own", None, headers=bearer, params={"userId": "u-1"}).status_code == 403
    assert mint(scene, bearer).status_code == 403  # a token makes no tokens
    scene.clock.advance(seconds=60)
    assert scene.ask("GET", "/probe/own", None, headers=bearer, params={"userId": "u-5"}).status_code == 401


def test_a_token_can_do_no_more_than_its_maker(scene: Scene) -> None:
    reader = {"Authorization": f"Bearer {scene.key(Role.SERVICE, {Scope.READ}).text}"}
    made = mint(scene, reader).json()
    assert made["scopes"] == ["read"]
    bearer = {"Authorization": f"Bearer {made['token']}"}
    assert scene.ask("POST", "/probe/things", None, headers=bearer, json={"name": "u-5"}).status_code == 403
    nothing = {"Authorization": f"Bearer {scene.key(Role.ADMIN, {Scope.ADMIN}).text}"}
    assert mint(scene, nothing).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {"ttlSeconds": 0},
        {"ttlSeconds": 3_601},
        {"ttlSeconds": "60"},
        {"ttlSeconds": True},
        {"ttlSeconds": 1.5},
        {"userId": ""},
        {"userId": "x" * 129},
        {"userId": "a\nb"},
        {"userId": None},
        {"admin": True},
    ],
    ids=str,
)
def test_a_token_for_nobody_or_for_ever_is_refused(scene: Scene, body: dict[str, Any]) -> None:
    assert mint(scene, scene.bearer(Role.SERVICE), **body).status_code == 422


def test_tokens_pass_over_a_socket(scene: Scene) -> None:
    with served(scene) as (host, port), httpx.Client(base_url=f"http://{host}:{port}") as client:
        made = client.post("/api/engagement/tokens", headers=scene.bearer(Role.ADMIN), json={"userId": "u-5"}).json()
        good, bad = made["token"], made["token"][:-6] + "AAAAAA"
        asked = [client.get("/probe/shared", headers={"Authorization": f"Bearer {text}"}) for text in (good, bad)]
        assert [answer.status_code for answer in asked] == [200, 401]
        assert 'error="invalid_token"' in asked[1].headers["www-authenticate"]
