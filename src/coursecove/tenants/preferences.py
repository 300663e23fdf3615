"""How people want to read and be written to; the school's way until they say otherwise.

A person's own, and CourseCove's for its mail; nobody else at the school reads them.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import Any

from msgspec import UNSET
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.db.session import organization_of
from coursecove.errors import Invalid
from coursecove.i18n import LANGUAGES, _
from coursecove.tenants.models import Member, Preferences
from coursecove.tenants.organizations import reminder_problem, tidy_reminders, time_zone_problem
from coursecove.tenants.schemas import PreferencesUpdate, PreferencesView

AS_THE_SCHOOL = PreferencesView(
    time_zone=None, locale=None, reminder_minutes=None, clock_change_notices=True, seen_time_zone=None
)


async def get_preferences(session: AsyncSession, member_id: uuid.UUID) -> PreferencesView:
    """Return what somebody chose; what they never chose is None: as the school does it."""
    return (await preferences_of(session, [member_id])).get(member_id, AS_THE_SCHOOL)


async def preferences_of(
    session: AsyncSession, member_ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, PreferencesView]:
    """Return what several people chose, in one query; whoever never chose anything is left out."""
    rows = await session.scalars(
        select(Preferences)
        .where(Preferences.member_id.in_(member_ids))
        .execution_options(populate_existing=True)
    )
    return {
        row.member_id: PreferencesView(
            time_zone=row.time_zone,
            locale=row.locale,
            reminder_minutes=row.reminder_minutes,
            clock_change_notices=row.clock_change_notices,
            seen_time_zone=row.seen_time_zone,
        )
        for row in rows
    }


async def update_preferences(
    session: AsyncSession, changes: PreferencesUpdate, *, by: Member
) -> PreferencesView:
    """Change one's own preferences; raises :class:`Invalid` at every field that cannot be.

    ``reminder_minutes`` are kept without repetition, the earliest first.
    """
    problems: dict[str, str | None] = {}
    if isinstance(changes.time_zone, str):
        problems["time_zone"] = time_zone_problem(changes.time_zone)
    if isinstance(changes.locale, str) and changes.locale not in LANGUAGES:
        problems["locale"] = _("Choose one of these languages: {languages}.").format(
            languages=", ".join(LANGUAGES.values())
        )
    if isinstance(changes.reminder_minutes, list):
        problems["reminder_minutes"] = reminder_problem(changes.reminder_minutes)
    found = {field: problem for field, problem in problems.items() if problem}
    if found:
        raise Invalid(fields=found)
    values = {
        name: value
        for name in PreferencesUpdate.__struct_fields__
        if (value := getattr(changes, name)) is not UNSET
    }
    if values.get("reminder_minutes") is not None:
        values["reminder_minutes"] = tidy_reminders(values["reminder_minutes"])
    if values:
        await _save(session, by.id, values)
    return await get_preferences(session, by.id)


async def note_time_zone(session: AsyncSession, zone: str, *, by: Member) -> None:
    """Remember which zone somebody's device was in when they booked.

    Mail reads it until they choose a zone themselves.  Nothing is written when
    it is known already, or no zone at all.
    """
    if time_zone_problem(zone) is None and (await get_preferences(session, by.id)).seen_time_zone != zone:
        await _save(session, by.id, {"seen_time_zone": zone})


async def stop_mail(
    session: AsyncSession, member_id: uuid.UUID, *, reminders: bool, clock_changes: bool
) -> None:
    """Send somebody no more reminders, or no more notices of clock changes; for links in those mails."""
    values: dict[str, Any] = {}
    if reminders:
        values["reminder_minutes"] = []
    if clock_changes:
        values["clock_change_notices"] = False
    if values:
        await _save(session, member_id, values)


async def _save(session: AsyncSession, member_id: uuid.UUID, values: dict[str, Any]) -> None:
    statement = insert(Preferences).values(
        organization_id=organization_of(session), member_id=member_id, **values
    )
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["organization_id", "member_id"], set_={**values, "updated_at": func.now()}
        )
    )


def reading_zone(preferences: PreferencesView, school_zone: str) -> str:
    """Return the zone somebody reads times in: the chosen one, their device's, the school's."""
    return preferences.time_zone or preferences.seen_time_zone or school_zone
