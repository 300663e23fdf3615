"""Acting as the school for a moment, and what is left of it when that moment goes wrong."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.bookings.sight import as_the_school
from coursecove.dev.postgres import EmbeddedPostgres
from coursecove.problems import as_expected
from coursecove.tenants.models import Member
from tests.bookings.desk import IDA, MIA, Desk

_ROLE = text("select current_setting('app.member_role')")


def test_the_role_is_ones_own_again_afterwards(desk: Desk) -> None:
    async def roles(session: AsyncSession, _by: Member) -> list[str]:
        seen = [await session.scalar(_ROLE)]
        async with as_the_school(session):
            seen.append(await session.scalar(_ROLE))
        return [*seen, await session.scalar(_ROLE)]

    assert desk.own(MIA, roles) == ["student", "system", "student"]


def test_whoever_catches_a_refusal_goes_on_with_their_own_eyes(desk: Desk) -> None:
    async def roles(session: AsyncSession, _by: Member) -> list[str]:
        with pytest.raises(LookupError):
            async with as_the_school(session):
                raise LookupError
        seen = [await session.scalar(_ROLE)]
        with pytest.raises(IntegrityError):
            async with session.begin_nested(), as_the_school(session):
                await session.execute(text("update organizations set name = null"))
        return [*seen, await session.scalar(_ROLE)]

    assert desk.own(IDA, roles) == ["instructor", "instructor"]


def test_a_lost_connection_is_said_as_what_it_is(desk: Desk, postgres: EmbeddedPostgres) -> None:
    # What comes out of the block is what a person is answered with: 503 and "try again", not a defect of ours.
    async def losing(session: AsyncSession, _by: Member) -> None:
        async with as_the_school(session):
            mine = await session.scalar(text("select pg_backend_pid()"))
            administrator = await psycopg.AsyncConnection.connect(postgres.superuser_url, autocommit=True)
            async with administrator:
                await administrator.execute("select pg_terminate_backend(%s, 5000)", [mine])
            await session.execute(text("select 1"))

    with pytest.raises(OperationalError) as lost:
        desk.own(MIA, losing)
    expected = as_expected(lost.value)
    assert expected is not None
    assert expected.status == 503
