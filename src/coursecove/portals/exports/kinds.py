"""What every export has in common: columns, rows that come one by one, and words for what they hold."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.formatting import minor_digits
from coursecove.i18n import _
from coursecove.resources import Resources
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

Row = Sequence[object]


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks for a list of which school; ``query`` narrows it like the address of its page."""

    session: AsyncSession
    resources: Resources
    organization: OrganizationView
    by: Member
    query: Mapping[str, str] = field(default_factory=dict)
    #: Of the whole-school export: nothing is left out, whatever a list shows by default.
    everything: bool = False


@dataclass(frozen=True, slots=True)
class Export:
    """A list as a file."""

    slug: str
    title: str
    columns: tuple[str, ...]
    rows: Callable[[Asking], AsyncIterator[Row]]

    def header(self) -> list[str]:
        """Return the names of the columns in the reader's language."""
        return [_(column) for column in self.columns]


def day_of(instant: datetime | None, zone: str) -> str:
    """Return "2026-12-03", which every spreadsheet program takes for a day; "" for none."""
    return instant.astimezone(ZoneInfo(zone)).date().isoformat() if instant else ""


def time_of(instant: datetime | None, zone: str) -> str:
    """Return "16:00"; "" for none."""
    return f"{instant.astimezone(ZoneInfo(zone)):%H:%M}" if instant else ""


def amount(cents: int | None, currency: str | None) -> str:
    """Return "45.50" as programs read it; "" where no price is stated."""
    if cents is None or currency is None:
        return ""
    return f"{cents / 100:.2f}" if minor_digits(currency) else str(cents)


def in_hours(minutes: int) -> str:
    """Return minutes as hours: "24", "1.5"."""
    return f"{minutes / 60:.2f}".rstrip("0").rstrip(".")


def yes_no(value: object) -> str:
    """Return a word for whether it is so."""
    return _("yes") if value else _("no")
