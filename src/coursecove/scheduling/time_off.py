"""Time an instructor is away, from one instant to another: holidays, an afternoon at the dentist's."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.appointments import service as appointments
from coursecove.db.session import organization_of
from coursecove.errors import Invalid, NotFound
from coursecove.events import track
from coursecove.i18n import _
from coursecove.scheduling import queries, zones
from coursecove.scheduling.models import TimeOff
from coursecove.scheduling.schemas import TimeOffCreate, TimeOffView
from coursecove.scheduling.weekly_hours import check_may_set
from coursecove.scheduling.windows import MIDNIGHT, one_at_a_time
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member
from coursecove.text import is_storable, one_line

LONGEST_TIME_OFF = timedelta(days=400)
LONGEST_REASON = 200


async def time_off_of(
    session: AsyncSession, member_id: uuid.UUID, *, from_: datetime, until: datetime
) -> list[TimeOffView]:
    """Return a member's time off that meets ``[from_, until)``, by its start; the reason is for staff."""
    rows = await session.execute(queries.time_off_of([member_id], from_=from_, until=until))
    return [TimeOffView(id_, starts_at, ends_at, reason) for _member, id_, starts_at, ends_at, reason in rows]


def local_span(
    time_zone: str, first: date, last: date, *, starts_minute: int = 0, ends_minute: int = MIDNIGHT
) -> tuple[datetime, datetime]:
    """Return the instants from a minute of the local day ``first`` to a minute of the local day ``last``.

    Without minutes these are whole days, both included, however long the clocks make them.
    """
    starts_at = zones.to_datetime(zones.opening(time_zone, first.toordinal(), starts_minute))
    return starts_at, zones.to_datetime(zones.closing(time_zone, last.toordinal(), ends_minute))


async def add_time_off(
    session: AsyncSession, member_id: uuid.UUID, data: TimeOffCreate, *, by: Member
) -> TimeOffView:
    """Take an instructor off the calendar for a while; lessons already booked stay.

    For the instructor themselves and for admins: raises ``Forbidden`` for
    others, ``NotFound`` or ``NotAnInstructor`` for a member who cannot teach,
    and ``Invalid`` at ``starts_at``, ``ends_at`` or ``reason``: it must end
    after it starts and in the future, last 400 days at most, and not lie within
    time that is taken off already.
    """
    check_may_set(by, member_id)
    member = await appointments.get_teacher(session, member_id)
    data = _checked(data)
    await one_at_a_time(session, member_id)
    for other in await time_off_of(session, member_id, from_=data.starts_at, until=data.ends_at):
        if other.starts_at <= data.starts_at and data.ends_at <= other.ends_at:
            raise Invalid(fields={"starts_at": _("This time is taken off already.")})
    await tenants.ensure_instructor_profile(session, member)
    row = TimeOff(
        organization_id=organization_of(session),
        id=uuid.uuid4(),
        member_id=member_id,
        starts_at=data.starts_at,
        ends_at=data.ends_at,
        reason=data.reason,
        created_by_id=by.id,
    )
    session.add(row)
    await session.flush()
    added = TimeOffView(row.id, data.starts_at, data.ends_at, data.reason)
    _track(session, "instructor.time_off_added", member_id, added, by=by)
    return added


async def remove_time_off(
    session: AsyncSession, member_id: uuid.UUID, time_off_id: uuid.UUID, *, by: Member
) -> TimeOffView:
    """Take time off back; return what it was.  Raises ``NotFound``."""
    check_may_set(by, member_id)
    await appointments.get_teacher(session, member_id)
    removed = (
        await session.execute(
            delete(TimeOff)
            .where(TimeOff.member_id == member_id, TimeOff.id == time_off_id)
            .returning(TimeOff.id, TimeOff.starts_at, TimeOff.ends_at, TimeOff.reason)
            .execution_options(synchronize_session=False)
        )
    ).one_or_none()
    if removed is None:
        raise NotFound(_("This time off is no longer there."))
    view = TimeOffView(*removed)
    _track(session, "instructor.time_off_removed", member_id, view, by=by)
    return view


def _checked(data: TimeOffCreate) -> TimeOffCreate:
    """Return time off in UTC with its reason on one line; raises ``Invalid`` at what cannot be used."""
    problems: dict[str, str] = {}
    try:
        starts_at, ends_at = data.starts_at.astimezone(UTC), data.ends_at.astimezone(UTC)
    except OverflowError:
        raise Invalid(fields={"starts_at": _("Choose a date within the calendar.")}) from None
    if not 2000 <= starts_at.year <= 2200:
        problems["starts_at"] = _("Choose a date within the calendar.")
    if ends_at <= starts_at:
        problems["ends_at"] = _("The end must be after the start.")
    elif ends_at <= clock.now():
        problems["ends_at"] = _("This is over already.")
    elif ends_at - starts_at > LONGEST_TIME_OFF:
        problems["ends_at"] = _("Time off lasts 400 days at most.")
    reason = one_line(data.reason)
    if len(reason) > LONGEST_REASON:
        problems["reason"] = _("At most {number} characters, please.").format(number=LONGEST_REASON)
    elif not is_storable(reason):
        problems["reason"] = _("Remove the characters that cannot be shown.")
    if problems:
        raise Invalid(fields=problems)
    return TimeOffCreate(starts_at, ends_at, reason)


def _track(
    session: AsyncSession, action: str, member_id: uuid.UUID, time_off: TimeOffView, *, by: Member
) -> None:
    data: dict[str, Any] = {
        "starts_at": time_off.starts_at.isoformat(),
        "ends_at": time_off.ends_at.isoformat(),
        "reason": time_off.reason,
    }
    track(session, action, subject_type="member", subject_id=member_id, actor_id=by.id, data=data)
