"""The tables, as the newest migration leaves them: a test compares the two on both databases.

Instants are UTC milliseconds. JSON is stored as the text that was written, since checksums are taken over it.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text

METADATA = MetaData(naming_convention={"pk": "pk_%(table_name)s", "ix": "ix_%(table_name)s_%(column_0_name)s"})


def _required(name: str, kind: type[Text | Integer | BigInteger | LargeBinary]) -> Column[object]:
    return Column(name, kind, nullable=False)


SETTINGS = Table(
    "settings",
    METADATA,
    Column("name", Text, primary_key=True),
    _required("value", Text),
)
"""What holds for the whole database, such as the number of its logs."""

LOGS = Table(
    "logs",
    METADATA,
    Column("log", Integer, primary_key=True, autoincrement=False),
    _required("epoch", BigInteger),
    _required("holder", Text),
)
"""One row a log. Its epoch is raised whenever it is taken, and only who took it last may append; the holder tells the
service that claimed it last, and only its processes may take it."""

JOURNAL = Table(
    "journal",
    METADATA,
    Column("log", Integer, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    _required("epoch", BigInteger),  # under which it was appended: tells an entry's own writer from another
    _required("kind", Text),
    _required("body", Text),
    _required("frame", LargeBinary),
    _required("answer_kind", Text),
    _required("answer", Text),
    _required("answer_frame", LargeBinary),
    _required("checksum", BigInteger),
)
"""The entries. No foreign key to `LOGS`: an entry is inserted by a statement that reads its log's row."""

API_KEYS = Table(
    "api_keys",
    METADATA,
    Column("id", Text, primary_key=True),
    _required("name", Text),
    _required("role", Text),
    _required("scopes", Text),  # JSON list
    _required("secret_hash", LargeBinary),
    _required("created_ms", BigInteger),
    Column("expires_ms", BigInteger),
    Column("revoked_ms", BigInteger),
)
"""API keys, with the hash of each secret and never the secret."""

AUDIT = Table(
    "audit",
    METADATA,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),  # SQLite numbers INTEGER keys only
    _required("at_ms", BigInteger),
    _required("who", Text),
    _required("role", Text),
    _required("method", Text),
    _required("path", Text),
    _required("status", Integer),
    Column("learner", Text),
)
"""Who asked for what."""

REPORTS = Table(
    "reports",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("period", Text, primary_key=True),
    _required("body", Text),
    _required("created_ms", BigInteger),
)
"""What jobs have reported; the key makes a job that runs twice report once."""

ERASURES = Table(
    "erasures",
    METADATA,
    Column("log", Integer, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    _required("learner_hash", Text),
    _required("erased_ms", BigInteger),
    _required("body", Text),
    Index(None, "learner_hash"),
)
"""Proofs of erasure, under the entry that erased; the learner stands here as a hash only."""

SERVICES = Table(
    "services",
    METADATA,
    Column("id", Text, primary_key=True),
    _required("seen_ms", BigInteger),
)
"""The services that work on this database, each with its last sign of life."""

OUTBOX = Table(
    "outbox",
    METADATA,
    Column("id", Text, primary_key=True),
    _required("channel", Text),
    _required("learner", Text),
    _required("body", Text),  # JSON: what the words are made from at the moment of the handing over
    _required("state", Text),
    _required("next_ms", BigInteger),  # not before; whoever takes it puts this ahead
    _required("expires_ms", BigInteger),
    _required("attempts", Integer),
    Column("reason", Text),
    _required("changed_ms", BigInteger),
    Index("ix_outbox_waiting", "channel", "state", "next_ms"),
    Index(None, "learner"),
)
"""What is to be handed over to whom, once for each channel; its id is the same however often it is put."""

CURSORS = Table(
    "cursors",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("log", Integer, primary_key=True, autoincrement=False),
    _required("sequence", BigInteger),
)
"""How far each reader of the journals has come."""

INBOX = Table(
    "inbox",
    METADATA,
    Column("id", Text, primary_key=True),
    _required("learner", Text),
    _required("type", Text),
    _required("body", Text),  # JSON: the words
    _required("created_ms", BigInteger),
    _required("expires_ms", BigInteger),
    Column("read_ms", BigInteger),
    Column("dismissed_ms", BigInteger),
    Index("ix_inbox_learner", "learner", "created_ms"),
)
"""Messages inside the platform."""

SUPPRESSED = Table(
    "suppressed",
    METADATA,
    Column("channel", Text, primary_key=True),
    Column("address_hash", Text, primary_key=True),
    _required("reason", Text),
    _required("since_ms", BigInteger),
)
"""Addresses that bounced or complained, as hashes: nothing is sent there again."""

RESPONSES = Table(
    "responses",
    METADATA,
    Column("id", Text, primary_key=True),  # of the outbox
    Column("kind", Text, primary_key=True),
    _required("learner", Text),
    _required("at_ms", BigInteger),
    Index(None, "learner"),
)
"""What became of what was handed over: the first time of each kind."""

TASKS = Table(
    "tasks",
    METADATA,
    Column("id", Text, primary_key=True),
    _required("learner", Text),
    _required("type", Text),
    _required("body", Text),  # JSON: why, and what to say
    _required("state", Text),
    Column("operator", Text),
    Column("note", Text),
    _required("created_ms", BigInteger),
    _required("expires_ms", BigInteger),
    _required("changed_ms", BigInteger),
    Index("ix_tasks_state", "state", "created_ms"),
    Index(None, "learner"),
)
"""What people are to do: calls and personal messages."""
