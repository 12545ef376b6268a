"""The settings of delivery: read strictly, secrets from the environment and never shown."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from api.delivery_settings import DeliverySettings, read_delivery
from engine.errors import InputError

WHOLE = """
public_url = "https://engage.learn.example"
action_url = "https://learn.example/continue"
outreach_a_day = 5

[email]
url = "smtp+starttls://user:pass@mail.learn.example"
sender = "Learn <hello@learn.example>"

[push]
url = "https://gateway.example/push"
secret = "env:PUSH_SECRET"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "delivery.toml"
    path.write_text(text, "utf-8")
    return path


def test_without_a_file_nothing_leaves_the_service() -> None:
    assert read_delivery(None) == DeliverySettings()
    assert DeliverySettings().email is None and DeliverySettings().secrets() == []


def test_a_whole_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUSH_SECRET", "p" * 24)
    settings = read_delivery(written(tmp_path, WHOLE))
    assert settings.email is not None and settings.email.sender == "Learn <hello@learn.example>"
    assert settings.secrets() == [b"p" * 24] and settings.outreach_a_day == 5


def test_a_secret_of_standard_webhooks_is_base64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUSH_SECRET", "whsec_" + base64.b64encode(b"\x00" * 24).decode())
    assert read_delivery(written(tmp_path, WHOLE)).secrets() == [b"\x00" * 24]
    monkeypatch.setenv("PUSH_SECRET", "whsec_not base64 at all, is it?")
    with pytest.raises(InputError, match=r"push\.secret.*base64") as caught:
        read_delivery(written(tmp_path, WHOLE))
    assert "not base64 at all" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = [", "a readable TOML file"),
        ("[fax]\nurl = 'https://f.example'", "fax"),
        ("outreach_a_day = -1", "outreach_a_day"),
        ("outreach_a_day = '5'", "outreach_a_day"),
        ("public_url = 'learn.example'", "public_url.*https://HOST"),
        ("action_url = 'javascript:alert(1)'", "action_url.*https://HOST"),
        ("[push]\nurl = 'https://g.example'", r"push\.secret"),
        ("[push]\nurl = 'https://g.example'\nsecret = 'short-and-secret'", r"push\.secret"),
        ("[push]\nurl = 'https://g.example'\nsecret = 'env:NOT_SET_ANYWHERE'", "push: secret.*NOT_SET_ANYWHERE"),
        ("[email]\nurl = 'smtp://m.example'\nsender = 'a@b.example'", "public_url.*unsubscribe"),
    ],
)
def test_what_cannot_be_used_is_named_and_no_secret_shown(tmp_path: Path, text: str, told: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InputError, match=told) as caught:
        read_delivery(path)
    assert str(path) in str(caught.value) and "short-and-secret" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml"):
        read_delivery(tmp_path / "none.toml")
