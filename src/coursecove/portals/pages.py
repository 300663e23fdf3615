"""Drawing a page: the template engine, what every page knows, and what is said after a form.

Templates get views and words, never database rows.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import available_timezones

import msgspec
from jinja2 import Environment
from litestar import Request, Response
from litestar.datastructures import Cookie
from litestar.response import Redirect

from coursecove import formatting, i18n
from coursecove.config import Settings, project_data
from coursecove.i18n import N_, _
from coursecove.identity.authentication import SignedIn
from coursecove.identity.cookies import own_name
from coursecove.portals import csrf
from coursecove.templating import template_engine
from coursecove.tenants.guards import identity_of
from coursecove.tenants.operators import Operator
from coursecove.tenants.schemas import MemberView, OrganizationView

AnyRequest = Request[Any, Any, Any]
_ZONES = frozenset(available_timezones())
CLERK_SCRIPT = "/npm/@clerk/clerk-js@5/dist/clerk.browser.js"


class Undo(msgspec.Struct, frozen=True):
    """The form that takes back what was just done: posted to ``action``, a path of this host."""

    action: str
    fields: list[tuple[str, str]]


class Flash(msgspec.Struct, frozen=True):
    """A sentence shown once, on the next page, and a way back where there is one."""

    kind: str
    text: str
    undo: Undo | None = None


@dataclass(frozen=True, slots=True)
class NavLink:
    """An entry of a portal's navigation."""

    label: str
    href: str
    icon: str
    short: str | None = None
    #: The heading it stands under, beside its neighbours of the same group.
    group: str | None = None


STUDENT_NAV = (
    NavLink(N_("Lessons"), "/", "calendar-plus", N_("Book")),
    NavLink(N_("My lessons"), "/lessons", "calendar-check"),
    NavLink(N_("Settings"), "/settings", "settings"),
)


@cache
def environment() -> Environment:
    """Return the template engine of all pages."""
    return template_engine()


def prepare() -> None:
    """Compile the pages of students, so that the first does not wait for it; others at their first use."""
    for name in environment().list_templates(extensions=["html"]):
        if name.startswith(("layouts/", "components/", "student/")):
            environment().get_template(name)
            # Requests come first.
            time.sleep(0.002)


@cache
def static_version() -> str:
    """Return a fingerprint of the stylesheet and scripts, so that they may be cached for long."""
    digest = hashlib.sha256()
    folder = project_data("static")
    for path in sorted([*Path(folder, "css").glob("*.css"), *Path(folder, "js").glob("*.js")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def viewer_zone(request: AnyRequest, default: str) -> str:
    """Return the zone the person chose, else the one their browser said it is in, else ``default``."""
    if chosen := request.scope["state"].get("chosen_zone"):
        return str(chosen)
    return browser_zone(request) or default


def browser_zone(request: AnyRequest) -> str | None:
    """Return the zone the person's browser said it is in, if it did."""
    zone = request.cookies.get(_own_cookie(request, "tz"), "").replace("%2F", "/")
    return zone if zone in _ZONES else None


def _portals(member: MemberView, current: str) -> list[dict[str, Any]]:
    found = [("student", _("Book lessons"), "/")]
    if member.role in ("instructor", "admin"):
        found.append(("teach", _("Teaching"), "/teach"))
    if member.role == "admin":
        found.append(("admin", _("Administration"), "/admin"))
    return [{"label": label, "href": href, "current": name == current} for name, label, href in found]


def _languages() -> list[dict[str, Any]]:
    return [
        {"code": code, "name": name, "current": code == i18n.language()}
        for code, name in i18n.LANGUAGES.items()
    ]


def clerk_context(settings: Settings) -> dict[str, str]:
    """Return what a page needs to load Clerk's script."""
    return {
        "publishable_key": settings.clerk_publishable_key,
        "script": settings.clerk_frontend_api + CLERK_SCRIPT,
    }


def page_context(
    request: AnyRequest,
    title: str,
    *,
    portal: str = "student",
    nav: tuple[NavLink, ...] = (),
    breadcrumb: list[dict[str, Any]] | None = None,
    description: str | None = None,
) -> dict[str, Any]:
    """Return ``page``, what the layouts read; docs/design.md describes it."""
    settings: Settings = request.app.state.resources.settings
    state = request.scope["state"]
    organization: OrganizationView | None = state.get("organization")
    member: MemberView | None = state.get("member")
    operator: Operator | None = state.get("operator")
    path = request.url.path
    viewer = None
    if member is not None:
        viewer = {
            "name": member.name,
            "initials": formatting.initials(member.name),
            "email": member.email or "",
            "image_url": member.image_url,
            "role": member.role,
            "portals": _portals(member, portal),
        }
    elif operator is not None:
        viewer = {
            "name": operator.name,
            "initials": formatting.initials(operator.name),
            "email": operator.email or operator.clerk_id,
            "image_url": operator.image_url,
            "role": "operator",
            "portals": [{"label": "Platform", "href": "/platform", "current": True}],
        }
    elif isinstance(identity_of(request), SignedIn):
        # Signed in, but not (yet) a member here: there is somebody to sign out.
        viewer = {
            "name": _("Guest"),
            "initials": "?",
            "email": _("Not a member yet") if organization else _("Signed in"),
            "image_url": None,
            "role": "guest",
            "portals": [],
        }
    best = max((link.href for link in nav if _covers(link.href, path)), key=len, default=None)
    return {
        "title": title,
        "lang": i18n.language(),
        # The bare domain, where CourseCove's operators work, speaks English.
        "languages": _languages() if organization else [],
        "here": path + (f"?{request.url.query}" if request.method == "GET" and request.url.query else ""),
        "description": description,
        "organization": organization
        and {
            "name": organization.name,
            "slug": organization.slug,
            "initials": formatting.initials(organization.name),
            "logo_url": organization.logo_url,
            "time_zone": organization.time_zone,
        },
        "viewer": viewer,
        "nav": [
            {
                "label": _(link.label),
                "short": _(link.short or link.label),
                "href": link.href,
                "icon": link.icon,
                "group": _(link.group) if link.group else None,
                "current": link.href == best,
            }
            for link in nav
        ],
        "home_href": {"admin": "/admin", "teach": "/teach"}.get(portal, "/") if not operator else "/platform",
        "breadcrumb": breadcrumb or [],
        "flash": read_flash(request),
        "clerk": clerk_context(settings),
        "csrf": csrf.for_page(request),
        "sign_in_href": f"/sign-in?return_to={quote(path)}",
        "platform_href": settings.origin(),
        "version": static_version(),
    }


def _covers(href: str, path: str) -> bool:
    return path == href or (href not in ("/", "/admin", "/teach", "/platform") and path.startswith(href + "/"))


def render(
    request: AnyRequest,
    template: str,
    page: dict[str, Any],
    *,
    status_code: int = 200,
    headers: dict[str, str] | None = None,
    **context: Any,
) -> Response[bytes]:
    """Draw a page; flash messages it showed are forgotten."""
    html = environment().get_template(template).render(page=page, **context)
    response = Response(html.encode(), media_type="text/html", status_code=status_code, headers=headers)
    if page["flash"]:
        response.set_cookie(_flash_cookie(request, "", max_age=0))
    return response


def part(template: str, **context: Any) -> Response[bytes]:
    """Draw a part of a page that a script puts into one."""
    html = environment().get_template(template).render(**context)
    return Response(html.encode(), media_type="text/html")


def _own_cookie(request: AnyRequest, name: str) -> str:
    settings: Settings = request.app.state.resources.settings
    return own_name(settings.origin(), name)


def _flash_cookie(request: AnyRequest, value: str, *, max_age: int) -> Cookie:
    # Secure also when it is taken away: browsers refuse any line of a __Host- name without it.
    settings: Settings = request.app.state.resources.settings
    return Cookie(
        key=_own_cookie(request, "flash"),
        value=value,
        path="/",
        httponly=True,
        samesite="lax",
        secure=settings.public_scheme == "https",
        max_age=max_age,
    )


def read_flash(request: AnyRequest) -> list[dict[str, Any]]:
    """Return what the last form had to say."""
    raw = request.cookies.get(_own_cookie(request, "flash"), "")
    if not raw:
        return []
    try:
        flash = msgspec.json.decode(base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4)), type=Flash)
    except (msgspec.MsgspecError, binascii.Error, ValueError):
        return []
    undo = flash.undo if flash.undo and local_path(flash.undo.action, default="") else None
    return [{"kind": flash.kind, "text": flash.text[:300], "undo": undo}]


def redirect(
    request: AnyRequest, to: str, *, flash: str | None = None, kind: str = "success", undo: Undo | None = None
) -> Redirect | Response[None]:
    """Go to another page of this host after a form, saying one sentence there, with a button that undoes it.

    A request of htmx is told to load the page, since it would swap a followed
    redirect into a part of this one.
    """
    assert local_path(to, default="") == to, "a redirect stays on this host"
    cookies = []
    if flash:
        encoded = base64.urlsafe_b64encode(msgspec.json.encode(Flash(kind, flash, undo))).decode().rstrip("=")
        cookies.append(_flash_cookie(request, encoded, max_age=60))
    if "hx-request" in request.headers:
        return Response(None, status_code=204, headers={"HX-Redirect": to}, cookies=cookies)
    return Redirect(to, status_code=303, cookies=cookies)


def local_path(candidate: str | None, default: str = "/") -> str:
    """Return ``candidate`` when it is a path of this host, so that no link here leads elsewhere."""
    if (
        not candidate
        or not candidate.startswith("/")
        or candidate.startswith(("//", "/\\"))
        or any(ord(c) < 33 or c == "\\" for c in candidate)
    ):
        return default
    return candidate
