"""Knowing: what live policies have learned is put together once a day and given back to all actors.

Each actor keeps sums over the decisions that have matured with it; they are whole numbers, so that the sum over actors
is the same in any order and however often it is made anew. Nothing else has to be kept: the journals tell what is known
and since when.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Mapping, Sequence
from typing import Any

from actors.agenda import encoded, list_day, policies_of
from actors.parcels import Parcel
from actors.service import Service
from engine.experiments.campaigns import Campaign
from engine.policies import Policy, State


class Knowing:
    """Lets every actor know what all of them have learned: an `api.jobs.Job`.

    Args:
        service: whose actors.
        campaigns: of the service.
        begin_with: what the policy of a treatment knew before, by name.
    """

    def __init__(self, service: Service, campaigns: Sequence[Campaign], begin_with: Mapping[str, State]) -> None:
        self._service, self._begin_with = service, begin_with
        self._policies = {name: policy for name, policy in policies_of(campaigns).items() if policy.shares}
        self._day = -1

    def step(self, now_ms: int) -> None:
        """Do it if that was not since the newest day of lists began (`actors.agenda.list_day`)."""
        if list_day(now_ms) == self._day:
            return
        for name, policy in self._policies.items():
            since_ms = [lane.ask("known_since_ms", name) for lane in self._service.lanes]
            if any(list_day(each) != list_day(now_ms) for each in since_ms):  # else it was done before a restart
                self._share(name, policy, now_ms)
        self._day = list_day(now_ms)

    def _share(self, name: str, policy: Policy, now_ms: int) -> None:
        parts = [lane.ask("gathered", name, now_ms) for lane in self._service.lanes]
        known = encoded(policy.merge(dict(self._begin_with.get(name, {})), parts))
        promises: list[concurrent.futures.Future[Any]] = []
        for lane in self._service.lanes:
            promises.append(concurrent.futures.Future())
            lane.submit(Parcel(promises[-1], (), "knowledge", (name, known, now_ms)))
        for promise in promises:
            promise.result()
