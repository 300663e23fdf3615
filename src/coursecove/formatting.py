"""Words for people: dates, times, zones, durations, numbers and money, in the language spoken right now.

Instants are stored in UTC and translated here, once, for the zone somebody
reads in.  Nothing on a page or in a mail formats a time in another place.
Names of days, months and cities come from CLDR through Babel; the order they
stand in is ours: days first, 24 hours.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_timedelta, get_day_names, get_timezone_location
from babel.lists import format_list
from babel.numbers import format_decimal

from coursecove import clock, i18n
from coursecove.i18n import _, ngettext

#: How days are written, as CLDR's date patterns.
_PATTERNS = {
    "en": {
        "day": "EEE d MMM",
        "day_year": "EEE d MMM y",
        "long": "EEEE d MMMM y",
        "month": "LLLL y",
        "date": "d MMM y",
    },
    "de": {
        "day": "EEE, d. MMM",
        "day_year": "EEE, d. MMM y",
        "long": "EEEE, d. MMMM y",
        "month": "LLLL y",
        "date": "d. MMM y",
    },
}
Width = Literal["wide", "abbreviated", "short"]
_SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£", "INR": "₹", "CHF": "CHF ", "JPY": "¥"}
# Currencies without a minor unit, per ISO 4217.
_WHOLE = frozenset({"JPY", "KRW", "VND", "CLP", "ISK", "XAF", "XOF", "PYG", "UGX", "RWF"})
_NO_BREAK = "\N{NO-BREAK SPACE}"


@cache
def _names(language: str) -> Locale:
    # British English abbreviates September as "Sept"; everybody else, and every column, has three letters.
    return Locale(language)


def _dated(value: date, pattern: str) -> str:
    language = i18n.language()
    return str(format_date(value, _PATTERNS[language][pattern], locale=_names(language)))


def local(instant: datetime, zone: str) -> datetime:
    """Return an instant as the wall clock of ``zone`` shows it."""
    return instant.astimezone(ZoneInfo(zone))


def day(value: date | datetime, zone: str | None = None, *, year: bool | None = None) -> str:
    """Return "Tue 3 Dec"; with the year when it is another one than now's."""
    if isinstance(value, datetime):
        value = local(value, zone or "UTC").date()
    today = local(clock.now(), zone or "UTC").date()
    with_year = value.year != today.year if year is None else year
    return _dated(value, "day_year" if with_year else "day")


def day_long(value: date | datetime, zone: str | None = None) -> str:
    """Return "Tuesday 3 December 2026"."""
    if isinstance(value, datetime):
        value = local(value, zone or "UTC").date()
    return _dated(value, "long")


def day_near(value: datetime, zone: str) -> str:
    """Return "Today", "Tomorrow" or "Tue 3 Dec"."""
    distance = (local(value, zone).date() - local(clock.now(), zone).date()).days
    return {0: _("Today"), 1: _("Tomorrow")}.get(distance) or day(value, zone)


def date_short(value: date) -> str:
    """Return "3 Dec 2026", for columns of dates."""
    return _dated(value, "date")


def month(value: date) -> str:
    """Return "December 2026"."""
    return _dated(value, "month")


def weekdays(width: Width = "wide") -> list[str]:
    """Return the days of the week from Monday: "Monday" …, "Mon" … (``abbreviated``), "Mo" … (``short``)."""
    names = get_day_names(width, "stand-alone", locale=_names(i18n.language()))
    # CLDR ends short days with a dot in German; as the heads of columns they need none.
    return [names[number].rstrip(".") if width == "short" else names[number] for number in range(7)]


def weekday(day_number: int, width: Width = "wide") -> str:
    """Return the name of an ISO weekday: "Monday" for 1."""
    return weekdays(width)[day_number - 1]


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
    city = zone.rpartition("/")[2].replace("_", " ")
    if i18n.language() == i18n.DEFAULT:
        return city
    try:
        return str(get_timezone_location(zone, locale=i18n.locale(), return_city=True)) if "/" in zone else city
    except LookupError:
        return city


def same_clock(instant: datetime, one: str, other: str) -> bool:
    """Say whether two zones show the same time at this instant."""
    return local(instant, one).utcoffset() == local(instant, other).utcoffset()


def duration(minutes: int) -> str:
    """Return "45 min", "1 h" or "1 h 30 min"."""
    hours, rest = divmod(minutes, 60)
    parts = [_("{hours} h").format(hours=hours)] if hours else []
    if rest or not hours:
        parts.append(_("{minutes} min").format(minutes=rest))
    return " ".join(parts)


def notice(minutes: int) -> str:
    """Return a span in the largest unit that says it exactly: "2 days", "24 hours", "90 minutes"."""
    if minutes % 1440 == 0 and minutes > 1440:
        days = minutes // 1440
        return ngettext("{count} day", "{count} days", days).format(count=number(days))
    if minutes % 60 == 0 and (minutes >= 120 or minutes == 60):
        hours = minutes // 60
        return ngettext("{count} hour", "{count} hours", hours).format(count=number(hours))
    return ngettext("{count} minute", "{count} minutes", minutes).format(count=minutes)


def clock_minutes(minutes: int) -> str:
    """Return minutes of a day as a time, "09:30"; the end of the day is "24:00"."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


def number(value: float) -> str:
    """Return a number with the marks of its thousands: "1,234", in German "1.234"."""
    return str(format_decimal(value, locale=i18n.locale()))


def money(cents: int | None, currency: str | None) -> str:
    """Return "€45", "€45.50"; "Free" for zero and "" when no price is stated."""
    if cents is None or currency is None:
        return ""
    if cents == 0:
        return _("Free")
    whole, rest = (cents, 0) if not minor_digits(currency) else divmod(cents, 100)
    amount = number(whole)
    if rest:
        amount += ("." if i18n.language() == i18n.DEFAULT else ",") + f"{rest:02}"
    symbol = _SYMBOLS.get(currency, f"{currency} ")
    if i18n.language() == i18n.DEFAULT:
        return f"{symbol}{amount}"
    return f"{amount}{_NO_BREAK}{symbol.strip()}"


def minor_digits(currency: str) -> int:
    """Return how many decimals prices in ``currency`` have: 2, or 0 where there is no minor unit."""
    return 0 if currency in _WHOLE else 2


def ago(instant: datetime) -> str:
    """Return how long ago something happened: "5 minutes ago", "yesterday" is "1 day ago"; "just now"."""
    passed = clock.now() - instant
    if passed < timedelta(minutes=1):
        return _("just now")
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


#: In English, for what has to be constant; pages use :func:`weekdays`.
DAYS_LONG = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]

FILTERS = {
    "day": day,
    "day_long": day_long,
    "day_near": day_near,
    "date_short": date_short,
    "month": month,
    "time": time,
    "time_range": time_range,
    "zone_name": zone_name,
    "offset": offset,
    "duration": duration,
    "notice": notice,
    "clock_minutes": clock_minutes,
    "money": money,
    "number": number,
    "weekday": weekday,
    "initials": initials,
    "ago": ago,
    "listed": listed,
}
