"""What other rooms and templates see of organizations and people."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

Role = Literal["admin", "instructor", "student"]


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
    logo_url: str | None
    self_enrolment: bool


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


class InstructorView(Struct, frozen=True):
    """What a student sees of an instructor; ``id`` is the member's."""

    id: uuid.UUID
    slug: str
    name: str
    bio: str
    time_zone: str
    image_url: str | None
    # Shown to people who have a booking, never in the public catalogue.
    meeting_url: str | None = None


class MemberUpdate(Struct, forbid_unknown_fields=True):
    """What an admin may change of a member; the rest comes from the identity provider."""

    role: Role


class InstructorProfileUpdate(Struct, forbid_unknown_fields=True):
    """What an instructor or an admin may change of a profile."""

    bio: Annotated[str, Meta(max_length=2000)] | UnsetType = UNSET
    time_zone: Annotated[str, Meta(max_length=64)] | UnsetType = UNSET
    meeting_url: Annotated[str, Meta(max_length=500)] | UnsetType | None = UNSET


class OrganizationUpdate(Struct, forbid_unknown_fields=True):
    """What an admin may change of the school."""

    name: Annotated[str, Meta(min_length=1, max_length=200)] | UnsetType = UNSET
    time_zone: Annotated[str, Meta(max_length=64)] | UnsetType = UNSET
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")] | UnsetType = UNSET
    accent_color: Annotated[str, Meta(pattern=r"^#[0-9a-f]{6}\Z")] | UnsetType = UNSET
    self_enrolment: bool | UnsetType = UNSET
