"""Telling people a week ahead that clocks change and lessons move on theirs, once per change."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.bookings import service as bookings
from coursecove.bookings.zoned_lessons import ZonedLesson
from coursecove.db.session import SYSTEM
from coursecove.jobs import job
from coursecove.notifications.clock_changes import HABIT, NAMED, WARNED_AHEAD, changes_for, shifts
from coursecove.notifications.planning import plan
from coursecove.notifications.recipients import Recipient
from coursecove.periodic import periodic
from coursecove.resources import Resources
from coursecove.tenants import service as tenants

_SCHOOLS = text("""
select distinct organization_id from bookings
where starts_at >= :now and starts_at < :until and cancelled_at is null and confirmed_at is not null
""")


@periodic("notifications.look_for_clock_changes", every_seconds=6 * 3600)
async def look(resources: Resources) -> None:
    """Wake the schools that have lessons ahead; each looks at its own clocks."""
    now = clock.now()
    async with resources.database.platform_scope() as session:
        values = {"now": now, "until": now + WARNED_AHEAD + NAMED}
        schools = list(await session.scalars(_SCHOOLS, values))
    for organization_id in schools:
        await resources.queue.send(plan_clock_changes, organization_id=organization_id)


@job("notifications.plan_clock_changes")
async def plan_clock_changes(resources: Resources, *, organization_id: str) -> None:
    """Plan a mail for everybody whose lessons move within the next week; those planned already stay."""
    async with resources.database.organization(uuid.UUID(organization_id), acting=SYSTEM) as session:
        await plan_notices(session, now=clock.now())


async def plan_notices(session: AsyncSession, *, now: datetime) -> None:
    """Plan what is to be told at ``now``, in four queries however many lessons and people there are."""
    until = now + WARNED_AHEAD
    lessons = await bookings.zoned_lessons(session, from_=now - HABIT, until=until + NAMED)
    of: dict[uuid.UUID, list[ZonedLesson]] = {}
    for lesson in lessons:
        for reader_id in {lesson.student_id, lesson.guardian_id} - {None}:
            of.setdefault(reader_id, []).append(lesson)  # type: ignore[arg-type] # None is left out
    if not of:
        return
    school = (await tenants.get_organization(session)).time_zone
    chosen = await tenants.preferences_of(session, list(of))
    people = await tenants.members_by_id(session, list(of))
    for reader_id, theirs in of.items():
        person, preferences = people.get(reader_id), chosen.get(reader_id, tenants.AS_THE_SCHOOL)
        if person is None or not person.email or not preferences.clock_change_notices:
            continue
        zone = tenants.reading_zone(preferences, school)
        for change_at in changes_for(theirs, zone, from_=now, until=until):
            if shifts(theirs, zone, change_at):
                recipient = Recipient(person.id, person.email)
                await plan(session, [("clock_change", recipient)], {"clock_change_at": change_at})
