"""What other rooms and templates see of organizations and people."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

Role = Literal["admin", "instructor", "student"]
#: How long before a lesson somebody can be reminded, in minutes.
REMINDERS = (15, 30, 60, 120, 240, 480, 1440, 2880, 4320, 10080)
MOST_REMINDERS = 4
Reminders = Annotated[list[int], Meta(max_length=MOST_REMINDERS)]
#: Up to sixty days.
Notice = Annotated[int, Meta(ge=0, le=86_400)]


class OrganizationView(Struct, frozen=True):
    """A school as everybody may see it; ``clerk_id`` is for the identity provider, never shown."""

    id: uuid.UUID
    clerk_id: str
    slug: str
    name: str
    time_zone: str
    locale: str
    currency: str
    accent_color: str
    # The uploaded logo (an address of this host), else the one Clerk has.
    logo_url: str | None
    self_enrolment: bool
    # What students read before they book, in the school's words; "" says nothing.
    policy_text: str = ""
    # What a new appointment type begins with.
    default_minimum_notice_minutes: int = 120
    default_cancellation_notice_minutes: int = 1440
    default_reschedule_notice_minutes: int = 1440
    # Of a way to a student's place in no travel zone.
    default_travel_minutes: int = 30
    # How long before a lesson its people are reminded, unless they chose otherwise; empty: not at all.
    reminder_minutes: list[int] = []
    # How long a freed seat is kept for whoever waited longest.
    waitlist_offer_minutes: int = 720


class MemberView(Struct, frozen=True):
    """A person of this school."""

    id: uuid.UUID
    name: str
    given_name: str
    family_name: str
    email: str | None
    image_url: str | None
    role: Role
    joined_at: datetime
    # Since when they are shut out by an admin of the school; None while they are not.
    deactivated_at: datetime | None = None
    # Who books for them and gets their mail: children have no account of their own.
    guardian_id: uuid.UUID | None = None


class InstructorView(Struct, frozen=True):
    """What a student sees of an instructor; ``id`` is the member's."""

    id: uuid.UUID
    slug: str
    name: str
    bio: str
    time_zone: str
    # The uploaded photo (an address of this host), else the person's own picture at Clerk.
    image_url: str | None
    # Shown to people who have a booking, never in the public catalogue.
    meeting_url: str | None = None
    # ISO 639 codes, in the order they were given; tenants.languages has their names.
    languages: list[str] = []
    # Lessons of all types together, in the instructor's own days and weeks (Monday first); None: no limit.
    day_limit: int | None = None
    week_limit: int | None = None


class MemberUpdate(Struct, forbid_unknown_fields=True):
    """What an admin may change of a member; the rest comes from the identity provider."""

    role: Role | UnsetType = UNSET
    # Shut out (true) or let in again (false).
    deactivated: bool | UnsetType = UNSET


class InstructorProfileUpdate(Struct, forbid_unknown_fields=True):
    """What an instructor or an admin may change of a profile."""

    bio: Annotated[str, Meta(max_length=2000)] | UnsetType = UNSET
    time_zone: Annotated[str, Meta(max_length=64)] | UnsetType = UNSET
    meeting_url: Annotated[str, Meta(max_length=500)] | UnsetType | None = UNSET
    languages: Annotated[list[Annotated[str, Meta(max_length=3)]], Meta(max_length=12)] | UnsetType = UNSET
    # None: no limit.
    day_limit: Annotated[int, Meta(ge=1, le=100)] | UnsetType | None = UNSET
    week_limit: Annotated[int, Meta(ge=1, le=500)] | UnsetType | None = UNSET


class OrganizationUpdate(Struct, forbid_unknown_fields=True):
    """What an admin may change of the school."""

    name: Annotated[str, Meta(min_length=1, max_length=200)] | UnsetType = UNSET
    time_zone: Annotated[str, Meta(max_length=64)] | UnsetType = UNSET
    locale: Annotated[str, Meta(max_length=16)] | UnsetType = UNSET
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")] | UnsetType = UNSET
    accent_color: Annotated[str, Meta(pattern=r"^#[0-9a-f]{6}\Z")] | UnsetType = UNSET
    self_enrolment: bool | UnsetType = UNSET
    policy_text: Annotated[str, Meta(max_length=4000)] | UnsetType = UNSET
    default_minimum_notice_minutes: Notice | UnsetType = UNSET
    default_cancellation_notice_minutes: Notice | UnsetType = UNSET
    default_reschedule_notice_minutes: Notice | UnsetType = UNSET
    default_travel_minutes: Annotated[int, Meta(ge=0, le=120)] | UnsetType = UNSET
    waitlist_offer_minutes: Annotated[int, Meta(ge=15, le=10_080)] | UnsetType = UNSET
    # Of the offered ones (a day and two hours before, for instance); empty: no reminders.
    reminder_minutes: Reminders | UnsetType = UNSET


class PreferencesView(Struct, frozen=True, kw_only=True):
    """How somebody wants to read and be written to; null: as the school does it."""

    time_zone: str | None
    locale: str | None
    # Empty: no reminders.
    reminder_minutes: list[int] | None
    # Whether they are told when a lesson moves on their clock because clocks change somewhere.
    clock_change_notices: bool
    # Where their device was when they last booked; counts while no zone is chosen.
    seen_time_zone: str | None


class PreferencesUpdate(Struct, forbid_unknown_fields=True, kw_only=True):
    """Changes to one's own preferences; what is left out stays, null means as the school does it."""

    time_zone: Annotated[str, Meta(max_length=64)] | UnsetType | None = UNSET
    locale: Annotated[str, Meta(max_length=16)] | UnsetType | None = UNSET
    reminder_minutes: Reminders | UnsetType | None = UNSET
    clock_change_notices: bool | UnsetType = UNSET
