"""What a worker gets done: events whose work is one upsert, against an actor that does nothing."""

from __future__ import annotations

import os
import sys
import time
import uuid

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from redis import Redis

from benchmarks.house import House
from benchmarks.report import Claim, Report
from benchmarks.workloads.web import event_of
from coursecove.jobs import QUEUE
from coursecove.worker import THREADS

_FLOOR_QUEUE = "floor"


def measure(house: House, report: Report, *, quick: bool) -> None:
    """Fill a queue, start one process on it, and count what is done in the middle four fifths."""
    count = 600 if quick else 3000
    floors, ours = [], []
    for _ in range(1 if quick else 2):
        floors.append(_floor(house, count * 3))
        ours.append(_ours(house, count))
    floor, mine = max(floors), max(ours)
    report.add(
        Claim(
            "worker",
            "Worker, one process: webhook events, one upsert each",
            floor,
            mine,
            "/s",
            ratio=mine / floor,
            target="≥ 80 %",
            reached=mine / floor >= 0.8,
            note="floor: a dramatiq actor that does nothing, one process of eight threads",
        )
    )


def _floor(house: House, count: int) -> float:
    broker = RedisBroker(url=house.settings.redis_url, namespace="floor")  # type: ignore[no-untyped-call]
    broker.declare_queue(_FLOOR_QUEUE)
    for _ in range(count):
        broker.enqueue(
            dramatiq.Message(queue_name=_FLOOR_QUEUE, actor_name="nothing", args=(), kwargs={}, options={})
        )
    log = house.home / f"floor-{uuid.uuid4().hex[:6]}"
    with house.running("benchmarks.workloads.worker", FLOOR_LOG=str(log), FLOOR_COUNT=str(count)):
        deadline = time.monotonic() + 60
        while not log.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
    return float(log.read_text())


def _ours(house: House, count: int) -> float:
    messages = [f"msg_{uuid.uuid4().hex}" for _ in range(count)]
    with house.connect() as connection:
        with (
            connection.cursor() as cursor,
            cursor.copy(
                "copy webhook_events (source, message_id, event_type, entity_id, status, path, attempts, "
                "next_attempt_at, headers, body) from stdin"
            ) as stream,
        ):
            for message in messages:
                person = f"user_{uuid.uuid4().hex[:24]}"
                stream.write_row(
                    (
                        "clerk",
                        message,
                        "user.created",
                        person,
                        "pending",
                        "fast",
                        0,
                        "now",
                        "{}",
                        event_of(person),
                    )
                )
        client = Redis.from_url(house.settings.redis_url)
        broker = RedisBroker(client=client, namespace="coursecove")  # type: ignore[no-untyped-call]
        broker.declare_queue(QUEUE)
        for message in messages:
            broker.enqueue(
                dramatiq.Message(
                    queue_name=QUEUE,
                    actor_name="webhooks.process",
                    args=(),
                    kwargs={"source": "clerk", "message_id": message},
                    options={},
                )
            )
        with house.running("coursecove", "worker"):
            deadline = time.monotonic() + 90
            while time.monotonic() < deadline:
                row = connection.execute(
                    "select count(*) from webhook_events where message_id = any(%s) and status = 'completed'",
                    [messages],
                ).fetchone()
                if row == (count,):
                    break
                time.sleep(0.1)
        row = connection.execute(
            """
            with done as (
              select processed_at, percent_rank() over (order by processed_at) as place
              from webhook_events where message_id = any(%s) and status = 'completed'
            )
            select count(*) / nullif(extract(epoch from max(processed_at) - min(processed_at)), 0)
            from done where place between 0.1 and 0.9
            """,
            [messages],
        ).fetchone()
    assert row is not None
    return float(row[0])


def _serve_floor() -> None:
    """Be the worker of the floor: eight threads, an actor that does nothing, and a stopwatch."""
    broker = RedisBroker(url=os.environ["REDIS_URL"], namespace="floor")  # type: ignore[no-untyped-call]
    count = int(os.environ["FLOOR_COUNT"])
    done: list[float] = []

    @dramatiq.actor(actor_name="nothing", queue_name=_FLOOR_QUEUE, broker=broker)
    def nothing() -> None:
        done.append(time.perf_counter())

    worker = dramatiq.Worker(broker, worker_threads=THREADS)
    worker.start()
    while len(done) < count:
        time.sleep(0.02)
    done.sort()
    middle = done[count // 10 : count * 9 // 10]
    with open(os.environ["FLOOR_LOG"] + ".part", "w") as log:  # noqa: PTH123
        log.write(str((len(middle) - 1) / (middle[-1] - middle[0])))
    os.rename(os.environ["FLOOR_LOG"] + ".part", os.environ["FLOOR_LOG"])  # noqa: PTH104
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    _serve_floor()
