"""Profiles: as clients send and read them, and as the actors keep them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AnyUrl, ConfigDict, Field, StringConstraints, UrlConstraints, field_validator, model_validator
from pydantic.alias_generators import to_camel, to_snake

from actors.register import Profile
from actors.views import LearnerView
from api.wire import Wire
from engine import calendar
from engine.notifications.catalogue import CHANNELS

BY_PLATFORM = ("email", "phone", "pushToken", "nextItem", "courseProgressPercent")
"""Entries that learners cannot set: messages go where the platform says, and say of courses what it says."""

_OWN = ("timezone", "locale", "quietHours", "displayName", "pictureUrl", "learningStyle")
_KEPT = (*_OWN, *BY_PLATFORM)  # as PUT leaves them: gone
_ClockTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
# Nor what turns the order of letters round: a name must not show as another one.
_NAME = "^[^\\x00-\\x1f\\x7f-\\x9f\u2028-\u202e\u2066-\u2069]+$"
_Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80, pattern=_NAME)]
_Locale = Annotated[str, StringConstraints(max_length=35, pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$")]
_HttpsUrl = Annotated[AnyUrl, UrlConstraints(allowed_schemes=["https"], host_required=True, max_length=2_048)]
_MAILBOX = r"^[^\s@<>,;:\x00-\x1f\x7f-\x9f]+@[^\s@<>,;:\x00-\x1f\x7f-\x9f]+$"  # the rest the mail server knows
_Email = Annotated[str, StringConstraints(max_length=254, pattern=_MAILBOX)]
_Phone = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{5,14}$")]  # E.164
_PushToken = Annotated[str, StringConstraints(min_length=1, max_length=4_096, pattern=r"^[!-~]+$")]
_Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=_NAME)]
_STYLE = "video, reading, practice or social, for the words of messages; any other word is kept, and says nothing."
_Style = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]


class QuietHours(Wire):
    """Local hours in which nothing is sent; they may go over midnight."""

    from_: _ClockTime = Field(alias="from", description="Their first minute, HH:MM.", examples=["22:00"])
    to: _ClockTime = Field(description="The first minute after them, HH:MM.", examples=["07:00"])

    @model_validator(mode="after")
    def _not_empty(self) -> QuietHours:
        if self.from_ == self.to:
            raise ValueError("two different times: quiet for the whole day is what consents say")
        return self


class ConsentChanges(Wire):
    """Channels that may be used or not; those left out stay as they are."""

    email: bool = Field(default=True, description="E-mail.", strict=True, examples=[True])
    push: bool = Field(default=True, description="Push notifications.", strict=True, examples=[True])
    in_app: bool = Field(default=True, description="Messages inside your platform.", strict=True, examples=[True])
    sms: bool = Field(default=True, description="SMS.", strict=True, examples=[True])


class Consents(Wire):
    """Which channels may be used."""

    email: bool = Field(description="E-mail.", examples=[True])
    push: bool = Field(description="Push notifications.", examples=[True])
    in_app: bool = Field(description="Messages inside your platform.", examples=[True])
    sms: bool = Field(description="SMS.", examples=[False])


class ProfileChanges(Wire):
    """Entries of a profile."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "displayName": "Ada",
                    "timezone": "Europe/Berlin",
                    "locale": "de-DE",
                    "quietHours": {"from": "22:00", "to": "07:00"},
                    "consents": {"email": False},
                }
            ]
        }
    )

    timezone: str | None = Field(
        None, max_length=64, description="IANA name; in force from now on.", examples=["Europe/Berlin"]
    )
    locale: _Locale | None = Field(None, description="Language tag (BCP 47).", examples=["de-DE"])
    quiet_hours: QuietHours | None = Field(None, description="When nothing is sent, on the learner's clock.")
    consents: ConsentChanges = Field(
        ConsentChanges(), description="Channels that may be used; PUT, too, changes only those that it names."
    )
    display_name: _Name | None = Field(None, description="For leaderboards and lists.", examples=["Ada"])
    picture_url: _HttpsUrl | None = Field(
        None, description="https only.", examples=["https://cdn.example.org/u-17.png"]
    )
    anonymous: bool = Field(
        False,
        strict=True,
        description="Others see neither name, picture nor id; PUT, too, leaves it as it is unless it names it.",
        examples=[False],
    )
    learning_style: _Style | None = Field(None, description=_STYLE, examples=["video"])
    email: _Email | None = Field(None, description="Where e-mail goes.", examples=["ada@example.org"])
    phone: _Phone | None = Field(None, description="Where SMS go: + and digits.", examples=["+493012345678"])
    push_token: _PushToken | None = Field(
        None, description="Of the device, as your push gateway knows it.", examples=["d3v1c3"]
    )
    next_item: _Title | None = Field(None, description="Title of what you recommend next.", examples=["Loops"])
    course_progress_percent: int | None = Field(
        None, ge=0, le=100, strict=True, description="Of the present course.", examples=[40]
    )

    @field_validator("picture_url", mode="after")
    @classmethod
    def _without_password(cls, url: AnyUrl | None) -> AnyUrl | None:
        if url is not None and (url.username or url.password):
            raise ValueError("an address without user name and password")
        return url


class ProfileState(Wire):
    """A learner's profile."""

    user_id: str = Field(description="The learner.", examples=["u-17"])
    timezone: str | None = Field(description="IANA name; null = the service's own zone.", examples=["Europe/Berlin"])
    locale: str | None = Field(description="Language tag (BCP 47).", examples=["de-DE"])
    quiet_hours: QuietHours | None = Field(description="When nothing is sent, on the learner's clock.")
    consents: Consents = Field(description="Channels that may be used; allowed unless something else was said.")
    display_name: str | None = Field(description="For leaderboards and lists.", examples=["Ada"])
    picture_url: str | None = Field(description="A picture.", examples=["https://cdn.example.org/u-17.png"])
    anonymous: bool = Field(description="Others see neither name, picture nor id.", examples=[False])
    learning_style: str | None = Field(description=_STYLE, examples=["video"])
    email: str | None = Field(description="Where e-mail goes.", examples=["ada@example.org"])
    phone: str | None = Field(description="Where SMS go.", examples=["+493012345678"])
    push_token: str | None = Field(description="Of the device.", examples=["d3v1c3"])
    next_item: str | None = Field(description="Title of what you recommend next.", examples=["Loops"])
    course_progress_percent: int | None = Field(description="Of the present course.", examples=[40])


def stored(body: ProfileChanges, *, whole: bool) -> Profile:
    """Return changes of a profile as the actors take them: names as here, channels as the catalogue names them.

    Args:
        body: from a client.
        whole: entries that it leaves out are taken out. Consents and anonymity never are: nobody is exposed by silence.

    Raises:
        InputError: there is no such time zone; the error names the nearest.
    """
    changes: Profile = dict.fromkeys(_KEPT) if whole else {}
    changes |= body.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if body.timezone is not None and body.timezone not in calendar.zone_names():
        calendar.zone(body.timezone)
    if "consents" in changes:
        changes["consents"] = {to_snake(channel): allowed for channel, allowed in changes["consents"].items()}
    return changes


def consents(profile: Profile) -> Consents:
    """Return which channels may be used, as the actors understand a profile."""
    told: dict[str, Any] = profile.get("consents", {})
    return Consents.model_validate({to_camel(channel): told.get(channel, True) for channel in CHANNELS})


def profile_state(user_id: str, view: LearnerView) -> ProfileState:
    """Return a learner's profile.

    Args:
        user_id: the learner.
        view: what is held of the learner.
    """
    held = dict.fromkeys(_KEPT) | view.profile
    told = {name: held[name] for name in _KEPT}
    anonymous = bool(view.profile.get("anonymous"))
    return ProfileState.model_validate(
        {"userId": user_id, "consents": consents(view.profile), "anonymous": anonymous, **told}
    )
