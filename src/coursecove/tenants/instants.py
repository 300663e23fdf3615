"""Instants as they stand in the addresses of the API."""

from __future__ import annotations

import re
from datetime import datetime

from coursecove.errors import Invalid
from coursecove.i18n import _
from coursecove.tenants.guards import AnyRequest

_DATE = re.compile(r"\d{4}-\d\d-\d\d\D")


def instant_in(request: AnyRequest, field: str, moment: datetime | None) -> datetime | None:
    """Return an instant of the address as it was read; raises Invalid at ``field`` without an offset."""
    # In an address, msgspec takes a bare number for seconds since 1970 too; the documentation does not.
    written = all(_DATE.match(text) for text in request.query_params.getall(field, []))
    if moment is not None and (moment.tzinfo is None or not written):
        raise Invalid(fields={field: _("Give date, time and offset, as in 2026-12-01T09:00:00+01:00.")})
    return moment
