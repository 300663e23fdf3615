"""One attempt at one event: hand it to who understands it, and write down how that ended.

The handler's changes and the event's final status commit together or not at
all.  Whatever goes wrong is written down as well, in a transaction of its own.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import msgspec
import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.db.session import Database
from coursecove.errors import CourseCoveError
from coursecove.webhooks import ledger, metrics
from coursecove.webhooks.inbox import ClerkEvent, Outcome, Unreadable, WaitFor, find_handler
from coursecove.webhooks.ledger import Lease, LeaseLost

log = structlog.get_logger("coursecove.webhooks")

RELEASE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How long an attempt may take as a whole, per statement, and in waiting for a lock."""

    seconds: float
    statement_ms: int
    lock_ms: int

    @property
    def on_the_server(self) -> dict[str, str]:
        """The settings that make the server keep them."""
        return {"statement_timeout": f"{self.statement_ms}ms", "lock_timeout": f"{self.lock_ms}ms"}


# Kept by the server as well as here: a request must answer within half a second.
FAST = Limits(seconds=0.4, statement_ms=350, lock_ms=200)
# Shorter than the lease of a worker, so that it gives up before somebody else starts.
QUEUE = Limits(seconds=15.0, statement_ms=10_000, lock_ms=5_000)


@dataclass(frozen=True, slots=True)
class Result:
    """How an attempt ended; ``reason`` is the kind of trouble, for the log, and holds no content."""

    status: str
    outcome: str | None = None
    waiting_for: str | None = None
    reason: str | None = None


class _Envelope(msgspec.Struct):
    type: str
    data: msgspec.Raw


class _Entity(msgspec.Struct):
    id: str | None = None
    updated_at: int | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """The outside of an event: its type and which entity it is about, in which version."""

    event_type: str
    entity_id: str | None
    entity_version: int | None


def open_envelope(body: bytes) -> Opened:
    """Return what the outside of an event says; raises :class:`Unreadable` when it has none."""
    envelope = _envelope(body)
    name = envelope.type
    if not (name.isascii() and name.isprintable() and 0 < len(name) <= 100):
        raise Unreadable("The event's type is not a name.")
    try:
        entity = msgspec.json.decode(envelope.data, type=_Entity)
    except msgspec.DecodeError:
        return Opened(name, None, None)
    version = entity.updated_at
    return Opened(
        name,
        entity.id if entity.id and entity.id.isprintable() and len(entity.id) <= 255 else None,
        version if version is not None and abs(version) < 2**63 else None,
    )


def open_data(body: bytes) -> msgspec.Raw:
    """Return the raw JSON of what an event is about; raises :class:`Unreadable` when it has none."""
    return _envelope(body).data


def _envelope(body: bytes) -> _Envelope:
    try:
        return msgspec.json.decode(body, type=_Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"The message is not an event: {error}") from error


_STATE = text(
    "select status, outcome, waiting_for from webhook_events "
    "where source = :source and message_id = :message_id"
)


async def attempt(database: Database, lease: Lease, limits: Limits, *, started: float) -> Result:
    """Process a leased event once, log one line about it, and never raise for what went wrong.

    ``started`` is the ``time.monotonic()`` reading from which the work counts.
    """
    try:
        async with (
            asyncio.timeout(limits.seconds),
            database.platform_scope(limits=limits.on_the_server) as session,
        ):
            result = await _process(session, lease, started=started)
    except Exception as error:
        result = await give_back(database, lease, error, started=started)
    note(lease.message_id, lease.event_type, lease.path, result, started)
    return result


async def give_back(database: Database, lease: Lease, error: Exception, *, started: float) -> Result:
    """Write down why an attempt did not work and when the next one is due."""
    reason = type(error).__name__
    if isinstance(error, LeaseLost):
        return Result("processing", reason=reason)
    try:
        async with asyncio.timeout(RELEASE_SECONDS), database.platform_scope() as session:
            status = await ledger.release(
                session,
                lease,
                explain(error),
                milliseconds=_milliseconds(started),
                hopeless=isinstance(error, Unreadable),
            )
            if status is None:
                # The attempt was cut off while it committed, or after its lease was taken.
                state = await session.execute(_STATE, {"source": lease.source, "message_id": lease.message_id})
                return Result(*state.one())
    except Exception as trouble:
        # The lease runs out, and the sweep finds it.
        return Result("processing", reason=f"{reason}, then {type(trouble).__name__}")
    return Result(status, reason=reason)


async def _process(session: AsyncSession, lease: Lease, *, started: float) -> Result:
    handler = find_handler(lease.event_type)
    if handler is None:
        answer: Outcome | WaitFor = Outcome.IGNORED
    else:
        event = ClerkEvent(lease.message_id, lease.event_type, open_data(lease.body))
        answer = await handler(session, event)
    if isinstance(answer, WaitFor):
        status = await ledger.wait(session, lease, answer.key, milliseconds=_milliseconds(started))
        return Result(status, waiting_for=answer.key)
    await ledger.complete(session, lease, answer, milliseconds=_milliseconds(started))
    return Result("completed", outcome=str(answer))


def explain(error: Exception) -> str:
    """Return what went wrong in words for the operator's list of failures."""
    if isinstance(error, Unreadable):
        return str(error)
    if isinstance(error, TimeoutError):
        return "It took longer than it may."
    if isinstance(error, CourseCoveError):
        return error.detail or error.title
    if isinstance(error, DBAPIError):
        # Not the statement and its parameters: those are the person's data.
        diagnostics = getattr(error.orig, "diag", None)
        said = getattr(diagnostics, "message_primary", None) or type(error.orig).__name__
        return f"The database refused: {said}."
    return f"{type(error).__name__}: {error}"[:500].replace("\x00", "")


def _milliseconds(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


def note(message_id: str, event_type: str, path: str, result: Result, started: float) -> None:
    """Count an attempt that ended, and write the one line about it."""
    seconds = time.monotonic() - started
    metrics.count(event_type, path, result.status, result.outcome, seconds)
    write = log.error if result.status == "failed" else log.warning if result.reason else log.info
    details = {"waiting_for": result.waiting_for, "reason": result.reason}
    write(
        "webhook",
        message_id=message_id,
        event_type=event_type,
        path=path,
        status=result.status,
        outcome=result.outcome,
        duration_ms=_milliseconds(started),
        **{name: value for name, value in details.items() if value is not None},
    )
