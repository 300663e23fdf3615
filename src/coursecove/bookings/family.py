"""What a family means for lessons."""

from __future__ import annotations

import uuid

from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.bookings.errors import LessonsAhead
from coursecove.bookings.upcoming import upcoming_of_many
from coursecove.i18n import _
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member


async def remove_child(session: AsyncSession, child_id: uuid.UUID, *, by: Member) -> None:
    """Take one of one's children out of the school; past lessons stay on record.

    Raises :class:`LessonsAhead` while it has lessons, and NotFound for whoever
    is no child of ``by``.
    """
    child = await tenants.get_child(session, child_id, guardian=by)
    ahead = (await upcoming_of_many(session, [child_id], after=clock.now()))[child_id]
    if ahead.takes:
        raise LessonsAhead(_("Cancel the lessons of {name} first.").format(name=child.given_name))
    await tenants.remove_child(session, child_id, by=by)
