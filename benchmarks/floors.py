"""The floors: the least code that does each job on the same stack, and nothing that makes a product of it.

No identity, no rate limits, no rules but weekly hours and bookings, no log
lines, no ORM.  What stays is what nobody could leave out: Litestar and uvicorn,
psycopg, row-level security with the organization set per transaction, the
exclusion constraints, one round trip.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from bisect import bisect_left
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import psycopg
import uvicorn
from jinja2 import DictLoader, Environment, select_autoescape
from litestar import Litestar, Request, Response, get, post
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery
from svix.webhooks import Webhook

CONNECTIONS = 10

# Security invoker: the policies of the role that calls hold inside as well.
FUNCTIONS = """
create function floor_availability(organization uuid, instructor uuid, first timestamptz, last timestamptz)
returns table (hours json, busy json, place json, person json) language plpgsql as $$
begin
  perform set_config('app.organization_id', organization::text, true);
  return query select
    (select json_agg(json_build_array(weekday, starts_minute, ends_minute) order by weekday, starts_minute)
     from weekly_hours where member_id = instructor),
    (select coalesce(json_agg(json_build_array(extract(epoch from blocked_from)::bigint,
                                               extract(epoch from blocked_until)::bigint) order by starts_at), '[]')
     from sessions where instructor_id = instructor and starts_at >= first - interval '18 hours'
       and starts_at < last and blocked_until > first and cancelled_at is null),
    (select row_to_json(one) from (select id, slug, name, address, directions, time_zone from locations) one),
    (select row_to_json(one) from (
       select id, given_name || ' ' || family_name as name, image_url from members where id = instructor) one);
end $$;
create function floor_page(organization uuid) returns json language plpgsql as $$
begin
  perform set_config('app.organization_id', organization::text, true);
  return (select json_build_object(
    'school', (select row_to_json(organizations) from organizations),
    'types', (select json_agg(appointment_types) from appointment_types where published_at is not null),
    'teachers', (select json_agg(json_build_object(
        'name', given_name || ' ' || family_name, 'bio', bio, 'slug', slug))
      from members join instructor_profiles on members.id = member_id where role = 'instructor'),
    'places', (select json_agg(locations) from locations)));
end $$;
create function floor_booking(organization uuid, student uuid, type_id uuid, instructor uuid, place uuid,
                              starts timestamptz, ends timestamptz, buffer interval, reference text)
returns uuid language plpgsql as $$
declare made uuid;
begin
  perform set_config('app.organization_id', organization::text, true),
          set_config('app.member_id', student::text, true), set_config('app.member_role', 'student', true);
  with taught as (
    insert into sessions (organization_id, appointment_type_id, instructor_id, location_id, starts_at, ends_at,
                          blocked_from, blocked_until)
    values (organization, type_id, instructor, place, starts, ends, starts - buffer, ends + buffer)
    on conflict do nothing returning organization_id, id
  ), seated as (
    insert into bookings (organization_id, reference, session_id, instructor_id, student_id, booked_by_id,
                          starts_at, ends_at, confirmed_at, cancellation_notice_minutes)
    select organization_id, reference, id, instructor, student, student, starts, ends, now(), 1440 from taught
    on conflict do nothing returning organization_id, id
  ), noted as (
    insert into events (organization_id, action, actor_id, subject_type, subject_id)
    select organization_id, 'booking.confirmed', student, 'booking', id from seated
  )
  select id into made from seated;
  return made;
end $$;
"""
_AVAILABILITY = "select * from floor_availability(%s, %s, %s, %s)"
_PAGE = "select floor_page(%s)::text"
_BOOKING = "select floor_booking(%s, %s, %s, %s, %s, %s, %s, %s, %s)"
_WEBHOOK = """
with stored as (
  insert into webhook_events (source, message_id, event_type, entity_id, headers, body, status, outcome, path,
                              processed_at)
  values ('floor', %(message)s, %(type)s, %(id)s, '{}', %(body)s, 'completed', 'applied', 'fast', now())
  on conflict do nothing returning message_id
)
insert into users (clerk_id, email, given_name, family_name, version)
select %(id)s, %(email)s, %(first)s, %(last)s, %(version)s from stored
on conflict (clerk_id) do update
set email = excluded.email, given_name = excluded.given_name, family_name = excluded.family_name,
    version = excluded.version
where users.version < excluded.version
"""
_TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ school.name }}</title>
<link rel="stylesheet" href="/static/css/app.css"></head><body>
<header><a href="/">{{ school.name }}</a><nav><a href="/">Lessons</a> <a href="/lessons">My lessons</a></nav>
<a href="/sign-in">Sign in</a></header>
<main><h1>{{ school.name }}</h1>
{% for type in types or [] %}<article><h2><a href="/book/{{ type.slug }}">{{ type.name }}</a></h2>
<p>{{ type.description }}</p><p>{{ type.duration_minutes }} minutes</p>
{% if type.price_cents is not none %}<p>{{ "%.2f"|format(type.price_cents / 100) }} {{ school.currency }}</p>{% endif %}
<ul>{% for teacher in teachers or [] %}<li>{{ teacher.name }}</li>{% endfor %}</ul></article>{% endfor %}
<section>{% for teacher in teachers or [] %}<article><h3>{{ teacher.name }}</h3><p>{{ teacher.bio }}</p></article>
{% endfor %}</section>
<section>{% for place in places or [] %}<p>{{ place.name }}<br>{{ place.address }}</p>{% endfor %}</section>
</main><footer>{{ school.name }} · {{ school.time_zone }}</footer></body></html>
"""
_EPOCH_DAY = date(1970, 1, 1).toordinal()


class Pool:
    """A handful of open connections; whoever asks waits for one."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._free: asyncio.Queue[psycopg.AsyncConnection] = asyncio.Queue()

    async def open(self) -> None:
        for _ in range(CONNECTIONS):
            self._free.put_nowait(await psycopg.AsyncConnection.connect(self._url, autocommit=True))

    async def ask(self, statement: str, values: Any) -> Any:
        connection = await self._free.get()
        try:
            cursor = await connection.execute(statement, values)
            return await cursor.fetchone() if cursor.description else None
        finally:
            self._free.put_nowait(connection)


class Slot(msgspec.Struct):
    """As ours."""

    starts_at: datetime
    ends_at: datetime
    location: Any
    instructors: list[Any]
    duration_minutes: int


class Booking(msgspec.Struct):
    """What a program sends."""

    appointment_type_id: uuid.UUID
    instructor_id: uuid.UUID
    location_id: uuid.UUID
    starts_at: datetime


def slots(
    hours: list[list[int]],
    busy: list[list[int]],
    zone: str,
    first: int,
    last: int,
    *,
    duration: int,
    buffer: int,
) -> list[int]:
    """Return the starts in integer seconds: hours of each local day without what is taken, nothing else."""
    info = ZoneInfo(zone)
    taken = [(begin - duration - buffer, end + buffer) for begin, end in busy]
    begins = [begin for begin, _ in taken]
    found: list[int] = []
    for day in range(first // 86400 + _EPOCH_DAY - 1, last // 86400 + _EPOCH_DAY + 2):
        on = date.fromordinal(day)
        midnight = (day - _EPOCH_DAY) * 86400
        offset = datetime(on.year, on.month, on.day, 12, tzinfo=info).utcoffset()
        assert offset is not None
        midnight -= int(offset.total_seconds())
        for weekday, start, end in hours:
            if weekday != on.isoweekday():
                continue
            for at in range(midnight + start * 60, midnight + end * 60 - duration + 1, duration):
                if not first <= at < last:
                    continue
                position = bisect_left(begins, at) - 1
                if position < 0 or taken[position][1] <= at:
                    found.append(at)
    return found


def create_app() -> Litestar:
    """Return the floors as one application; settings come from the environment."""
    app_pool, platform_pool = Pool(os.environ["DATABASE_URL"]), Pool(os.environ["DATABASE_PLATFORM_URL"])
    signed = Webhook(os.environ["CLERK_WEBHOOK_SIGNING_SECRET"])
    page = Environment(
        loader=DictLoader({"page": _TEMPLATE}), autoescape=select_autoescape(default=True)
    ).get_template("page")

    @asynccontextmanager
    async def opened(_app: Litestar) -> AsyncIterator[None]:
        await app_pool.open()
        await platform_pool.open()
        yield

    @get("/nothing")
    async def nothing() -> dict[str, bool]:
        return {"ok": True}

    @get("/availability/{organization:uuid}/{instructor:uuid}")
    async def availability(
        organization: FromPath[uuid.UUID],
        instructor: FromPath[uuid.UUID],
        first: FromQuery[datetime],
        last: FromQuery[datetime],
    ) -> dict[str, list[Slot]]:
        hours, busy, place, person = await app_pool.ask(_AVAILABILITY, (organization, instructor, first, last))
        starts = slots(
            hours,
            busy,
            "America/New_York",
            int(first.timestamp()),
            int(last.timestamp()),
            duration=1800,
            buffer=900,
        )
        return {
            "items": [
                Slot(
                    datetime.fromtimestamp(at, UTC), datetime.fromtimestamp(at + 1800, UTC), place, [person], 30
                )
                for at in starts
            ]
        }

    @get("/page/{organization:uuid}", media_type="text/html")
    async def front(organization: FromPath[uuid.UUID]) -> str:
        (found,) = await app_pool.ask(_PAGE, (organization,))
        return page.render(msgspec.json.decode(found))

    @get("/bare-page", media_type="text/html")
    async def bare_page() -> str:
        return page.render(
            school={"name": "School", "currency": "EUR", "time_zone": "UTC"}, types=[], teachers=[]
        )

    @post("/bookings/{organization:uuid}/{student:uuid}")
    async def book(
        request: Request[Any, Any, State], organization: FromPath[uuid.UUID], student: FromPath[uuid.UUID]
    ) -> Response[Any]:
        wanted = msgspec.json.decode(await request.body(), type=Booking)
        starts = wanted.starts_at
        ends = datetime.fromtimestamp(starts.timestamp() + 1800, UTC)
        reference = f"{uuid.uuid4().hex[:4]}-{uuid.uuid4().hex[:4]}".upper()
        (made,) = await app_pool.ask(
            _BOOKING,
            (
                organization, student, wanted.appointment_type_id, wanted.instructor_id, wanted.location_id,
                starts, ends, "0", reference,
            ),
        )  # fmt: skip
        return Response({"id": made}, status_code=201 if made else 409)

    @post("/webhook", status_code=200)
    async def webhook(request: Request[Any, Any, State]) -> dict[str, str]:
        body = await request.body()
        signed.verify(
            body, {name: request.headers[name] for name in ("svix-id", "svix-timestamp", "svix-signature")}
        )
        event = msgspec.json.decode(body)
        person = event["data"]
        await platform_pool.ask(
            _WEBHOOK,
            {
                "message": request.headers["svix-id"],
                "type": event["type"],
                "id": person["id"],
                "email": person["email_addresses"][0]["email_address"],
                "first": person["first_name"],
                "last": person["last_name"],
                "version": person["updated_at"],
                "body": body,
            },
        )
        return {"status": "completed"}

    return Litestar(
        [nothing, availability, front, bare_page, book, webhook],
        lifespan=[opened],
        openapi_config=None,
        logging_config=None,
    )


def main() -> None:
    """Serve the floors the way the product is served: uvicorn, one process."""
    uvicorn.run(
        create_app(),
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )


if __name__ == "__main__":
    main()
