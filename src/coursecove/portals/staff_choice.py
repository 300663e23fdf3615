"""What staff have chosen so far for a student's lesson, as it stands in the address: a new one, or one to move.

The student portal's choice with the freedom that staff have.  Notice and
horizon narrow nothing; other rules can be passed, but only knowingly, so
:func:`judge` names them before anything is written.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments.schemas import AppointmentTypeView, RoomView
from coursecove.bookings.acceptance import Acceptance, accept_start
from coursecove.bookings.availability import alternatives
from coursecove.bookings.errors import BrokenRule, broken, in_words
from coursecove.bookings.schemas import Alternative
from coursecove.i18n import _
from coursecove.portals.lesson_words import Clocks, zone_label
from coursecove.portals.student.choice import Choice, Offer, address, read_choice
from coursecove.scheduling.rules import OVERRIDABLE, Slot
from coursecove.text import slugify

# Staff may book further ahead than students, but nobody leafs through more than a year.
_FURTHEST_DAYS = 365


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffOffer(Offer):
    """A type as staff can book it for one student; ``type`` itself reaches a year ahead."""

    student_id: uuid.UUID
    student_name: str
    # The type with the rules as they are for students.
    published_rules: AppointmentTypeView
    # What every address says beside the choice: which student and which type.
    fixed: Mapping[str, str]
    reader_zone: str
    # Staff who book for themselves are students like all others.
    exempt: bool
    rooms: tuple[RoomView, ...] = ()

    def address(self, query: Mapping[str, str | None]) -> str:
        """Return the page of this flow with the parts of ``query`` that are given."""
        return address("", {**self.fixed, **query}, path=self.path)

    def room_key(self, room: RoomView) -> str:
        """Return how a room stands in an address: its place and its name."""
        place = next((place.slug for place in self.places if place.id == room.location_id), "")
        return f"{place}.{slugify(room.name, fallback='room')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffChoice(Choice):
    """A choice whose times are on the clock of the place, online on the school's."""

    offer: StaffOffer
    room: RoomView | None = None

    @property
    def clocks(self) -> Clocks:
        """Return the clock of the place, online the school's, beside the reader's own."""
        venue = self.place or (self.offer.places[0] if self.offer.places else None)
        shown = venue.time_zone if venue else self.offer.school_zone
        return Clocks(shown, zone_label(shown), self.offer.reader_zone, _("your time"))

    @property
    def asked(self) -> dict[str, Any]:
        """Return what availability is asked for, with the freedom of staff."""
        return {**Choice.asked.__get__(self), "exempt": self.offer.exempt}

    @property
    def before_teacher(self) -> dict[str, str | None]:
        """Return what is decided before the teacher is; the room comes along from the calendar."""
        room = self.offer.room_key(self.room) if self.room else None
        return {**Choice.before_teacher.__get__(self), "room": room}

    def as_fields(self) -> dict[str, str]:
        """Return the choice as hidden fields of a form."""
        return {
            "with": self.teacher.slug if self.teacher else "anyone",
            "place": self.place.slug if self.place else "",
            "minutes": str(self.minutes or ""),
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a chosen time."""

    # What would be taken: at once, or when the broken rules are passed; None when it cannot be had.
    slot: Slot | None
    # Rules that staff pass without being asked: notice and horizon.
    exempted: list[BrokenRule]
    # Rules that have to be passed knowingly.
    broken: list[BrokenRule]
    # Why it cannot be had at all.
    reason: str | None
    # What is free near it, where rules are broken or it cannot be had.
    nearest: list[Alternative]


def staff_offer(
    offer: Offer,
    *,
    student_id: uuid.UUID,
    student_name: str,
    path: str,
    fixed: Mapping[str, str],
    reader_zone: str,
    exempt: bool,
    rooms: tuple[RoomView, ...] = (),
    moving_session_id: uuid.UUID | None = None,
) -> StaffOffer:
    """Return ``offer`` as staff have it; ``exempt`` takes notice and horizon away."""
    known = {field.name: getattr(offer, field.name) for field in fields(Offer)}
    if exempt:
        known["type"] = msgspec.structs.replace(offer.type, horizon_days=_FURTHEST_DAYS)
    return StaffOffer(
        **{**known, "path": path, "key": None, "moving_session_id": moving_session_id},
        student_id=student_id,
        student_name=student_name,
        published_rules=offer.type,
        fixed=fixed,
        reader_zone=reader_zone,
        exempt=exempt,
        rooms=rooms,
    )


def read_staff_choice(params: Mapping[str, str], offer: StaffOffer) -> StaffChoice:
    """Return what ``params`` decide; a room decides its place, too."""
    room = next((room for room in offer.rooms if offer.room_key(room) == params.get("room")), None)
    place = next((p.slug for p in offer.places if room and p.id == room.location_id), None)
    # Staff see whole days: whoever calls asks for a time, not for a time of day.
    choice = read_choice({**params, "at": "", **({"place": place} if place else {})}, offer)
    known = {field.name: getattr(choice, field.name) for field in fields(Choice)}
    return StaffChoice(**{**known, "offer": offer}, room=room)


async def judge(session: AsyncSession, choice: StaffChoice) -> Verdict:
    """Say what becomes of the chosen time, by the rules that decide at commit as well."""
    assert choice.time is not None
    offer = choice.offer
    refused = await _accepted(session, choice, override=False)
    if refused.slots:
        return _taking(refused)
    if offer.exempt and refused.refusal is not None and refused.refusal.overridable:
        passed = await _accepted(session, choice, override=True)
        if passed.slots:
            return _taking(passed, nearest=await alternatives(session, refused))
    return Verdict(None, [], [], in_words(refused.reason), await alternatives(session, refused))


def _taking(accepted: Acceptance, *, nearest: Sequence[Alternative] = ()) -> Verdict:
    slot = accepted.slots[0]
    passed = broken(slot.overridden, OVERRIDABLE)
    silently = {"too_soon", "too_far"}
    return Verdict(
        slot,
        [rule for rule in passed if rule.rule in silently],
        [rule for rule in passed if rule.rule not in silently],
        None,
        list(nearest),
    )


async def _accepted(session: AsyncSession, choice: StaffChoice, *, override: bool) -> Acceptance:
    offer = choice.offer
    assert choice.time is not None
    return await accept_start(
        session,
        offer.published_rules,
        choice.time,
        instructor_id=choice.instructor_id,
        location_id=choice.location_id,
        room_id=choice.room.id if choice.room else None,
        duration_minutes=choice.minutes,
        student_id=offer.student_id,
        travel_minutes=offer.travel_minutes,
        exempt=offer.exempt,
        override=override,
        ignoring_session_id=offer.moving_session_id,
    )


def settled(choice: StaffChoice, slot: Slot) -> StaffChoice:
    """Return the choice with the place of what would be taken."""
    place = next((place for place in choice.offer.places if place.id == slot.location_id), None)
    return replace(choice, place=place or choice.place)
