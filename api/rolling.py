"""Rolling: the service moves on to the model that its registry says, without a pause."""

from __future__ import annotations

import logging

from actors.service import Service
from engine.calendar import MS_PER_MINUTE
from engine.risk.model import RiskModel
from engine.risk.registry import Registry

_log = logging.getLogger("engage.rolling")
_AGAIN_MS = MS_PER_MINUTE  # a champion that was refused is tried again after so long: its disk may have been away


class Rolling:
    """Keeps every actor and the answers on demand at the champion: an `api.jobs.Job`.

    A lane names the version with each request for scores, so an actor that was restarted scores by it, too; and a batch
    of signals goes to the pool with its version, so none is scored by two. A model that the pool cannot score with is
    not taken: the service stays with the one that it has.

    Args:
        service: whose actors.
        registry: of models.
        packaged: the model in use where none was promoted.
    """

    def __init__(self, service: Service, registry: Registry, packaged: RiskModel) -> None:
        self._service, self._registry, self._packaged = service, registry, packaged
        self.model = registry.champion_or(packaged)
        self._refused, self._refused_ms = "", 0

    def step(self, now_ms: int) -> None:
        """Look whether there is another champion, and move everybody on to it."""
        champion = self._registry.champion() or self._packaged.version
        waits = champion == self._refused and 0 <= now_ms - self._refused_ms < _AGAIN_MS
        if champion != self.model.version and not waits:
            self._take(champion, now_ms)
        for lane in self._service.lanes:
            lane.model = self.model.version

    def _take(self, champion: str, now_ms: int) -> None:
        try:
            model = self._packaged if champion == self._packaged.version else self._registry.model(champion)
            self._service.try_model(champion)
        except Exception as error:  # noqa: BLE001  # whatever is wrong with it, the service goes on as it is
            if champion != self._refused:
                _log.error("model %s is not taken, %s scores on: %s", champion, self.model.version, error)
            self._refused, self._refused_ms = champion, now_ms
        else:
            self.model = model
            self._refused = ""
            _log.info("learners are scored by model %s", champion)
