"""Uploaded pictures: a school's logo, an instructor's photo.

A picture's id is the beginning of its digest, so the same picture is stored
once in a school, its address says what it holds and may be kept for good, and
no table has to be asked for an address.  Another school's address leads nowhere:
the row is found inside the school of the host only.
"""

from __future__ import annotations

import hashlib
import uuid

from msgspec import Struct
from sqlalchemy import delete, exists, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.db.session import organization_of
from coursecove.errors import Invalid, NotFound
from coursecove.i18n import _
from coursecove.tenants.models import InstructorProfile, Member, Organization, Picture
from coursecove.tenants.picture_formats import understood

MAX_BYTES = 1_000_000


class PictureView(Struct, frozen=True):
    """A picture to be sent."""

    media_type: str
    content: bytes


def picture_url(picture_id: uuid.UUID | None) -> str | None:
    """Return the address of a picture on the school's host; None for none."""
    return f"/pictures/{picture_id.hex}" if picture_id else None


async def save_picture(
    session: AsyncSession, content: bytes, *, by: Member, field: str = "picture"
) -> uuid.UUID:
    """Store a picture once and return its id, for a column that shows it.

    Raises :class:`Invalid` at ``field`` unless it is a PNG, JPEG or WebP, told
    by its bytes, of at most :data:`MAX_BYTES`.  Only what draws it is kept.
    """
    if not content:
        raise Invalid(fields={field: _("Choose a picture.")})
    if len(content) > MAX_BYTES:
        message = _("This picture has {size} MB. It may have 1 MB at most: make it smaller and try again.")
        raise Invalid(fields={field: message.format(size=f"{len(content) / 1_000_000:.1f}")})
    drawing = understood(content, field=field)
    digest = hashlib.sha256(drawing.content).hexdigest()
    picture_id = uuid.UUID(hex=digest[:32])
    # What one upload stores, no other takes away as unused in the same moment.
    await session.execute(
        text("select pg_advisory_xact_lock(hashtextextended(:key, 0))"),
        {"key": f"pictures:{organization_of(session)}"},
    )
    await session.execute(
        insert(Picture)
        .values(
            organization_id=organization_of(session),
            id=picture_id,
            media_type=drawing.media_type,
            content=drawing.content,
            digest=digest,
            uploaded_by_id=by.id,
        )
        .on_conflict_do_nothing()
    )
    return picture_id


async def forget_unused_pictures(session: AsyncSession) -> None:
    """Remove the pictures that nothing shows any more; called after one was replaced or taken away."""
    await session.flush()
    await session.execute(
        text("select pg_advisory_xact_lock(hashtextextended(:key, 0))"),
        {"key": f"pictures:{organization_of(session)}"},
    )
    await session.execute(
        delete(Picture)
        .where(
            ~exists().where(Organization.logo_picture_id == Picture.id),
            ~exists().where(InstructorProfile.picture_id == Picture.id),
        )
        .execution_options(synchronize_session=False)
    )


async def find_picture(session: AsyncSession, digest: str) -> PictureView:
    """Return the picture of this school at ``digest``; raises :class:`NotFound`."""
    try:
        picture_id = uuid.UUID(hex=digest)
    except ValueError:
        picture_id = None
    if picture_id is None or picture_id.hex != digest:
        raise NotFound(_("There is no such picture here."))
    found = (
        await session.execute(select(Picture.media_type, Picture.content).where(Picture.id == picture_id))
    ).one_or_none()
    if found is None:
        raise NotFound(_("There is no such picture here."))
    return PictureView(*found)
