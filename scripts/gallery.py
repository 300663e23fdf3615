"""Show every component and layout with made-up data: `make gallery`.

Serves on a free loopback port with the Content-Security-Policy of the product, so that what would be
blocked there is blocked here. Cookie `brand=<colour>` stands for a school's colour.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Iterator, Mapping
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote, urlsplit

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined

ROOT = Path(__file__).resolve().parent.parent
POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"


def environment() -> Environment:
    """Templates of the product and of the gallery; a name that is not defined is an error."""
    folders = [FileSystemLoader(ROOT / "templates"), FileSystemLoader(ROOT / "scripts/gallery")]
    return Environment(loader=ChoiceLoader(folders), autoescape=True, undefined=StrictUndefined)


def page(title: str, **more: Any) -> dict[str, Any]:
    """The context a page gets, for Clara Weiss at Harmony Music School."""
    portals = [
        {"label": "My lessons", "href": "/public.html", "current": False},
        {"label": "Teaching", "href": "/portal.html", "current": False},
        {"label": "Administration", "href": "/portal.html", "current": True},
    ]
    return {
        "title": title,
        "organization": {
            "name": "Harmony Music School",
            "slug": "musicschool",
            "initials": "HM",
            "logo_url": None,
            "time_zone": "Europe/Berlin",
        },
        "viewer": {
            "name": "Clara Weiss",
            "initials": "CW",
            "email": "clara@harmony.example",
            "image_url": None,
            "role": "admin",
            "portals": portals,
        },
        "nav": [],
        "flash": [],
        "csrf": {"name": "csrf_token", "token": "made-up"},
        **more,
    }


ADMIN_NAV = [
    {"label": "Overview", "href": "/portal.html", "icon": "layout-dashboard", "current": True},
    {"label": "Lessons", "href": "#", "icon": "calendar-days", "current": False},
    {"label": "Appointment types", "short": "Types", "href": "#", "icon": "tag", "current": False},
    {"label": "People", "href": "#", "icon": "users", "current": False},
    {"label": "Locations", "href": "#", "icon": "map-pin", "current": False},
    {"label": "Settings", "href": "#", "icon": "settings", "current": False},
]
STUDENT_NAV = [
    {"label": "Book", "href": "/booking.html", "icon": "calendar-plus", "current": True},
    {"label": "My lessons", "href": "/public.html", "icon": "calendar-check", "current": False},
]


OPENAPI = {
    "openapi": "3.1.0",
    "info": {"title": "CourseCove", "version": "1", "description": "What a school's program can do."},
    "servers": [{"url": "/api/v1"}],
    "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
    "paths": {
        "/bookings": {
            "get": {
                "tags": ["Bookings"],
                "summary": "List bookings",
                "operationId": "listBookings",
                "parameters": [{"name": "page", "in": "query", "schema": {"type": "integer", "enum": [1, 2]}}],
                "responses": {"200": {"description": "Bookings, newest first."}},
            }
        }
    },
}


def month() -> list[list[dict[str, Any]]]:
    """December as the day picker takes it: six weeks from Monday, some days free."""
    days: list[dict[str, Any]] = []
    for offset in range(35):
        number = offset if offset else 30
        if not 1 <= offset <= 31:
            days.append({"number": number if offset else 30, "label": "", "outside": True})
            continue
        free = offset > 2 and offset % 7 not in (6, 0) and offset % 5
        day = {
            "number": offset,
            "label": f"{offset} December, {'4 free times' if free else 'no free times'}",
            "today": offset == 3,
            "current": offset == 9,
        }
        days.append(day | {"href": f"?day={offset}"} if free else day)
    return [days[start : start + 7] for start in range(0, 35, 7)]


def pages() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, template and context of everything the gallery shows."""
    flash = [{"kind": "success", "text": "The location was saved."}]
    yield "components.html", "components.html", {"page": page("Components", nav=ADMIN_NAV)}
    yield "portal.html", "portal.html", {"page": page("Overview", nav=ADMIN_NAV, flash=flash)}
    yield "booking.html", "booking.html", {"page": page("Choose a time", nav=STUDENT_NAV), "month": month()}
    yield "public.html", "public.html", {"page": page("My lessons", nav=STUDENT_NAV)}
    yield "visitor.html", "public.html", {"page": page("Lessons at Harmony", viewer=None)}
    yield "platform.html", "platform.html", {"page": page("CourseCove", organization=None, viewer=None)}
    yield "sign-in.html", "sign-in.html", {"page": page("Sign in", viewer=None)}
    about = {"page": page("API", organization=None, viewer=None), "openapi_href": "/openapi.json"}
    yield "api.html", "layouts/api_docs.html", about
    yield "mail.html", "mail.html", {"organization": {"name": "Harmony Music School"}, "subject": "Your lesson"}
    for name in ("unknown_school", "401", "403", "404", "500", "503"):
        yield f"errors/{name}.html", f"errors/{name}.html", {"request_id": "req-7F3K"}


class Gallery(BaseHTTPRequestHandler):
    """One page per entry of pages(), and the static files."""

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path).lstrip("/") or "components.html"
        if path == "branding.css":
            brand = SimpleCookie(self.headers.get("Cookie", "")).get("brand")
            self.answer(f":root {{ --brand: {brand.value}; }}" if brand else "", "text/css")
        elif path == "openapi.json":
            self.answer(json.dumps(OPENAPI), "application/json")
        elif path.startswith("static/"):
            file = (ROOT / path).resolve()
            if file.is_file() and file.is_relative_to(ROOT / "static"):
                self.answer(file.read_bytes(), mimetypes.guess_type(file.name)[0] or "application/octet-stream")
            else:
                self.answer("", "text/plain", status=404)
        else:
            for name, template, context in pages():
                if name == path:
                    self.answer(environment().get_template(template).render(context), "text/html")
                    return
            self.answer("", "text/plain", status=404)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.path == "/broken":
            self.answer("<p>broken</p>", "text/html", status=500)
        else:
            trigger = '{"toast": {"kind": "success", "text": "The location was saved."}}'
            self.answer('<p id="swapped">Saved</p>', "text/html", headers={"HX-Trigger": trigger})

    def answer(
        self, body: str | bytes, kind: str, status: int = 200, headers: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Send one response; text goes out as UTF-8."""
        data = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8" if kind.startswith("text/") else kind)
        self.send_header("Content-Length", str(len(data)))
        # Mail is no page of ours: its inline styles are read by mail programs.
        if not self.path.startswith("/mail"):
            self.send_header("Content-Security-Policy", POLICY)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments: Any) -> None:
        """Quiet: the browser says what it could not load."""


def main() -> None:
    """Serve until interrupted."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gallery)
    address = f"http://127.0.0.1:{server.server_address[1]}"
    print("\n".join(f"{address}/{name}" for name, _, _ in pages()), flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
