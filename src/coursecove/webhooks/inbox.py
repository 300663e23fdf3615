"""Who understands which event: rooms register here what an event means to them.

A handler gets the platform's unit of work and the event, changes what has to
change, and says how it ended.  Its changes and the event's final status commit
together, so a handler never has to guard against running half.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

T = TypeVar("T")


class Outcome(StrEnum):
    """How an understood event ended."""

    APPLIED = "applied"
    IGNORED = "ignored"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class WaitFor:
    """The event makes sense only after another entity has arrived, ``user:…`` or ``organization:…``."""

    key: str


class Unreadable(Exception):
    """The event was signed, but does not say what its type promises.  Trying again cannot help."""


@dataclass(frozen=True, slots=True)
class ClerkEvent:
    """One event as Clerk sent it; ``data`` is the raw JSON of its subject."""

    message_id: str
    event_type: str
    data: msgspec.Raw

    def read(self, shape: type[T]) -> T:
        """Return the subject as ``shape``; raises :class:`Unreadable` naming what is missing."""
        try:
            return msgspec.json.decode(self.data, type=shape)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unreadable(f"{self.event_type} could not be read: {error}") from error


@dataclass(frozen=True, slots=True)
class AtOnce:
    """All that an event changes, as one statement that several events can share, under locks of their entities.

    ``changes`` are its common table expressions, without their ``with``.  They find
    the ``row`` of each event in the table ``given``, whose ``columns`` have these types, one row
    for each ``key``; the one named ``written`` has that ``key`` when something was newer than what was known.
    ``entity`` has arrived then.  ``lock`` takes the locks of ``%(keys)s``, and an entity's are ``locks``.
    """

    entity: str
    key: str
    lock: str
    locks: list[int]
    changes: str
    columns: Mapping[str, str]
    row: Mapping[str, Any]


def given(changes: Sequence[AtOnce]) -> tuple[str, dict[str, Any]]:
    """Return the table ``given`` of several changes of one kind, and its values, with those of the locks."""
    columns = changes[0].columns
    unnested = ", ".join(f"%(given_{name})s::{type_}[]" for name, type_ in columns.items())
    table = f"given ({', '.join(columns)}) as (select * from unnest({unnested}))"  # noqa: S608 - no values
    values: dict[str, Any] = {f"given_{name}": [change.row[name] for change in changes] for name in columns}
    # In one order, whoever takes several.
    in_order = sorted(changes, key=lambda change: change.entity, reverse=True)
    return table, values | {"keys": [key for change in in_order for key in change.locks]}


Handler = Callable[[AsyncSession, ClerkEvent], Awaitable["Outcome | WaitFor"]]
AtOnceHandler = Callable[[ClerkEvent], AtOnce]
_HANDLERS: dict[str, Handler] = {}
_AT_ONCE: dict[str, AtOnceHandler] = {}


def handles(*event_types: str) -> Callable[[Handler], Handler]:
    """Give every event of these types to the decorated function; one handler per type."""

    def register(handler: Handler) -> Handler:
        for event_type in event_types:
            if event_type in _HANDLERS:
                raise ValueError(f"{event_type} is handled twice")
            _HANDLERS[event_type] = handler
        return handler

    return register


def changes_at_once(*event_types: str) -> Callable[[AtOnceHandler], AtOnceHandler]:
    """Say what events of these types change as one statement; it has to mean what their handler does."""

    def register(handler: AtOnceHandler) -> AtOnceHandler:
        for event_type in event_types:
            _AT_ONCE[event_type] = handler
        return handler

    return register


def handled_types() -> list[str]:
    """Return every type of event that somebody here understands."""
    return sorted(_HANDLERS)


def find_handler(event_type: str) -> Handler | None:
    """Return who understands ``event_type``; None means that nobody here cares."""
    return _HANDLERS.get(event_type)


def find_at_once(event_type: str) -> AtOnceHandler | None:
    """Return who can say what ``event_type`` changes as one statement, if anybody."""
    return _AT_ONCE.get(event_type)


def types_at_once() -> list[str]:
    """Return the types of events of which :func:`find_at_once` knows something."""
    return [event_type for event_type in _AT_ONCE if find_at_once(event_type)]
