"""Rolling: the service moves on to the model that its registry says, without a pause."""

from __future__ import annotations

import logging

from actors.service import Service
from engine.errors import InputError
from engine.risk.model import RiskModel
from engine.risk.registry import Registry

_log = logging.getLogger("engage.rolling")


class Rolling:
    """Keeps every actor and the answers on demand at the champion: an `api.jobs.Job`.

    A lane names the version with each request for scores, so an actor that was restarted scores by it, too; and a batch
    of signals goes to the pool with its version, so none is scored by two.

    Args:
        service: whose actors.
        registry: of models.
        packaged: the model in use where none was promoted.
    """

    def __init__(self, service: Service, registry: Registry, packaged: RiskModel) -> None:
        self._service, self._registry, self._packaged = service, registry, packaged
        self.model = registry.champion_or(packaged)
        self._refused = ""

    def step(self, _now_ms: int) -> None:
        """Look whether there is another champion, and move everybody on to it."""
        champion = self._registry.champion() or self._packaged.version
        if champion not in {self.model.version, self._refused}:
            try:
                self.model = self._registry.champion_or(self._packaged)
            except InputError as error:  # the service goes on as it is
                self._refused = champion
                _log.error("model %s is not taken: %s", champion, error)
            else:
                _log.info("learners are scored by model %s", champion)
        for lane in self._service.lanes:
            lane.model = self.model.version
