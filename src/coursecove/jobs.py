"""Work that happens after the answer: named jobs, sent after commit.

A job is an async function with a name in the form ``room.verb``.  Its message
carries ids only, and its organization.  Redis is a wake-up, Postgres is the
truth: whatever a job is for can be found again by a sweep in
:mod:`coursecove.periodic`, so a lost message costs seconds, never work.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dramatiq
import structlog
from dramatiq.asyncio import async_to_sync
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import (
    AgeLimit,
    AsyncIO,
    Callbacks,
    Middleware,
    Pipelines,
    Retries,
    ShutdownNotifications,
    TimeLimit,
)
from redis import Redis
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.db.session import after_commit

if TYPE_CHECKING:
    from coursecove.resources import Resources

log = structlog.get_logger("coursecove.jobs")

QUEUE = "coursecove"
JobFunction = Callable[..., Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Job:
    """A named unit of background work; ``run`` takes the resources and the message's ids."""

    name: str
    run: JobFunction
    #: Says from memory that a message has nothing left to do; asked before anything else.
    needless: Callable[..., bool] | None = None


REGISTRY: dict[str, Job] = {}


def job(name: str, *, needless: Callable[..., bool] | None = None) -> Callable[[JobFunction], Job]:
    """Register an async function as the job ``name`` (``room.verb``)."""

    def register(function: JobFunction) -> Job:
        if name in REGISTRY:
            raise ValueError(f"job {name} is registered twice")
        REGISTRY[name] = Job(name, function, needless)
        return REGISTRY[name]

    return register


def make_broker(redis_url: str) -> RedisBroker:
    """Return a dramatiq broker with the middleware our jobs need.

    dramatiq's own retries stay at one quick repeat: attempts, backoff and
    failure are facts in Postgres, where people can see them.
    """
    middleware: list[Middleware] = [
        AgeLimit(),
        TimeLimit(time_limit=60_000),
        ShutdownNotifications(),
        Callbacks(),
        Pipelines(),
        Retries(max_retries=1, min_backoff=1_000),
        AsyncIO(),
    ]
    return RedisBroker(  # type: ignore[no-untyped-call]
        # A client of our own: beside a URL the broker ignores time limits, and a
        # Redis that does not answer would hold whoever sends for five seconds.
        client=Redis.from_url(redis_url, socket_connect_timeout=1, socket_timeout=2),
        middleware=middleware,
        namespace="coursecove",
    )


class Queue:
    """The sending side of the broker."""

    def __init__(self, broker: RedisBroker) -> None:
        self.broker = broker

    async def send(self, job: Job, **ids: uuid.UUID | str | int) -> None:
        """Send a wake-up now.  Raises when Redis does not answer: callers after commit only log it."""
        message: dramatiq.Message[None] = dramatiq.Message(
            queue_name=QUEUE,
            actor_name=job.name,
            args=(),
            kwargs={name: value if isinstance(value, int) else str(value) for name, value in ids.items()},
            options={},
        )
        # The broker's client blocks, and the queue has to be declared before
        # its first message, which the broker does once per process.
        await asyncio.to_thread(self._send, message)

    def _send(self, message: dramatiq.Message[None]) -> None:
        if QUEUE not in self.broker.queues:
            self.broker.declare_queue(QUEUE)
        self.broker.enqueue(message)


def enqueue(session: AsyncSession, job: Job, **ids: uuid.UUID | str | int) -> None:
    """Send ``job`` once this unit of work is durable, carrying its organization if it has one."""
    queue: Queue = session.info["queue"]
    organization_id = session.info.get("organization_id")
    if organization_id is not None:
        ids = {"organization_id": organization_id, **ids}

    async def send() -> None:
        # In the background: the work is durable and a sweep knows of it, so a
        # Redis that hangs must not hold up anybody's answer.
        task = asyncio.create_task(queue.send(job, **ids))
        _under_way.add(task)
        task.add_done_callback(_sent)

    after_commit(session, send)


# The event loop keeps weak references only.
_under_way: set[asyncio.Task[None]] = set()


def _sent(task: asyncio.Task[None]) -> None:
    _under_way.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        log.warning("wake_up_not_sent", error=type(error).__name__)


def declare_actors(broker: RedisBroker, resources: Callable[[], Resources]) -> None:
    """Declare an actor for every registered job; the worker process does this once."""
    for registered in REGISTRY.values():
        declare = dramatiq.actor(actor_name=registered.name, queue_name=QUEUE, broker=broker)
        declare(_perform(registered, resources))


def _perform(registered: Job, resources: Callable[[], Resources]) -> Callable[..., None]:
    async def work(**ids: Any) -> None:
        structlog.contextvars.bind_contextvars(job=registered.name)
        try:
            await registered.run(resources(), **ids)
        finally:
            structlog.contextvars.unbind_contextvars("job")

    on_the_loop = async_to_sync(work)

    def perform(**ids: Any) -> None:
        # In the thread that took the message: going to the loop and back is most of what one costs.
        if registered.needless is None or not registered.needless(**ids):
            on_the_loop(**ids)

    return perform
