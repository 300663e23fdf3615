"""What the list of events is narrowed to, as it stands in the address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from coursecove.portals.admin.navigation import address, page_number
from coursecove.webhooks import service as webhooks
from coursecove.webhooks.inbox import handled_types
from coursecove.webhooks.service import EventFilters, Order

PATH = "/platform/webhooks"
PAGE_SIZE = 25

STATUSES = {"failed": "Failed", "pending": "Pending", "processing": "Processing", "completed": "Completed"}
OUTCOMES = {"applied": "Applied", "superseded": "Superseded", "ignored": "Ignored"}
PATHS = {"fast": "In the request", "queue": "By a worker"}
WAITING = {"yes": "Waiting", "no": "Not waiting"}
ORDERS = {
    "failed": "Failed first",
    "newest": "Newest first",
    "oldest": "Oldest first",
    "attempts": "Most attempts first",
    "slowest": "Slowest first",
}


@dataclass(slots=True)
class Typed:
    """Filters as typed, and what is wrong with them; what cannot be read narrows nothing and is said."""

    status: str = ""
    outcome: str = ""
    type: str = ""
    path: str = ""
    waiting: str = ""
    from_text: str = ""
    until_text: str = ""
    search: str = ""
    sort: Order = "failed"
    page: int = 1
    errors: dict[str, str] = field(default_factory=dict)
    from_day: date | None = None
    until_day: date | None = None

    @property
    def narrowed(self) -> bool:
        """Say whether there is anything to clear."""
        return bool(self.search or self.folded)

    @property
    def folded(self) -> bool:
        """Say whether one of the filters that are folded away is in use, or wrong."""
        given = (self.outcome, self.type, self.path, self.waiting, self.from_text, self.until_text)
        return any(given) or bool(self.errors)

    def query(self, **changes: str | None) -> dict[str, str | None]:
        """Return the filters as the parts of an address, without the page."""
        query: dict[str, str | None] = {
            "status": self.status,
            "outcome": self.outcome,
            "type": self.type,
            "path": self.path,
            "waiting": self.waiting,
            "from": self.from_text,
            "until": self.until_text,
            "q": self.search,
            "sort": self.sort if self.sort != "failed" else None,
        }
        return {**query, **changes}

    def href(self, **changes: str | None) -> str:
        """Return the address of this list, with some parts changed."""
        return address(PATH, self.query(**changes))

    def filters(self, zone: str) -> EventFilters:
        """Return what the list asks of the inbox; days are the reader's, both included."""
        until = self.until_day + timedelta(days=1) if self.until_day else None
        return EventFilters(
            status=self.status or None,
            outcome=self.outcome or None,
            event_type=self.type or None,
            path=self.path or None,
            waiting={"yes": True, "no": False}.get(self.waiting),
            from_=_midnight(self.from_day, zone),
            until=_midnight(until, zone),
            search=self.search or None,
        )

    def tabs(self, counts: Mapping[str, int]) -> list[dict[str, Any]]:
        """Return one tab for each status; how many there are is said where it is known."""
        tabs: list[dict[str, Any]] = [
            {"label": "All", "href": self.href(status=None), "current": not self.status}
        ]
        for status, label in STATUSES.items():
            tab = {"label": label, "href": self.href(status=status), "current": status == self.status}
            tabs.append(tab | ({"badge": f"{counts[status]:,}"} if counts.get(status) else {}))
        return tabs


def read_filters(params: Mapping[str, str]) -> Typed:
    """Return the filters of an address."""

    def one_of(name: str, allowed: Mapping[str, str], default: str = "") -> str:
        given = params.get(name, "")
        return given if given in allowed else default

    found = Typed(
        status=one_of("status", STATUSES),
        outcome=one_of("outcome", OUTCOMES),
        type=_printable(params.get("type", "")),
        path=one_of("path", PATHS),
        waiting=one_of("waiting", WAITING),
        from_text=params.get("from", "")[:20],
        until_text=params.get("until", "")[:20],
        search=_printable(params.get("q", "")),
        sort=cast("Order", one_of("sort", ORDERS, "failed")),
        page=page_number(params.get("page", "")),
    )
    found.from_day, found.until_day = (
        _day(found, "from", found.from_text),
        _day(found, "until", found.until_text),
    )
    if found.from_day and found.until_day and found.until_day < found.from_day:
        found.errors["until"] = "The last day is before the first."
    return found


def choices(typed: Typed) -> dict[str, list[dict[str, str]]]:
    """Return what the filters' fields offer; types nobody here understands can stand in an address, too."""
    types = dict.fromkeys([*handled_types(), *([typed.type] if typed.type else [])])
    return {
        "outcomes": _options(OUTCOMES),
        "paths": _options(PATHS),
        "waiting": _options(WAITING),
        "orders": _options({name: ORDERS[name] for name in webhooks.ORDERS}),
        "types": [{"value": name, "label": name} for name in types],
    }


def _options(words: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"value": value, "label": label} for value, label in words.items()]


def _printable(text: str) -> str:
    return "".join(c for c in text if c.isprintable()).strip()[:100]


def _day(typed: Typed, name: str, text: str) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or not 2000 <= day.year <= 9000:
        typed.errors[name] = "Enter a date such as 2026-12-31."
        return None
    return day


def _midnight(day: date | None, zone: str) -> datetime | None:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)) if day else None
