"""The stand-in for Clerk, the SMTP server and the mailbox page, in one process.

``coursecove dev services`` runs it; the demo starts that as one of its
commands.  Addresses come from the same settings the product reads.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import httpx
import uvicorn

from coursecove.dev.clerk.app import create_clerk_app
from coursecove.dev.clerk.stand_in import ClerkStandIn
from coursecove.dev.mailbox import Mailbox, MailServer
from coursecove.dev.mailbox_pages import create_mailbox_app


class _Quiet(uvicorn.Server):
    """A server among others in one process: signals are the process's business."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        yield


async def serve(
    stand_in: ClerkStandIn | None,
    *,
    folder: Path,
    smtp_port: int,
    mailbox_port: int,
    web_address: str | None,
    stop: asyncio.Event,
) -> None:
    """Serve until ``stop`` is set.

    With ``web_address`` the demo world is made as soon as the web process
    answers there, so that the first webhook does not have to be sent twice.
    """
    mail = MailServer(folder / "mail", port=smtp_port)
    mail.start()
    try:
        servers = [_server(create_mailbox_app(Mailbox(folder / "mail")), mailbox_port)]
        if stand_in is not None:
            servers.append(_server(create_clerk_app(stand_in), stand_in.port))
        async with asyncio.TaskGroup() as tasks:
            for server in servers:
                tasks.create_task(server.serve())
            if stand_in is not None and web_address is not None:
                seeding = tasks.create_task(_seed_when_ready(stand_in, web_address))
            else:
                seeding = None
            await stop.wait()
            for server in servers:
                server.should_exit = True
            if seeding is not None:
                seeding.cancel()
    finally:
        mail.stop()


def _server(app: object, port: int) -> uvicorn.Server:
    return _Quiet(
        uvicorn.Config(
            app,  # type: ignore[arg-type] # any ASGI application
            host="127.0.0.1",
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
    )


async def _seed_when_ready(stand_in: ClerkStandIn, web_address: str) -> None:
    async with httpx.AsyncClient(base_url=web_address, timeout=2, trust_env=False) as http:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if (await http.get("/health/ready")).status_code == 200:
                    break
            await asyncio.sleep(0.05)
    stand_in.seed_world()
