"""Interventions: what campaigns would choose for a learner at this moment, and what holds it back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from pydantic import Field
from pydantic.alias_generators import to_camel

from actors.deciding import stream_of
from actors.views import LearnerView
from api.wire import Wire
from engine import bitmaps
from engine.experiments.campaigns import Campaign
from engine.notifications import catalogue as notifications
from engine.notifications.catalogue import EVENING_MINUTE, channel_names
from engine.notifications.quiet_hours import is_quiet
from engine.policies import NO_MESSAGE, Policy, State, decide
from engine.policies.seen import seen
from engine.record import Records
from engine.risk.dropoff import standing_names
from engine.rules import Rules


@dataclass(frozen=True)
class Treatment:
    """How a campaign treats one learner.

    Args:
        campaign: which.
        arm: of the learner.
        policy: of the arm.
        knowledge: what the policy has learned so far.
    """

    campaign: Campaign
    arm: str
    policy: Policy
    knowledge: State = field(default_factory=dict)


class Intervention(Wire):
    """What a campaign would send."""

    campaign: str = Field(description="Which campaign.", examples=["retention"])
    arm: str = Field(description="Its arm that the learner is in.", examples=["all"])
    policy: str = Field(description="The arm's policy.", examples=["at_risk"])
    type: str = Field(description="Type of notification.", examples=["gentle_reminder"])
    purpose: str = Field(description="What it is for.", examples=["Bring back a learner who fell silent"])
    channels: list[str] = Field(
        description="Those that the band uses and the learner allows.", examples=[["push", "inApp"]]
    )
    moment: Literal["now", "evening"] = Field(
        description="evening: at 18:00 of the learner's day, to those who have not been active by then.",
        examples=["now"],
    )
    send_now: bool = Field(description="Nothing holds it back at this moment.", examples=[True])
    held_back_by: list[str] = Field(
        description="quiet_hours, no_channel, active_today, or not_evening_yet.", examples=[["quiet_hours"]]
    )
    propensity: float = Field(description="Probability with which the policy chooses just this.", examples=[1.0])
    reason: str = Field(
        description="Why, for people.", examples=["Policy at_risk chooses it at a risk of 72 (band high)."]
    )


def eligible(record: Records, day: int, triggers: int) -> int:
    """Return the types that a learner may be sent, as bits.

    Args:
        record: one row, on its today.
        day: the learner's local day.
        triggers: bits of `engine.notifications.catalogue.TRIGGERS`.
    """
    kinds = notifications.catalogue()
    out = np.zeros(1, np.uint16)
    notifications.eligible(record, day, kinds.gates, kinds.limits.per_week, np.array([triggers], np.uint8), out)
    return int(out[0])


def interventions(
    treatments: Sequence[Treatment],
    rules: Rules,
    view: LearnerView,
    record: Records,
    risk: float,
    standing: int,
    allowed: int,
) -> list[Intervention]:
    """Return what campaigns would choose for one learner now, at most one each, in their order.

    Args:
        treatments: of the learner.
        rules: of the product.
        view: what is held of the learner.
        record: one row, on its today.
        risk: 0-100, fresh; NaN = not scored.
        standing: that goes with it.
        allowed: from `eligible`.
    """
    fresh = record.copy()
    fresh["risk"], fresh["standing"] = risk, standing
    found = (_chosen(each, rules, view, fresh, allowed) for each in treatments)
    return [each for each in found if each is not None]


def _chosen(
    treatment: Treatment, rules: Rules, view: LearnerView, record: Records, allowed: int
) -> Intervention | None:
    kinds, policy, row = notifications.catalogue(), treatment.policy, record[0]
    learners, allowed_bits = record["learner"].astype(np.int64), np.array([allowed], np.uint16)
    stream = stream_of(treatment.campaign)
    decision = decide(policy, seen(policy, record, view.day, allowed_bits, learners, stream, treatment.knowledge))
    code = int(decision.kinds[0])
    if code == NO_MESSAGE:
        return None
    name = kinds.names[code]
    bits = int(kinds.channel_bits(rules)[row["standing"]]) & int(row["consent"])
    channels = [to_camel(channel) for channel in channel_names(bits)]
    evening = bool(kinds.evening[code])
    held_back = _held_back(view, row, channels, evening=evening)
    return Intervention(
        campaign=treatment.campaign.id,
        arm=treatment.arm,
        policy=policy.name,
        type=name,
        purpose=kinds.types[name].purpose,
        channels=channels,
        moment="evening" if evening else "now",
        send_now=not held_back,
        held_back_by=held_back,
        propensity=float(decision.propensity[0]),
        reason=_reason(policy.name, float(row["risk"]), standing_names(rules)[int(row["standing"])]),
    )


def _reason(policy: str, risk: float, band: str) -> str:
    if math.isnan(risk):
        return f"Policy {policy} chooses it without a risk ({band})."
    return f"Policy {policy} chooses it at a risk of {risk:.0f} (band {band})."


def _held_back(view: LearnerView, record: Any, channels: list[str], *, evening: bool) -> list[str]:
    causes = {
        "no_channel": not channels,
        "quiet_hours": is_quiet(view.profile.get("quietHours"), view.minute),
        "active_today": evening and bool(bitmaps.has_day(record["active_bits"], view.day)),
        "not_evening_yet": evening and view.minute < EVENING_MINUTE,
    }
    return [cause for cause, holds in causes.items() if holds]
