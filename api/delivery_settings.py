"""How notifications leave: one TOML file that names the mail server, the gateways and the addresses people see."""

from __future__ import annotations

import base64
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from api.webhook import USUAL
from engine.errors import InputError
from engine.outcomes import KINDS

_VARIABLE = "env:"  # what stands in the environment and not in the file: env:NAME
_LEAST_SECRET = 24  # characters
_ENCODED = "whsec_"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class MailSettings(_Strict):
    """A mail server: ``url`` as `actors.delivery.email.EmailChannel` takes it, and the address in From."""

    url: str
    sender: str


class GatewaySettings(_Strict):
    """A gateway: its address, and the secret that signs what is sent there and what comes from there.

    A secret ``whsec_...`` is one of Standard Webhooks: base64; any other is taken as it stands.
    """

    url: str
    secret: Annotated[str, Field(min_length=_LEAST_SECRET)]

    @field_validator("secret")
    @classmethod
    def _can_be_read(cls, secret: str) -> str:
        if secret.startswith(_ENCODED):
            try:
                base64.b64decode(secret.removeprefix(_ENCODED), validate=True)
            except ValueError:
                raise ValueError(f"Input should be base64 after {_ENCODED}") from None
        return secret

    @property
    def key(self) -> bytes:
        """Return the secret as signatures use it."""
        if self.secret.startswith(_ENCODED):
            return base64.b64decode(self.secret.removeprefix(_ENCODED))
        return self.secret.encode()


class WebhookSettings(GatewaySettings):
    """Where the platform hears of outcomes, and of which types: all but XP, unless some are named."""

    types: tuple[str, ...] = USUAL

    @field_validator("types", mode="before")
    @classmethod
    def _are_known(cls, types: object) -> object:
        if not isinstance(types, list) or not types:
            raise ValueError("Input should be a list of types of outcomes")
        if unknown := [each for each in types if each not in KINDS]:
            raise ValueError(f"Input should hold types of outcomes, and {unknown[0]!r} is none")
        return tuple(types)


class DeliverySettings(_Strict):
    """All of it. What is not named is not used: without a file there is the inbox and the operators' queue alone.

    ``public_url`` is where people reach this service: without it messages have no unsubscribe link, and so no e-mail
    may be sent. ``action_url`` is where messages lead. ``words`` is a folder of templates in place of shipped ones.
    """

    public_url: str = ""
    action_url: str | None = None
    words: str | None = None
    outreach_a_day: Annotated[int, Field(ge=0)] = 20
    email: MailSettings | None = None
    push: GatewaySettings | None = None
    sms: GatewaySettings | None = None
    webhook: WebhookSettings | None = None

    def secrets(self) -> list[bytes]:
        """Return the secrets by which gateways sign what they report."""
        return [each.key for each in (self.push, self.sms) if each is not None]


def read_delivery(path: Path | None) -> DeliverySettings:
    """Return the settings of a file; None = nothing is configured.

    Args:
        path: of a TOML file; a text ``env:NAME`` in it stands for the environment's variable of that name.

    Raises:
        InputError: no such file, or an entry that is unknown, missing or wrong; no secret is ever shown.
    """
    if path is None:
        return DeliverySettings()
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"delivery {path}", str(error), "a readable TOML file") from None
    try:
        settings = DeliverySettings.model_validate(_filled(str(path), content))
    except ValidationError as error:
        first = error.errors()[0]
        where = f"delivery {path}: {'.'.join(map(str, first['loc']))}"
        raise InputError(where, "nothing" if first["type"] == "missing" else "something else", first["msg"]) from None
    for name in ("public_url", "action_url"):
        url = getattr(settings, name)
        if url and (urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname):
            raise InputError(f"delivery {path}: {name}", repr(url), "https://HOST")
    if settings.email is not None and not settings.public_url:
        remedy = "Name the address under which people reach this service."
        raise InputError(f"delivery {path}: public_url", "nothing", "an address for unsubscribe links", remedy)
    return settings


def _filled(where: str, value: Any) -> Any:
    """Return settings with what the environment says in its places."""
    if isinstance(value, dict):
        return {key: _filled(f"{where}: {key}", each) for key, each in value.items()}
    if isinstance(value, str) and value.startswith(_VARIABLE):
        name = value.removeprefix(_VARIABLE)
        if name not in os.environ:
            raise InputError(where, f"no environment variable {name}", "one that is set")
        return os.environ[name]
    return value
