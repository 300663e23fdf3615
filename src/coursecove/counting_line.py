"""One connection to Redis for a script that every request runs: questions follow one another without waiting.

A pool gives each question a connection and waits for its answer before the
next may use it; its layers cost several times what the script does.  Here the
questions of one turn of the event loop leave as one message, and answers come
back in their order.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError


class CountingLine:
    """Runs one Lua script for one event loop; connects when it is first asked, and again after a failure."""

    def __init__(self, redis: Redis, script: str) -> None:
        self._pool = redis.connection_pool
        self._script = script
        self._digest = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
        self._line: _Line | None = None
        self._connecting: asyncio.Task[_Line] | None = None

    async def ask(self, keys: Sequence[str], arguments: Sequence[int]) -> Any:
        """Return what the script answers; raises RedisError or OSError.  Who stops waiting disturbs nobody."""
        line = self._line
        if line is None or line.broken:
            line = await self._connected()
        try:
            return await line.ask("EVALSHA", self._digest, len(keys), *keys, *arguments)
        except NoScriptError:
            # A Redis that was restarted, or emptied, knows no scripts.
            return await line.ask("EVAL", self._script, len(keys), *keys, *arguments)

    def hang_up(self) -> None:
        """Give up the connection; whoever waits on it is told, and the next question makes another."""
        if self._line is not None:
            self._line.close()
            self._line = None

    async def aclose(self) -> None:
        """End it."""
        if self._connecting is not None:
            self._connecting.cancel()
        self.hang_up()

    async def _connected(self) -> _Line:
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect())
            self._connecting.add_done_callback(self._no_longer_connecting)
        # However many wait for it, it is made once, and no one who gives up takes it along.
        return await asyncio.shield(self._connecting)

    def _no_longer_connecting(self, done: asyncio.Task[_Line]) -> None:
        self._connecting = None
        if not done.cancelled():
            done.exception()  # whoever waits is told; that nobody does any more is no news

    async def _connect(self) -> _Line:
        # Whoever asks is patient for a while of their own, much shorter than what the pool allows.
        options = {**self._pool.connection_kwargs, "socket_timeout": None}
        connection = self._pool.connection_class(**options)
        await connection.connect()  # type: ignore[no-untyped-call] # redis-py has no types there
        self._line = _Line(connection)
        return self._line


class _Line:
    """An open connection, what is still to be sent on it, and who waits for which answer."""

    def __init__(self, connection: AbstractConnection) -> None:
        self.broken = False
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._unsent: list[bytes] = []
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._reading = asyncio.create_task(self._read())
        self._sending: asyncio.Task[None] | None = None

    def ask(self, *command: Any) -> asyncio.Future[Any]:
        """Return the answer to come."""
        answer: asyncio.Future[Any] = self._loop.create_future()
        if self.broken:
            answer.set_exception(RedisConnectionError("the connection has ended"))
            return answer
        self._waiting.append(answer)
        self._unsent += self._connection.pack_command(*command)
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())
        return answer

    def close(self) -> None:
        """End the connection; whoever waits is told."""
        self.broken = True
        self._reading.cancel()

    async def _send(self) -> None:
        try:
            while self._unsent:
                packed, self._unsent = self._unsent, []
                await self._connection.send_packed_command(packed, check_health=False)
        except (RedisError, OSError):
            self.close()
        finally:
            self._sending = None

    async def _read(self) -> None:
        error: Exception = RedisConnectionError("the connection has ended")
        try:
            while True:
                try:
                    found = await self._connection.read_response()
                except (RedisConnectionError, OSError):
                    raise
                except RedisError as refusal:
                    found = refusal
                answer = self._waiting.popleft()
                if answer.done():
                    continue
                if isinstance(found, Exception):
                    answer.set_exception(found)
                else:
                    answer.set_result(found)
        except (RedisError, OSError) as ended:
            error = ended
        finally:
            self.broken = True
            for answer in self._waiting:
                if not answer.done():
                    answer.set_exception(error)
            self._waiting.clear()
            await self._connection.disconnect(nowait=True)
