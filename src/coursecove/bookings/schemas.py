"""What goes in and out of bookings.  Instants are aware UTC; templates translate them for a viewer."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

BookingStatus = Literal["held", "pending", "confirmed", "declined", "cancelled", "expired"]
Attendance = Literal["present", "late", "absent", "excused"]
Kind = Literal["private", "class"]

# With an offset: a time without one is a different instant to every reader.
Instant = Annotated[datetime, Meta(tz=True)]
Reason = Annotated[str, Meta(max_length=500)]
Duration = Annotated[int, Meta(ge=5, le=720)]


class TypeSummary(Struct, frozen=True):
    """The appointment type of a booking."""

    id: uuid.UUID
    slug: str
    name: str
    color: str
    location_mode: str
    kind: Kind = "private"
    # Whether members can book it now, without a link.
    is_offered: bool = True


class PersonSummary(Struct, frozen=True):
    """A person of a booking; ``email`` only where the viewer may see it."""

    id: uuid.UUID
    name: str
    image_url: str | None = None
    email: str | None = None


class PlaceSummary(Struct, frozen=True):
    """Where a lesson in person happens."""

    id: uuid.UUID
    slug: str
    name: str
    address: str
    directions: str
    time_zone: str


class RoomSummary(Struct, frozen=True):
    """The room of a lesson."""

    id: uuid.UUID
    name: str


class AnswerView(Struct, frozen=True):
    """A question as it was asked at booking time, with its answer."""

    label: str
    answer: str


class NoteView(Struct, frozen=True, kw_only=True):
    """What staff wrote about a lesson; the student reads it when it is ``shared``."""

    id: uuid.UUID
    booking_id: uuid.UUID
    author: PersonSummary
    body: str
    shared: bool
    created_at: datetime
    updated_at: datetime
    # What this viewer may do: its author and admins.
    can_change: bool


class SeatView(Struct, frozen=True, kw_only=True):
    """A student in a lesson, for its staff; students never see another's."""

    booking_id: uuid.UUID
    reference: str
    student: PersonSummary
    status: BookingStatus
    note: str
    attendance: Attendance | None
    approve_by: datetime | None
    overridden_rules: list[str]
    revision: int


class SlotView(Struct, frozen=True):
    """A time that can be booked, with everybody who is free at it.

    Of a class it is one session on the calendar, with the seats that are left.
    """

    starts_at: datetime
    ends_at: datetime
    location: PlaceSummary | None
    instructors: list[PersonSummary]
    duration_minutes: int
    session_id: uuid.UUID | None = None
    seats_left: int | None = None


class SlotList(Struct, frozen=True):
    """The times that can be booked in a window, by start."""

    items: list[SlotView]


class Alternative(Struct, frozen=True):
    """A free time near one that could not be had, with somebody who is free at it."""

    starts_at: datetime
    ends_at: datetime
    instructor: PersonSummary
    location: PlaceSummary | None


class BookingCreate(Struct, forbid_unknown_fields=True, kw_only=True):
    """What a booking needs.

    No instructor means "anyone"; of a class, ``session_id`` or the start names
    which.  ``student_id`` is a child of one's own, or for staff a student they book
    for; whoever leaves it out books for themselves.  ``room_id`` and
    ``override_rules`` are for staff: the rules that were passed are kept on the
    booking.  ``answers`` are by question.
    """

    appointment_type_id: uuid.UUID
    starts_at: Instant
    session_id: uuid.UUID | None = None
    duration_minutes: Duration | None = None
    instructor_id: uuid.UUID | None = None
    location_id: uuid.UUID | None = None
    room_id: uuid.UUID | None = None
    student_id: uuid.UUID | None = None
    note: Annotated[str, Meta(max_length=1000)] = ""
    answers: dict[uuid.UUID, Annotated[str, Meta(max_length=2000)]] = {}
    # Where the student lives, for lessons at their place.
    address: Annotated[str, Meta(max_length=400)] = ""
    postcode: Annotated[str, Meta(max_length=20)] = ""
    override_rules: bool = False
    # Of a type that is seen by link only.
    link_key: Annotated[str, Meta(max_length=64)] | None = None


class HoldCreate(Struct, forbid_unknown_fields=True, kw_only=True):
    """A time to keep; the fields are those of a booking, and what the school wants to know comes later."""

    appointment_type_id: uuid.UUID
    starts_at: Instant
    session_id: uuid.UUID | None = None
    duration_minutes: Duration | None = None
    instructor_id: uuid.UUID | None = None
    location_id: uuid.UUID | None = None
    room_id: uuid.UUID | None = None
    student_id: uuid.UUID | None = None
    # For a lesson at the student's place: the way there is kept free as well.
    postcode: Annotated[str, Meta(max_length=20)] = ""
    override_rules: bool = False
    link_key: Annotated[str, Meta(max_length=64)] | None = None


class HoldConfirm(Struct, forbid_unknown_fields=True, kw_only=True):
    """What goes with a held time when it is booked; ``answers`` are by question."""

    note: Annotated[str, Meta(max_length=1000)] = ""
    answers: dict[uuid.UUID, Annotated[str, Meta(max_length=2000)]] = {}
    address: Annotated[str, Meta(max_length=400)] = ""


class BookingCancel(Struct, forbid_unknown_fields=True):
    """Why a lesson is cancelled, in the person's own words."""

    reason: Reason = ""


class BookingDecline(Struct, forbid_unknown_fields=True):
    """Why a request is declined; the student reads it."""

    reason: Reason = ""


class BookingMove(Struct, forbid_unknown_fields=True, kw_only=True):
    """Where a lesson goes; what is left out stays.

    A seat in a class goes to another session of the class, named by
    ``session_id`` or its start.  ``duration_minutes``, ``room_id`` and
    ``override_rules`` are for staff.
    """

    starts_at: Instant
    session_id: uuid.UUID | None = None
    duration_minutes: Duration | None = None
    instructor_id: uuid.UUID | None = None
    location_id: uuid.UUID | None = None
    room_id: uuid.UUID | None = None
    override_rules: bool = False


class AttendanceUpdate(Struct, forbid_unknown_fields=True):
    """Whether the student came; null takes it back."""

    attendance: Attendance | None


class NoteCreate(Struct, forbid_unknown_fields=True):
    """A note about a lesson: for staff, or shared with the student."""

    body: Annotated[str, Meta(min_length=1, max_length=4000)]
    shared: bool = False


class NoteUpdate(Struct, forbid_unknown_fields=True, kw_only=True):
    """Changes to a note; what is left out stays."""

    body: Annotated[str, Meta(min_length=1, max_length=4000)] | UnsetType = UNSET
    shared: bool | UnsetType = UNSET


class NoteList(Struct, frozen=True):
    """The notes of a lesson, oldest first."""

    items: list[NoteView]


class BookingView(Struct, frozen=True, kw_only=True):
    """A booking as its student, its instructor or an admin sees it."""

    id: uuid.UUID
    session_id: uuid.UUID
    reference: str
    status: BookingStatus
    appointment_type: TypeSummary
    instructor: PersonSummary
    student: PersonSummary
    # The viewer is the student, or their guardian.
    is_own: bool = False
    location: PlaceSummary | None
    room: RoomSummary | None
    meeting_url: str | None
    starts_at: datetime
    ends_at: datetime
    duration_minutes: int
    # The zone a lesson in person is shown in; None: show it in the viewer's.
    venue_time_zone: str | None
    # For lessons at the student's place, and for nobody but the two who meet and admins.
    address: str
    postcode: str
    travel_minutes: int
    note: str
    answers: list[AnswerView]
    price_cents: int | None
    currency: str | None
    booked_at: datetime
    confirmed_at: datetime | None
    # Until when the time is kept for them; None as soon as it is theirs.
    held_until: datetime | None = None
    # Until when staff may confirm a request; then it lapses.
    approve_by: datetime | None
    declined_at: datetime | None
    # A request that nobody answered in time.
    lapsed: bool
    cancelled_at: datetime | None
    cancelled_by: PersonSummary | None
    cancellation_reason: str | None
    # The last instants the student may cancel and move at (allowed at this very instant).
    cancel_until: datetime
    move_until: datetime
    rescheduled_count: int
    most_reschedules: int | None
    # Rules that staff passed for this booking: notice, hours, limits …  For staff; empty to students.
    overridden_rules: list[str]
    attendance: Attendance | None
    # As far as this viewer may read them, oldest first.
    notes: list[NoteView]
    # Seats of the session, and how many are taken.
    capacity: int
    seats_taken: int
    # Who is in the class, for its staff; None to students, and for private lessons.
    seats: list[SeatView] | None
    # What this viewer may do now.
    can_cancel: bool
    can_move: bool
    can_decide: bool
    can_note_attendance: bool
    can_write_notes: bool
    # The series it is a lesson of, and the local date it was meant for.
    series_id: uuid.UUID | None = None
    series_on: date | None = None
    revision: int


class BookingPage(Struct, frozen=True):
    """A page of bookings; ``total`` counts all that match."""

    items: list[BookingView]
    total: int
    page: int
    page_size: int


WaitlistStatus = Literal[
    "waiting", "offered", "accepted", "declined", "lapsed", "left", "class_cancelled", "class_began"
]


class WaitlistJoin(Struct, forbid_unknown_fields=True, kw_only=True):
    """A full class to wait for: ``session_id`` is the class's id, the student oneself unless said otherwise."""

    session_id: uuid.UUID
    student_id: uuid.UUID | None = None


class WaitlistAccept(Struct, forbid_unknown_fields=True, kw_only=True):
    """What goes with a seat that is taken; ``answers`` are by question."""

    note: Annotated[str, Meta(max_length=1000)] = ""
    answers: dict[uuid.UUID, Annotated[str, Meta(max_length=2000)]] = {}


class WaitlistEntryView(Struct, frozen=True, kw_only=True):
    """Somebody's place on the waiting list of a class."""

    id: uuid.UUID
    session_id: uuid.UUID
    # The class in an address.
    class_handle: str
    appointment_type: TypeSummary
    instructor: PersonSummary
    location: PlaceSummary | None
    starts_at: datetime
    ends_at: datetime
    venue_time_zone: str | None
    student: PersonSummary
    # The viewer waits, or is the guardian of who does.
    is_own: bool
    status: WaitlistStatus
    # 1 is next; None once a seat was offered, and when it is over.
    position: int | None
    joined_at: datetime
    offered_at: datetime | None
    offer_expires_at: datetime | None
    can_accept: bool
    can_leave: bool


class WaitlistEntryList(Struct, frozen=True):
    """Places by the class's start, then in the order of the list."""

    items: list[WaitlistEntryView]
