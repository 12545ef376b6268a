"""Serving: the live learners behind HTTP, until a signal ends them or they cannot go on."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import math
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from actors.storage.audit import AuditLog
from actors.storage.journal import SqlJournal
from actors.storage.keys import KeyStore
from actors.storage.reports import ReportStore
from actors.storage.services import Services
from api import jobs, scratch
from api.app import create_app
from api.clock import Clock, wall_clock
from api.context import Context
from api.delivery import open_delivery
from api.delivery_metrics import DeliveryMetrics
from api.delivery_settings import DeliverySettings
from api.drifting import Drifting
from api.knowing import Knowing
from api.lane_metrics import LaneMetrics
from api.learning import Learning, registry_of
from api.model_metrics import ModelMetrics
from api.place import note_zone, open_place
from api.protocol import bounded
from api.rim import Rim
from api.rolling import Rolling
from api.settings import Settings
from api.tokens import Tokens, token_secrets
from api.weekly import WeeklyReports
from api.wiring import RuntimeName, knowledge_of, open_service
from engine.errors import EngageError
from engine.experiments.campaigns import Campaign
from engine.risk.model import RiskModel
from engine.rules import Rules

_log = logging.getLogger("engage.service")
_KEEP_ALIVE_S = 75  # longer than pools of clients and proxies hold a connection: they hang up first
_DRAIN_S = 5  # beyond the patience with clients that read slowly, to answer what is under way at the end
_LAST_WORDS_S = 5.0  # after trouble that cannot be mended the process ends within these, whatever still waits


class Loop:
    """The event loop on which promises are kept, once it runs."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def __call__(self, keep: Callable[[], None]) -> None:
        """Run something on the loop; where there is none yet or any more, here."""
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(keep)
                return
        except RuntimeError:  # it has been closed
            pass
        keep()

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        """Use the loop that the app runs on, while it does."""
        self._loop = asyncio.get_running_loop()
        try:
            yield
        finally:
            self._loop = None


class Trouble:
    """What ended the service, if anything did."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.server: uvicorn.Server | None = None

    def __call__(self, error: BaseException) -> None:
        """Note it, and end the process in order, or else without."""
        _log.critical("the service cannot go on: %s", error, exc_info=error)
        self.error = error
        if self.server is not None:
            self.server.should_exit = True
        watchdog = threading.Timer(_LAST_WORDS_S, os._exit, (1,))
        watchdog.daemon = True
        watchdog.start()

    def told(self) -> list[str]:
        """Return why the service cannot work, nothing = it can."""
        return [] if self.error is None else [str(self.error)]


@contextlib.contextmanager
def open_app(
    data: Path,
    database_url: str | None,
    settings: Settings,
    rules: Rules,
    model: RiskModel,
    *,
    actors: int | None = None,
    runtime: RuntimeName = "ray",
    zone: str = "UTC",
    campaigns: Sequence[Campaign] = (),
    delivery: DeliverySettings | None = None,
    learn_days: int = 0,
    learn_options: Sequence[str] = (),
    clock: Clock = wall_clock,
    trouble: Trouble | None = None,
) -> Iterator[FastAPI]:
    """Put service and application together; both are there until the block ends.

    Args:
        data: directory of the service.
        database_url: of its database; None = an SQLite file in the directory.
        settings: of the rim.
        rules: of the product.
        model: for scoring, where the directory's registry has no champion that is fit.
        actors: learner actors of a new database.
        runtime: ``ray`` (a process for each actor) or ``local`` (all in this process).
        zone: IANA name of the zone of learners whose profile has none.
        campaigns: that decide who is sent what.
        delivery: by which channels; None = the inbox and the operators' queue alone.
        learn_days: days between attempts to find a better model, 0 = none.
        learn_options: further options of ``engage train`` then, such as the service's own rules.
        clock: UTC ms; the one clock of the service.
        trouble: told when the service cannot go on.
    """
    trouble = trouble or Trouble()
    place = open_place(data, database_url, actors)
    loop = Loop()
    try:
        scratch.clear(place.data)
        registry, reports = registry_of(place.data), ReportStore(place.database)
        secrets = token_secrets(data)
        tokens = Tokens(secrets, clock)
        rim = Rim(settings, KeyStore(place.database), tokens, AuditLog(place.database).append, trouble.told, clock)
        note_zone(place, zone)
        with (
            jobs.alive(Services(place.database), clock),
            open_service(
                runtime,
                place.url,
                place.actors,
                rules,
                registry.champion_or(model),
                place.snapshots,
                clock,
                models=registry.directory,
                zone=zone,
                campaigns=campaigns,
                post=loop,
                fatal=trouble,
            ) as service,
            contextlib.ExitStack() as stack,
        ):
            delivering = stack.enter_context(
                open_delivery(
                    service,
                    place.database,
                    lambda log: SqlJournal(place.url, log),
                    rules,
                    delivery or DeliverySettings(),
                    secrets,
                    clock,
                )
            )
            rolling = Rolling(service, registry, model)
            drifting = Drifting(service.lanes, reports, lambda: rolling.model)
            ticking: dict[str, jobs.Job] = {
                "weekly": WeeklyReports(service, reports, lambda log: SqlJournal(place.url, log), rules),
                "rolling": rolling,
                "knowing": Knowing(service, campaigns, knowledge_of(campaigns)),
                "drifting": drifting,
            }
            if learn_days:
                learning = Learning(place, reports, learn_days, learn_options)
                stack.enter_context(jobs.ticking("learning", learning, clock))
                stack.callback(learning.end)  # first, since its ticker waits for it
            for name, job in ticking.items():
                stack.enter_context(jobs.ticking(name, job, clock))
            rim.registry.register(LaneMetrics(service.lanes))
            rim.registry.register(DeliveryMetrics(delivering, clock))
            rim.registry.register(ModelMetrics(drifting, lambda: rolling.model))
            context = Context(service, rules, rolling, campaigns, clock, place.database, delivering, place.identity)
            yield create_app(rim, context, lifespan=loop.lifespan)
    finally:
        place.database.dispose()


def server_config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """Return how an application is served.

    Args:
        app: from `open_app`.
        settings: of the rim.
    """
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=bounded(settings),
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=bool(settings.trusted_proxies),  # uvicorn's default believes everybody on this machine
        forwarded_allow_ips=list(settings.trusted_proxies),
        lifespan="on",
        ws="none",
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=math.ceil(settings.reading_timeout_s) + _DRAIN_S,
    )


def serve(app: FastAPI, settings: Settings, trouble: Trouble, ready: Callable[[str], None]) -> None:
    """Serve an application until a signal ends it.

    Args:
        app: from `open_app`.
        settings: of the rim.
        trouble: of the same service.
        ready: called with the service's address once it listens.

    Raises:
        EngageError: the service could not go on.
    """
    trouble.server = _Server(server_config(app, settings), ready, app.state.context.streams.end)
    # All that is alive now stays: a full collection that walked it would stop everybody for a fifth of a second.
    gc.collect()
    gc.freeze()
    trouble.server.run()
    if trouble.error is not None:
        raise EngageError("the service", f"trouble that it cannot mend ({trouble.error})", "", "Start it again.")


class _Server(uvicorn.Server):
    """Says when it listens, and ends what would never end by itself before it waits for connections to close."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[str], None], end_streams: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready, self._end_streams = ready, end_streams

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]  # as uvicorn's own
        await super().startup(sockets)  # type: ignore[arg-type]  # as uvicorn's own
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._ready(f"http://{host}:{port}")

    async def shutdown(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]  # as uvicorn's own
        self._end_streams()
        await super().shutdown(sockets)  # type: ignore[arg-type]  # as uvicorn's own
        self._captured_signals.clear()  # uvicorn would raise them again: an end in order would look like a failure
