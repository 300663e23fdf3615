"""A mail about a lesson that never was, for people who write their school's words."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.appointments import service as appointments
from coursecove.bookings.schemas import BookingStatus, BookingView, PersonSummary, PlaceSummary, TypeSummary
from coursecove.i18n import _, speaking
from coursecove.notifications.kinds import SERIES_ENDED, SERIES_KINDS
from coursecove.notifications.mail_texts import MailWords
from coursecove.notifications.rendering import Content, Former, Kind, Notice, render
from coursecove.tenants import service as tenants
from coursecove.tenants.schemas import OrganizationView

_NOBODY = uuid.UUID(int=0)
_A_DAY = timedelta(days=1)
_STATUSES: dict[Kind, BookingStatus] = {
    "request": "pending",
    "decline": "declined",
    "lapse": "cancelled",
    "cancellation": "cancelled",
    "series_declined": "declined",
    "series_lapsed": "cancelled",
    "series_cancelled": "cancelled",
}
_UNCONFIRMED = frozenset({"request", "decline", "lapse", "series_declined", "series_lapsed"})
_ENDED = frozenset({"cancellation", "lapse", *SERIES_ENDED})


async def sample_mail(
    session: AsyncSession, organization: OrganizationView, kind: Kind, language: str, words: MailWords
) -> Content:
    """Return what a student would read in this kind of mail, with these words, in this language.

    The lesson is made up of what the school has: its first type, location and
    instructor; of a school that has none yet, of words that say so.
    """
    with speaking(language):
        booking = await _booking(session, organization, kind)
        notice = Notice(
            kind=kind,
            part="student",
            booking=booking,
            organization=organization,
            link="#",
            zone=booking.venue_time_zone or organization.time_zone,
            other_zone=None,
            words=words,
            former=Former(booking.starts_at - _A_DAY, booking.ends_at - _A_DAY)
            if kind == "change"
            else Former(),
            actor_id=booking.instructor.id,
            actor=booking.instructor.name,
        )
        if kind in SERIES_KINDS:
            notice = msgspec.structs.replace(notice, lessons=_weekly(booking))
        if kind == "series_moved":
            formers = {one.id: Former(one.starts_at - _A_DAY, one.ends_at - _A_DAY) for one in notice.lessons}
            notice = msgspec.structs.replace(notice, formers=formers)
        return render(notice)


def _weekly(booking: BookingView) -> list[BookingView]:
    """Return a lesson and the same one in the three weeks after it."""
    weeks = [timedelta(weeks=number) for number in range(4)]
    return [
        msgspec.structs.replace(
            booking,
            id=uuid.UUID(int=number),
            starts_at=booking.starts_at + later,
            ends_at=booking.ends_at + later,
        )
        for number, later in enumerate(weeks)
    ]


async def _booking(session: AsyncSession, organization: OrganizationView, kind: Kind) -> BookingView:
    types = await appointments.list_types(session, include_unpublished=True)
    places = await appointments.list_locations(session)
    teachers = await tenants.list_instructors(session)
    lesson = next((one for one in types if one.location_mode == "in_person"), types[0] if types else None)
    if lesson is not None:
        places = [one for one in places if one.id in lesson.location_ids]
        teachers = [one for one in teachers if one.id in lesson.instructor_ids] or teachers
    place = places[0] if places else None
    minutes = lesson.duration_minutes if lesson else 45
    starts_at = _some_afternoon(place.time_zone if place else organization.time_zone)
    now = clock.now()
    student = PersonSummary(_NOBODY, _("Mia Sample"))
    return BookingView(
        id=_NOBODY,
        session_id=_NOBODY,
        reference="ABCD-1234",
        status=_STATUSES.get(kind, "confirmed"),
        appointment_type=TypeSummary(
            _NOBODY,
            "sample",
            lesson.name if lesson else _("Lesson"),
            organization.accent_color,
            lesson.location_mode if lesson else "in_person",
        ),
        instructor=PersonSummary(uuid.UUID(int=1), teachers[0].name if teachers else _("Ida Sample")),
        student=student,
        location=PlaceSummary(
            place.id, place.slug, place.name, place.address, place.directions, place.time_zone
        )
        if place
        else None,
        room=None,
        meeting_url=None,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=minutes),
        duration_minutes=minutes,
        venue_time_zone=place.time_zone if place else None,
        address="",
        postcode="",
        travel_minutes=0,
        note="",
        answers=[],
        price_cents=lesson.price_cents if lesson else None,
        currency=organization.currency,
        booked_at=now,
        confirmed_at=None if kind in _UNCONFIRMED else now,
        approve_by=now + _A_DAY if kind == "request" else None,
        declined_at=now if kind in ("decline", "series_declined") else None,
        lapsed=kind in ("lapse", "series_lapsed"),
        cancelled_at=now if kind in _ENDED else None,
        cancelled_by=student if kind in ("cancellation", "series_cancelled") else None,
        cancellation_reason=None,
        cancel_until=starts_at - _A_DAY,
        move_until=starts_at - _A_DAY,
        rescheduled_count=0,
        most_reschedules=None,
        overridden_rules=[],
        attendance=None,
        notes=[],
        capacity=1,
        seats_taken=1,
        seats=None,
        can_cancel=True,
        can_move=True,
        can_decide=False,
        can_note_attendance=False,
        can_write_notes=False,
        revision=0,
    )


def _some_afternoon(zone: str) -> datetime:
    """Return four o'clock in three days, on the wall clock of a zone."""
    here = ZoneInfo(zone)
    day = (clock.now().astimezone(here) + timedelta(days=3)).date()
    return datetime.combine(day, time(16), tzinfo=here).astimezone(UTC)
