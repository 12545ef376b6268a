"""What is wrong with an xAPI request, with the HTTP status that the specification asks for."""

from __future__ import annotations

from typing import ClassVar

from engine.errors import InputError


class XapiError(InputError):
    """The request is not a good statement or batch of them; as the specification asks, none of the batch is taken."""

    status: ClassVar[int] = 400


class VersionError(XapiError):
    """The version header is missing or of a version that is not spoken here."""


class MediaTypeError(XapiError):
    """The content is not JSON. Attachments (`multipart/mixed`) are not kept here."""

    status: ClassVar[int] = 415


class TooLargeError(XapiError):
    """The batch holds more statements than are taken at once."""

    status: ClassVar[int] = 413


class ForbiddenStatementError(XapiError):
    """The statement is a good one, but asks for what nobody may do here, such as voiding another."""

    status: ClassVar[int] = 403
