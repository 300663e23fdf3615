"""A lesson in words, for whoever looks at it.

The one place that decides in which zone a lesson is shown, and when two zones
must be named: in person in the venue's, online in the reader's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import quote_plus

from coursecove import clock, formatting
from coursecove.bookings.schemas import BookingView, PlaceSummary
from coursecove.bookings.series_schemas import SeriesView
from coursecove.i18n import _, ngettext

ATTENDANCE = ("present", "late", "absent", "excused")


@dataclass(frozen=True, slots=True)
class When:
    """A lesson's time in the zone it is shown in, and in the other one where their clocks differ."""

    day: str
    day_long: str
    time: str
    # "Berlin time" or "your time"; None while nobody could be mistaken.
    zone: str | None
    # "11:00 your time", with the day where that is another one.
    elsewhere: str | None
    iso: str
    block: dict[str, Any]

    @property
    def sentence(self) -> str:
        """Return "Tue 3 Dec, 16:00–16:45"."""
        return f"{self.day}, {self.time}"

    @property
    def zones(self) -> str | None:
        """Return "Berlin time · 11:00 your time", or None where both clocks show the same."""
        return " · ".join(part for part in (self.zone, self.elsewhere) if part) or None


@dataclass(frozen=True, slots=True)
class Clocks:
    """The zone times are shown in, and the zone of whoever might expect another one."""

    shown: str
    label: str
    other: str
    other_label: str

    def when(self, starts_at: datetime, ends_at: datetime) -> When:
        """Say when something is."""
        here = formatting.local(starts_at, self.shown)
        differs = not formatting.same_clock(starts_at, self.shown, self.other)
        return When(
            day=formatting.day(starts_at, self.shown),
            day_long=long_day(here.date(), self.shown),
            time=formatting.time_range(starts_at, ends_at, self.shown),
            zone=self.label if differs else None,
            elsewhere=self.elsewhere(starts_at),
            iso=starts_at.isoformat().replace("+00:00", "Z"),
            block={
                "weekday": f"{formatting.day(starts_at, self.shown):.3}",
                "day": here.day,
                "month": f"{formatting.month(here):.3}",
            },
        )

    def elsewhere(self, instant: datetime) -> str | None:
        """Return "11:00 your time", or None where the other clock shows the same."""
        if formatting.same_clock(instant, self.shown, self.other):
            return None
        text = formatting.time(instant, self.other)
        if formatting.local(instant, self.shown).date() != formatting.local(instant, self.other).date():
            text = f"{formatting.day(instant, self.other)}, {text}"
        return f"{text} {self.other_label}"

    def moment(self, instant: datetime) -> str:
        """Return "Tue 1 Dec, 16:00", with the zone named where the clocks differ."""
        text = f"{formatting.day(instant, self.shown)}, {formatting.time(instant, self.shown)}"
        return text if formatting.same_clock(instant, self.shown, self.other) else f"{text} {self.label}"


def long_day(day: date, zone: str) -> str:
    """Return "Tuesday 3 December", with the year when it is another one than now's."""
    return formatting.day_long(day).removesuffix(f" {formatting.local(clock.now(), zone).year}")


def zone_label(zone: str) -> str:
    """Return "Berlin time"."""
    return _("{zone} time").format(zone=formatting.zone_name(zone))


def student_clocks(*, venue: str | None, viewer: str, school: str) -> Clocks:
    """Return the clocks of a student: the venue's in person, online their own beside the school's."""
    if venue is not None:
        return Clocks(venue, zone_label(venue), viewer, _("your time"))
    return Clocks(viewer, _("your time"), school, zone_label(school))


def instructor_clocks(*, venue: str | None, own: str) -> Clocks:
    """Return the clocks of an instructor: their own beside the venue's."""
    return Clocks(own, _("your time"), venue or own, zone_label(venue or own))


def status_of(booking: BookingView, zone: str) -> dict[str, str] | None:
    """Return the badge of a lesson: what became of it, else now, today, tomorrow; later lessons need none."""
    if booking.declined_at is not None:
        return {"label": _("Declined"), "kind": "error"}
    if booking.lapsed:
        return {"label": _("Lapsed"), "kind": "error"}
    if booking.cancelled_at is not None:
        return {"label": _("Cancelled"), "kind": "error"}
    if booking.status == "pending":
        return {"label": _("Waiting for an answer"), "kind": "warning"}
    now = clock.now()
    if booking.ends_at <= now:
        if booking.attendance is None:
            return None
        kind = {"present": "success", "late": "warning", "absent": "error"}.get(booking.attendance, "neutral")
        return {"label": attendance_word(booking.attendance), "kind": kind}
    if booking.starts_at <= now:
        return {"label": _("Now"), "kind": "success"}
    distance = (formatting.local(booking.starts_at, zone).date() - formatting.local(now, zone).date()).days
    if distance > 1:
        return None
    return {"label": formatting.day_near(booking.starts_at, zone), "kind": "brand"}


def attendance_word(attendance: str) -> str:
    """Return whether somebody came, in a word."""
    return {
        "present": _("Present"),
        "late": _("Late"),
        "absent": _("Absent"),
        "excused": _("Excused"),
    }[attendance]


def attendance_choices() -> list[dict[str, str]]:
    """Return what can be noted about who came, as buttons and fields offer it."""
    return [{"value": value, "label": attendance_word(value)} for value in ATTENDANCE]


def rule_words(rule: str) -> str:
    """Return the name of a rule that staff passed: "minimum notice"."""
    words = {
        "too_soon": _("minimum notice"),
        "too_far": _("booking horizon"),
        "outside_term": _("term"),
        "not_qualified": _("lapsed qualification"),
        "closed": _("closure"),
        "outside_hours": _("working hours"),
        "location_closed": _("opening hours"),
        "time_off": _("time off"),
        "not_on_grid": _("start times"),
        "limit_reached": _("limits"),
    }
    return words.get(rule, rule.replace("_", " "))


def where_of(booking: BookingView) -> str:
    """Return where a lesson is, in a few words."""
    if booking.location is not None:
        room = booking.room
        return f"{booking.location.name}, {room.name}" if room else booking.location.name
    if booking.appointment_type.location_mode == "students_place":
        return _("At the student’s place")
    return _("Online")


def lesson_card(booking: BookingView, clocks: Clocks, *, href: str, who: str) -> dict[str, Any]:
    """Return what a card in a list of lessons shows; ``who`` is the person on the other side."""
    when = clocks.when(booking.starts_at, booking.ends_at)
    return {
        "title": booking.appointment_type.name,
        "time": when.sentence,
        "zone": when.zones,
        "iso": when.iso,
        "date": when.block,
        "href": href,
        "who": who,
        "where": where_of(booking),
        "online": booking.appointment_type.location_mode == "online",
        "status": status_of(booking, clocks.shown),
        "color": booking.appointment_type.color,
        "cancelled": booking.cancelled_at is not None,
        "past": booking.ends_at <= clock.now(),
        "reference": booking.reference,
        "join_url": booking.meeting_url if booking.ends_at > clock.now() else None,
        "can_cancel": booking.can_cancel,
        "note": booking.note,
    }


def map_href(place: PlaceSummary) -> str | None:
    """Return the address of a map that shows a place, or None when it has no street address."""
    if not place.address:
        return None
    return f"https://www.openstreetmap.org/search?query={quote_plus(place.address)}"


def series_words(series: SeriesView) -> str:
    """Say what a series is: "Every Tuesday, 8 lessons until 26 Jan"."""
    weekday = formatting.weekday(series.weekday)
    every = _("Every {weekday}") if series.every_weeks == 1 else _("Every other {weekday}")
    live = [lesson for lesson in series.lessons if lesson.cancelled_at is None]
    count = ngettext("{count} lesson", "{count} lessons", len(live)).format(count=len(live))
    return _("{every}, {lessons} until {last}").format(
        every=every.format(weekday=weekday), lessons=count, last=formatting.day(series.last_on)
    )
