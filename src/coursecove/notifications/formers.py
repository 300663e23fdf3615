"""What a lesson was when its reader last heard of it, however often it has changed since."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.bookings.schemas import BookingView
from coursecove.events import Event
from coursecove.notifications.kinds import SERIES_KINDS
from coursecove.notifications.models import Delivery
from coursecove.notifications.series_acts import Act, acts_on
from coursecove.tenants import service as tenants

_CHANGES = ("booking.moved", "booking.reassigned")


class Former(Struct, frozen=True):
    """What a lesson was before it changed, as far as it is another now and its reader knew it so."""

    starts_at: datetime | None = None
    ends_at: datetime | None = None
    instructor: str | None = None


async def former_of(
    session: AsyncSession, lessons: Sequence[BookingView], *, reader_id: uuid.UUID
) -> dict[uuid.UUID, Former]:
    """Return what each lesson was when its reader last had mail of it, in four queries at most."""
    facts: defaultdict[uuid.UUID, list[Event]] = defaultdict(list)
    for fact in await session.scalars(
        select(Event).where(
            Event.subject_type == "booking", Event.subject_id.in_([lesson.id for lesson in lessons])
        )
    ):
        if "revision" in fact.data:
            facts[fact.subject_id].append(fact)
    acts = await acts_on(session, *(lesson.id for lesson in lessons))
    told = {lesson.id for lesson in lessons}.union(*(act.revisions for act in acts))
    sent = list(
        await session.scalars(
            select(Delivery).where(
                Delivery.recipient_id == reader_id,
                Delivery.booking_id.in_(told),
                Delivery.kind != "reminder",
                Delivery.sent_at.is_not(None),
            )
        )
    )
    was = {
        lesson.id: _was(
            facts[lesson.id], since=_known(lesson, facts[lesson.id], acts, sent), until=lesson.revision
        )
        for lesson in lessons
    }
    former_ids = {
        uuid.UUID(values["former_instructor_id"]) for values in was.values() if "former_instructor_id" in values
    }
    people = await tenants.members_by_id(session, list(former_ids)) if former_ids else {}
    names = {str(id_): person.name for id_, person in people.items()}
    return {lesson.id: _former(lesson, was[lesson.id], names) for lesson in lessons}


def _known(lesson: BookingView, facts: Sequence[Event], acts: Sequence[Act], sent: Sequence[Delivery]) -> int:
    """Return the revision its reader last heard of; without any, the one before this one."""
    made_at = {int(fact.data["revision"]): fact.created_at for fact in facts}
    known = [
        one.booking_revision
        for one in sent
        if one.booking_id == lesson.id
        and one.kind not in SERIES_KINDS
        and one.booking_revision is not None
        and one.booking_revision < lesson.revision
    ]
    for act in acts:
        revision = act.revisions.get(lesson.id)
        if revision is None or revision >= lesson.revision:
            continue
        overtaken_at = made_at.get(revision + 1)
        for one in sent:
            speaks = one.kind == act.kind and act.revisions.get(_booking_of(one)) == one.booking_revision
            # What had changed again when the mail went out was left out of it.
            if speaks and one.sent_at and (overtaken_at is None or one.sent_at < overtaken_at):
                known.append(revision)
    return max(known, default=lesson.revision - 1)


def _booking_of(delivery: Delivery) -> uuid.UUID:
    assert delivery.booking_id is not None
    return delivery.booking_id


def _was(facts: Sequence[Event], *, since: int, until: int) -> dict[str, str]:
    was: dict[str, str] = {}
    for fact in sorted(facts, key=lambda fact: int(fact.data["revision"])):
        if fact.action in _CHANGES and since < int(fact.data["revision"]) <= until:
            for name in ("former_starts_at", "former_ends_at", "former_instructor_id"):
                if fact.data.get(name):
                    was.setdefault(name, fact.data[name])
    return was


def _former(lesson: BookingView, was: Mapping[str, str], names: Mapping[str, str]) -> Former:
    starts_at = datetime.fromisoformat(was["former_starts_at"]) if "former_starts_at" in was else None
    ends_at = datetime.fromisoformat(was["former_ends_at"]) if "former_ends_at" in was else None
    if starts_at == lesson.starts_at and ends_at == lesson.ends_at:
        starts_at = ends_at = None
    former_id = was.get("former_instructor_id")
    instructor = names.get(former_id) if former_id and former_id != str(lesson.instructor.id) else None
    return Former(starts_at, ends_at, instructor)
