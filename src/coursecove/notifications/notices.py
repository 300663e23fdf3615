"""What a mail about a booking is about: the booking as its reader may see it, and what became of it."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from sqlalchemy import Integer, Row, cast, select
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.bookings import service as bookings
from coursecove.bookings.schemas import BookingView
from coursecove.config import Settings
from coursecove.errors import NotFound
from coursecove.events import Event
from coursecove.notifications.formers import Former, former_of
from coursecove.notifications.kinds import DISPENSABLE, SERIES_KINDS, Kind
from coursecove.notifications.mail_texts import MailWords
from coursecove.notifications.recipients import Part, zones_for
from coursecove.notifications.series_acts import lessons_to_tell
from coursecove.notifications.unsubscribing import PATH, unsubscribe_token
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView


class Notice(Struct, frozen=True):
    """One mail's subject matter."""

    kind: Kind
    part: Part
    booking: BookingView
    organization: OrganizationView
    # Where the recipient finds the lesson.
    link: str
    zone: str
    other_zone: str | None
    # What the school says in this kind of mail in its own words.
    words: MailWords | None = None
    # Who reads it; None: the one whose part it is.
    recipient_id: uuid.UUID | None = None
    recipient_name: str | None = None
    former: Former = Former()
    # Who did it, where it is said, and what they wrote to those concerned.
    actor_id: uuid.UUID | None = None
    actor: str | None = None
    message: str | None = None
    # When it happened: a mail that is sent again is the same object.
    made_at: datetime | None = None
    # Where this kind of mail ends, for kinds one can do without.
    unsubscribe: str | None = None
    # All lessons of a mail about a series, by start; ``booking`` is the first of them …
    lessons: list[BookingView] = []
    # … and what the ones that moved were before.
    formers: dict[uuid.UUID, Former] = {}

    @property
    def reader_id(self) -> uuid.UUID:
        """The member who reads it."""
        return self.recipient_id or (
            self.booking.student.id if self.part == "student" else self.booking.instructor.id
        )

    @property
    def reader_name(self) -> str:
        """The name of whoever reads it."""
        person = self.booking.student if self.part == "student" else self.booking.instructor
        return self.recipient_name or person.name

    @property
    def child(self) -> str | None:
        """The student's name, for a guardian who reads about a child; None for students themselves."""
        student = self.booking.student
        return student.name if self.part == "student" and self.reader_id != student.id else None

    @property
    def by_reader(self) -> bool:
        """Whether the reader did it themselves."""
        return self.actor_id == self.reader_id

    @property
    def in_class(self) -> bool:
        """Whether the booking is a seat in a class."""
        return self.booking.appointment_type.kind == "class"

    @property
    def taken_over(self) -> bool:
        """Whether the instructor who reads it gets the lesson from somebody else."""
        return self.kind == "change" and self.part == "instructor" and self.former.instructor is not None


async def find_notice(
    session: AsyncSession,
    delivery: Row[Any],
    settings: Settings,
    *,
    organization: OrganizationView,
    recipient: Member,
) -> Notice | None:
    """Return what to say about a booking; None when it is no longer true, or not for them.

    What a later revision has overtaken is not said, nor that a lesson is booked
    when it is over.  A reminder stands as long as the lesson does at its time; a
    mail about a series says what still holds of it.
    """
    fact = await _fact(session, delivery.booking_id, delivery.booking_revision)
    try:
        viewer = await _viewer(session, delivery.kind, recipient, fact)
        lessons = await _lessons(session, delivery, viewer)
    except NotFound:
        return None
    if not lessons:
        return None
    booking = lessons[0]
    part: Part = "student"
    if delivery.kind == "handover":
        part = "former"
    elif recipient.id == booking.instructor.id:
        part = "instructor"
    instructors = await tenants.instructors_by_id(session, {booking.instructor.id, recipient.id})
    teaching = instructors.get(recipient.id if part == "former" else booking.instructor.id)
    chosen = await tenants.get_preferences(session, recipient.id)
    zones = [
        zones_for(
            lesson,
            part,
            school_zone=organization.time_zone,
            instructor_zone=teaching.time_zone if teaching else organization.time_zone,
            own_zone=chosen.time_zone or (chosen.seen_time_zone if part == "student" else None),
        )
        for lesson in lessons
    ]
    # Two clocks may differ for some lessons of a series only.
    zone, other_zone = next((pair for pair in zones if pair[1] is not None), zones[0])
    formers: dict[uuid.UUID, Former] = {}
    if delivery.kind in _TELLING_WHAT_WAS:
        formers = await former_of(session, lessons, reader_id=recipient.id)
    actor = None
    if fact and fact.actor_id:
        actor = (await tenants.members_by_id(session, [fact.actor_id])).get(fact.actor_id)
    return Notice(
        kind=delivery.kind,
        part=part,
        booking=booking,
        organization=organization,
        link=f"{settings.origin(organization.slug)}/lessons/{booking.reference}",
        zone=zone,
        other_zone=other_zone,
        recipient_id=recipient.id,
        recipient_name=recipient.name,
        former=formers.get(booking.id, Former()),
        actor_id=fact.actor_id if fact else None,
        actor=actor.name if actor else None,
        message=fact.data.get("reason") if fact and fact.action == "booking.reassigned" else None,
        made_at=delivery.created_at,
        unsubscribe=unsubscribe_link(settings, organization, recipient.id, delivery.kind),
        lessons=lessons if delivery.kind in SERIES_KINDS else [],
        formers=formers,
    )


def unsubscribe_link(
    settings: Settings, organization: OrganizationView, member_id: uuid.UUID, kind: str
) -> str | None:
    """Return the address that ends a kind of mail to somebody; None for what one cannot do without."""
    if kind not in DISPENSABLE:
        return None
    token = unsubscribe_token(settings, organization_id=organization.id, member_id=member_id, kind=kind)
    return f"{settings.origin(organization.slug)}{PATH}/{token}"


async def _viewer(session: AsyncSession, kind: str, recipient: Member, fact: Event | None) -> Member:
    """Return with whose eyes the booking is read: whoever gave it before does not see it any more."""
    if kind == "handover" and fact is not None:
        return await tenants.get_member(session, uuid.UUID(fact.data["instructor_id"]))
    return recipient


async def _lessons(session: AsyncSession, delivery: Row[Any], viewer: Member) -> list[BookingView]:
    """Return what a mail still has to speak of: its lesson, or those of its series; raises NotFound."""
    if delivery.kind in SERIES_KINDS:
        return await lessons_to_tell(session, delivery, viewer=viewer)
    booking = await bookings.get_booking(session, delivery.booking_id, viewer=viewer)
    return [booking] if _still_true(booking, delivery) else []


#: What says how the lesson was before.
_TELLING_WHAT_WAS = frozenset({"change", "handover", "series_moved"})
#: What nobody has to be told of a lesson that is over.
_AHEAD = frozenset({"confirmation", "request", "approval"})


def _still_true(booking: BookingView, delivery: Row[Any]) -> bool:
    if delivery.kind in _AHEAD and booking.ends_at <= clock.now():
        return False
    if delivery.kind != "reminder":
        return booking.revision == int(delivery.booking_revision)
    moment = booking.starts_at - timedelta(minutes=delivery.ahead_minutes)
    return booking.status == "confirmed" and moment == delivery.not_before and booking.starts_at > clock.now()


async def _fact(session: AsyncSession, booking_id: uuid.UUID, revision: int) -> Event | None:
    """Return what made this revision of a booking."""
    found = await session.scalars(
        select(Event)
        .where(
            Event.subject_type == "booking",
            Event.subject_id == booking_id,
            cast(Event.data["revision"].astext, Integer) == revision,
        )
        .order_by(Event.created_at.desc())
        .limit(1)
    )
    return found.one_or_none()
