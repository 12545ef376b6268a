"""Links in messages: signed, so that whoever has one may do what it says for one learner, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import jwt

from actors.delivery.channel import Links

Purpose = Literal["unsubscribe", "opened", "go"]
"""What a link is for; also the beginning of its path."""

_ALGORITHM = "HS256"  # the only one that is taken: a link does not choose how it is checked
LONGEST = 8_192
"""Characters of a token that are looked at; ours have some hundreds, and ten times that where an id is all emoji."""


class Link(NamedTuple):
    """What a link says.

    Args:
        id: of the outbox.
        learner: whose message it stands in.
        channel: of the message.
    """

    id: str
    learner: str
    channel: str


class Linker:
    """Makes and reads links. They do not end: an unsubscribe link has to work as long as the message is kept.

    Args:
        secrets: the first signs, the others are still accepted.
        public_url: address under which people reach the service, "" = there is none, and so no links.
        action_url: where messages lead.
    """

    def __init__(self, secrets: Sequence[bytes], public_url: str, action_url: str | None) -> None:
        self._secrets, self._public_url, self.action_url = tuple(secrets), public_url.rstrip("/"), action_url

    def links(self, link: Link) -> Links:
        """Return the links of a message."""
        if not self._public_url:
            return Links(action=self.action_url)
        action = self._link("go", link) if self.action_url else None
        return Links(self._link("unsubscribe", link), action, self._link("opened", link))

    def _link(self, purpose: Purpose, link: Link) -> str:
        return f"{self._public_url}/{purpose}/{self.token(purpose, link)}"

    def token(self, purpose: Purpose, link: Link) -> str:
        """Return the signed part of a link."""
        claims = {"aud": purpose, "jti": link.id, "sub": link.learner, "channel": link.channel}
        return jwt.encode(claims, self._secrets[0], _ALGORITHM)

    def read(self, purpose: Purpose, token: str) -> Link | None:
        """Return what a link says, None = it is none of ours, or is for something else."""
        for secret in self._secrets:
            try:
                claims = jwt.decode(token, secret, [_ALGORITHM], audience=purpose)
                return Link(str(claims["jti"]), str(claims["sub"]), str(claims["channel"]))
            except jwt.InvalidSignatureError:
                continue
            except (jwt.InvalidTokenError, KeyError):
                return None
        return None
