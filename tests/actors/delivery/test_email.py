"""E-mail: headers that nobody can add to, text and HTML that say the same, and one unsubscribe link of one click."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.delivery.channel import Links, Outgoing, UndeliverableError
from actors.delivery.email import EmailChannel
from engine.errors import InputError
from engine.notifications.facts import Facts
from engine.notifications.words import words
from tests.mail import MailServer

SENDER = "Learn <hello@learn.example>"
NOW_MS = 1_795_000_000_000
LINKS = Links("https://e.example/unsubscribe/x", "https://e.example/go/x?a=1&b=2", "https://e.example/opened/x")


def channel(url: str = "smtp://127.0.0.1:9", sender: str = SENDER) -> EmailChannel:
    return EmailChannel(url, sender)


def outgoing(to: str = "ada@example.org", locale: str = "en", links: Links = LINKS, **facts: Any) -> Outgoing:
    rendered = words().render("gentle_reminder", locale, Facts(**facts))
    return Outgoing("ada/gentle_reminder/1/email", "ada", to, "gentle_reminder", rendered, NOW_MS, NOW_MS + 1, links)


def parts(sent: Outgoing) -> tuple[str, str]:
    message = channel().message(sent)
    text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None and html is not None
    return text.get_content(), html.get_content()


def test_its_headers_are_those_that_mail_needs() -> None:
    message = channel().message(outgoing(name="Ada", item="Loops"))
    assert message["From"] == SENDER and message["To"] == "ada@example.org"
    assert "Loops" in message["Subject"]
    assert message["Date"] == "Wed, 18 Nov 2026 11:06:40 +0000"
    assert re.fullmatch(r"<[0-9a-f]{40}@learn\.example>", message["Message-ID"])
    assert message["List-Unsubscribe"] == f"<{LINKS.unsubscribe}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert (message["Auto-Submitted"], message["Content-Language"]) == ("auto-generated", "en")
    assert message.get_content_type() == "multipart/alternative"


def test_it_is_the_same_at_every_attempt_and_another_for_another() -> None:
    sent = outgoing(name="Ada")
    again, other = channel().message(sent), channel().message(replace(sent, id="bob/gentle_reminder/1/email"))
    for name in ("Message-ID", "Date", "Subject"):
        assert channel().message(sent)[name] == again[name]
    assert other["Message-ID"] != again["Message-ID"]


def test_text_and_html_say_the_same_with_the_links() -> None:
    sent = outgoing(name="Ada", item="Loops & <b>tags</b>")
    text, html = parts(sent)
    assert "Loops & <b>tags</b>" in text and "Loops &amp; &lt;b&gt;tags&lt;/b&gt;" in html
    for link in (LINKS.action, LINKS.unsubscribe):
        assert link is not None and link in text
        assert f'href="{link.replace("&", "&amp;")}"' in html
    assert str(LINKS.opened) in html and str(LINKS.opened) not in text
    plain = re.sub(r"<[^>]+>", " ", html.partition("<body")[2])
    for paragraph in sent.words.body.split("\n\n"):
        assert "".join(paragraph.split()[:2]) in "".join(plain.split())


def test_without_links_it_has_none() -> None:
    message = channel().message(outgoing(links=Links()))
    assert message["List-Unsubscribe"] is None and message["List-Unsubscribe-Post"] is None
    text, html = parts(outgoing(links=Links()))
    assert "http" not in text and "<img" not in html and "href" not in html


def test_a_message_that_was_taken_is_delivered_however_the_server_takes_its_leave() -> None:
    with MailServer(to_quit="500 who are you?") as server:
        channel(server.url).hand_over(outgoing())
        assert len(server.wait(1)) == 1


@pytest.mark.parametrize(("locale", "direction", "word"), [("ar", "rtl", "فتح"), ("de-AT", "ltr", "Abbestellen")])
def test_it_is_written_in_its_language_and_direction(locale: str, direction: str, word: str) -> None:
    text, html = parts(outgoing(locale=locale))
    assert f'<html lang="{locale.split("-", maxsplit=1)[0]}" dir="{direction}">' in html
    assert word in text and word in html


@given(st.text(max_size=60), st.text(max_size=60))
def test_nothing_that_a_learner_writes_becomes_a_header_or_markup(name: str, item: str) -> None:
    sent = outgoing(name=f"{name}\r\nBcc: eve@example.org\r\n\r\n<script>", item=item)
    message = channel().message(sent)
    assert message["Bcc"] is None and message["To"] == "ada@example.org"
    assert b"\nBcc:" not in message.as_bytes()
    assert "<script" not in parts(sent)[1]


@pytest.mark.parametrize(
    "address",
    ["", "ada", "@example.org", "ada@", "ada@example.org, eve@example.org", "ada@example.org\r\nBcc: eve@example.org",
     "Team: ada@example.org, eve@example.org;", "ada@example.org\x00", "ada @example.org <"],
)  # fmt: skip
def test_what_is_no_address_bounces_without_a_connection(address: str) -> None:
    with pytest.raises(UndeliverableError) as caught:
        channel().hand_over(outgoing(to=address))
    assert caught.value.bounced


@pytest.mark.parametrize(
    ("url", "sender"),
    [
        ("http://mail.example", SENDER),
        ("smtp://", SENDER),
        ("smtp://mail.example:port", SENDER),
        ("smtp://user:topsecret@mail.example", SENDER),  # in the clear
        ("smtps://user:topsecret@[mail.example", SENDER),
        ("smtp://mail.example", "Learn"),
        ("smtp://mail.example", "a@b.example, c@d.example"),
        ("smtp://mail.example", "a@b.example\nBcc: eve@example.org"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_and_no_password_shown(url: str, sender: str) -> None:
    with pytest.raises(InputError) as caught:
        channel(url, sender)
    assert "topsecret" not in str(caught.value)
