"""What the tests of the stand-in share: it, on a real socket, and somebody who receives its webhooks."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from coursecove.config import Settings, load_settings
from coursecove.dev.clerk.app import create_clerk_app
from coursecove.dev.clerk.stand_in import ClerkStandIn

BASE_DOMAIN = "coursecove.localhost"
ORIGIN = f"http://musicschool.{BASE_DOMAIN}:8000"


@contextlib.contextmanager
def served(make_app: Callable[[int], Any]) -> Iterator[int]:
    """Serve an ASGI application on a free port of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(make_app(port), log_level="warning", lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            wait_until(lambda: server.started)
            yield port
        finally:
            server.should_exit = True
            thread.join(10)


@contextlib.contextmanager
def standing_clerk(folder: Path, *, seeded: bool = True, **options: Any) -> Iterator[ClerkStandIn]:
    """A stand-in that listens."""
    made: list[ClerkStandIn] = []

    def make_app(port: int) -> Any:
        stand_in = ClerkStandIn(folder=folder, base_domain=BASE_DOMAIN, port=port, **options)
        if seeded:
            stand_in.seed_world()
        made.append(stand_in)
        return create_clerk_app(stand_in)

    with served(make_app):
        yield made[0]


def settings_for(stand_in: ClerkStandIn, **more: str) -> Settings:
    return load_settings(
        {
            "APP_ENV": "test",
            "DATABASE_URL": "postgresql://coursecove_app:x@127.0.0.1/coursecove",
            "REDIS_URL": "redis://127.0.0.1:6379/0",
            "BASE_DOMAIN": BASE_DOMAIN,
            "PUBLIC_SCHEME": "http",
            "SMTP_URL": "smtp://127.0.0.1:2525",
            **stand_in.environment(),
            **more,
        }
    )


def backend(stand_in: ClerkStandIn) -> httpx.Client:
    """The Backend API, with the key."""
    return httpx.Client(base_url=stand_in.api_url, headers={"Authorization": f"Bearer {stand_in.secret_key}"})


class Browser(httpx.Client):
    """A browser on a page of the music school: sends its Origin, keeps the stand-in's cookie."""

    def __init__(self, stand_in: ClerkStandIn, *, origin: str = ORIGIN) -> None:
        super().__init__(
            base_url=f"http://127.0.0.1:{stand_in.port}",
            headers={"Host": stand_in.frontend_api_host, "Origin": origin},
        )

    def sign_in(self, user_id: str, organization_id: str | None = None) -> dict[str, Any]:
        answer = self.post("/v1/client/sign_ins", json={"user_id": user_id, "organization_id": organization_id})
        session: dict[str, Any] = answer.raise_for_status().json()["response"]["sessions"][0]
        return session


@dataclass
class Receiver:
    """Somebody who is sent webhooks; ``answers`` are given in turn, then 200 for ever."""

    answers: list[int] = field(default_factory=list)
    received: list[tuple[float, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    @property
    def types(self) -> list[str]:
        import json

        return [json.loads(body)["type"] for _, _, body in self.received]


@contextlib.contextmanager
def receiving(*answers: int) -> Iterator[Receiver]:
    receiver = Receiver(list(answers))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = receiver.answers.pop(0) if receiver.answers else 200
            receiver.received.append((time.monotonic(), headers, body))
            self.send_response(status)
            if status in (301, 302, 307):
                self.send_header("Location", receiver.url)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/api/webhooks/clerk"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def wait_until(condition: Callable[[], bool], *, seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.01)
