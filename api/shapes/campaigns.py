"""How campaigns do, as those who run the platform read it."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field

from actors.delivery.responses import Kind
from api.campaign_report import Arm, Sends
from api.wire import Wire
from engine.experiments.sending_effect import Effect


class Returned(Wire):
    """How many came back."""

    days: int = Field(description="Local days, that of the decision included.", examples=[3])
    learners: int = Field(description="Sends after which the learner was active on any of them.", examples=[118])
    share: float = Field(examples=[0.41])


class SendsOfType(Wire):
    """What an arm sent of one type."""

    type: str = Field(examples=["gentle_reminder"])
    sent: int = Field(examples=[288])
    cost: float = Field(description="Of all of them, by the catalogue.", examples=[0.288])
    delivered: int = Field(description="On any channel; this and what follows: sends, not messages.", examples=[286])
    opened: int = Field(description="By a person, as far as can be told.", examples=[97])
    opened_by_machine: int = Field(description="By a proxy or scanner; says nothing of people.", examples=[130])
    clicked: int = Field(examples=[41])
    unsubscribed: int = Field(examples=[2])
    bounced: int = Field(description="Or complained.", examples=[1])
    returned: list[Returned]


class EffectOfDays(Wire):
    """What was different for those who were sent something."""

    by: Literal["chance", "assignment"] = Field(
        description="chance: decisions of this arm that came out as a send, against those that came out as nothing by "
        "the same policy's draw, weighted by their propensities. assignment: learners of this arm against those of "
        "another, from the first decision at which the arms differed.",
        examples=["chance"],
    )
    against: str | None = Field(
        description="The other arm: the holdout, or the campaign's first.", examples=["holdout"]
    )
    decides: bool = Field(description="Whether it is about the campaign's first metric, by which it is to be judged.")
    days: int = Field(description="Local days, that of the decision included.", examples=[3])
    returned: float | None = Field(description="Share who were active on any of them.", examples=[0.41])
    expected: float | None = Field(description="The same, without.", examples=[0.36])
    difference: float | None = Field(examples=[0.05])
    low: float | None = Field(description="End of the 95% interval of the difference.", examples=[0.01])
    high: float | None = Field(examples=[0.09])
    p_value: float | None = Field(description="Two-sided.", examples=[0.012])
    learners: int | None = Field(description="Who tell it.", examples=[640])
    unknown_because: str | None = Field(description="Why it cannot be told.", examples=["nothing was left to chance"])


class ArmReport(Wire):
    """One arm of a campaign, or its holdout."""

    campaign: str = Field(examples=["retention"])
    arm: str = Field(examples=["all"])
    learners: int = Field(description="About whom it decided.", examples=[812])
    exposed: int = Field(description="Of them, whom another arm might have treated otherwise.", examples=[640])
    decisions: int = Field(examples=[9120])
    sends: list[SendsOfType]
    effects: list[EffectOfDays]


class CampaignReport(Wire):
    """How campaigns did, told of decisions whose rewards are known."""

    since: date = Field(description="First local day.")
    until: date = Field(description="Last local day whose rewards are known everywhere.")
    arms: list[ArmReport]


def arm_told(arm: Arm) -> ArmReport:
    """Return an arm in the words of the API."""
    first = arm.deciding_days
    found = [_effect("chance", None, days, effect, days == first) for days, effect in arm.chance.items()]
    found += [
        _effect("assignment", other, days, effect, days == first) for (other, days), effect in arm.assignment.items()
    ]
    return ArmReport(
        campaign=arm.campaign,
        arm=arm.arm,
        learners=arm.learners,
        exposed=arm.exposed,
        decisions=arm.decisions,
        sends=[_sends(each) for each in arm.sends],
        effects=found,
    )


def _sends(sends: Sends) -> SendsOfType:
    heard = sends.responses
    return SendsOfType(
        type=sends.type,
        sent=sends.sent,
        cost=round(sends.cost, 4),
        delivered=heard[Kind.DELIVERED],
        opened=heard[Kind.OPENED],
        opened_by_machine=heard[Kind.OPENED_BY_MACHINE],
        clicked=heard[Kind.CLICKED],
        unsubscribed=heard[Kind.UNSUBSCRIBED],
        bounced=heard[Kind.BOUNCED] + heard[Kind.COMPLAINED],
        returned=[
            Returned(days=days, learners=count, share=round(count / sends.sent, 4))
            for days, count in sends.returned.items()
        ],
    )


def _effect(
    by: Literal["chance", "assignment"], against: str | None, days: int, effect: Effect | str, decides: bool
) -> EffectOfDays:
    if isinstance(effect, str):
        empty = dict.fromkeys(("returned", "expected", "difference", "low", "high", "p_value", "learners"))
        return EffectOfDays(by=by, against=against, days=days, decides=decides, **empty, unknown_because=effect)
    told = effect.difference
    return EffectOfDays(
        by=by,
        against=against,
        days=days,
        decides=decides,
        returned=round(effect.outcome, 4),
        expected=round(effect.expected, 4),
        difference=round(told.value, 4),
        low=round(told.low, 4),
        high=round(told.high, 4),
        p_value=round(told.p_value, 6),
        learners=effect.learners,
        unknown_because=None,
    )
