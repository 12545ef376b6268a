"""Campaigns: what is sent for which purpose. Each is an experiment, of one arm where nothing is compared."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from engine.errors import InputError, did_you_mean
from engine.experiments.assignment import Experiment, read
from engine.policies.decisions import Reward

_SHIPPED = Path(__file__).with_suffix(".toml")
_ALONE = "all"  # id of the arm of a campaign that compares nothing
_SHORT = ("policy", "params", "knows")  # entries of that arm, written with the campaign's own
OFFERS = ("item", "price", "discount_percent", "tutor")
"""Facts that a campaign may state."""
_Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class Campaign(Experiment):
    """An experiment that competes with the other campaigns for each learner's attention.

    Of all that want to send a learner something today the one of the highest ``priority`` goes first, at the learner's
    best hour from ``earliest`` to ``latest`` on the learner's clock. ``facts`` are what its messages may say beyond
    what is known of the learner, such as a price (`engine.notifications.facts.Facts`).
    """

    compares: ClassVar[bool] = False

    start: Annotated[date, Field(ge=date(1971, 1, 1), le=date(2100, 1, 1), strict=False)] = date(1971, 1, 1)
    metrics: Annotated[tuple[Reward, ...], Field(min_length=1, strict=False)] = ("active_7",)
    priority: Annotated[int, Field(ge=0, le=100)] = 0
    earliest: _Clock = "00:00"
    latest: _Clock = "23:59"
    facts: dict[str, str | int] = Field(default_factory=dict)

    @property
    def window(self) -> tuple[int, int]:
        """Return its first and its last minute of a day, 0-1439."""
        earliest, latest = (int(each[:2]) * 60 + int(each[3:]) for each in (self.earliest, self.latest))
        return earliest, latest


def read_campaigns(path: Path) -> tuple[Campaign, ...]:
    """Return the campaigns of a file.

    Args:
        path: of a TOML file with a table ``[[campaigns]]`` for each. A campaign that compares nothing may name its
            ``policy`` (``params``, ``knows``) itself in place of ``arms``.

    Raises:
        InputError: no such file, or an entry that is unknown, missing or wrong; it is named.
    """
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"campaigns {path}", str(error), "a readable TOML file") from None
    tables = content.pop("campaigns", None)
    for key in content:
        raise InputError(f"campaigns {path}", repr(key), "tables [[campaigns]]", did_you_mean(key, ["campaigns"]))
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise InputError(f"campaigns {path}", "none", "a table [[campaigns]] for each")
    campaigns = tuple(_campaign(f"{path}: campaign {place}", table) for place, table in enumerate(tables, 1))
    ids = [campaign.id for campaign in campaigns]
    for each in ids:
        if ids.count(each) > 1:
            raise InputError(f"campaigns {path}", f"{each!r} more than once", "an id of its own for each")
    return campaigns


def standard(policy: str) -> tuple[Campaign, ...]:
    """Return the campaigns of a service that was given none: streaks, celebrations, and a policy for all the rest.

    Args:
        policy: name of the policy.
    """
    shipped = read_campaigns(_SHIPPED)
    retention = _campaign("retention", {**shipped[0].model_dump(exclude={"arms"}), "policy": policy})
    return (retention, *shipped[1:])


def _campaign(source: str, table: dict[str, Any]) -> Campaign:
    short = {key: table[key] for key in _SHORT if key in table}
    if short and "arms" in table:
        raise InputError(source, f"{', '.join(short)} beside arms", "one of the two")
    if short:
        table = {key: value for key, value in table.items() if key not in short}
        table["arms"] = [{"id": _ALONE, "share": 1.0, **short}]
    campaign = read(source, table, Campaign)
    for name in campaign.facts:
        if name not in OFFERS:
            raise InputError(f"{source}: facts", repr(name), "a fact of campaigns", did_you_mean(name, OFFERS))
    if campaign.earliest > campaign.latest:
        raise InputError(f"{source}: earliest", campaign.earliest, f"no later than {campaign.latest}")
    return campaign
