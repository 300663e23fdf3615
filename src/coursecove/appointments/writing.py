"""What every change to the catalogue has in common: one at a time, a free address, a record of what changed."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Struct
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments.models import AppointmentType, Location
from coursecove.db.session import organization_of
from coursecove.errors import Invalid
from coursecove.events import track
from coursecove.i18n import _
from coursecove.tenants.models import Member
from coursecove.text import numbered, slugify

Changes = dict[str, dict[str, Any]]

_ATTEMPTS = 100
# Where a thing is reached at its own address stand pages with these names, too.
_RESERVED = frozenset({"new", "bulk"})


async def one_at_a_time(session: AsyncSession) -> None:
    """Wait until nobody else changes this school's catalogue, then keep others waiting until the end.

    Rules here span rows ("a published lesson in person has a place"), so two
    changes that are each fine could break one together.  People change a
    catalogue a few times a day: waiting for milliseconds costs nothing.
    """
    await session.execute(
        text("select pg_advisory_xact_lock(hashtextextended(:key, 0))"),
        {"key": f"appointments.catalogue:{organization_of(session)}"},
    )


async def insert_with_free_slug(
    session: AsyncSession,
    model: type[AppointmentType] | type[Location],
    *,
    fallback: str,
    values: Mapping[str, Any],
) -> uuid.UUID:
    """Insert a row whose address comes from its name, numbered from 2 when taken or a page's; return its id.

    ``ON CONFLICT DO NOTHING`` answers a lost race without breaking the transaction.
    """
    base = slugify(values["name"], fallback=fallback)
    for number in range(2 if base in _RESERVED else 1, _ATTEMPTS + 1):
        # After a hundred of one name a number tells people nothing any more.
        slug = numbered(base, number if number < _ATTEMPTS else secrets.randbelow(10**9) + 10**9)
        made: uuid.UUID | None = await session.scalar(
            insert(model)
            .values(organization_id=organization_of(session), id=uuid.uuid4(), slug=slug, **values)
            .on_conflict_do_nothing(index_elements=["organization_id", "slug"])
            .returning(model.id)
        )
        if made is not None:
            return made
    raise RuntimeError("no address was free")


def changes_of(data: Struct, before: Any, *, among: Iterable[str]) -> Changes:
    """Return the fields of ``data`` that are set and differ from ``before``, with both values."""
    changes: Changes = {}
    for name in among:
        new = getattr(data, name)
        if new is not UNSET and new != getattr(before, name):
            changes[name] = {"from": getattr(before, name), "to": new}
    return changes


def record(
    session: AsyncSession,
    action: str,
    *,
    subject_type: str,
    subject_id: uuid.UUID,
    by: Member,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Track a change, with ids and instants in the form JSON has for them."""
    track(
        session,
        action,
        subject_type=subject_type,
        subject_id=subject_id,
        actor_id=by.id,
        data=msgspec.to_builtins(dict(data or {})),
    )


def refuse_foreign(
    field: str, wanted: Iterable[uuid.UUID], known: Iterable[uuid.UUID], message: Callable[[int], str]
) -> None:
    """Raise :class:`Invalid` at ``field`` when an id of ``wanted`` is not among the ``known``.

    Ids of another school, of something archived and of nothing at all get the same words.
    """
    missing = len(set(wanted) - set(known))
    if missing:
        raise Invalid(fields={field: message(missing)})


def in_new_order(before: list[uuid.UUID], wanted: list[uuid.UUID], *, field: str) -> list[uuid.UUID]:
    """Return ``before`` with the ids of ``wanted`` in their new order, in the places they have together.

    So a list of which somebody sees a part can be put in order without the rest.
    Raises :class:`Invalid` at ``field`` for an id that is not there, or is there twice.
    """
    if len(set(wanted)) < len(wanted):
        raise Invalid(fields={field: _("Name each of them once.")})
    if set(wanted) - set(before):
        raise Invalid(fields={field: _("One of these is not here (any more). Please look at the list again.")})
    following = iter(wanted)
    return [next(following) if id_ in set(wanted) else id_ for id_ in before]
