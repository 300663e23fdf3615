"""Changing one lesson of a series, this and the following, or all: what each of them would mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal
from urllib.parse import urlencode

from coursecove.bookings.schemas import BookingView
from coursecove.bookings.series_schemas import SeriesChange
from coursecove.i18n import _
from coursecove.portals.lesson_words import Clocks

Scope = Literal["this", "following", "all"]


def read_scope(text: str | None, booking: BookingView) -> Scope:
    """Return which lessons are meant; a lesson by itself is only itself."""
    if booking.series_id is None:
        return "this"
    return "following" if text == "following" else "all" if text == "all" else "this"


def scope_links(path: str, query: Mapping[str, str], scope: Scope) -> list[dict[str, Any]]:
    """Return the three answers as links; each shows what it means before anything is written."""
    return [
        {
            "label": label,
            "href": f"{path}?{urlencode({**query, 'scope': value})}",
            "current": value == scope,
        }
        for value, label in (
            ("this", _("Only this one")),
            ("following", _("This and the following")),
            ("all", _("All to come")),
        )
    ]


def change_rows(changes: Iterable[SeriesChange], clocks: Clocks) -> list[dict[str, Any]]:
    """Return what becomes of each lesson, in words."""
    return [
        {
            "was": clocks.moment(change.starts_at),
            "to": clocks.moment(change.to_starts_at) if change.to_starts_at else None,
            "ok": change.ok,
            "message": change.message,
            "on": change.on.isoformat(),
        }
        for change in changes
    ]
