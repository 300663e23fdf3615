"""Reading what the person who acts may not see, to decide and never to show.

An instructor who books a student does not see that student's lessons with
others, and yet they count: two lessons at once, so many a week.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.db.session import Acting

_ACT_AS = text("select set_config('app.member_role', :role, true)")


@asynccontextmanager
async def seeing_everything(session: AsyncSession) -> AsyncIterator[None]:
    """Read with CourseCove's own eyes inside the block, within the organization as ever.

    What is read must not leave the verb: it answers yes, no or how many.
    """
    if sees_enough(session):
        yield
        return
    async with as_the_school(session):
        yield


def sees_enough(session: AsyncSession) -> bool:
    """Say whether who acts needs no other eyes: admins see everything, students what is about themselves."""
    acting: Acting = session.info["acting"]
    return acting.role != "instructor"


@asynccontextmanager
async def as_the_school(session: AsyncSession) -> AsyncIterator[None]:
    """Act as CourseCove itself inside the block, within the organization as ever.

    For what happens to others because of what somebody does: a hold of theirs
    that has run out, a seat that is offered to whoever waits for it.
    """
    acting: Acting = session.info["acting"]
    if acting.role == "system" or session.info.get("as_the_school"):
        yield
        return
    await session.execute(_ACT_AS, {"role": "system"})
    session.info["as_the_school"] = True
    try:
        yield
        # What was recorded about others is written while it may be.
        await session.flush()
    except BaseException:
        del session.info["as_the_school"]
        # Somebody may catch it and go on. A broken transaction or a lost connection takes no statement, and
        # forgets the setting by itself; what broke it is the news.
        with suppress(SQLAlchemyError):
            await session.execute(_ACT_AS, {"role": acting.role})
        raise
    del session.info["as_the_school"]
    await session.execute(_ACT_AS, {"role": acting.role})
