"""What an operator may set of the service: one frozen record, every entry with its unit and its reason."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from engine.errors import InputError


@dataclass(frozen=True)
class Rate:
    """How often one key, learner or address may ask: a bucket that is refilled steadily.

    Args:
        per_s: requests a second in the long run; of a learner also events.
        burst: as many at once, after a pause.
    """

    per_s: float
    burst: int

    def __post_init__(self) -> None:
        if not (self.per_s > 0 and self.burst >= 1):
            raise InputError("rate", f"{self.per_s} a second, {self.burst} at once", "more than 0, and at least 1")


@dataclass(frozen=True)
class Settings:
    """The settings of the rim.

    Args:
        host: address to listen on. Loopback: whoever opens the service to a network says so.
        port: TCP port to listen on.
        max_connections: open at once, as far as the system lets the process have them.
        max_body_bytes: of a batch, as sent and as unpacked; what is no batch is bounded tighter by `api.bodies`.
        max_header_bytes: of a request's first line and headers.
        header_timeout_s: until when a request's headers must have come, seconds after its first byte.
        body_timeout_s: until when a request's body must have come, seconds after its headers.
        reading_timeout_s: a client that has read next to nothing of its answer for so long is cut off, seconds.
        service_rate: of each API key.
        learner_rate: of each learner, over all tokens; of a batch each event counts.
        stranger_rate: of each address, for credentials that are wrong or not known yet.
        audit_days: how long a line of the audit log is kept: a year, and time to look into it.
        token_ttl_s: life of a learner's token unless its maker asks for another, seconds.
        public_metrics: whether `/metrics` asks for no key, for a scraper that has none.
        trusted_proxies: addresses and networks of proxies that are believed for whom they ask (`X-Forwarded-For`);
            none by default: a stranger could write that header, too, and be somebody else for each guess at a key.
        allowed_origins: web origins whose pages may call from a browser, such as ``https://learn.example.org``.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    max_connections: int = 10_000
    max_body_bytes: int = 4 << 20
    max_header_bytes: int = 32 << 10
    header_timeout_s: float = 10.0
    body_timeout_s: float = 30.0
    reading_timeout_s: float = 30.0
    service_rate: Rate = Rate(per_s=10_000, burst=20_000)
    learner_rate: Rate = Rate(per_s=10, burst=200)
    stranger_rate: Rate = Rate(per_s=5, burst=50)
    audit_days: int = 400
    token_ttl_s: int = 900
    public_metrics: bool = False
    trusted_proxies: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        at_least = {
            "max_connections": 1,
            "max_body_bytes": 1 << 10,
            "max_header_bytes": 1 << 10,
            "header_timeout_s": 0.05,
            "body_timeout_s": 0.05,
            "reading_timeout_s": 0.05,
            "audit_days": 1,
            "token_ttl_s": 1,
        }
        for name, least in at_least.items():
            if not getattr(self, name) >= least:
                raise InputError(f"setting {name}", str(getattr(self, name)), f"at least {least}")
        if not 0 <= self.port <= 65_535:
            raise InputError("setting port", str(self.port), "0 to 65535")
        for proxy in self.trusted_proxies:
            try:
                ipaddress.ip_network(proxy)
            except ValueError as error:
                expected = "an address or a network, such as 10.0.0.7 or 10.0.0.0/24"
                raise InputError("setting trusted_proxies", repr(proxy), expected) from error
        if "*" in self.allowed_origins:
            raise InputError(
                "setting allowed_origins", "'*'", "origins by name", "Name each, such as https://a.example."
            )
