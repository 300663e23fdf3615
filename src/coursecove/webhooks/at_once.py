"""The quick way through the inbox: event, change and final status in one message and one commit.

Only for events whose whole change is one statement, and for those that mean
nothing here.  Whatever stands in the way (a lock, a message that is known, a
slow server) undoes all of it, and the ordinary way begins as if nothing had
been tried: durable first, then processed under a lease.  See
docs/decisions/0010-acknowledged-in-one-message.md.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

import msgspec

from coursecove.db.session import Database
from coursecove.db.together import send_to_platform
from coursecove.webhooks.inbox import ClerkEvent, find_at_once, find_handler, given
from coursecove.webhooks.ledger import Received
from coursecove.webhooks.processing import Limits, Result, open_data

# Nothing here may keep a request from the ordinary way, which has half a second.
LIMITS = Limits(seconds=0.2, statement_ms=150, lock_ms=50)

_LIMITS = (
    f"select set_config('statement_timeout', '{LIMITS.statement_ms}ms', true), "
    f"set_config('lock_timeout', '{LIMITS.lock_ms}ms', true)"
)
_NOTHING = "written as (select 1 where false)"
# A known message breaks the ledger's key, and with it everything that came before.
_STATEMENT = """
with {changes}, woken as (
  update webhook_events set next_attempt_at = now(), woken_at = null, updated_at = now()
  where waiting_for = %(entity)s and status = 'pending' and exists (select from written)
  returning source, message_id
), noted as (
  insert into webhook_events
    (source, message_id, event_type, entity_id, entity_version, headers, body, path, status, outcome, attempts,
     processed_at, processing_ms)
  select %(source)s, %(message_id)s, %(event_type)s, %(entity_id)s, %(entity_version)s, %(headers)s::jsonb,
    %(body)s, 'fast', 'completed', {outcome}, 1, clock_timestamp(), %(milliseconds)s
)
select {outcome}, (select json_agg(json_build_array(source, message_id))::text from woken)
"""
_APPLIED = "case when exists (select from written) then 'applied' else 'superseded' end"


class Done(msgspec.Struct, frozen=True):
    """The message is durable and has done what it means; ``woken`` are those that waited for that."""

    result: Result
    woken: list[tuple[str, str]]


async def finish(database: Database, message: Received, *, started: float) -> Done | None:
    """Take a message in and be done with it; None when it cannot be so, and nothing was written.

    Raises what the database says, with the same promise.
    """
    describe = find_at_once(message.event_type)
    if describe is None and find_handler(message.event_type) is not None:
        return None
    values: dict[str, Any] = {
        "source": message.source,
        "message_id": message.message_id,
        "event_type": message.event_type,
        "entity_id": message.entity_id,
        "entity_version": message.entity_version,
        "headers": msgspec.json.encode(message.headers).decode(),
        "body": message.body,
        "milliseconds": round((time.monotonic() - started) * 1000),
        "entity": None,
    }
    statements = [_LIMITS]
    if describe is None:
        statements.append(_statement(_NOTHING, "'ignored'"))
    else:
        event = ClerkEvent(message.message_id, message.event_type, open_data(message.body))
        change = describe(event)
        table, given_values = given([change])
        values |= {**given_values, "entity": change.entity}
        # Counted, so that one row comes of it whatever the number of locks; taken after the limits are set.
        statements = [
            f"{_LIMITS}, (select count(*) from ({change.lock}) taken)",  # noqa: S608 - no values
            _statement(f"{table}, {change.changes}", _APPLIED),
        ]
    *_, [(outcome, woken)] = await send_to_platform(database, statements, values)
    return Done(
        Result("completed", outcome=outcome),
        [(source, id_) for source, id_ in msgspec.json.decode(woken or "[]")],
    )


@lru_cache(maxsize=16)
def _statement(changes: str, outcome: str) -> str:
    return _STATEMENT.format(changes=changes, outcome=outcome)
