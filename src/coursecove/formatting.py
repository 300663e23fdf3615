"""Words for people: dates, times, zones, durations and money.

Instants are stored in UTC and translated here, once, for the zone somebody
reads in.  Nothing on a page or in a mail formats a time in another place.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_timedelta
from babel.lists import format_list

from coursecove import clock, i18n

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_MONTHS_LONG = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
DAYS_LONG = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£", "INR": "₹", "CHF": "CHF ", "JPY": "¥"}
# Currencies without a minor unit, per ISO 4217.
_WHOLE = frozenset({"JPY", "KRW", "VND", "CLP", "ISK", "XAF", "XOF", "PYG", "UGX", "RWF"})


def local(instant: datetime, zone: str) -> datetime:
    """Return an instant as the wall clock of ``zone`` shows it."""
    return instant.astimezone(ZoneInfo(zone))


def day(value: date | datetime, zone: str | None = None, *, year: bool | None = None) -> str:
    """Return "Tue 3 Dec"; with the year when it is another one than now's."""
    if isinstance(value, datetime):
        value = local(value, zone or "UTC").date()
    today = local(clock.now(), zone or "UTC").date()
    with_year = value.year != today.year if year is None else year
    return f"{_DAYS[value.weekday()]} {value.day} {_MONTHS[value.month - 1]}" + (
        f" {value.year}" if with_year else ""
    )


def day_long(value: date | datetime, zone: str | None = None) -> str:
    """Return "Tuesday 3 December 2026"."""
    if isinstance(value, datetime):
        value = local(value, zone or "UTC").date()
    return f"{DAYS_LONG[value.weekday()]} {value.day} {_MONTHS_LONG[value.month - 1]} {value.year}"


def day_near(value: datetime, zone: str) -> str:
    """Return "Today", "Tomorrow" or "Tue 3 Dec"."""
    distance = (local(value, zone).date() - local(clock.now(), zone).date()).days
    return {0: "Today", 1: "Tomorrow"}.get(distance) or day(value, zone)


def month(value: date) -> str:
    """Return "December 2026"."""
    return f"{_MONTHS_LONG[value.month - 1]} {value.year}"


def time(instant: datetime, zone: str) -> str:
    """Return "16:00"; in the hour that a clock change repeats, with its offset, "02:30 (UTC+1)"."""
    here = local(instant, zone)
    text = f"{here:%H:%M}"
    if here.replace(fold=0).utcoffset() != here.replace(fold=1).utcoffset() and _repeated(here):
        text += f" ({offset(instant, zone)})"
    return text


def _repeated(here: datetime) -> bool:
    first, second = here.replace(fold=0), here.replace(fold=1)
    before, after = first.utcoffset(), second.utcoffset()
    return before is not None and after is not None and before > after


def time_range(starts_at: datetime, ends_at: datetime, zone: str) -> str:
    """Return "16:00–16:45"."""
    return f"{time(starts_at, zone)}–{time(ends_at, zone)}"


def offset(instant: datetime, zone: str) -> str:
    """Return "UTC+5:30"."""
    minutes = int((local(instant, zone).utcoffset() or timedelta()).total_seconds() // 60)
    hours, rest = divmod(abs(minutes), 60)
    sign = "-" if minutes < 0 else "+"
    return f"UTC{sign}{hours}" + (f":{rest:02}" if rest else "")


def zone_name(zone: str) -> str:
    """Return the part of a zone's name that people use: "New York" for America/New_York."""
    return zone.rpartition("/")[2].replace("_", " ")


def same_clock(instant: datetime, one: str, other: str) -> bool:
    """Say whether two zones show the same time at this instant."""
    return local(instant, one).utcoffset() == local(instant, other).utcoffset()


def duration(minutes: int) -> str:
    """Return "45 min", "1 h" or "1 h 30 min"."""
    hours, rest = divmod(minutes, 60)
    return " ".join(
        part for part in (f"{hours} h" if hours else "", f"{rest} min" if rest or not hours else "") if part
    )


def notice(minutes: int) -> str:
    """Return a span in the largest unit that says it exactly: "2 days", "24 hours", "90 minutes"."""
    for size, word in ((1440, "day"), (60, "hour"), (1, "minute")):
        if minutes % size == 0 and (minutes >= 2 * size or size == 1 or minutes == size):
            if size == 1440 and minutes == 1440:
                return "24 hours"
            count = minutes // size
            return f"{count} {word}" + ("" if count == 1 else "s")
    return f"{minutes} minutes"


def clock_minutes(minutes: int) -> str:
    """Return minutes of a day as a time, "09:30"; the end of the day is "24:00"."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


def money(cents: int | None, currency: str | None) -> str:
    """Return "€45", "€45.50"; "Free" for zero and "" when no price is stated."""
    if cents is None or currency is None:
        return ""
    if cents == 0:
        return "Free"
    symbol = _SYMBOLS.get(currency, f"{currency} ")
    if not minor_digits(currency):
        return f"{symbol}{cents:,}"
    whole, rest = divmod(cents, 100)
    return f"{symbol}{whole:,}" + (f".{rest:02}" if rest else "")


def minor_digits(currency: str) -> int:
    """Return how many decimals prices in ``currency`` have: 2, or 0 where there is no minor unit."""
    return 0 if currency in _WHOLE else 2


def ago(instant: datetime) -> str:
    """Return how long ago something happened: "5 minutes ago", "yesterday" is "1 day ago"; "just now"."""
    passed = clock.now() - instant
    if passed < timedelta(minutes=1):
        return i18n.gettext("just now")
    return str(format_timedelta(-passed, add_direction=True, threshold=1, locale=i18n.locale()))


def listed(names: Sequence[str]) -> str:
    """Return names as one says them in a row: "Ida, Tomás and Clara"."""
    if len(names) < 2:
        return names[0] if names else ""
    return str(format_list(list(names), locale=i18n.locale()))


def initials(name: str) -> str:
    """Return up to two letters of a name: "IB" for Ida Berg."""
    words = [word for word in name.replace("-", " ").split() if word[0].isalnum()]
    if not words:
        return "?"
    return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()


FILTERS = {
    "day": day,
    "day_long": day_long,
    "day_near": day_near,
    "month": month,
    "time": time,
    "time_range": time_range,
    "zone_name": zone_name,
    "offset": offset,
    "duration": duration,
    "notice": notice,
    "clock_minutes": clock_minutes,
    "money": money,
    "initials": initials,
    "ago": ago,
    "listed": listed,
}
