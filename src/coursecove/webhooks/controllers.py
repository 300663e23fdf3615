"""Where Clerk's events come in: ``POST /api/webhooks/clerk``, on any host.

A 200 means that the event is durable in Postgres, whatever became of it; the
sender must not send it again.  A 503 asks it to.  Never a redirect, which the
sender counts as a failure, and never a 410, which would end the subscription.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog
from litestar import Request, Response, post
from litestar.datastructures import State

from coursecove.resources import Resources
from coursecove.webhooks import ledger, metrics
from coursecove.webhooks.at_once import LIMITS, Done, finish
from coursecove.webhooks.inbox import Unreadable
from coursecove.webhooks.ledger import Lease, Received
from coursecove.webhooks.processing import FAST, Result, attempt, give_back, note, open_envelope
from coursecove.webhooks.signatures import BadSignature, Signed, verify
from coursecove.webhooks.wakeups import nudge

log = structlog.get_logger("coursecove.webhooks")

T = TypeVar("T")

SOURCE = "clerk"
MAX_BODY_BYTES = 256 * 1024
READ_SECONDS = 10.0
INSERT_SECONDS = 3.0
ANSWER_SECONDS = 0.5
LEAST_SECONDS = 0.1
RETRY_AFTER_SECONDS = 5
# Events that stall must leave connections of the platform's for writing down the next
# ones: fewer than there are process at a time, and what is done in one message is soon over.
FAST_LANES = 3
AT_ONCE_LANES = 5
LANE_SECONDS = 0.15
KEPT_HEADERS = ("content-type", "user-agent")

_background: set[asyncio.Task[Any]] = set()


class _TooLarge(Exception):
    """The body is larger than any event."""


@post(
    "/api/webhooks/clerk",
    name="webhooks:clerk",
    operation_id="receiveClerkEvent",
    summary="Receive a signed event from Clerk",
    include_in_schema=False,
    # Bounded below, with an answer of our own; the framework's limit is for everything else.
    request_max_body_size=None,
    status_code=200,
)
async def clerk_webhook(request: Request[Any, Any, State]) -> Response[dict[str, Any]]:
    """Take in one event; see the module for what each answer promises."""
    started = time.monotonic()
    resources: Resources = request.app.state.resources
    try:
        async with asyncio.timeout(READ_SECONDS):
            body = await _read(request)
    except _TooLarge:
        return _refusal(413, "too_large", "The message is larger than 256 KB")
    except TimeoutError:
        return _refusal(408, "too_slow", "The message did not arrive within 10 seconds")
    try:
        signed = verify(body, request.headers, resources.settings.clerk_webhook_secrets)
    except BadSignature as error:
        log.warning("webhook_refused", source=SOURCE, reason=str(error))
        return _refusal(400, "bad_signature", "The signature does not fit the message")
    message = _received(body, signed, request)
    done = await _at_once(resources, request.app.state, message, started=started)
    if done is not None:
        nudge(resources.queue, done.woken)
        return Response(_answer(done.result), status_code=200)
    try:
        lease = await _within(INSERT_SECONDS, _write_down(resources, message))
    except Exception as error:
        log.error("webhook_not_stored", message_id=message.message_id, reason=type(error).__name__)
        return _refusal(
            503,
            "unavailable",
            "The message could not be stored; please send it again",
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        )
    if isinstance(lease, Result):
        _log_line(message, lease, started)
        return Response(_answer(lease), status_code=200)
    try:
        left = max(ANSWER_SECONDS - (time.monotonic() - started), LEAST_SECONDS)
        result = await _within(left, _try_now(resources, request.app.state, lease, started=started))
    except TimeoutError:
        # It goes on in the background; whatever becomes of it is written in its row.
        result = Result("pending", reason="TimeoutError")
    if result.status == "pending" and result.waiting_for is None:
        nudge(resources.queue, [(lease.source, lease.message_id)])
    return Response(_answer(result), status_code=200)


async def _read(request: Request[Any, Any, State]) -> bytes:
    """Return the body, reading no more than an event may have, whatever Content-Length claims."""
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:12]) > MAX_BODY_BYTES:
        raise _TooLarge
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise _TooLarge
        chunks.append(chunk)
    return b"".join(chunks)


def _received(body: bytes, signed: Signed, request: Request[Any, Any, State]) -> Received:
    headers = {name: request.headers[name][:200] for name in KEPT_HEADERS if name in request.headers}
    headers["svix-timestamp"] = signed.timestamp[:32]
    try:
        opened = open_envelope(body)
    except Unreadable as error:
        return Received(SOURCE, signed.message_id, "unreadable", None, None, headers, body, error=str(error))
    return Received(
        SOURCE,
        signed.message_id,
        opened.event_type,
        opened.entity_id,
        opened.entity_version,
        headers,
        body,
    )


async def _at_once(resources: Resources, state: State, message: Received, *, started: float) -> Done | None:
    """Be done with the message in one go when there is room and nothing in the way; None: nothing was written.

    None as well when that is not known in time.  Whatever still comes of it
    meets the ledger's key when the ordinary way writes the same message down.
    """
    if message.error is not None:
        return None
    lanes = _lanes(state, "webhooks_at_once", AT_ONCE_LANES)
    try:
        async with asyncio.timeout(LANE_SECONDS):
            await lanes.acquire()
    except TimeoutError:
        return None

    async def work() -> Done | None:
        try:
            return await finish(resources.database, message, started=started)
        finally:
            lanes.release()

    try:
        done = await _within(LIMITS.seconds, work())
    except Exception:
        # Why, the ordinary way finds out and writes down.
        return None
    if done is not None:
        note(message.message_id, message.event_type, "fast", done.result, started)
    return done


async def _write_down(resources: Resources, message: Received) -> Lease | Result:
    """Make the message durable; return the lease on it, or what it is when there is nothing to process."""
    async with resources.database.platform_scope() as session:
        lease = await ledger.receive(session, message)
        overdue = lease is None and await ledger.is_due(session, message.source, message.message_id)
    if lease is None:
        if overdue:
            nudge(resources.queue, [(message.source, message.message_id)])
        return Result("duplicate")
    return Result("failed", reason="Unreadable") if message.error is not None else lease


async def _try_now(resources: Resources, state: State, lease: Lease, *, started: float) -> Result:
    """Process the event in this request when there is room; leave it to a worker otherwise."""
    lanes = _lanes(state, "webhooks_processing", FAST_LANES)
    try:
        async with asyncio.timeout(LANE_SECONDS):
            await lanes.acquire()
    except TimeoutError as busy:
        return await give_back(resources.database, lease, busy, started=started)
    try:
        return await attempt(resources.database, lease, FAST, started=started)
    finally:
        lanes.release()


def _lanes(state: State, name: str, count: int) -> asyncio.Semaphore:
    lanes: asyncio.Semaphore | None = state.get(name)
    if lanes is None:
        lanes = asyncio.Semaphore(count)
        state[name] = lanes
    return lanes


async def _within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """Return the result of ``work``, or raise TimeoutError and leave it running.

    Cancelling would have to wait for a server that does not answer; and a
    sender that hangs up must not take down what is half done.
    """
    task = asyncio.create_task(work)
    _background.add(task)
    task.add_done_callback(_forget)
    done, _ = await asyncio.wait({task}, timeout=seconds)
    if not done:
        raise TimeoutError
    return task.result()


def _forget(task: asyncio.Task[Any]) -> None:
    _background.discard(task)
    if not task.cancelled():
        task.exception()


def _answer(result: Result) -> dict[str, Any]:
    answer = {"status": "pending" if result.status == "processing" else result.status}
    return answer | ({"outcome": result.outcome} if result.outcome else {})


def _refusal(
    status: int, code: str, title: str, *, headers: dict[str, str] | None = None
) -> Response[dict[str, Any]]:
    return Response(
        {"type": "about:blank", "title": title, "status": status, "code": code},
        status_code=status,
        media_type="application/problem+json",
        headers=headers,
    )


def _log_line(message: Received, result: Result, started: float) -> None:
    metrics.count(message.event_type, "fast", result.status, result.outcome)
    write = log.error if result.status == "failed" else log.info
    write(
        "webhook",
        message_id=message.message_id,
        event_type=message.event_type,
        path="fast",
        status=result.status,
        outcome=None,
        duration_ms=round((time.monotonic() - started) * 1000),
    )
