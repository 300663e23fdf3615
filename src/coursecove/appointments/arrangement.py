"""The catalogue as a whole: its order, and types made from others."""

from __future__ import annotations

import uuid

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import qualifications, queries
from coursecove.appointments.appointment_types import (
    add_row,
    link_locations,
    new_link_key,
    open_links,
    record_created,
)
from coursecove.appointments.catalogue import get_type, list_types
from coursecove.appointments.models import AppointmentType
from coursecove.appointments.questions import copy_questions
from coursecove.appointments.schemas import AppointmentTypeView
from coursecove.appointments.writing import in_new_order, one_at_a_time, record
from coursecove.db.session import organization_of
from coursecove.i18n import _
from coursecove.tenants.models import Member

_LONGEST_NAME = 120


async def duplicate_type(session: AsyncSession, type_id: uuid.UUID, *, by: Member) -> AppointmentTypeView:
    """Make another type like this one, as a draft at the end of the catalogue, named "Copy of …".

    It has the same rules, places, questions and instructors (with the days their
    qualifications end), but a link of its own.  Raises ``NotFound``.
    """
    await one_at_a_time(session)
    original = await get_type(session, type_id)
    name = _("Copy of {name}").format(name=original.name)
    if len(name) > _LONGEST_NAME:
        name = name[: _LONGEST_NAME - 1].rstrip() + "…"
    copy_id = await add_row(
        session,
        {
            **{column: getattr(original, column) for column in queries.PLAIN_COLUMNS},
            "name": name,
            "link_key": new_link_key() if original.visibility == "link" else None,
            "published_at": None,
        },
    )
    await link_locations(session, copy_id, await open_links(session, type_id))
    await qualifications.copy(session, type_id, copy_id, among=original.instructor_ids)
    await copy_questions(session, type_id, copy_id)
    made = await get_type(session, copy_id)
    record_created(session, made, by=by, copied_from_id=type_id)
    return made


async def reorder_types(
    session: AsyncSession, type_ids: list[uuid.UUID], *, by: Member
) -> list[AppointmentTypeView]:
    """Put these types in this order, in the places they have together; others stay where they are.

    Returns the whole catalogue, drafts and archived ones included.  Raises
    ``Invalid`` at ``appointment_type_ids`` for one that is not of this school.
    """
    await one_at_a_time(session)
    before = list(
        await session.scalars(
            select(AppointmentType.id).order_by(
                AppointmentType.position, AppointmentType.name, AppointmentType.id
            )
        )
    )
    order = in_new_order(before, type_ids, field="appointment_type_ids")
    if order != before:
        await session.execute(
            update(AppointmentType)
            .where(AppointmentType.id.in_(order))
            .values(position=func.array_position(order, AppointmentType.id))
            .execution_options(synchronize_session=False)
        )
        # Of the whole catalogue, whose subject is the school.
        record(
            session,
            "appointment_type.reordered",
            subject_type="organization",
            subject_id=organization_of(session),
            by=by,
            data={"appointment_type_ids": {"from": before, "to": order}},
        )
    return await list_types(session, include_unpublished=True, include_archived=True)
