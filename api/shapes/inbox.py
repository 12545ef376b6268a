"""The inbox and the operators' queue, as clients read and mark them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from actors.delivery.inbox import InboxMessage
from actors.delivery.tasks import Task
from api.wire import Wire

Action = Literal["claim", "release", "reached", "not_reached", "declined"]


class Message(Wire):
    """A message inside the platform."""

    message_id: str = Field(description="For marking it.", examples=["u-17/gentle_reminder/20414/in_app"])
    type: str = Field(description="Type of notification.", examples=["gentle_reminder"])
    title: str = Field(description="One line, short; plain text.", examples=["Ready when you are"])
    text: str = Field(description="Plain text.", examples=["Ada, Loops is next whenever you are ready."])
    direction: Literal["ltr", "rtl"] = Field(description="In which it is written.", examples=["ltr"])
    locale: str = Field(description="Its language.", examples=["en"])
    action_url: str | None = Field(description="Where it leads.", examples=["https://learn.example.org/continue"])
    created_at: datetime = Field(description="When it came.")
    read_at: datetime | None = Field(description="When it was read first; null = it was not.")


class InboxState(Wire):
    """A learner's messages, newest first."""

    messages: list[Message] = Field(description="Of the last 30 days, without those that were dismissed.")
    unread: int = Field(description="How many have not been read.", examples=[1])


class MessageMark(Wire):
    """What a learner did with a message."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"messageId": "u-17/gentle_reminder/20414/in_app", "mark": "read"}]}
    )

    message_id: str = Field(max_length=1_024, description="Which.")
    mark: Literal["read", "dismissed"] = Field(
        description="What is dismissed has been read, too, and is listed no longer."
    )


class TaskState(Wire):
    """What somebody is to do."""

    task_id: str = Field(description="For marking it.", examples=["u-17/human_outreach/20414/operator"])
    user_id: str = Field(description="About whom.", examples=["u-17"])
    type: str = Field(description="Type of notification.", examples=["human_outreach"])
    subject: str = Field(description="What it is about.", examples=["How is your course going?"])
    text: str = Field(description="What might be said, in the learner's language.")
    state: str = Field(description="open, claimed, reached, not_reached or declined.", examples=["open"])
    operator: str | None = Field(description="Whose it is.", examples=["ben"])
    note: str | None = Field(description="How it went.", examples=["Will be back on Monday."])
    created_at: datetime = Field(description="When it came.")
    expires_at: datetime = Field(description="When it is not worth doing any more.")


class TaskPage(Wire):
    """The operators' queue."""

    tasks: list[TaskState] = Field(description="Open and claimed ones, oldest first; or ended ones, newest first.")
    capacity_a_day: int = Field(description="Tasks that are taken in a day of UTC.", examples=[20])


class TaskMark(Wire):
    """What an operator does with a task."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"taskId": "u-17/human_outreach/20414/operator", "operator": "ben", "action": "claim"}]
        }
    )

    task_id: str = Field(max_length=1_024, description="Which.")
    operator: str = Field(min_length=1, max_length=80, description="Who.")
    action: Action = Field(description="Take it, give it back, or say how it ended.")
    note: str = Field("", max_length=2_000, description="How it went.")


def message_told(message: InboxMessage) -> dict[str, Any]:
    """Return a message in the words of the API."""
    return Message(
        message_id=message.id,
        type=message.type,
        title=message.title,
        text=message.text,
        direction=message.direction,  # type: ignore[arg-type]  # as it was written
        locale=message.locale,
        action_url=message.action,
        created_at=_instant(message.created_ms),
        read_at=None if message.read_ms is None else _instant(message.read_ms),
    ).model_dump(mode="json", by_alias=True)


def task_told(task: Task) -> TaskState:
    """Return a task in the words of the API."""
    return TaskState(
        task_id=task.id,
        user_id=task.learner,
        type=task.type,
        subject=task.subject,
        text=task.text,
        state=task.state,
        operator=task.operator,
        note=task.note,
        created_at=_instant(task.created_ms),
        expires_at=_instant(task.expires_ms),
    )


def _instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1_000, UTC)
