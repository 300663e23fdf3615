"""The parts of Clerk's objects that CourseCove reads; everything else is skipped.

Source: Clerk's webhook events of 2025-04-15 and Backend API of 2026-05-12.
All instants are milliseconds.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar
from zoneinfo import available_timezones

from msgspec import Meta, Struct, convert, to_builtins

from coursecove.text import is_storable, one_line

Id = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")]
Milliseconds = Annotated[int, Meta(ge=0, le=2**53)]

Shape = TypeVar("Shape", bound=Struct)

_NAME_LENGTH = 200
_ZONES = frozenset(available_timezones())
_CURRENCY = re.compile(r"[A-Z]{3}")
_COLOR = re.compile(r"#[0-9a-f]{6}")
_LOCALE = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")


class Deleted(Struct):
    """What is left of a deleted user or organization."""

    id: Id


class EmailAddress(Struct):
    """One of a person's addresses."""

    email_address: str
    id: str | None = None


class UserData(Struct):
    """A person."""

    id: Id
    updated_at: Milliseconds
    first_name: str | None = None
    last_name: str | None = None
    image_url: str | None = None
    has_image: bool | None = None
    primary_email_address_id: str | None = None
    email_addresses: list[EmailAddress] | None = None

    @property
    def email(self) -> str | None:
        """The primary address, found by its id, never by its place in the list."""
        for address in self.email_addresses or ():
            if address.id is not None and address.id == self.primary_email_address_id:
                return plain(address.email_address, 320) or None
        return None

    @property
    def picture(self) -> str | None:
        """The picture the person chose; None instead of the one Clerk draws for everybody."""
        return _picture(self.image_url) if self.has_image else None


class OrganizationData(Struct):
    """A school."""

    id: Id
    updated_at: Milliseconds
    name: str
    slug: str | None = None
    image_url: str | None = None
    has_image: bool | None = None
    public_metadata: dict[str, Any] | None = None

    def said(self) -> dict[str, str | None]:
        """Return the columns of a school this object speaks about; unusable values are left out."""
        values: dict[str, str | None] = {
            "name": plain(self.name, _NAME_LENGTH) or "Unnamed school",
            "logo_url": _picture(self.image_url) if self.has_image else None,
        }
        metadata = self.public_metadata or {}
        zone, currency = metadata.get("time_zone"), metadata.get("currency")
        color, locale = metadata.get("accent_color"), metadata.get("locale")
        if isinstance(zone, str) and zone in _ZONES:
            values["time_zone"] = zone
        if isinstance(currency, str) and _CURRENCY.fullmatch(currency.upper()):
            values["currency"] = currency.upper()
        if isinstance(color, str) and _COLOR.fullmatch(color.lower()):
            values["accent_color"] = color.lower()
        if isinstance(locale, str) and _LOCALE.fullmatch(locale):
            values["locale"] = locale
        return values


class OrganizationReference(Struct):
    """The school of a membership."""

    id: Id


class PublicUserData(Struct):
    """The person of a membership; the name comes from the person's own, versioned record."""

    user_id: Id


class MembershipData(Struct):
    """A person in a school, with the role Clerk knows (``org:admin``, ``org:instructor``, ``org:member`` …)."""

    id: Id
    updated_at: Milliseconds
    role: Id
    organization: OrganizationReference
    public_user_data: PublicUserData


def as_shape(answer: Struct, shape: type[Shape]) -> Shape:
    """Return what the Backend API said in the shape the webhooks' meaning is written for.

    Raises :class:`msgspec.ValidationError` when it cannot be.
    """
    return convert(to_builtins(answer), shape)


def plain(text: str | None, longest: int) -> str:
    """Return ``text`` as one line that can be stored and shown, cut to ``longest`` characters."""
    return one_line("".join(filter(is_storable, text or "")))[:longest].rstrip()


def _picture(url: str | None) -> str | None:
    return url if url and url.startswith("https://") and len(url) <= 1000 and is_storable(url) else None
