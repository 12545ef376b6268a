"""The channel: one way to hand a notification over, and what may come of trying."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

from engine.errors import EngageError
from engine.notifications.words import Rendered


@dataclass(frozen=True)
class Links:
    """Addresses that go with a notification; None = there is none.

    Args:
        unsubscribe: takes the consent to this channel back, by one click.
        action: where the notification leads.
        opened: an image whose loading tells that an e-mail was shown.
    """

    unsubscribe: str | None = None
    action: str | None = None
    opened: str | None = None


@dataclass(frozen=True)
class Outgoing:
    """One notification as it leaves over one channel.

    Args:
        id: the same at every attempt; receivers that honour it take the notification once.
        learner: id of the learner.
        to: address on the channel: of e-mail, a phone number, a device; inside the platform the learner's id.
        type: of the catalogue.
        words: plain text in every length.
        created_ms: when it was put into the outbox, UTC ms: the same at every attempt.
        expires_ms: from when on it is worth nothing, UTC ms.
        links: that go with it.
    """

    id: str
    learner: str
    to: str
    type: str
    words: Rendered
    created_ms: int
    expires_ms: int
    links: Links = Links()


T_contra = TypeVar("T_contra", contravariant=True)


class HandsOver(Protocol[T_contra]):
    """Hands something over. It is called on several threads, and may take its time, which it bounds itself."""

    name: str
    """Of `engine.notifications.catalogue.CHANNELS`."""

    def hand_over(self, outgoing: T_contra, /) -> None:
        """Hand one over; on return somebody else answers for it.

        Doing so again under the same id, after an answer was lost, is all right.

        Raises:
            RetryLaterError: not now.
            UndeliverableError: never.
        """
        ...


Channel = HandsOver[Outgoing]
"""Hands notifications over."""


class RetryLaterError(EngageError):
    """A channel could not hand over for now; whether it did after all may not be known.

    Args:
        channel: its name.
        got: what happened.
        after_s: the least pause that was asked for, seconds; 0 = none was.
    """

    def __init__(self, channel: str, got: str, after_s: float = 0.0) -> None:
        super().__init__(f"channel {channel}", got, "a handing over", "It is tried again.")
        self.channel, self.told, self.after_s = channel, got, after_s

    def __reduce__(self) -> tuple[type[RetryLaterError], tuple[str, str, float]]:
        return type(self), (self.channel, self.told, self.after_s)


class UndeliverableError(EngageError):
    """A channel will never hand this over.

    Args:
        channel: its name.
        got: what happened.
        bounced: the address is at fault: nothing should be sent there again.
    """

    def __init__(self, channel: str, got: str, bounced: bool = False) -> None:
        super().__init__(f"channel {channel}", got, "a handing over", "It is not tried again.")
        self.channel, self.told, self.bounced = channel, got, bounced

    def __reduce__(self) -> tuple[type[UndeliverableError], tuple[str, str, bool]]:
        return type(self), (self.channel, self.told, self.bounced)
