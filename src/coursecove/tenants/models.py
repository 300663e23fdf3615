"""Organizations, the people in them, and the subdomains ever given out."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import ARRAY, Computed, Integer, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from coursecove.db.base import Base, Identified, OrganizationKey


class Organization(Base):
    """A school.  The application role sees exactly one of them: its own."""

    __tablename__ = "organizations"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    clerk_id: Mapped[str]
    slug: Mapped[str]
    name: Mapped[str]
    time_zone: Mapped[str]
    locale: Mapped[str]
    currency: Mapped[str]
    accent_color: Mapped[str]
    logo_url: Mapped[str | None]
    logo_picture_id: Mapped[uuid.UUID | None]
    self_enrolment: Mapped[bool]
    policy_text: Mapped[str] = mapped_column(default="")
    default_minimum_notice_minutes: Mapped[int]
    default_cancellation_notice_minutes: Mapped[int]
    default_reschedule_notice_minutes: Mapped[int]
    default_travel_minutes: Mapped[int]
    waitlist_offer_minutes: Mapped[int]
    # How long before a lesson its people are reminded, unless they chose otherwise.
    reminder_minutes: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    version: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]


class Member(Identified, Base):
    """A person in one organization, with the name and address the provider last told us.

    A child (somebody with a guardian) may have no account: no ids of the
    provider, and a name the guardian wrote down.  ``role`` is computed by the
    database: the role an admin chose here, or else the one Clerk says.
    """

    __tablename__ = "members"

    clerk_user_id: Mapped[str | None]
    clerk_membership_id: Mapped[str | None]
    given_name: Mapped[str]
    family_name: Mapped[str]
    email: Mapped[str | None]
    image_url: Mapped[str | None]
    clerk_role: Mapped[str]
    role_override: Mapped[str | None]
    role: Mapped[str] = mapped_column(Computed("coalesce(role_override, clerk_role)", persisted=True))
    version: Mapped[int]
    joined_at: Mapped[datetime] = mapped_column(server_default=func.now())
    removed_at: Mapped[datetime | None]
    guardian_id: Mapped[uuid.UUID | None]
    birth_year: Mapped[int | None]
    # Shut out by an admin of the school, whatever the provider says.
    deactivated_at: Mapped[datetime | None]

    @property
    def name(self) -> str:
        """The name to show; the address when no name is known."""
        return self.name_of(self.given_name, self.family_name, self.email)

    @staticmethod
    def name_of(given_name: str, family_name: str, email: str | None) -> str:
        """Return the name to show of somebody."""
        return f"{given_name} {family_name}".strip() or email or "Unnamed person"


class InstructorProfile(OrganizationKey, Base):
    """What students see of an instructor, and the zone their hours are in."""

    __tablename__ = "instructor_profiles"

    member_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    slug: Mapped[str]
    bio: Mapped[str] = mapped_column(default="")
    time_zone: Mapped[str]
    meeting_url: Mapped[str | None]
    languages: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    picture_id: Mapped[uuid.UUID | None]
    # Lessons of all types together, in the instructor's own days and weeks.
    day_limit: Mapped[int | None]
    week_limit: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Picture(Identified, Base):
    """An uploaded picture: the school's logo, somebody's photo."""

    __tablename__ = "pictures"

    media_type: Mapped[str]
    content: Mapped[bytes]
    digest: Mapped[str]
    uploaded_by_id: Mapped[uuid.UUID]


class Preferences(OrganizationKey, Base):
    """How a person wants to read and be written to; None: as the school does it."""

    __tablename__ = "preferences"

    member_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    time_zone: Mapped[str | None]
    # Where their device was when they last booked; counts until they choose a zone.
    seen_time_zone: Mapped[str | None]
    locale: Mapped[str | None]
    reminder_minutes: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))
    clock_change_notices: Mapped[bool] = mapped_column(default=True)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
