"""Travel zones: how long the way to a student's place takes, by the beginning of the postcode."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import queries
from coursecove.appointments.models import TravelZone
from coursecove.appointments.schemas import TravelZoneCreate, TravelZoneUpdate, TravelZoneView
from coursecove.appointments.validation import checked
from coursecove.appointments.writing import changes_of, in_new_order, one_at_a_time, record
from coursecove.db.session import organization_of
from coursecove.errors import Invalid, NotFound
from coursecove.i18n import _
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member

_PLAIN = ("name", "postcode_prefixes", "travel_minutes")
_SEPARATORS = re.compile(r"[\s\-–.]+")
_POSTCODE = re.compile(r"[A-Z0-9]+")


async def list_travel_zones(session: AsyncSession) -> list[TravelZoneView]:
    """Return the school's zones in its order."""
    return [TravelZoneView(**row) for row in (await session.execute(queries.travel_zones())).mappings()]


async def get_travel_zone(session: AsyncSession, zone_id: uuid.UUID) -> TravelZoneView:
    """Return one zone; raises :class:`NotFound`."""
    row = (
        (await session.execute(queries.travel_zones().where(TravelZone.id == zone_id))).mappings().one_or_none()
    )
    if row is None:
        raise NotFound(_("There is no such travel zone at this school."))
    return TravelZoneView(**row)


async def travel_minutes_for(session: AsyncSession, postcode: str) -> int:
    """Return how long the way to ``postcode`` takes: by the longest prefix that fits, else the default."""
    zone = zone_of(await list_travel_zones(session), postcode)
    if zone is not None:
        return zone.travel_minutes
    return (await tenants.get_organization(session)).default_travel_minutes


def zone_of(zones: Iterable[TravelZoneView], postcode: str) -> TravelZoneView | None:
    """Return the zone whose longest prefix begins ``postcode``, however that is spaced; None when none does."""
    wanted = plain_postcode(postcode)
    fitting = [
        (len(prefix), zone) for zone in zones for prefix in zone.postcode_prefixes if wanted.startswith(prefix)
    ]
    return max(fitting, key=lambda found: found[0])[1] if fitting else None


def plain_postcode(text: str) -> str:
    """Return a postcode as prefixes are kept: capitals, without spaces and hyphens."""
    return _SEPARATORS.sub("", text).upper()


async def create_travel_zone(session: AsyncSession, data: TravelZoneCreate, *, by: Member) -> TravelZoneView:
    """Add a zone as the last one.

    Raises ``Invalid`` for a name or a prefix that another zone has, and for a prefix no postcode begins with.
    """
    data = checked(data)
    await one_at_a_time(session)
    data.postcode_prefixes = _prefixes(data.postcode_prefixes)
    await _check_free(session, name=data.name, prefixes=data.postcode_prefixes)
    last = await session.scalar(select(func.max(TravelZone.position)))
    zone_id = uuid.uuid4()
    await session.execute(
        insert(TravelZone).values(
            organization_id=organization_of(session),
            id=zone_id,
            position=0 if last is None else last + 1,
            **{name: getattr(data, name) for name in _PLAIN},
        )
    )
    made = await get_travel_zone(session, zone_id)
    _record(session, "travel_zone.created", zone_id, by=by, data={name: getattr(made, name) for name in _PLAIN})
    return made


async def update_travel_zone(
    session: AsyncSession, zone_id: uuid.UUID, data: TravelZoneUpdate, *, by: Member
) -> TravelZoneView:
    """Change a zone; lessons that are booked keep the way they were booked with.

    Raises ``NotFound``, and ``Invalid`` as :func:`create_travel_zone` does.
    """
    data = checked(data)
    await one_at_a_time(session)
    before = await get_travel_zone(session, zone_id)
    if isinstance(data.postcode_prefixes, list):
        data.postcode_prefixes = _prefixes(data.postcode_prefixes)
    changes = changes_of(data, before, among=_PLAIN)
    if not changes:
        return before
    values = {name: change["to"] for name, change in changes.items()}
    await _check_free(
        session, name=values.get("name"), prefixes=values.get("postcode_prefixes", ()), but=zone_id
    )
    await session.execute(
        update(TravelZone)
        .where(TravelZone.id == zone_id)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    _record(session, "travel_zone.changed", zone_id, by=by, data=changes)
    return await get_travel_zone(session, zone_id)


async def delete_travel_zone(session: AsyncSession, zone_id: uuid.UUID, *, by: Member) -> None:
    """Take a zone away: its postcodes have the school's default from now on.  Raises ``NotFound``."""
    await one_at_a_time(session)
    gone = await get_travel_zone(session, zone_id)
    await session.execute(
        delete(TravelZone).where(TravelZone.id == zone_id).execution_options(synchronize_session=False)
    )
    _record(session, "travel_zone.deleted", zone_id, by=by, data={name: getattr(gone, name) for name in _PLAIN})


async def reorder_travel_zones(
    session: AsyncSession, zone_ids: list[uuid.UUID], *, by: Member
) -> list[TravelZoneView]:
    """Show the zones in this order; which one holds for a postcode is not decided by it."""
    await one_at_a_time(session)
    before = [zone.id for zone in await list_travel_zones(session)]
    order = in_new_order(before, zone_ids, field="zone_ids")
    if order != before:
        await session.execute(
            update(TravelZone)
            .where(TravelZone.id.in_(order))
            .values(position=func.array_position(order, TravelZone.id))
            .execution_options(synchronize_session=False)
        )
        record(
            session,
            "travel_zone.reordered",
            subject_type="organization",
            subject_id=organization_of(session),
            by=by,
            data={"zone_ids": {"from": before, "to": order}},
        )
    return await list_travel_zones(session)


def _prefixes(typed: Iterable[str]) -> list[str]:
    found = sorted({plain_postcode(prefix) for prefix in typed})
    wrong = next((prefix for prefix in found if not _POSTCODE.fullmatch(prefix)), None)
    if wrong is not None:
        raise Invalid(
            fields={
                "postcode_prefixes": _("No postcode begins with “{prefix}”: letters and digits only.").format(
                    prefix=wrong
                )
            }
        )
    if not found:
        raise Invalid(fields={"postcode_prefixes": _("Name at least one beginning of a postcode.")})
    return found


async def _check_free(
    session: AsyncSession, *, name: str | None, prefixes: Iterable[str], but: uuid.UUID | None = None
) -> None:
    others = [zone for zone in await list_travel_zones(session) if zone.id != but]
    problems: dict[str, str] = {}
    if name is not None and any(zone.name.lower() == name.lower() for zone in others):
        problems["name"] = _("There is a zone of this name already.")
    for zone in others:
        shared = sorted(set(zone.postcode_prefixes) & set(prefixes))
        if shared:
            problems["postcode_prefixes"] = _("{prefix} belongs to {zone} already.").format(
                prefix=shared[0], zone=zone.name
            )
    if problems:
        raise Invalid(fields=problems)


def _record(session: AsyncSession, action: str, zone_id: uuid.UUID, *, by: Member, data: Any) -> None:
    record(session, action, subject_type="travel_zone", subject_id=zone_id, by=by, data=data)
