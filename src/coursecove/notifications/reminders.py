"""Reminders: planned when they are due, each of them once.

Nothing is planned ahead: a lesson that moves, and somebody who wants other
reminders, need no clearing up.  A reminder belongs to the lesson at its time; it
is not sent for another one (:func:`~coursecove.notifications.notices.find_notice`).
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.db.session import SYSTEM
from coursecove.jobs import job
from coursecove.periodic import periodic
from coursecove.resources import Resources
from coursecove.tenants.schemas import REMINDERS

#: A reminder that could not be planned in time is still planned so many minutes later, or half its lead.
LATEST_MINUTES = 120

_EVERY_SECONDS = 30
# How far the frequent look goes back; what was missed for longer is found by the other one.
_FRESH_MINUTES = 2

# The platform's role looks: it sees when lessons begin, and not whose they are.
_SCHOOLS = text("""
select distinct booking.organization_id
from unnest(cast(:leads as integer[])) as lead (minutes)
join bookings booking
  on booking.starts_at <= cast(:now as timestamptz) + make_interval(mins => lead.minutes)
  and booking.starts_at > cast(:now as timestamptz) + make_interval(mins =>
    lead.minutes - least(lead.minutes / 2, :latest))
where booking.cancelled_at is null and booking.confirmed_at is not null
""")
# Students and their guardians are reminded as the school does it unless they chose otherwise; instructors
# only when they chose to be, and of a class once, by the first of its seats.
# Whoever had word of the lesson since the moment (booked late, moved) needs no reminder.
_PLAN = text("""
with due as (
  select booking.organization_id, booking.id, booking.revision, booking.session_id, booking.student_id,
    booking.series_id, lead.minutes, booking.starts_at - make_interval(mins => lead.minutes) as moment
  from unnest(cast(:leads as integer[])) as lead (minutes)
  join bookings booking
    on booking.starts_at <= cast(:now as timestamptz) + make_interval(mins => lead.minutes)
    and booking.starts_at > cast(:now as timestamptz) + make_interval(mins =>
      lead.minutes - least(lead.minutes / 2, :latest))
  where booking.cancelled_at is null and booking.status = 'confirmed'
),
reminded as (
  select due.*, person.id as recipient_id, person.email
  from due
  join members student
    on student.organization_id = due.organization_id and student.id = due.student_id
  join sessions session
    on session.organization_id = due.organization_id and session.id = due.session_id
  join organizations school on school.id = due.organization_id and school.deleted_at is null
  cross join lateral (values (student.id, false), (student.guardian_id, false), (session.instructor_id, true))
    as part (member_id, teaches)
  join members person
    on person.organization_id = due.organization_id and person.id = part.member_id
    and person.email is not null and person.removed_at is null
  left join preferences chosen
    on chosen.organization_id = due.organization_id and chosen.member_id = person.id
  where due.minutes = any (
      coalesce(chosen.reminder_minutes, case when not part.teaches then school.reminder_minutes end)
    )
    and not (part.teaches and exists (
      select from bookings earlier
      where earlier.organization_id = due.organization_id and earlier.session_id = due.session_id
        and earlier.id < due.id and earlier.cancelled_at is null and earlier.status = 'confirmed'
    ))
)
insert into deliveries (organization_id, id, kind, booking_id, booking_revision, recipient_id, recipient_email,
  ahead_minutes, not_before)
select distinct on (organization_id, id, recipient_id, minutes)
  organization_id, gen_random_uuid(), 'reminder', id, revision, recipient_id, email, minutes, moment
from reminded
where not exists (
  select from deliveries known
  where known.organization_id = reminded.organization_id and known.booking_id = reminded.id
    and known.recipient_id = reminded.recipient_id
    and (
      (known.kind = 'reminder' and known.ahead_minutes = reminded.minutes
        and (known.not_before = reminded.moment or known.booking_revision = reminded.revision))
      or (known.kind in ('confirmation', 'approval', 'change') and known.created_at > reminded.moment)
    )
)
and not exists (
  select from bookings first
  join deliveries known on known.organization_id = first.organization_id and known.booking_id = first.id
  where first.organization_id = reminded.organization_id and first.series_id = reminded.series_id
    and known.kind = 'series_booked' and known.recipient_id = reminded.recipient_id
    and known.created_at > reminded.moment
)
and not exists (
  select from events one
  join events act
    on act.organization_id = one.organization_id and act.subject_type = 'series'
    and act.subject_id = cast(one.data ->> 'series_id' as uuid)
    and act.action in ('series.moved', 'series.confirmed')
    and act.data -> 'lessons' @> jsonb_build_array(
      jsonb_build_object('booking_id', reminded.id, 'revision', reminded.revision))
  cross join lateral jsonb_to_recordset(act.data -> 'lessons') as told (booking_id uuid, revision integer)
  join deliveries known
    on known.organization_id = act.organization_id and known.booking_id = told.booking_id
    and known.booking_revision = told.revision
  where one.organization_id = reminded.organization_id and one.subject_type = 'booking'
    and one.subject_id = reminded.id and one.data ->> 'with_series' = 'true'
    and known.kind in ('series_moved', 'series_approved') and known.recipient_id = reminded.recipient_id
    and known.created_at > reminded.moment
)
on conflict do nothing
""")


@job("notifications.plan_reminders")
async def plan(resources: Resources, *, organization_id: str) -> None:
    """Plan what is due at one school; the sweep of deliveries sends it."""
    async with resources.database.organization(uuid.UUID(organization_id), acting=SYSTEM) as session:
        await plan_reminders(session, now=clock.now())


@periodic("notifications.remind", every_seconds=_EVERY_SECONDS)
async def remind(resources: Resources) -> None:
    """Wake the schools at which a reminder's moment has just come."""
    await _wake(resources, latest=_FRESH_MINUTES)


@periodic("notifications.remind_late", every_seconds=600)
async def remind_late(resources: Resources) -> None:
    """Wake the schools at which a reminder may have been missed."""
    await _wake(resources, latest=LATEST_MINUTES)


async def _wake(resources: Resources, *, latest: int) -> None:
    values = {"now": clock.now(), "leads": list(REMINDERS), "latest": latest}
    async with resources.database.platform_scope() as session:
        schools = list(await session.scalars(_SCHOOLS, values))
    for organization_id in schools:
        await resources.queue.send(plan, organization_id=organization_id)


async def plan_reminders(session: AsyncSession, *, now: datetime) -> int:
    """Plan what is due at ``now``, in one statement; return how many mails that makes.  Twice is once."""
    values = {"now": now, "leads": list(REMINDERS), "latest": LATEST_MINUTES}
    planned = cast("CursorResult[Any]", await session.execute(_PLAN, values))
    return planned.rowcount
