"""The worker process: the queue's jobs and the periodic ones, on one event loop.

The imports below are its table of contents: each module registers its jobs,
its periodic jobs, its subscribers or what an event means to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Coroutine
from typing import Any, NoReturn

import structlog
from dramatiq import Broker, Middleware, Worker
from dramatiq.asyncio import EventLoopThread, get_event_loop_thread

import coursecove.events
import coursecove.notifications.clock_planning
import coursecove.notifications.reminders
import coursecove.notifications.subscribers
import coursecove.tenants.inbound
import coursecove.tenants.reconciliation.tasks
import coursecove.tenants.uploaded_lists
import coursecove.webhooks.tasks  # noqa: F401
from coursecove import jobs, periodic, startup
from coursecove.config import Settings
from coursecove.jobs import Queue, declare_actors, make_broker
from coursecove.resources import Resources, open_resources

log = structlog.get_logger("coursecove.worker")

THREADS = 8
# What a stop may take: jobs may finish, then the connections close, then it is over,
# with something left of the five seconds that are promised.
FINISH_SECONDS = 2.5
CLOSE_SECONDS = 1.0
FORCE_SECONDS = 4.0
# How quickly idle threads notice a stop.
IDLE_MILLISECONDS = 500


class Household(Middleware):
    """Opens the resources on the worker's event loop before the first job, and closes them after the last."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._resources: Resources | None = None
        self._stack = contextlib.AsyncExitStack()
        self._periodic: asyncio.Task[None] | None = None

    def resources(self) -> Resources:
        """Return what is open; raises RuntimeError outside the worker's life."""
        if self._resources is None:
            raise RuntimeError("the worker is not running")
        return self._resources

    def before_worker_boot(self, broker: Broker, _worker: Worker) -> None:
        """Open everything, on the loop where the jobs will run; nothing connects yet."""
        _on_loop(self._open(broker))

    def before_worker_shutdown(self, _broker: Broker, _worker: Worker) -> None:
        """Start no periodic job any more."""
        if self._periodic is not None:
            _loop_thread().loop.call_soon_threadsafe(self._periodic.cancel)

    def after_worker_shutdown(self, _broker: Broker, _worker: Worker) -> None:
        """End what is still running and give the connections back."""
        _on_loop(self._close())

    async def _open(self, broker: Broker) -> None:
        queue = Queue(broker)  # type: ignore[arg-type] # the one broker make_broker makes
        self._resources = await self._stack.enter_async_context(open_resources(self._settings, queue=queue))
        self._periodic = asyncio.create_task(periodic.run_forever(self._resources))

    async def _close(self) -> None:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=CLOSE_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._stack.aclose()
        self._resources = None


def run_worker(settings: Settings, *, threads: int = THREADS) -> NoReturn:
    """Work until SIGTERM or SIGINT; then let the running jobs finish and end the process within five seconds.

    Jobs that are cut off are taken up again: their rows are still due.  Redis
    and Postgres may be away at the start and at any time after.
    """
    # Blocked before any thread begins and waited for below: the kernel hands a
    # signal to whichever thread it likes, and only the main one would act on it.
    stops = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    broker = make_broker(settings.redis_url)
    household = Household(settings)
    broker.add_middleware(household)
    declare_actors(broker, household.resources)
    worker = Worker(broker, worker_threads=threads, worker_timeout=IDLE_MILLISECONDS)
    worker.start()
    startup.finish()
    log.info("worker_started", threads=threads, jobs=sorted(jobs.REGISTRY), periodic=sorted(periodic.REGISTRY))
    signal.sigwait(stops)
    log.info("worker_stopping")
    _end_by_force_after(FORCE_SECONDS)
    worker.stop(timeout=int(FINISH_SECONDS * 1000))
    broker.close()
    log.info("worker_stopped")
    _end_now()


def _end_by_force_after(seconds: float) -> None:
    """End the process even if a job, Redis or Postgres keeps a thread busy."""

    def end() -> None:
        log.warning("worker_stopped_by_force")
        os._exit(0)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


def _end_now() -> NoReturn:
    # Everything is closed.  Taking the interpreter apart took two more seconds on a
    # busy machine, when no thread of ours can cut it short any more.
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)


def _loop_thread() -> EventLoopThread:
    thread = get_event_loop_thread()
    if thread is None:
        raise RuntimeError("the worker's event loop is not running")
    return thread


def _on_loop(work: Coroutine[Any, Any, None]) -> None:
    _loop_thread().run_coroutine(work)
