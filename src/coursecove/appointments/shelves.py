"""The catalogue as those who run it look through it: three shelves, narrowed and sorted, a page at a time."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any, Literal

from msgspec import Struct
from sqlalchemy import ColumnElement, and_, case, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import queries
from coursecove.appointments.catalogue import type_views
from coursecove.appointments.models import AppointmentType, AppointmentTypeLocation, Qualification
from coursecove.appointments.schemas import AppointmentTypeView, Kind
from coursecove.text import is_storable

Shelf = Literal["published", "drafts", "archived"]
Order = Literal["position", "name", "length", "price"]
LARGEST_PAGE = 200


class TypePage(Struct, frozen=True):
    """One page of a shelf, how many are found on it, and how many stand on each."""

    items: list[AppointmentTypeView]
    total: int
    page: int
    on_shelves: dict[str, int]


async def page_of_types(
    session: AsyncSession,
    *,
    shelf: Shelf,
    search: str = "",
    kind: Kind | None = None,
    location_id: uuid.UUID | None = None,
    instructor_id: uuid.UUID | None = None,
    order: Order = "position",
    descending: bool = False,
    page: int = 1,
    page_size: int = 50,
) -> TypePage:
    """Return one page of a shelf; as many reads for any catalogue, and only the page's rows are put together.

    ``search`` is a part of the name.  A page past the last one is the last one.
    """
    wanted: list[ColumnElement[bool]] = [_shelf() == shelf]
    if search:
        wanted.append(
            AppointmentType.name.icontains(search, autoescape=True) if is_storable(search) else literal(False)
        )
    if kind is not None:
        wanted.append(AppointmentType.kind == kind)
    if location_id is not None:
        linked = queries.open_locations_of(AppointmentType.id).correlate(AppointmentType)
        wanted.append(AppointmentType.location_mode == "in_person")
        wanted.append(linked.where(AppointmentTypeLocation.location_id == location_id).exists())
    if instructor_id is not None:
        wanted.append(
            select(Qualification.member_id)
            .where(
                Qualification.appointment_type_id == AppointmentType.id,
                Qualification.member_id == instructor_id,
            )
            .correlate(AppointmentType)
            .exists()
        )
    counted = await session.execute(
        select(_shelf().label("shelf"), func.count(), func.count().filter(and_(*wanted))).group_by("shelf")
    )
    on_shelves, total = {}, 0
    for name, count, found in counted:
        on_shelves[name] = count
        total += found
    page_size = min(max(page_size, 1), LARGEST_PAGE)
    page = min(max(page, 1), max(-(-total // page_size), 1))
    statement = queries.types().where(*wanted).limit(page_size).offset((page - 1) * page_size)
    if order != "position":
        by = _sorted_by(order)
        # What is the same in it stays in the school's order.
        statement = statement.order_by(None).order_by(
            by.desc() if descending else by, AppointmentType.position, AppointmentType.id
        )
    return TypePage(await type_views(session, statement) if total else [], total, page, on_shelves)


async def type_names_at(session: AsyncSession, location_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, list[str]]:
    """Return what is taught at each of these places, drafts too, in the school's order; in one read."""
    found: dict[uuid.UUID, list[str]] = {id_: [] for id_ in location_ids}
    if not found:
        return found
    rows = await session.execute(
        select(AppointmentTypeLocation.location_id, AppointmentType.name)
        .join(AppointmentType, AppointmentType.id == AppointmentTypeLocation.appointment_type_id)
        .where(
            AppointmentTypeLocation.location_id.in_(found),
            AppointmentType.archived_at.is_(None),
            AppointmentType.location_mode == "in_person",
        )
        .order_by(AppointmentType.position, AppointmentType.name, AppointmentType.id)
    )
    for location_id, name in rows:
        found[location_id].append(name)
    return found


async def teaching_modes(session: AsyncSession) -> dict[str, set[uuid.UUID]]:
    """Return the location modes of what is not archived, and who may teach something that way; in one read."""
    rows = await session.execute(
        select(AppointmentType.location_mode, Qualification.member_id)
        .join(Qualification, Qualification.appointment_type_id == AppointmentType.id, isouter=True)
        .where(AppointmentType.archived_at.is_(None))
        .distinct()
    )
    found: dict[str, set[uuid.UUID]] = {}
    mode: str
    member_id: uuid.UUID | None
    for mode, member_id in rows:
        # A type that nobody teaches yet has its mode all the same.
        teaching = found.setdefault(mode, set())
        if member_id is not None:
            teaching.add(member_id)
    return found


def _shelf() -> ColumnElement[str]:
    return case(
        (AppointmentType.archived_at.is_not(None), "archived"),
        (AppointmentType.published_at.is_not(None), "published"),
        else_="drafts",
    )


def _sorted_by(order: Order) -> ColumnElement[Any]:
    if order == "name":
        return func.lower(AppointmentType.name)
    if order == "length":
        further = select(func.min(func.unnest(AppointmentType.further_durations_minutes).column_valued("m")))
        return func.least(AppointmentType.duration_minutes, further.scalar_subquery())
    # No price at all comes before none to be paid.
    return func.coalesce(AppointmentType.price_cents, -1)
