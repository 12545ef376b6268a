"""Streamed answers that end what they are made from as soon as their client has gone."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Mapping

from fastapi.responses import StreamingResponse
from starlette.types import Send


class ClosingStream(StreamingResponse):
    """A stream that closes its source when it ends, however it ends.

    A client that reads nothing is hung up on by `api.protocol`.

    Args:
        content: pieces of the answer.
        media_type: of the answer.
        headers: of the answer.
    """

    def __init__(
        self, content: AsyncGenerator[bytes], media_type: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(content, headers=headers, media_type=media_type)
        self._content = content

    async def stream_response(self, send: Send) -> None:
        """Send all pieces."""
        async with contextlib.aclosing(self._content):
            await super().stream_response(send)
