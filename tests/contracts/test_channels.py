"""What every channel keeps to. A class with `hand_over` in the folders of channels is one, and needs a rig here."""

from __future__ import annotations

import importlib
import inspect
import pickle
import pkgutil
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import actors.delivery
import api
from actors.delivery.channel import HandsOver, Links, Outgoing, RetryLaterError, UndeliverableError
from engine.notifications.catalogue import CHANNELS
from engine.notifications.facts import Facts
from engine.notifications.words import words
from tests.channels import NOW_MS, REMOTE, RIGS, TIMEOUT_S, Remote, Rig
from tests.engine.test_words import KINDS, LANGUAGES, NAMES, ORDINARY
from tests.mail import free_port
from tests.receivers import says

SOON_S = 10 * TIMEOUT_S
LINKS = Links("https://engage.example/unsubscribe/x", "https://engage.example/go/x", "https://engage.example/opened/x")


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    with ExitStack() as stack:
        yield RIGS[request.param][1](stack, tmp_path)


@pytest.fixture(params=REMOTE)
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Remote]:
    with ExitStack() as stack:
        yield REMOTE[request.param][1](stack, tmp_path)


def outgoing(
    rig: Rig, number: int = 0, kind: str = "gentle_reminder", locale: str = "en", facts: Facts = ORDINARY
) -> Any:
    rendered = words().render(kind, locale, facts)
    expires_ms = NOW_MS + 3_600_000
    return Outgoing(f"u-1/{kind}/{number}/x", "u-1", rig.to, kind, rendered, NOW_MS, expires_ms, LINKS)


def channels() -> Iterator[type]:
    for package in (actors.delivery, api):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            for _, found in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
                if hasattr(found, "hand_over") and found is not HandsOver and found.__module__ == module.name:
                    yield found


def test_every_channel_is_tested_here() -> None:
    assert set(channels()) == {made for made, _ in RIGS.values()}
    assert set(CHANNELS) <= set(RIGS)


def test_it_names_itself_as_the_catalogue_does(rig: Rig, request: pytest.FixtureRequest) -> None:
    assert rig.channel.name in request.node.name


def test_whatever_is_known_of_a_learner_arrives_whole(rig: Rig) -> None:
    edges = [replace(ORDINARY, name=name) for name in NAMES.values()] + [Facts()]
    sent = [outgoing(rig, n, facts=facts, locale=LANGUAGES[n % len(LANGUAGES)]) for n, facts in enumerate(edges)]
    sent += [outgoing(rig, 0, kind, locale) for kind in KINDS if kind != "gentle_reminder" for locale in LANGUAGES]
    sent = list({each.id: each for each in sent}.values())
    for each in sent:
        rig.channel.hand_over(each)
    taken = rig.taken()
    assert len(taken) == len(sent)
    every = ["\n".join(texts) for texts in taken.values()]
    assert not [text for text in every if "None" in text or "{{" in text or "\ud800" in text]


def test_the_same_id_again_is_the_same_message(rig: Rig) -> None:
    for _ in range(3):
        rig.channel.hand_over(outgoing(rig))
    assert len(rig.taken()) == 1
    rig.channel.hand_over(outgoing(rig, 2))
    assert len(rig.taken()) == 2


def test_an_id_of_any_characters_is_an_id(rig: Rig) -> None:
    sent = [
        replace(outgoing(rig), id=f"{name}/x/1/{rig.channel.name}") for name in ("a b", "é", "🎓", "a\nb", "x" * 900)
    ]
    for each in sent * 2:
        rig.channel.hand_over(each)
    assert len(rig.taken()) == len(sent)


def test_many_threads_may_hand_over(rig: Rig) -> None:
    sent = [outgoing(rig, number) for number in range(40)]
    failed: list[BaseException] = []

    def work(part: list[Outgoing]) -> None:
        try:
            for each in part:
                rig.channel.hand_over(each)
        except BaseException as error:  # noqa: BLE001  # told below
            failed.append(error)

    threads = [threading.Thread(target=work, args=(sent[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed and len(rig.taken()) == len(sent)


def test_an_address_that_is_refused_for_good_is_at_fault(remote: Remote) -> None:
    remote.refuse()
    with pytest.raises(UndeliverableError) as caught:
        remote.channel.hand_over(outgoing(remote))
    assert caught.value.bounced and remote.to not in str(caught.value)
    assert remote.taken() == {}


def test_who_is_busy_is_tried_later(remote: Remote) -> None:
    remote.busy()
    with pytest.raises(RetryLaterError):
        remote.channel.hand_over(outgoing(remote))
    assert remote.taken() == {}


RUBBISH = {
    "silence": None,
    "nothing": b"",
    "noise": bytes(range(256)) * 64,
    "lines": b"x\r\n" * 1_000,
    "endless line": b"2" * 200_000,
    "cut": b"HTTP/1.1 200",
}


@pytest.mark.parametrize("answer", RUBBISH)
def test_a_receiver_that_talks_rubbish_is_tried_later_and_soon_left(remote: Remote, answer: str) -> None:
    with says(RUBBISH[answer]) as port:
        begun = time.monotonic()
        with pytest.raises(RetryLaterError) as caught:
            remote.at(port).hand_over(outgoing(remote))
        assert time.monotonic() - begun < SOON_S
    assert remote.to not in str(caught.value)


def test_a_receiver_that_is_down_is_tried_later(remote: Remote) -> None:
    with pytest.raises(RetryLaterError):
        remote.at(free_port()).hand_over(outgoing(remote))


def test_what_goes_wrong_can_be_told_elsewhere() -> None:
    for error in (RetryLaterError("push", "status 503", 120.0), UndeliverableError("email", "reply 550", bounced=True)):
        again = pickle.loads(pickle.dumps(error))  # noqa: S301  # of our own making
        assert type(again) is type(error) and vars(again) == vars(error) and str(again) == str(error)
