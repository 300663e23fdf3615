"""The admin portal's navigation, its clocks, and the pages of its lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from litestar import Request

from coursecove import formatting
from coursecove.i18n import N_, _
from coursecove.portals.lesson_words import Clocks, zone_label
from coursecove.portals.pages import NavLink, page_context, viewer_zone
from coursecove.tenants.schemas import OrganizationView

AnyRequest = Request[Any, Any, Any]

# The first four stand at the bottom of a phone; the rest opens from there, in the same groups as at the side.
NAV = (
    NavLink(N_("Overview"), "/admin", "layout-dashboard"),
    NavLink(N_("Calendar"), "/admin/calendar", "calendar-days"),
    NavLink(N_("Lessons"), "/admin/bookings", "calendar-check"),
    NavLink(N_("People"), "/admin/people", "users"),
    NavLink(N_("Classes"), "/admin/classes", "graduation-cap"),
    NavLink(N_("Appointment types"), "/admin/types", "shapes", group=N_("What you offer")),
    NavLink(N_("Locations"), "/admin/locations", "map-pin", group=N_("What you offer")),
    NavLink(N_("Travel times"), "/admin/travel", "route", group=N_("What you offer")),
    NavLink(N_("Closures"), "/admin/closures", "calendar-x", group=N_("What you offer")),
    NavLink(N_("School"), "/admin/school", "settings", group=N_("School")),
    NavLink(N_("Import"), "/admin/imports", "upload", group=N_("School")),
    NavLink(N_("Mail"), "/admin/mail", "mail", group=N_("School")),
    NavLink(N_("Activity"), "/admin/activity", "history", group=N_("School")),
)


def admin_page(request: AnyRequest, title: str, *trail: tuple[str, str]) -> dict[str, Any]:
    """Return ``page`` for a page of this portal; ``trail`` are its ancestors as (label, address)."""
    breadcrumb = [{"label": label, "href": href} for label, href in trail]
    return page_context(request, title, portal="admin", nav=NAV, breadcrumb=breadcrumb)


def admin_clocks(request: AnyRequest, organization: OrganizationView, *, venue: str | None) -> Clocks:
    """Return the clocks of an admin: the venue's, online the school's, beside the reader's own."""
    shown = venue or organization.time_zone
    return Clocks(shown, zone_label(shown), viewer_zone(request, organization.time_zone), _("your time"))


def address(path: str, query: Mapping[str, str | None]) -> str:
    """Return ``path`` with the parts of ``query`` that are given."""
    given = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(given, safe=':')}" if given else path


def page_number(text: str) -> int:
    """Return the number of a list's page as it stands in an address; the first when it cannot be read."""
    return max(int(text), 1) if text.isascii() and text.isdecimal() and len(text) < 7 else 1


def last_page(total: int, page_size: int) -> int:
    """Return the number of the last page of a list; an empty list has one."""
    return max(-(-total // page_size), 1)


def pages_of(
    path: str, query: Mapping[str, str | None], *, page: int, page_size: int, total: int
) -> dict[str, Any] | None:
    """Return what the pagination shows, or None for a list of one page."""
    if total <= page_size:
        return None
    first = (page - 1) * page_size + 1

    def href(number: int) -> str:
        return address(path, {**query, "page": str(number) if number > 1 else None})

    return {
        "text": _("{first} to {last} of {total}").format(
            first=formatting.number(first),
            last=formatting.number(min(first + page_size - 1, total)),
            total=formatting.number(total),
        ),
        "previous_href": href(page - 1) if page > 1 else None,
        "next_href": href(page + 1) if page < last_page(total, page_size) else None,
    }
