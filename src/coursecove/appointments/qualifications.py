"""Who is qualified for what, seen from the instructor."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import queries
from coursecove.appointments.errors import NotAnInstructor
from coursecove.appointments.models import AppointmentType, Qualification
from coursecove.appointments.writing import one_at_a_time, record, refuse_foreign
from coursecove.db.session import organization_of
from coursecove.errors import NotFound
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member


async def get_teacher(session: AsyncSession, member_id: uuid.UUID) -> Member:
    """Return a current member who may teach: an instructor, or an admin.

    Raises ``NotFound`` for somebody who is not (or no longer) at this
    school, :class:`NotAnInstructor` for a student.
    """
    member = await tenants.get_member(session, member_id)
    if member.role not in ("instructor", "admin"):
        raise NotAnInstructor(f"{member.name} is a student here. Make them an instructor first.")
    return member


async def teachers_among(session: AsyncSession, member_ids: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """Return those of ``member_ids`` who may teach; admins count even before they do."""
    wanted = set(member_ids)
    if not wanted:
        return set()
    teaching = set(await tenants.instructors_by_id(session, wanted))
    for member_id in sorted(wanted - teaching):
        try:
            teaching.add((await get_teacher(session, member_id)).id)
        except (NotFound, NotAnInstructor):
            # One is enough for the caller to refuse, in the same words for every reason.
            break
    return teaching


async def qualifications_of(session: AsyncSession, member_id: uuid.UUID) -> list[uuid.UUID]:
    """Return the ids of the appointment types this member is qualified for, in the school's order."""
    return list((await session.scalars(queries.qualifications_of(member_id))).all())


async def set_qualifications(
    session: AsyncSession, member_id: uuid.UUID, type_ids: Iterable[uuid.UUID], *, by: Member
) -> list[uuid.UUID]:
    """Say what an instructor may teach from now on; lessons already booked stay with them.

    Raises ``NotFound`` and :class:`NotAnInstructor` for the member, and
    ``Invalid`` at ``appointment_type_ids`` for a type that is not offered here.
    """
    wanted = set(type_ids)
    await get_teacher(session, member_id)
    await one_at_a_time(session)
    known = await session.scalars(
        select(AppointmentType.id).where(AppointmentType.id.in_(wanted), AppointmentType.archived_at.is_(None))
    )
    refuse_foreign(
        "appointment_type_ids",
        wanted,
        known,
        lambda n: f"{'One' if n == 1 else n} of these lessons {'is' if n == 1 else 'are'} not offered here.",
    )
    before = await qualifications_of(session, member_id)
    if set(before) == wanted:
        return before
    await link(session, [(member_id, type_id) for type_id in wanted - set(before)])
    await session.execute(
        delete(Qualification)
        .where(
            Qualification.member_id == member_id,
            Qualification.appointment_type_id.in_(set(before) - wanted),
        )
        .execution_options(synchronize_session=False)
    )
    after = await qualifications_of(session, member_id)
    record(
        session,
        "instructor.qualifications_changed",
        subject_type="member",
        subject_id=member_id,
        by=by,
        data={"appointment_type_ids": {"from": before, "to": after}},
    )
    return after


async def link(session: AsyncSession, pairs: Iterable[tuple[uuid.UUID, uuid.UUID]]) -> None:
    """Make each (member, type) qualified; those who are already stay so.

    Whoever is qualified is shown to students, so an admin who begins to teach gets a profile here.
    """
    pairs = sorted(set(pairs))
    if not pairs:
        return
    members = {member for member, _ in pairs}
    for member_id in sorted(members - set(await tenants.instructors_by_id(session, members))):
        await tenants.ensure_instructor_profile(session, await tenants.get_member(session, member_id))
    rows = [
        {"organization_id": organization_of(session), "member_id": member, "appointment_type_id": type_}
        for member, type_ in pairs
    ]
    await session.execute(insert(Qualification).values(rows).on_conflict_do_nothing())
