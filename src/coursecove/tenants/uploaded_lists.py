"""Lists that somebody uploaded: kept between the look at them and the taking over, and thrown away after.

Of each kind everybody has one at a time.  A list of people stays a little
longer: its invitations are sent in the pace that Clerk allows a whole
instance, the first at once.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import structlog
from msgspec import Struct
from sqlalchemy import delete, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from coursecove import clock
from coursecove.db.base import Base, Identified
from coursecove.db.session import SYSTEM, organization_of
from coursecove.errors import NotFound
from coursecove.events import track
from coursecove.i18n import _
from coursecove.jobs import enqueue, job
from coursecove.periodic import periodic
from coursecove.resources import Resources
from coursecove.tenants import queries
from coursecove.tenants.invitations import MOST_AT_ONCE, InvitationsUnavailable, invite
from coursecove.tenants.members import get_member
from coursecove.tenants.models import Member
from coursecove.tenants.organizations import get_organization
from coursecove.tenants.schemas import Role

log = structlog.get_logger("coursecove.uploaded_lists")

ListKind = Literal["people", "appointment_types", "hours"]
#: Clerk takes 250 invitations an hour for a whole instance; other schools invite people, too.
PACE_SECONDS = 900
_PER_PACE = 50
# Uploaded and forgotten, or confirmed when Clerk could not be reached for days.
_GONE = text(
    "delete from imports where (applied_at is null and created_at < now() - interval '1 day') "
    "or created_at < now() - interval '7 days'"
)
_CONFIRMED = text(
    "select organization_id, id from imports where applied_at is not null and kind = 'people' "
    "order by applied_at limit 20"
)


class UploadedList(Identified, Base):
    """The text of a file, until it is taken over or thrown away."""

    __tablename__ = "imports"

    kind: Mapped[str]
    file_name: Mapped[str]
    content: Mapped[str]
    created_by_id: Mapped[uuid.UUID]
    applied_at: Mapped[datetime | None] = mapped_column(default=None)


class UploadedListView(Struct, frozen=True):
    """A list somebody uploaded and has not confirmed."""

    id: uuid.UUID
    kind: str
    file_name: str
    content: str


async def emails_of_members(session: AsyncSession) -> dict[str, uuid.UUID]:
    """Return everybody who belongs to the school, shut out or not, by address in small letters; one query."""
    statement = queries.current_members().where(Member.email.is_not(None))
    return {(member.email or "").casefold(): member.id for member in await session.scalars(statement)}


async def keep_list(
    session: AsyncSession, kind: ListKind, *, file_name: str, content: str, by: Member
) -> UploadedListView:
    """Keep a file's text for the look at it, in place of the last one of this kind."""
    await drop_list(session, kind, by=by)
    view = UploadedListView(uuid.uuid4(), kind, file_name[:200], content)
    await _write(session, view, by_id=by.id)
    return view


async def get_list(session: AsyncSession, kind: ListKind, *, by: Member) -> UploadedListView:
    """Return what ``by`` uploaded of this kind and has not confirmed; raises :class:`NotFound`.

    Two windows of one person wait for each other here.
    """
    found = await session.scalar(_waiting(kind, by).with_for_update())
    if found is None:
        raise NotFound(_("There is no list waiting. Please upload it again."))
    return UploadedListView(found.id, found.kind, found.file_name, found.content)


async def drop_list(session: AsyncSession, kind: ListKind, *, by: Member) -> None:
    """Throw away what ``by`` uploaded of this kind and has not confirmed."""
    await session.execute(
        delete(UploadedList)
        .where(
            UploadedList.kind == kind, UploadedList.created_by_id == by.id, UploadedList.applied_at.is_(None)
        )
        .execution_options(synchronize_session=False)
    )


async def note_taken_over(session: AsyncSession, taken: UploadedListView, *, rows: int, by: Member) -> None:
    """Record that a list was taken over, and throw its text away."""
    track(
        session,
        "import.applied",
        subject_type="import",
        subject_id=taken.id,
        actor_id=by.id,
        data={"kind": taken.kind, "file_name": taken.file_name, "rows": rows},
    )
    await _forget(session, taken.id)


async def invite_list(
    session: AsyncSession,
    taken: UploadedListView,
    people: Sequence[tuple[str, Role]],
    *,
    by: Member,
) -> None:
    """Have everybody in a confirmed list invited: the first at once, the rest in Clerk's pace."""
    await note_taken_over(session, taken, rows=len(people), by=by)
    await _hand_on(session, taken, people, by_id=by.id)


async def _hand_on(
    session: AsyncSession, taken: UploadedListView, people: Sequence[tuple[str, Role]], *, by_id: uuid.UUID
) -> None:
    rest = UploadedListView(
        uuid.uuid4(), "people", taken.file_name, "\n".join(f"{role} {email}" for email, role in people)
    )
    await _write(session, rest, by_id=by_id, confirmed=True)
    enqueue(session, send_invitations, list_id=rest.id)


async def _write(
    session: AsyncSession, view: UploadedListView, *, by_id: uuid.UUID, confirmed: bool = False
) -> None:
    await session.execute(
        insert(UploadedList).values(
            organization_id=organization_of(session),
            id=view.id,
            kind=view.kind,
            file_name=view.file_name,
            content=view.content,
            created_by_id=by_id,
            applied_at=clock.now() if confirmed else None,
        )
    )


async def _forget(session: AsyncSession, list_id: uuid.UUID) -> None:
    await session.execute(
        delete(UploadedList).where(UploadedList.id == list_id).execution_options(synchronize_session=False)
    )


def _waiting(kind: ListKind, by: Member) -> Any:
    return (
        select(UploadedList)
        .where(
            UploadedList.kind == kind, UploadedList.created_by_id == by.id, UploadedList.applied_at.is_(None)
        )
        .order_by(UploadedList.created_at.desc())
        .limit(1)
    )


@job("uploaded_lists.send_invitations")
async def send_invitations(resources: Resources, *, organization_id: str, list_id: str) -> None:
    """Invite the next people of a confirmed list; does nothing when that is being done elsewhere.

    What Clerk could not be asked about stays for the next time.
    """
    async with resources.database.organization(uuid.UUID(organization_id), acting=SYSTEM) as session:
        found = await session.scalar(
            select(UploadedList)
            .where(UploadedList.id == uuid.UUID(list_id), UploadedList.applied_at.is_not(None))
            .with_for_update(skip_locked=True)
        )
        if found is None:
            return
        lines = found.content.splitlines()
        by = await get_member(session, found.created_by_id)
        organization = await get_organization(session)
        now, later = lines[: min(_PER_PACE, MOST_AT_ONCE)], lines[min(_PER_PACE, MOST_AT_ONCE) :]
        again: list[str] = []
        roles: tuple[Role, ...] = ("student", "instructor", "admin")
        for role in roles:
            emails = [line.partition(" ")[2] for line in now if line.startswith(f"{role} ")]
            if not emails:
                continue
            try:
                result = await invite(session, resources, organization, emails, role, by=by)
                again += [f"{role} {one.email}" for one in result.refused if one.code == "unavailable"]
            except InvitationsUnavailable:
                again += [f"{role} {email}" for email in emails]
        await _forget(session, found.id)
        rest = UploadedListView(uuid.uuid4(), "people", found.file_name, "\n".join([*later, *again]))
        if rest.content:
            await _write(session, rest, by_id=by.id, confirmed=True)
        log.info("list_invited", organization_id=organization_id, sent=len(now) - len(again), left=len(later))


@periodic("uploaded_lists.sweep", every_seconds=PACE_SECONDS, first_after_seconds=PACE_SECONDS)
async def sweep(resources: Resources) -> None:
    """Throw away what nobody confirmed, and send the next invitations of what was."""
    async with resources.database.platform_scope() as session:
        await session.execute(_GONE)
        confirmed = (await session.execute(_CONFIRMED)).all()
    for organization_id, list_id in confirmed[:1]:
        await resources.queue.send(send_invitations, organization_id=organization_id, list_id=list_id)
