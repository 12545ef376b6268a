"""The peer of the live service: FastAPI and SQLAlchemy, one row an event, as a competent team would write it.

Pydantic at the rim, one transaction a request, several worker processes if asked for, and as durable as the engine:
SQLite in WAL mode with ``synchronous=FULL``, or PostgreSQL as it comes. `benchmarks.peer_store` says what it stores.

    python -m benchmarks.peer_service --database-url sqlite:///peer.db [--way rows|batches] [--port P] [--workers N]
"""

from __future__ import annotations

import argparse
import os
from typing import Annotated

import anyio
import anyio.to_thread
import uvicorn
from fastapi import FastAPI
from pydantic import Field

from benchmarks.peer_store import WAYS, Base, Event, Receipt, connections_of, open_engine

_URL, _WAY = "PEER_DATABASE_URL", "PEER_WAY"  # workers are processes of their own and know it by nothing else
_MOST_EVENTS = 100


def create_app() -> FastAPI:
    """Return the service of one worker."""
    url = os.environ[_URL]
    ingest = WAYS[os.environ[_WAY]](open_engine(url))
    turns = anyio.CapacityLimiter(connections_of(url))  # threads beyond the connections would only fight for the core
    app = FastAPI(title="Peer")

    @app.get("/health")
    async def health() -> int:
        return os.getpid()

    @app.post("/track")
    async def track(event: Event) -> Receipt:
        return (await anyio.to_thread.run_sync(ingest, [event], limiter=turns))[0]

    @app.post("/events")
    async def events(batch: Annotated[list[Event], Field(min_length=1, max_length=_MOST_EVENTS)]) -> list[Receipt]:
        return await anyio.to_thread.run_sync(ingest, batch, limiter=turns)

    return app


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peer_service", description=__doc__)
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--way", choices=WAYS, default="batches")
    parser.add_argument("--port", type=int, default=8001)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    os.environ[_URL], os.environ[_WAY] = given.database_url, given.way
    engine = open_engine(given.database_url)
    Base.metadata.create_all(engine)  # once: workers that all create them at their start trip over each other
    engine.dispose()
    uvicorn.run(
        "benchmarks.peer_service:create_app",
        factory=True,
        port=given.port,
        workers=given.workers,
        access_log=False,
        log_level="warning",
        timeout_keep_alive=75,  # at half load a connection may rest for long
    )


if __name__ == "__main__":
    main()
