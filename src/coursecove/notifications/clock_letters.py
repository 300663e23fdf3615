"""The mail that says which lessons move on somebody's clock, and until when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock, formatting
from coursecove.bookings import service as bookings
from coursecove.i18n import _, ngettext
from coursecove.notifications.clock_changes import HABIT, NAMED, Shift, back_at, changed_zones, shifts
from coursecove.notifications.letters import Button, Fact, Letter
from coursecove.notifications.wording import zone_name
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

#: So many lessons are named; the others follow the same clock.
MOST_NAMED = 8
# A mail that could not be sent in time still explains, for a day.
_LATE = timedelta(days=1)


class ClockNotice(Struct, frozen=True):
    """What moves for one reader at one change."""

    change_at: datetime
    shifts: list[Shift]
    reader: Member
    zone: str
    organization: OrganizationView
    link: str


async def find_clock_notice(
    session: AsyncSession,
    delivery: Row[Any],
    *,
    organization: OrganizationView,
    recipient: Member,
    origin: str,
) -> ClockNotice | None:
    """Return what moves for them now; None when nothing does (any more), or they do not want to know."""
    preferences = await tenants.get_preferences(session, recipient.id)
    change_at: datetime = delivery.clock_change_at.astimezone(UTC)
    if not preferences.clock_change_notices or clock.now() >= change_at + _LATE:
        return None
    zone = tenants.reading_zone(preferences, organization.time_zone)
    lessons = await bookings.zoned_lessons(
        session, from_=change_at - HABIT, until=change_at + NAMED, of=recipient
    )
    found = shifts(lessons, zone, change_at)
    if not found:
        return None
    return ClockNotice(change_at, found, recipient, zone, organization, f"{origin}/lessons")


def clock_letter(notice: ClockNotice) -> Letter:
    """Return the words, in the language spoken right now."""
    zone, first = notice.zone, notice.shifts[0]
    schedules = sorted({shift.lesson.time_zone for shift in notice.shifts})
    changing = changed_zones([zone, *schedules], notice.change_at)
    day = formatting.day(notice.change_at, changing[0])
    where = formatting.listed([formatting.zone_name(one) for one in changing])
    opening = _(
        "On {day} the clocks change in {places}. Your lessons stay where they are on the clock of {schedule}, "
        "so on yours they are at another time."
    ).format(
        day=day,
        places=where,
        schedule=formatting.listed([formatting.zone_name(one) for one in schedules]),
    )
    facts = [_fact(shift, notice) for shift in notice.shifts[:MOST_NAMED]]
    notes = []
    more = len(notice.shifts) - len(facts)
    if more > 0:
        notes.append(ngettext("And {count} more lesson.", "And {count} more lessons.", more).format(count=more))
    back = back_at(zone, first.lesson.time_zone, notice.change_at)
    if back is not None:
        # The day it is where the clocks change then; elsewhere it may be the evening before.
        there = changed_zones([zone, first.lesson.time_zone], back)[0]
        notes.append(
            _("From {day} on they are at the usual time again.").format(day=formatting.day(back, there))
        )
    notes.append(_("Nothing was changed, and nothing is to do: your calendar shows the right time."))
    return Letter(
        subject=_("From {day}, your lessons are at another time on your clock").format(day=day),
        preheader=opening,
        heading=_("Your lessons move on your clock"),
        opening=[opening],
        facts=facts,
        buttons=[Button(_("Open my lessons"), notice.link)],
        notes=notes,
    )


def _fact(shift: Shift, notice: ClockNotice) -> Fact:
    lesson, zone = shift.lesson, notice.zone
    new = formatting.local(lesson.starts_at, zone)
    # What the reader's clock would have shown, had nothing changed.
    old = new.replace(tzinfo=None) - shift.by
    old_words = f"{old:%H:%M}"
    if old.date() != new.date():
        old_words = f"{formatting.day(old.date())}, {old_words}"
    times = _("{new} instead of {old}, {zone}").format(new=f"{new:%H:%M}", old=old_words, zone=zone_name(zone))
    there = formatting.local(lesson.starts_at, lesson.time_zone)
    what = _("{lesson} with {instructor}").format(lesson=lesson.appointment_type, instructor=lesson.instructor)
    if lesson.student_id != notice.reader.id:
        what = f"{lesson.student}: {what}"
    return Fact(
        formatting.day(lesson.starts_at, zone, year=False),
        times,
        f"{what}\n{there:%H:%M} {zone_name(lesson.time_zone)}",
    )
