"""What goes in and out of the catalogue.  Minutes are minutes, prices integer minor units."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

Kind = Literal["private", "class"]
LocationMode = Literal["in_person", "online", "students_place"]
Visibility = Literal["public", "members", "link"]
QuestionKind = Literal["short_text", "long_text", "choice", "yes_no"]

Name = Annotated[str, Meta(min_length=1, max_length=120)]
ShortName = Annotated[str, Meta(min_length=1, max_length=80)]
Description = Annotated[str, Meta(max_length=2000)]
Color = Annotated[str, Meta(pattern="^#[0-9a-f]{6}$")]
Duration = Annotated[int, Meta(ge=5, le=720)]
FurtherDurations = Annotated[list[Duration], Meta(max_length=7)]
Buffer = Annotated[int, Meta(ge=0, le=240)]
Interval = Annotated[int, Meta(ge=5, le=720)]
Notice = Annotated[int, Meta(ge=0, le=86400)]
Horizon = Annotated[int, Meta(ge=1, le=365)]
Price = Annotated[int, Meta(ge=0, le=100_000_000)]
Capacity = Annotated[int, Meta(ge=1, le=1000)]
ApproveWithin = Annotated[int, Meta(ge=15, le=43200)]
MostReschedules = Annotated[int, Meta(ge=0, le=100)]
DayLimit = Annotated[int, Meta(ge=1, le=100)]
WeekLimit = Annotated[int, Meta(ge=1, le=500)]
TravelMinutes = Annotated[int, Meta(ge=0, le=120)]
TimeZone = Annotated[str, Meta(max_length=64)]
Label = Annotated[str, Meta(min_length=1, max_length=200)]
Hint = Annotated[str, Meta(max_length=300)]
Option = Annotated[str, Meta(min_length=1, max_length=120)]
Options = Annotated[list[Option], Meta(max_length=30)]
Prefix = Annotated[str, Meta(min_length=1, max_length=12)]
Prefixes = Annotated[list[Prefix], Meta(max_length=200)]


class LocationView(Struct, frozen=True):
    """A place of the school."""

    id: uuid.UUID
    slug: str
    name: str
    address: str
    directions: str
    time_zone: str
    archived_at: datetime | None


class LocationCreate(Struct, forbid_unknown_fields=True):
    """A new place; the zone defaults to the school's."""

    name: Name
    address: Annotated[str, Meta(max_length=400)] = ""
    directions: Annotated[str, Meta(max_length=1000)] = ""
    time_zone: TimeZone | None = None


class LocationUpdate(Struct, forbid_unknown_fields=True):
    """Changes to a place; what is left out stays."""

    name: Name | UnsetType = UNSET
    address: Annotated[str, Meta(max_length=400)] | UnsetType = UNSET
    directions: Annotated[str, Meta(max_length=1000)] | UnsetType = UNSET
    time_zone: TimeZone | UnsetType = UNSET


class RoomView(Struct, frozen=True):
    """A room of a place; ``capacity`` counts people beside the instructor."""

    id: uuid.UUID
    location_id: uuid.UUID
    name: str
    capacity: int
    position: int
    archived_at: datetime | None


class RoomCreate(Struct, forbid_unknown_fields=True):
    """A new room, last of its place."""

    name: ShortName
    capacity: Capacity = 1


class RoomUpdate(Struct, forbid_unknown_fields=True):
    """Changes to a room; what is left out stays."""

    name: ShortName | UnsetType = UNSET
    capacity: Capacity | UnsetType = UNSET


class TravelZoneView(Struct, frozen=True):
    """How long the way takes to students whose postcode begins with one of these."""

    id: uuid.UUID
    name: str
    postcode_prefixes: list[str]
    travel_minutes: int
    position: int


class TravelZoneCreate(Struct, forbid_unknown_fields=True):
    """A new zone; prefixes are kept in capitals without spaces ("SW1A 2" is "SW1A2")."""

    name: ShortName
    postcode_prefixes: Prefixes
    travel_minutes: TravelMinutes


class TravelZoneUpdate(Struct, forbid_unknown_fields=True):
    """Changes to a zone; what is left out stays."""

    name: ShortName | UnsetType = UNSET
    postcode_prefixes: Prefixes | UnsetType = UNSET
    travel_minutes: TravelMinutes | UnsetType = UNSET


class QuestionView(Struct, frozen=True):
    """What a student is asked when booking; ``options`` only of a choice."""

    id: uuid.UUID
    appointment_type_id: uuid.UUID
    kind: QuestionKind
    label: str
    hint: str
    options: list[str]
    required: bool
    archived_at: datetime | None = None


class QuestionCreate(Struct, forbid_unknown_fields=True):
    """A new question, the last of its type."""

    kind: QuestionKind
    label: Label
    hint: Hint = ""
    options: Options = []
    required: bool = False


class QuestionUpdate(Struct, forbid_unknown_fields=True):
    """Changes to a question; answers that were given keep the question they were given to."""

    kind: QuestionKind | UnsetType = UNSET
    label: Label | UnsetType = UNSET
    hint: Hint | UnsetType = UNSET
    options: Options | UnsetType = UNSET
    required: bool | UnsetType = UNSET


class Answer(Struct, frozen=True):
    """What a student said, with the question as it was asked; a yes/no question is answered "yes" or "no"."""

    question_id: uuid.UUID
    kind: QuestionKind
    label: str
    answer: str


class QualificationView(Struct, frozen=True):
    """An instructor may teach a type, up to and including ``expires_on`` in the school's zone."""

    appointment_type_id: uuid.UUID
    expires_on: date | None


class LapsingQualification(Struct, frozen=True):
    """A qualification that ends soon or has ended; ``lapsed`` says that its last day is over."""

    member_id: uuid.UUID
    member_name: str
    appointment_type_id: uuid.UUID
    appointment_type_name: str
    appointment_type_slug: str
    expires_on: date
    lapsed: bool


class AppointmentTypeView(Struct, frozen=True, kw_only=True):
    """An appointment type with its places, its questions and the instructors qualified for it.

    A term (``bookable_from``, ``bookable_until``) is whole days of the schedule's
    zone, the last one included.  ``instructor_ids`` may hold somebody whose
    qualification has lapsed: ``qualified_until`` has the last days of those that end.
    """

    id: uuid.UUID
    slug: str
    name: str
    description: str
    color: str
    kind: Kind = "private"
    capacity: int = 1
    duration_minutes: int
    further_durations_minutes: list[int] = []
    buffer_before_minutes: int
    buffer_after_minutes: int
    start_interval_minutes: int | None
    minimum_notice_minutes: int
    horizon_days: int
    bookable_from: date | None = None
    bookable_until: date | None = None
    cancellation_notice_minutes: int
    reschedule_notice_minutes: int = 1440
    # None: as often as they like.
    most_reschedules: int | None = 3
    requires_approval: bool = False
    approve_within_minutes: int = 2880
    # Lessons of this type with one instructor, then for one student; per day and week of the instructor.
    day_limit: int | None = None
    week_limit: int | None = None
    student_day_limit: int | None = None
    student_week_limit: int | None = None
    visibility: Visibility = "public"
    # Only where the type is seen by link, and only to whoever has the link.
    link_key: str | None = None
    location_mode: LocationMode
    price_cents: int | None
    currency: str
    published_at: datetime | None
    archived_at: datetime | None
    location_ids: list[uuid.UUID]
    instructor_ids: list[uuid.UUID]
    qualified_until: dict[uuid.UUID, date] = {}
    questions: list[QuestionView] = []

    @property
    def durations(self) -> tuple[int, ...]:
        """Every length that can be chosen, in minutes, the shortest first."""
        return tuple(sorted({self.duration_minutes, *self.further_durations_minutes}))

    def qualified_on(self, day: date) -> list[uuid.UUID]:
        """Return who may teach it on ``day`` of the school's zone, in the order of ``instructor_ids``."""
        return [id_ for id_ in self.instructor_ids if day <= self.qualified_until.get(id_, day)]


class AppointmentTypeCreate(Struct, forbid_unknown_fields=True, kw_only=True):
    """A new appointment type, published at once unless ``published`` is false.

    Notices that are left out are the school's.  A type with ``visibility`` "link"
    gets its key from us.
    """

    name: Name
    description: Description = ""
    color: Color = "#4f46e5"
    kind: Kind = "private"
    capacity: Capacity | UnsetType = UNSET
    duration_minutes: Duration
    further_durations_minutes: FurtherDurations = []
    buffer_before_minutes: Buffer = 0
    buffer_after_minutes: Buffer = 0
    start_interval_minutes: Interval | None = None
    minimum_notice_minutes: Notice | UnsetType = UNSET
    horizon_days: Horizon = 60
    bookable_from: date | None = None
    bookable_until: date | None = None
    cancellation_notice_minutes: Notice | UnsetType = UNSET
    reschedule_notice_minutes: Notice | UnsetType = UNSET
    most_reschedules: MostReschedules | None = 3
    requires_approval: bool = False
    approve_within_minutes: ApproveWithin = 2880
    day_limit: DayLimit | None = None
    week_limit: WeekLimit | None = None
    student_day_limit: DayLimit | None = None
    student_week_limit: WeekLimit | None = None
    visibility: Visibility = "public"
    location_mode: LocationMode = "in_person"
    price_cents: Price | None = None
    location_ids: list[uuid.UUID] = []
    instructor_ids: list[uuid.UUID] = []
    published: bool = True


class AppointmentTypeUpdate(Struct, forbid_unknown_fields=True, kw_only=True):
    """Changes to an appointment type; what is left out stays.  Booked lessons keep their promise."""

    name: Name | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    color: Color | UnsetType = UNSET
    kind: Kind | UnsetType = UNSET
    capacity: Capacity | UnsetType = UNSET
    duration_minutes: Duration | UnsetType = UNSET
    further_durations_minutes: FurtherDurations | UnsetType = UNSET
    buffer_before_minutes: Buffer | UnsetType = UNSET
    buffer_after_minutes: Buffer | UnsetType = UNSET
    start_interval_minutes: Interval | UnsetType | None = UNSET
    minimum_notice_minutes: Notice | UnsetType = UNSET
    horizon_days: Horizon | UnsetType = UNSET
    bookable_from: date | UnsetType | None = UNSET
    bookable_until: date | UnsetType | None = UNSET
    cancellation_notice_minutes: Notice | UnsetType = UNSET
    reschedule_notice_minutes: Notice | UnsetType = UNSET
    most_reschedules: MostReschedules | UnsetType | None = UNSET
    requires_approval: bool | UnsetType = UNSET
    approve_within_minutes: ApproveWithin | UnsetType = UNSET
    day_limit: DayLimit | UnsetType | None = UNSET
    week_limit: WeekLimit | UnsetType | None = UNSET
    student_day_limit: DayLimit | UnsetType | None = UNSET
    student_week_limit: WeekLimit | UnsetType | None = UNSET
    visibility: Visibility | UnsetType = UNSET
    location_mode: LocationMode | UnsetType = UNSET
    price_cents: Price | UnsetType | None = UNSET
    location_ids: list[uuid.UUID] | UnsetType = UNSET
    instructor_ids: list[uuid.UUID] | UnsetType = UNSET
    published: bool | UnsetType = UNSET
