"""Instants and windows as they stand in the addresses of the API."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from litestar.params import QueryParameter

from coursecove import clock
from coursecove.errors import Invalid
from coursecove.i18n import _
from coursecove.tenants.guards import AnyRequest
from coursecove.tenants.instants import instant_in

LONGEST_WINDOW = timedelta(days=62)
USUAL_WINDOW = timedelta(days=7)

WindowFrom = Annotated[
    datetime | None,
    QueryParameter(name="from", description="With an offset; default now."),
]
WindowUntil = Annotated[
    datetime | None,
    QueryParameter(
        name="until",
        description="With an offset, exclusive, at most 62 days on; default 7 days on.",
    ),
]


def window_in(request: AnyRequest, from_: datetime | None, until: datetime | None) -> tuple[datetime, datetime]:
    """Return the window an address asks for, the next 7 days by default; raises Invalid past 62 days."""
    start = instant_in(request, "from", from_) or clock.now()
    try:
        end = instant_in(request, "until", until) or start + USUAL_WINDOW
    except OverflowError:
        raise Invalid(fields={"from": _("Choose a time within the calendar.")}) from None
    if end - start > LONGEST_WINDOW:
        raise Invalid(fields={"until": _("Ask for 62 days at most.")})
    return start, end
