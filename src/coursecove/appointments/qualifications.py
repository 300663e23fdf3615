"""Who is qualified for what, seen from the instructor."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import date, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.appointments import queries
from coursecove.appointments.errors import NotAnInstructor, NotQualified
from coursecove.appointments.models import AppointmentType, Qualification
from coursecove.appointments.schemas import LapsingQualification, QualificationView
from coursecove.appointments.writing import one_at_a_time, record, refuse_foreign
from coursecove.db.session import organization_of
from coursecove.errors import Invalid, NotFound
from coursecove.formatting import local
from coursecove.i18n import _, ngettext
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member


async def get_teacher(session: AsyncSession, member_id: uuid.UUID) -> Member:
    """Return a current member who may teach: an instructor, or an admin.

    Raises ``NotFound`` for somebody who is not (or no longer) at this
    school, :class:`NotAnInstructor` for a student.
    """
    member = await tenants.get_member(session, member_id)
    if member.role not in ("instructor", "admin"):
        raise NotAnInstructor(
            _("{name} is a student here. Make them an instructor first.").format(name=member.name)
        )
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


async def qualifications_with_expiry(session: AsyncSession, member_id: uuid.UUID) -> list[QualificationView]:
    """Return what this member is qualified for and until when, in the school's order; lapsed ones included."""
    rows = (await session.execute(queries.qualifications_of(member_id))).mappings()
    return [QualificationView(**row) for row in rows]


async def lapsing_qualifications(session: AsyncSession, *, within_days: int = 30) -> list[LapsingQualification]:
    """Return the qualifications whose last day is over or comes within so many days, the earliest first.

    Of people who teach here now and types that are not archived; days are the school's.
    """
    today = local(clock.now(), (await tenants.get_organization(session)).time_zone).date()
    rows = (
        await session.execute(
            select(
                Qualification.member_id,
                Qualification.expires_on,
                AppointmentType.id,
                AppointmentType.name,
                AppointmentType.slug,
            )
            .join(AppointmentType, AppointmentType.id == Qualification.appointment_type_id)
            .where(
                Qualification.expires_on <= today + timedelta(days=within_days),
                AppointmentType.archived_at.is_(None),
            )
            .order_by(Qualification.expires_on, AppointmentType.position, Qualification.member_id)
        )
    ).all()
    people = await tenants.instructors_by_id(session, {row.member_id for row in rows}) if rows else {}
    return [
        LapsingQualification(
            member_id=row.member_id,
            member_name=people[row.member_id].name,
            appointment_type_id=row.id,
            appointment_type_name=row.name,
            appointment_type_slug=row.slug,
            expires_on=row.expires_on,
            lapsed=row.expires_on < today,
        )
        for row in rows
        if row.member_id in people
    ]


async def set_qualification_expiry(
    session: AsyncSession,
    member_id: uuid.UUID,
    type_id: uuid.UUID,
    expires_on: date | None,
    *,
    by: Member,
) -> QualificationView:
    """Say which is the last day an instructor may teach a type, in the school's zone; None: without end.

    Nothing is booked with them for that type after that day; lessons after it
    that are booked already stay until somebody moves or cancels them.  Raises
    ``NotFound`` and :class:`NotAnInstructor` for the member, :class:`NotQualified`
    when they do not teach the type, ``Invalid`` for a day of another century.
    """
    if expires_on is not None and not 2000 <= expires_on.year <= 2199:
        raise Invalid(fields={"expires_on": _("Choose a day of this century.")})
    member = await get_teacher(session, member_id)
    await one_at_a_time(session)
    before = {one.appointment_type_id: one for one in await qualifications_with_expiry(session, member_id)}
    if type_id not in before:
        raise NotQualified(_("{name} does not teach this lesson.").format(name=member.name))
    old = before[type_id].expires_on
    if old != expires_on:
        await session.execute(
            update(Qualification)
            .where(Qualification.member_id == member_id, Qualification.appointment_type_id == type_id)
            .values(expires_on=expires_on)
            .execution_options(synchronize_session=False)
        )
        record(
            session,
            "instructor.qualification_expiry_changed",
            subject_type="member",
            subject_id=member_id,
            by=by,
            data={"appointment_type_id": type_id, "expires_on": {"from": old, "to": expires_on}},
        )
    return QualificationView(type_id, expires_on)


async def set_qualifications(
    session: AsyncSession, member_id: uuid.UUID, type_ids: Iterable[uuid.UUID], *, by: Member
) -> list[uuid.UUID]:
    """Say what an instructor may teach from now on; lessons already booked stay with them.

    What stays keeps the day it ends on, and what is new has none.

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
        lambda n: ngettext(
            "One of these lessons is not offered here.", "{n} of these lessons are not offered here.", n
        ).format(n=n),
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
    members = {member for member, _type in pairs}
    for member_id in sorted(members - set(await tenants.instructors_by_id(session, members))):
        await tenants.ensure_instructor_profile(session, await tenants.get_member(session, member_id))
    rows = [
        {"organization_id": organization_of(session), "member_id": member, "appointment_type_id": type_}
        for member, type_ in pairs
    ]
    await session.execute(insert(Qualification).values(rows).on_conflict_do_nothing())


async def copy(
    session: AsyncSession, from_id: uuid.UUID, to_id: uuid.UUID, *, among: Iterable[uuid.UUID]
) -> None:
    """Qualify for one type those of ``among`` who are for another, until the same days."""
    held = select(Qualification.member_id, Qualification.expires_on).where(
        Qualification.appointment_type_id == from_id, Qualification.member_id.in_(set(among))
    )
    rows = [
        {
            "organization_id": organization_of(session),
            "member_id": member_id,
            "appointment_type_id": to_id,
            "expires_on": expires_on,
        }
        for member_id, expires_on in await session.execute(held)
    ]
    if rows:
        await session.execute(insert(Qualification).values(rows).on_conflict_do_nothing())
