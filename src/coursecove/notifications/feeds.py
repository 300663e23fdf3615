"""Private calendar addresses: made, replaced, ended, and read by whoever holds one.

The secret is shown once, when it is made; a lost one is replaced.  A feed is as
good as the person it belongs to: who leaves the school, or is shut out, takes
their feeds with them, and who is no admin any more the ones of locations.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal

from msgspec import Meta, Struct
from sqlalchemy import ColumnElement, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.appointments import service as appointments
from coursecove.db.session import organization_of
from coursecove.errors import Forbidden, Invalid, NotFound
from coursecove.events import track
from coursecove.i18n import _
from coursecove.notifications.models import CalendarFeed
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member

FeedKind = Literal["student", "instructor", "location"]

# 256 bits: nobody guesses one, and the digest needs no salt.
_SECRET_BYTES = 32
_LONGEST_TOKEN = 64
#: How often a feed is noted as read; calendars ask every few minutes.
NOTED_EVERY = timedelta(hours=1)


class FeedView(Struct, frozen=True, kw_only=True):
    """A calendar feed that works; its address was shown when it was made."""

    id: uuid.UUID
    kind: FeedKind
    location_id: uuid.UUID | None
    created_at: datetime
    # When a calendar last asked for it, to the hour; None: not yet.
    last_read_at: datetime | None


class OpenedFeed(Struct, frozen=True):
    """A feed that was just made, with the secret part of its address, which is never shown again."""

    feed: FeedView
    token: Annotated[str, Meta(min_length=40)]


class FoundFeed(Struct, frozen=True):
    """A feed that somebody holds the secret of, and whose eyes it is read with."""

    id: uuid.UUID
    kind: FeedKind
    location_id: uuid.UUID | None
    reader: Member


async def list_feeds(session: AsyncSession, *, by: Member) -> list[FeedView]:
    """Return one's own feeds that work; admins also those of locations."""
    owned: ColumnElement[bool] = CalendarFeed.member_id == by.id
    if by.role == "admin":
        owned = or_(owned, CalendarFeed.kind == "location")
    rows = await session.scalars(
        select(CalendarFeed)
        .where(CalendarFeed.revoked_at.is_(None), owned)
        .order_by(CalendarFeed.kind, CalendarFeed.created_at)
    )
    return [_view(row) for row in rows]


class FeedRecord(Struct, frozen=True):
    """A calendar feed as a list of the school has it: whose or where, never its address."""

    kind: str
    member_id: uuid.UUID | None
    location_id: uuid.UUID | None
    created_at: datetime
    last_read_at: datetime | None
    revoked_at: datetime | None


async def every_feed(session: AsyncSession, *, page: int = 1, page_size: int = 200) -> list[FeedRecord]:
    """Return a page of the school's feeds, also those that were ended, oldest first; for admins."""
    rows = await session.execute(
        select(
            CalendarFeed.kind,
            CalendarFeed.member_id,
            CalendarFeed.location_id,
            CalendarFeed.created_at,
            CalendarFeed.last_read_at,
            CalendarFeed.revoked_at,
        )
        .order_by(CalendarFeed.created_at, CalendarFeed.id)
        .limit(page_size)
        .offset((page - 1) * page_size)
    )
    return [FeedRecord(*row) for row in rows]


async def find_feed(
    session: AsyncSession, kind: FeedKind, *, by: Member, location_id: uuid.UUID | None = None
) -> FeedView | None:
    """Return the feed of this kind that works, one's own or of a location; None when there is none."""
    return next(
        (
            feed
            for feed in await list_feeds(session, by=by)
            if feed.kind == kind and feed.location_id == location_id
        ),
        None,
    )


async def open_feed(
    session: AsyncSession, kind: FeedKind, *, by: Member, location_id: uuid.UUID | None = None
) -> OpenedFeed:
    """Make a feed, in place of the one there was: its address works no longer.

    ``student`` is everybody's: their lessons and their children's.
    ``instructor`` is for staff, ``location`` for admins.  Raises Forbidden, and
    Invalid at ``location_id``.
    """
    await _check(session, kind, by=by, location_id=location_id)
    await _end(session, _of(kind, by=by, location_id=location_id))
    token = secrets.token_urlsafe(_SECRET_BYTES)
    row = (
        await session.execute(
            insert(CalendarFeed)
            .values(
                organization_id=organization_of(session),
                id=uuid.uuid4(),
                token_digest=_digest(token),
                kind=kind,
                member_id=None if kind == "location" else by.id,
                location_id=location_id,
                created_by_id=by.id,
            )
            .returning(CalendarFeed)
        )
    ).scalar_one()
    _note(session, "calendar_feed.opened", row, by=by)
    return OpenedFeed(_view(row), token)


async def revoke_feed(session: AsyncSession, feed_id: uuid.UUID, *, by: Member) -> None:
    """End a feed of one's own, or as an admin one of a location; calendars that ask for it get nothing.

    Raises NotFound for others', and for one that has ended.
    """
    owned: ColumnElement[bool] = CalendarFeed.member_id == by.id
    if by.role == "admin":
        owned = or_(owned, CalendarFeed.kind == "location")
    ended = await _end(session, [CalendarFeed.id == feed_id, owned])
    if not ended:
        raise NotFound(_("There is no such calendar link."))
    for row in ended:
        _note(session, "calendar_feed.revoked", row, by=by)


async def find_by_token(session: AsyncSession, token: str) -> FoundFeed | None:
    """Return what a secret opens, acting as CourseCove itself; None for one that opens nothing (any more).

    The look-up goes by the digest, so its time tells nothing about the secret.
    """
    if not (token.isascii() and len(token) <= _LONGEST_TOKEN):
        return None
    row = await session.scalar(
        select(CalendarFeed).where(
            CalendarFeed.token_digest == _digest(token), CalendarFeed.revoked_at.is_(None)
        )
    )
    if row is None:
        return None
    try:
        reader = await tenants.get_member(session, row.member_id or row.created_by_id)
    except NotFound:
        return None
    needed = {"student": ("admin", "instructor", "student"), "instructor": ("admin", "instructor")}
    if reader.deactivated_at is not None or reader.role not in needed.get(row.kind, ("admin",)):
        return None
    await _note_reading(session, row)
    return FoundFeed(row.id, row.kind, row.location_id, reader)  # type: ignore[arg-type] # a check in the table


async def _note_reading(session: AsyncSession, row: CalendarFeed) -> None:
    now = clock.now()
    if row.last_read_at is None or now - row.last_read_at >= NOTED_EVERY:
        await session.execute(
            update(CalendarFeed)
            .where(CalendarFeed.id == row.id)
            .values(last_read_at=now)
            .execution_options(synchronize_session=False)
        )


async def _check(session: AsyncSession, kind: FeedKind, *, by: Member, location_id: uuid.UUID | None) -> None:
    if kind == "location":
        if by.role != "admin":
            raise Forbidden(_("Calendars of locations are for the school's admins."))
        if location_id is None:
            raise Invalid(fields={"location_id": _("Choose a location.")})
        try:
            await appointments.get_location(session, location_id)
        except NotFound:
            raise Invalid(fields={"location_id": _("Choose a location of this school.")}) from None
    elif location_id is not None:
        raise Invalid(fields={"location_id": _("Only the calendar of a location has one.")})
    if kind == "instructor" and by.role not in ("instructor", "admin"):
        raise Forbidden(_("This calendar is for those who teach."))
    # Two windows at once: one of them waits, and replaces the other's.
    await session.execute(
        text("select pg_advisory_xact_lock(hashtextextended(:key, 0))"),
        {"key": f"calendar_feed:{organization_of(session)}:{kind}:{location_id or by.id}"},
    )


def _of(kind: FeedKind, *, by: Member, location_id: uuid.UUID | None) -> list[ColumnElement[bool]]:
    if kind == "location":
        return [CalendarFeed.kind == kind, CalendarFeed.location_id == location_id]
    return [CalendarFeed.kind == kind, CalendarFeed.member_id == by.id]


async def _end(session: AsyncSession, conditions: Sequence[ColumnElement[bool]]) -> Sequence[CalendarFeed]:
    return (
        await session.scalars(
            update(CalendarFeed)
            .where(CalendarFeed.revoked_at.is_(None), *conditions)
            .values(revoked_at=func.now())
            .returning(CalendarFeed)
            .execution_options(synchronize_session=False)
        )
    ).all()


def _note(session: AsyncSession, action: str, feed: CalendarFeed, *, by: Member) -> None:
    if feed.location_id is None:
        # What people do with their own calendar is nobody else's matter.
        return
    track(
        session,
        action,
        subject_type="location",
        subject_id=feed.location_id,
        actor_id=by.id,
    )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _view(row: CalendarFeed) -> FeedView:
    return FeedView(
        id=row.id,
        kind=row.kind,  # type: ignore[arg-type] # a check in the table knows three
        location_id=row.location_id,
        created_at=row.created_at,
        last_read_at=row.last_read_at,
    )
