"""The load: a process of its own that asks over kept-alive connections, one request after another on each.

It reads one JSON object per line from standard input and answers each with one
line: how many answers came in the time, which statuses, and how long each took.
Never more requests are under way than there are connections, so a slow server
is asked less often and its latency is not the length of a queue.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

import uvloop


class Answers:
    """What came back in one run."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.broken = 0
        self.bytes = 0


class Asker(asyncio.Protocol):
    """One connection: sends the next request as soon as the last answer is complete."""

    def __init__(self, requests: Iterator[bytes], answers: Answers, begins: float, ends: float) -> None:
        self._requests, self._answers = requests, answers
        self._begins, self._ends = begins, ends
        self._buffer = bytearray()
        self._needed = -1
        self._status = 0
        self._asked = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._needed < 0:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._buffer[:end]).lower()
            self._status = int(head[9:12])
            length = head.find(b"\r\ncontent-length:")
            if length < 0:
                # Our servers always say how long an answer is; anything else is a finding.
                self._answers.broken += 1
                self._finish()
                return
            stop = head.find(b"\r\n", length + 2)
            self._needed = end + 4 + int(head[length + 17 : stop if stop > 0 else None])
        if len(self._buffer) < self._needed:
            return
        now = time.perf_counter()
        if self._asked >= self._begins:
            self._answers.waits.append(now - self._asked)
            self._answers.statuses[self._status] += 1
            self._answers.bytes += self._needed
        self._buffer.clear()
        self._needed = -1
        if now < self._ends:
            self._ask()
        else:
            self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self._answers.broken += 1
            self.done.set_result(None)

    def _ask(self) -> None:
        request = next(self._requests, None)
        if request is None or self._transport is None:
            self._finish()
            return
        self._asked = time.perf_counter()
        self._transport.write(request)

    def _finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)
        if self._transport is not None:
            self._transport.close()


async def ask(run: dict[str, Any]) -> dict[str, Any]:
    """Ask for so many seconds after the warm-up (or until the requests are used up); return what was seen."""
    requests = [base64.b64decode(request) for request in run["requests"]]
    shared = itertools.cycle(requests) if run["again"] else iter(requests)
    answers = Answers()
    loop = asyncio.get_running_loop()
    now = time.perf_counter()
    begins = now + run["warm_up"]
    ends = begins + run["seconds"]
    askers = []
    for _ in range(run["connections"]):
        _transport, asker = await loop.create_connection(
            lambda: Asker(shared, answers, begins, ends), run["host"], run["port"]
        )
        askers.append(asker)
    await asyncio.wait([asker.done for asker in askers], timeout=run["warm_up"] + run["seconds"] + 30)
    took = min(time.perf_counter(), ends) - begins
    waits = sorted(answers.waits)

    def quantile(share: float) -> float:
        return waits[min(len(waits) - 1, int(share * len(waits)))] * 1000 if waits else 0.0

    return {
        "answers": len(waits),
        "seconds": took,
        "per_second": len(waits) / took if took > 0 else 0.0,
        "p50_ms": quantile(0.5),
        "p90_ms": quantile(0.9),
        "p99_ms": quantile(0.99),
        "longest_ms": quantile(1.0),
        "statuses": {str(status): count for status, count in answers.statuses.items()},
        "broken": answers.broken,
        "bytes": answers.bytes,
    }


async def race(run: dict[str, Any]) -> dict[str, Any]:
    """Open every connection first, send all requests at once, and return each status and the whole time."""
    requests = [base64.b64decode(request) for request in run["requests"]]
    streams = [await asyncio.open_connection(run["host"], run["port"]) for _ in requests]

    async def one(request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        writer.close()
        return int(head[9:12])

    began = time.perf_counter()
    statuses = await asyncio.gather(
        *(one(request, *stream) for request, stream in zip(requests, streams, strict=True))
    )
    return {"statuses": statuses, "milliseconds": (time.perf_counter() - began) * 1000}


def main() -> None:
    """Serve runs until the other end closes; nothing is left behind when it ends badly."""
    parent = os.getppid()
    for line in sys.stdin:
        run = json.loads(line)
        result = uvloop.run(race(run) if run.get("race") else ask(run))
        print(json.dumps(result), flush=True)
        if os.getppid() != parent:
            break


if __name__ == "__main__":
    main()
