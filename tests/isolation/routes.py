"""Every route of a school, who it is for, and how to call it: the table the route matrices go by.

The routes themselves come from the router.  One that is not in `ROUTES` fails
`test_every_route_says_who_it_is_for`, so a new one is covered as soon as
somebody has written down whom they meant it for.
"""

from __future__ import annotations

import base64
import re
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any, Literal

from litestar.routes import HTTPRoute

from coursecove.app import CourseCove
from coursecove.tenants.handles import handle_of

Audience = Literal["everyone", "guests", "members", "staff", "admins"]
#: "guests" are people who are signed in, members of the school or not.

ROLES: dict[Audience, frozenset[str]] = {
    "everyone": frozenset({"visitor", "stranger", "student", "instructor", "admin"}),
    "guests": frozenset({"stranger", "student", "instructor", "admin"}),
    "members": frozenset({"student", "instructor", "admin"}),
    "staff": frozenset({"instructor", "admin"}),
    "admins": frozenset({"admin"}),
}


#: A day far from everything that is planned, on lists of what is ahead all the same.
FAR_AHEAD = datetime.now(UTC).date() + timedelta(days=700)
#: An hour no school takes bookings for yet.
TOO_FAR = f"{datetime.now(UTC).date() + timedelta(days=1200)}T10:00:00Z"


@dataclass(frozen=True, slots=True)
class Things:
    """One of each thing that has an address, of one school (or of nobody)."""

    member_id: uuid.UUID
    student_id: uuid.UUID
    type_id: uuid.UUID
    location_id: uuid.UUID
    booking_id: uuid.UUID
    reference: str
    type_slug: str
    location_slug: str
    handle: str
    closure_id: uuid.UUID
    time_off_id: uuid.UUID
    question_id: uuid.UUID
    room_id: uuid.UUID
    zone_id: uuid.UUID
    # A class on the calendar, with the type it is of, and its name in addresses.
    class_id: uuid.UUID
    class_type_id: uuid.UUID
    class_handle: str
    note_id: uuid.UUID
    # The student's own.
    child_id: uuid.UUID
    # Another one, for the pages: a child is taken out once.
    sibling_id: uuid.UUID
    entry_id: uuid.UUID
    series_id: uuid.UUID
    digest: str
    # The end of somebody's mails, a calendar of the school, and what opens it.
    ending: str
    feed_id: uuid.UUID
    delivery_id: uuid.UUID
    feed_file: str
    closure_slug: str
    time_off_code: str
    # Clerk's name of an open invitation; there is none without Clerk.
    invitation_id: str = ""
    # Kinds of lists and mails, the same at every school.
    list_kind: str = "people"
    file: str = "people.csv"
    mail_kind: str = "confirmation"
    language: str = "en"
    # Far from everything that is planned; the same at every school.
    on_date: str = FAR_AHEAD.isoformat()

    # As they stand in addresses; the words in front of the code are for readers only.
    @property
    def question(self) -> str:
        return handle_of(self.question_id, "")

    @property
    def child_handle(self) -> str:
        return handle_of(self.sibling_id, "child")

    @property
    def room(self) -> str:
        return handle_of(self.room_id, "")

    @property
    def zone(self) -> str:
        return handle_of(self.zone_id, "")


def like_nothing(things: Things) -> Things:
    """Return names of the same shape and length that belong to nothing anywhere."""

    def other(text: str) -> str:
        return "".join("q" if c.isalpha() and c.islower() else c for c in text)

    return replace(
        things,
        member_id=uuid.uuid4(),
        student_id=uuid.uuid4(),
        type_id=uuid.uuid4(),
        location_id=uuid.uuid4(),
        booking_id=uuid.uuid4(),
        closure_id=uuid.uuid4(),
        time_off_id=uuid.uuid4(),
        question_id=uuid.uuid4(),
        room_id=uuid.uuid4(),
        zone_id=uuid.uuid4(),
        class_id=uuid.uuid4(),
        class_type_id=uuid.uuid4(),
        note_id=uuid.uuid4(),
        child_id=uuid.uuid4(),
        sibling_id=uuid.uuid4(),
        entry_id=uuid.uuid4(),
        series_id=uuid.uuid4(),
        digest=uuid.uuid4().hex,
        invitation_id="orginv_" + "q" * (len(things.invitation_id) - len("orginv_")),
        ending=secrets.token_urlsafe(37),
        feed_id=uuid.uuid4(),
        delivery_id=uuid.uuid4(),
        feed_file=f"{secrets.token_urlsafe(32)}.ics",
        reference="ZZZZ-9ZZZ",
        type_slug=other(things.type_slug),
        location_slug=other(things.location_slug),
        closure_slug=things.closure_slug.rpartition("-")[0] + "-aaaaaaaa",
        time_off_code="aaaaaaaa",
        # The name in front of the code is for readers only.
        handle=_of_nothing(things.handle),
        class_handle=_of_nothing(things.class_handle),
    )


def _of_nothing(handle: str) -> str:
    return handle.rpartition("-")[0] + "-aaaaaaaa"


#: Which thing a path parameter names; slugs and handles are told apart by what stands before them.
_NAMES = {
    "/book/": "type_slug",
    "/admin/types/": "type_slug",
    "/admin/locations/": "location_slug",
    "/admin/closures/": "closure_slug",
    "/admin/people/": "handle",
    "/unsubscribe/": "ending",
    "/family/": "child_handle",
    "/embed/": "type_slug",
    "/classes/": "class_handle",
    "/feeds/": "feed_file",
    "/teach/classes/": "class_handle",
    "/admin/classes/": "class_handle",
}
_PARAMETERS = {
    "feed_id": "feed_id",
    "delivery_id": "delivery_id",
    "member_id": "member_id",
    "type_id": "type_id",
    "location_id": "location_id",
    "booking_id": "booking_id",
    "reference": "reference",
    "closure_id": "closure_id",
    "question_id": "question_id",
    "question": "question",
    "room": "room",
    "zone": "zone",
    "room_id": "room_id",
    "zone_id": "zone_id",
    "class_id": "class_id",
    "note_id": "note_id",
    "child_id": "child_id",
    "entry_id": "entry_id",
    "series_id": "series_id",
    "digest": "digest",
    "invitation_id": "invitation_id",
    "time_off_id": "time_off_id",
    "on_date": "on_date",
    "language": "language",
    "file": "file",
}


#: Parameters that name no thing of a school.
_OF_EVERYBODY = ("on_date", "kind", "language", "file")


def names_a_thing(route: str) -> bool:
    """Say whether an address names something that belongs to a school."""
    return any(name not in _OF_EVERYBODY for name in re.findall(r"\{(\w+)\}", route))


def filled(path: str, things: Things) -> tuple[str, list[str]]:
    """Return the path with the school's things in it, and the values put in."""
    values = []
    while "{" in path:
        before, _, rest = path.partition("{")
        name, _, after = rest.partition("}")
        if name == "kind":
            name = "mail_kind" if "texts" in before else "list_kind"
        elif name in ("slug", "handle", "token"):
            name = next(thing for prefix, thing in _NAMES.items() if before.startswith(prefix))
        else:
            name = _PARAMETERS[name]
        value = str(getattr(things, name))
        values.append(value)
        path = before + value + after
    return path, values


Body = Callable[[Things], dict[str, Any]]

#: A whole picture in base64: one grey dot.
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="


@dataclass(frozen=True, slots=True)
class Route:
    """Whom a route is for, and a request it takes, from a school's things: query, JSON, form fields, files."""

    audience: Audience
    query: Body | None = None
    json: Body | None = None
    form: Body | None = None
    files: Body | None = None


def _nothing(_: Things) -> dict[str, Any]:
    return {}


def _new_type(things: Things) -> dict[str, Any]:
    return {
        "name": "Lesson of the matrix",
        "duration_minutes": 30,
        "location_ids": [str(things.location_id)],
        "instructor_ids": [str(things.member_id)],
    }


def _type_form(things: Things) -> dict[str, Any]:
    """Return the form of a type, in words where the API has ids."""
    return {
        "name": "Lesson of the matrix",
        "duration_minutes": "30",
        "horizon_days": "60",
        "minimum_notice_minutes": "0",
        "cancellation_notice_minutes": "0",
        "reschedule_notice_minutes": "0",
        "approve_within_minutes": "1440",
        "color": "#4f46e5",
        "location_mode": "in_person",
        "location_ids": [things.location_slug],
        "instructor_ids": [things.handle],
        "published": "yes",
    }


def _hours_form(_: Things) -> dict[str, Any]:
    # The whole week: nothing that is booked is outside.
    return {
        f"{name}-{weekday}": [value]
        for weekday in range(1, 8)
        for name, value in (("starts", "00:00"), ("ends", "00:00"), ("place", ""))
    }


def _date_form(things: Things) -> dict[str, Any]:
    return {
        "on_date": things.on_date,
        "kind": "hours",
        "starts": ["09:00"],
        "ends": ["12:00"],
        "place": [things.location_slug],
    }


def _time_off_form(_: Things) -> dict[str, Any]:
    # Every caller takes a day of their own.
    day = FAR_AHEAD + timedelta(days=300 + secrets.randbelow(20_000))
    return {"first_day": day.isoformat(), "reason": "Dentist of the matrix"}


def _sick_form(things: Things) -> dict[str, Any]:
    # So many days ahead nobody has a lesson to hand over.
    return {"from": things.on_date, "until": things.on_date}


def _picture_file(_: Things) -> dict[str, Any]:
    return {"picture": ("dot.png", base64.b64decode(DOT), "image/png")}


def _list_file(_: Things) -> dict[str, Any]:
    return {"file": ("people.csv", b"E-mail,Role\nnew@example.com,student\n", "text/csv")}


def _closure_form(things: Things) -> dict[str, Any]:
    return {"name": "Day of the matrix", "starts_on": things.on_date, "location": things.location_slug}


def _booking_form(_: Things) -> dict[str, Any]:
    return {"with": "anyone", "place": "", "time": TOO_FAR, "note": ""}


def _booking(things: Things) -> dict[str, Any]:
    return {
        "appointment_type_id": str(things.type_id),
        "starts_at": TOO_FAR,
        "instructor_id": str(things.member_id),
        "location_id": str(things.location_id),
        "student_id": str(things.student_id),
    }


def _class(things: Things) -> dict[str, Any]:
    return {
        "appointment_type_id": str(things.class_type_id),
        "instructor_id": str(things.member_id),
        "location_id": str(things.location_id),
        # One of its own whenever it is asked for.
        "starts_at": [f"{FAR_AHEAD + timedelta(days=100 + secrets.randbelow(300))}T12:00:00Z"],
        "override_rules": True,
    }


def _class_form(_: Things) -> dict[str, Any]:
    # Every caller takes a day of their own, whoever's hours it is outside of.
    day = FAR_AHEAD - timedelta(days=30 + secrets.randbelow(600))
    return {"day": [day.isoformat()], "time": ["10:00"], "seats": "1", "override": "yes"}


def _series(things: Things) -> dict[str, Any]:
    return {**_booking(things), "starts_at": "2030-01-21T10:00:00Z", "times": 2}


def _series_end(things: Things) -> dict[str, Any]:
    return {"booking_id": str(things.booking_id), "scope": "all"}


def _series_move(things: Things) -> dict[str, Any]:
    return {**_series_end(things), "starts_at": "2030-01-22T10:00:00Z"}


def _hold(things: Things) -> dict[str, Any]:
    return {**_booking(things), "starts_at": TOO_FAR}


def _window(things: Things) -> dict[str, Any]:
    return {"starts_minute": 600, "ends_minute": 1200, "location_id": str(things.location_id)}


def _week(things: Things) -> dict[str, Any]:
    return {"windows": [{"weekday": 1, **_window(things)}]}


def _time_off(_: Things) -> dict[str, Any]:
    # Every caller takes an afternoon of their own.
    days = 300 + secrets.randbelow(20_000)
    starts_at = datetime.combine(FAR_AHEAD + timedelta(days=days), time(12), tzinfo=UTC)
    return {
        "starts_at": starts_at.isoformat(),
        "ends_at": (starts_at + timedelta(hours=4)).isoformat(),
        "reason": "Dentist of the matrix",
    }


def _closure(things: Things) -> dict[str, Any]:
    return {
        "name": "Day of the matrix",
        "starts_on": things.on_date,
        "ends_on": things.on_date,
        "location_id": str(things.location_id),
    }


#: A list of hours, and of people: nobody of it is at any school.
_LIST = "Instructor,Weekday,From,Until,E-mail\r\nThe Matrix,Monday,09:00,12:00,no address"


ROUTES: dict[str, Route] = {
    # The API: the school and its people.
    "GET /api/v1/organization": Route("everyone"),
    "PATCH /api/v1/organization": Route("admins", json=lambda _: {"name": "Stillwater Yoga"}),
    "GET /api/v1/me": Route("members"),
    "GET /api/v1/me/preferences": Route("members"),
    "PATCH /api/v1/me/preferences": Route("members", json=lambda _: {"reminder_minutes": [120]}),
    "GET /api/v1/me/children": Route("members"),
    "POST /api/v1/me/children": Route("members", json=lambda _: {"given_name": "Child of the matrix"}),
    "GET /api/v1/me/children/{child_id}": Route("members"),
    "PATCH /api/v1/me/children/{child_id}": Route("members", json=lambda _: {"birth_year": 2015}),
    "DELETE /api/v1/me/children/{child_id}": Route("members"),
    "GET /api/v1/members": Route("admins"),
    "GET /api/v1/members/{member_id}": Route("admins"),
    "PATCH /api/v1/members/{member_id}": Route("admins", json=lambda _: {"role": "instructor"}),
    "GET /api/v1/invitations": Route("admins"),
    "POST /api/v1/invitations": Route(
        "admins", json=lambda _: {"emails": [f"{uuid.uuid4().hex}@example.com"], "role": "student"}
    ),
    "POST /api/v1/invitations/{invitation_id}/resending": Route("admins"),
    "DELETE /api/v1/invitations/{invitation_id}": Route("admins"),
    "PUT /api/v1/organization/logo": Route("admins", json=lambda _: {"content": DOT}),
    "DELETE /api/v1/organization/logo": Route("admins"),
    "GET /api/v1/activity": Route("admins", query=lambda things: {"person_id": str(things.member_id)}),
    # Refused with 422: nobody of that name teaches here.
    "POST /api/v1/imports/{kind}": Route("admins", json=lambda _: {"content": _LIST}),
    "POST /api/v1/imports/{kind}/reviews": Route("admins", json=lambda _: {"content": _LIST}),
    "GET /api/v1/mail-texts": Route("admins"),
    "GET /api/v1/mail-texts/{kind}/{language}": Route("admins"),
    "PATCH /api/v1/mail-texts/{kind}/{language}": Route("admins", json=lambda _: {"closing": "Matrix."}),
    "DELETE /api/v1/mail-texts/{kind}/{language}": Route("admins"),
    "GET /api/v1/instructors": Route("everyone"),
    "PUT /api/v1/instructors/{member_id}/photo": Route("staff", json=lambda _: {"content": DOT}),
    "DELETE /api/v1/instructors/{member_id}/photo": Route("staff"),
    "GET /api/v1/instructors/{member_id}": Route("everyone"),
    "PATCH /api/v1/instructors/{member_id}": Route("staff", json=lambda _: {"bio": "Teaches."}),
    "GET /api/v1/instructors/{member_id}/qualifications": Route("staff"),
    "PUT /api/v1/instructors/{member_id}/qualifications": Route(
        "admins", json=lambda things: {"appointment_type_ids": [str(things.type_id)]}
    ),
    "PUT /api/v1/instructors/{member_id}/qualifications/{type_id}": Route(
        "admins", json=lambda _: {"expires_on": FAR_AHEAD.isoformat()}
    ),
    "GET /api/v1/lapsing-qualifications": Route("admins"),
    "GET /api/v1/instructors/{member_id}/weekly-hours": Route("staff"),
    "PUT /api/v1/instructors/{member_id}/weekly-hours": Route("staff", json=_week),
    "GET /api/v1/instructors/{member_id}/date-overrides": Route("staff"),
    "PUT /api/v1/instructors/{member_id}/date-overrides/{on_date}": Route(
        "staff", json=lambda things: {"windows": [_window(things)]}
    ),
    "DELETE /api/v1/instructors/{member_id}/date-overrides/{on_date}": Route("staff"),
    "GET /api/v1/instructors/{member_id}/time-off": Route("staff"),
    "POST /api/v1/instructors/{member_id}/time-off": Route("staff", json=_time_off),
    "DELETE /api/v1/instructors/{member_id}/time-off/{time_off_id}": Route("staff"),
    # The API: the catalogue.
    "GET /api/v1/closures": Route("staff"),
    "POST /api/v1/closures": Route("admins", json=_closure),
    "GET /api/v1/closures/{closure_id}": Route("staff"),
    "PATCH /api/v1/closures/{closure_id}": Route(
        "admins", json=lambda things: {"location_id": str(things.location_id)}
    ),
    "DELETE /api/v1/closures/{closure_id}": Route("admins"),
    "GET /api/v1/locations/{location_id}/opening-hours": Route("everyone"),
    "PUT /api/v1/locations/{location_id}/opening-hours": Route(
        "admins", json=lambda _: {"windows": [{"weekday": 1, "starts_minute": 0, "ends_minute": 1440}]}
    ),
    "GET /api/v1/appointment-types": Route("everyone"),
    "POST /api/v1/appointment-types": Route("admins", json=_new_type),
    "GET /api/v1/appointment-types/{type_id}": Route("everyone"),
    "PATCH /api/v1/appointment-types/{type_id}": Route(
        "admins",
        json=lambda things: {
            "description": "Slowly.",
            "location_ids": [str(things.location_id)],
            "instructor_ids": [str(things.member_id)],
        },
    ),
    "POST /api/v1/appointment-types/{type_id}/archival": Route("admins"),
    "DELETE /api/v1/appointment-types/{type_id}/archival": Route("admins"),
    "PUT /api/v1/appointment-types/order": Route(
        "admins", json=lambda things: {"appointment_type_ids": [str(things.type_id)]}
    ),
    "POST /api/v1/appointment-types/{type_id}/duplicates": Route("admins"),
    # Refused with 409: the type of the matrix is public.
    "POST /api/v1/appointment-types/{type_id}/link": Route("admins"),
    "GET /api/v1/appointment-types/{type_id}/questions": Route("admins"),
    "POST /api/v1/appointment-types/{type_id}/questions": Route(
        "admins", json=lambda _: {"kind": "yes_no", "label": "Is this a matrix?"}
    ),
    "PUT /api/v1/appointment-types/{type_id}/questions/order": Route(
        "admins", json=lambda things: {"question_ids": [str(things.question_id)]}
    ),
    "GET /api/v1/questions/{question_id}": Route("admins"),
    "PATCH /api/v1/questions/{question_id}": Route("admins", json=lambda _: {"hint": "Say yes."}),
    "POST /api/v1/questions/{question_id}/archival": Route("admins"),
    "DELETE /api/v1/questions/{question_id}/archival": Route("admins"),
    "GET /api/v1/locations/{location_id}/rooms": Route("staff"),
    "POST /api/v1/locations/{location_id}/rooms": Route(
        "admins", json=lambda _: {"name": f"Room {uuid.uuid4().hex}"}
    ),
    "PUT /api/v1/locations/{location_id}/rooms/order": Route(
        "admins", json=lambda things: {"room_ids": [str(things.room_id)]}
    ),
    "GET /api/v1/rooms/{room_id}": Route("staff"),
    "PATCH /api/v1/rooms/{room_id}": Route("admins", json=lambda _: {"capacity": 3}),
    "POST /api/v1/rooms/{room_id}/archival": Route("admins"),
    "DELETE /api/v1/rooms/{room_id}/archival": Route("admins"),
    "GET /api/v1/travel-zones": Route("staff"),
    "POST /api/v1/travel-zones": Route(
        "admins",
        json=lambda _: {
            "name": f"Zone {uuid.uuid4().hex}",
            "postcode_prefixes": [uuid.uuid4().hex[:12]],
            "travel_minutes": 10,
        },
    ),
    "PUT /api/v1/travel-zones/order": Route("admins", json=lambda things: {"zone_ids": [str(things.zone_id)]}),
    "PATCH /api/v1/travel-zones/{zone_id}": Route("admins", json=lambda _: {"travel_minutes": 10}),
    "DELETE /api/v1/travel-zones/{zone_id}": Route("admins"),
    "GET /api/v1/locations": Route("everyone"),
    "POST /api/v1/locations": Route("admins", json=lambda _: {"name": "Place of the matrix"}),
    "GET /api/v1/locations/{location_id}": Route("everyone"),
    "PATCH /api/v1/locations/{location_id}": Route("admins", json=lambda _: {"directions": "Left."}),
    "POST /api/v1/locations/{location_id}/archival": Route("admins"),
    "DELETE /api/v1/locations/{location_id}/archival": Route("admins"),
    # The API: lessons.
    "GET /api/v1/availability": Route(
        "everyone", query=lambda things: {"appointment_type_id": str(things.type_id)}
    ),
    "GET /api/v1/bookings": Route("members"),
    "POST /api/v1/bookings": Route("members", json=_booking),
    "GET /api/v1/bookings/{booking_id}": Route("members"),
    "POST /api/v1/bookings/{booking_id}/cancellation": Route("members", json=_nothing),
    "POST /api/v1/bookings/{booking_id}/rescheduling": Route(
        "members",
        json=lambda things: {
            "starts_at": TOO_FAR,
            "instructor_id": str(things.member_id),
            "location_id": str(things.location_id),
        },
    ),
    # Refused with 409: the lesson of the matrix is no request.
    "POST /api/v1/bookings/{booking_id}/approval": Route("staff"),
    "POST /api/v1/bookings/{booking_id}/declining": Route("staff", json=_nothing),
    # Refused with 409: it has not begun.
    "PUT /api/v1/bookings/{booking_id}/attendance": Route("staff", json=lambda _: {"attendance": "present"}),
    "GET /api/v1/bookings/{booking_id}/notes": Route("members"),
    "POST /api/v1/bookings/{booking_id}/notes": Route("staff", json=lambda _: {"body": "Bars 13 to 15."}),
    "PATCH /api/v1/bookings/{booking_id}/notes/{note_id}": Route("staff", json=lambda _: {"shared": True}),
    "DELETE /api/v1/bookings/{booking_id}/notes/{note_id}": Route("staff"),
    "POST /api/v1/holds": Route("members", json=_hold),
    "POST /api/v1/holds/{booking_id}/confirmation": Route("members", json=_nothing),
    # Refused with 409: the lesson of the matrix is booked.
    "DELETE /api/v1/holds/{booking_id}": Route("members"),
    "GET /api/v1/waitlist-entries": Route("members"),
    # Refused with 409: there are seats left.
    "POST /api/v1/waitlist-entries": Route("members", json=lambda things: {"session_id": str(things.class_id)}),
    "GET /api/v1/waitlist-entries/{entry_id}": Route("members"),
    # Refused with 409: nothing is offered.
    "POST /api/v1/waitlist-entries/{entry_id}/acceptance": Route("members", json=_nothing),
    "DELETE /api/v1/waitlist-entries/{entry_id}": Route("members"),
    "GET /api/v1/series": Route("members"),
    "POST /api/v1/series": Route("members", json=_series),
    "POST /api/v1/series/previews": Route("members", json=_series),
    "GET /api/v1/series/{series_id}": Route("members"),
    # Refused with 422: the lesson of the matrix is of no series.
    "POST /api/v1/series/{series_id}/rescheduling": Route("members", json=_series_move),
    "POST /api/v1/series/{series_id}/rescheduling-previews": Route("members", json=_series_move),
    # Refused with 409: nothing of it waits.
    "POST /api/v1/series/{series_id}/approval": Route("staff"),
    "POST /api/v1/series/{series_id}/declining": Route("staff", json=_nothing),
    "POST /api/v1/series/{series_id}/cancellation": Route("members", json=_series_end),
    "POST /api/v1/series/{series_id}/cancellation-previews": Route("members", json=_series_end),
    "GET /api/v1/classes": Route("everyone"),
    "POST /api/v1/classes": Route("staff", json=_class),
    "GET /api/v1/classes/{class_id}": Route("everyone"),
    "POST /api/v1/classes/{class_id}/cancellation": Route("staff", json=_nothing),
    "GET /api/v1/calendar": Route("staff"),
    "GET /api/v1/instructors/{member_id}/substitutes": Route("staff"),
    "POST /api/v1/handovers": Route(
        "staff", json=lambda things: {"lessons": [{"session_id": str(things.class_id)}]}
    ),
    "GET /api/v1": Route("everyone"),
    "GET /api/v1/openapi.json": Route("everyone"),
    "GET /api/v1/docs": Route("everyone"),
    # Pages: the way in and out.
    "GET /sign-in": Route("everyone"),
    "GET /sign-up": Route("everyone"),
    "GET /sign-out": Route("everyone"),
    "POST /sign-out": Route("everyone", form=_nothing),
    "GET /join": Route("guests"),
    "POST /join": Route("guests", form=lambda _: {"return_to": "/"}),
    "GET /branding.css": Route("everyone"),
    "GET /pictures/{digest}": Route("everyone"),
    "GET /api/v1/deliveries": Route("admins"),
    "GET /api/v1/deliveries/{delivery_id}": Route("admins"),
    # Refused with 409: the mail of the matrix has not failed.
    "POST /api/v1/deliveries/{delivery_id}/resending": Route("admins"),
    "GET /admin/mail": Route("admins"),
    "POST /admin/mail/resending": Route("admins", form=lambda _: {"all": "yes"}),
    "GET /feeds/{token}": Route("everyone"),
    "GET /api/v1/calendar-feeds": Route("members"),
    "POST /api/v1/calendar-feeds": Route("members", json=lambda _: {"kind": "student"}),
    "DELETE /api/v1/calendar-feeds/{feed_id}": Route("members"),
    "GET /lessons/calendar": Route("members"),
    "POST /lessons/calendar": Route("members", form=_nothing),
    "POST /lessons/calendar/revocation": Route("members", form=_nothing),
    "GET /teach/calendar": Route("staff"),
    "POST /teach/calendar": Route("staff", form=_nothing),
    "POST /teach/calendar/revocation": Route("staff", form=_nothing),
    "GET /admin/locations/{slug}/calendar": Route("admins"),
    "POST /admin/locations/{slug}/calendar": Route("admins", form=_nothing),
    "POST /admin/locations/{slug}/calendar/revocation": Route("admins", form=_nothing),
    "GET /unsubscribe/{token}": Route("everyone"),
    "POST /unsubscribe/{token}": Route("everyone", form=lambda _: {"List-Unsubscribe": "One-Click"}),
    "POST /language": Route("everyone", form=lambda _: {"language": "en", "return_to": "/"}),
    # Pages: students.
    "GET /": Route("everyone"),
    "GET /book/{slug}": Route("everyone"),
    "POST /book/{slug}": Route("members", form=_booking_form),
    "POST /book/{slug}/series": Route(
        "members", form=lambda things: {**_booking_form(things), "repeat": "1", "times": "2"}
    ),
    "POST /book/{slug}/hold": Route("members", form=_booking_form),
    "GET /widget.js": Route("everyone"),
    "GET /embed": Route("everyone"),
    "GET /embed/{slug}": Route("everyone"),
    "GET /admin/school/website": Route("admins"),
    "GET /classes/{handle}": Route("everyone"),
    "POST /classes/{handle}/wait": Route("members", form=lambda _: {"for": "me"}),
    "POST /classes/{handle}/leave": Route("members", form=lambda _: {"for": "me"}),
    "POST /classes/{handle}/accept": Route("members", form=lambda _: {"for": "me", "note": "Gladly."}),
    "GET /family": Route("members"),
    "POST /family": Route("members", form=lambda _: {"given_name": "Child of the matrix"}),
    "GET /family/{handle}": Route("members"),
    "POST /family/{handle}": Route("members", form=lambda _: {"given_name": "Child", "birth_year": "2015"}),
    "GET /family/{handle}/remove": Route("members"),
    "POST /family/{handle}/remove": Route("members", form=_nothing),
    "GET /settings": Route("members"),
    "POST /settings": Route("members", form=lambda _: {"reminders": "school", "locale": "en"}),
    "GET /lessons": Route("members"),
    "GET /lessons/{reference}": Route("members"),
    "GET /lessons/{reference}/calendar.ics": Route("members"),
    "GET /lessons/{reference}/cancel": Route("members"),
    "POST /lessons/{reference}/cancel": Route("members", form=_nothing),
    "GET /lessons/{reference}/move": Route("members"),
    "POST /lessons/{reference}/move": Route("members", form=lambda _: {"time": TOO_FAR}),
    # Pages: instructors.
    "GET /teach": Route("staff"),
    "GET /teach/week": Route("staff", query=lambda _: {"week": f"{FAR_AHEAD:%G-W%V}"}),
    "GET /teach/types": Route("staff"),
    "GET /teach/sick": Route("staff", query=lambda things: {"from": things.on_date}),
    "POST /teach/sick": Route("staff", form=_sick_form),
    "GET /teach/lessons/{reference}": Route("staff"),
    "POST /teach/lessons/{reference}/approve": Route("staff", form=_nothing),
    "POST /teach/lessons/{reference}/attendance": Route("staff", form=lambda _: {"attendance": "present"}),
    "GET /teach/lessons/{reference}/cancel": Route("staff"),
    "POST /teach/lessons/{reference}/cancel": Route("staff", form=_nothing),
    "GET /teach/lessons/{reference}/decline": Route("staff"),
    "POST /teach/lessons/{reference}/decline": Route("staff", form=_nothing),
    "GET /teach/lessons/{reference}/move": Route("staff"),
    "POST /teach/lessons/{reference}/move": Route("staff", form=lambda _: {"time": TOO_FAR}),
    "GET /teach/lessons/{reference}/notes": Route("staff"),
    "POST /teach/lessons/{reference}/notes": Route("staff", form=lambda _: {"body": "Bars 13 to 15."}),
    "GET /teach/classes": Route("staff"),
    "GET /teach/classes/new": Route("staff"),
    "POST /teach/classes/new": Route("staff", form=_class_form),
    "GET /teach/classes/{handle}": Route("staff"),
    "POST /teach/classes/{handle}/attendance": Route("staff", form=lambda _: {"everybody": "present"}),
    "GET /teach/classes/{handle}/cancel": Route("staff"),
    "POST /teach/classes/{handle}/cancel": Route("staff", form=_nothing),
    "GET /teach/hours": Route("staff"),
    "POST /teach/hours": Route("staff", form=_hours_form),
    "GET /teach/hours/dates": Route("staff"),
    "POST /teach/hours/dates": Route("staff", form=_date_form),
    "POST /teach/hours/dates/remove": Route("staff", form=lambda things: {"on_date": things.on_date}),
    "POST /teach/hours/time-off": Route("staff", form=_time_off_form),
    "POST /teach/hours/time-off/remove": Route("staff", form=lambda things: {"time_off": things.time_off_code}),
    "GET /teach/profile": Route("staff"),
    "POST /teach/profile": Route("staff", form=lambda _: {"bio": "Teaches."}),
    # Pages: admins.
    **dict.fromkeys(
        (
            "GET /admin",
            "GET /admin/activity",
            "GET /admin/bookings",
            "GET /admin/bookings/new",
            "GET /admin/bookings/{reference}",
            "GET /admin/bookings/{reference}/cancel",
            "GET /admin/bookings/{reference}/decline",
            "GET /admin/bookings/{reference}/move",
            "GET /admin/bookings/{reference}/notes",
            "GET /admin/calendar",
            "GET /admin/classes",
            "GET /admin/classes/new",
            "GET /admin/classes/{handle}",
            "GET /admin/classes/{handle}/cancel",
            "GET /admin/imports",
            "GET /admin/imports/{kind}",
            "GET /admin/imports/{kind}/review",
            "GET /admin/imports/{kind}/template.csv",
            "GET /admin/locations",
            "GET /admin/locations/new",
            "GET /admin/locations/{slug}",
            "GET /admin/locations/{slug}/archive",
            "GET /admin/locations/{slug}/hours",
            "GET /admin/locations/{slug}/rooms",
            "GET /admin/locations/{slug}/rooms/{room}",
            "GET /admin/travel",
            "GET /admin/travel/new",
            "GET /admin/travel/{zone}",
            "GET /admin/closures",
            "GET /admin/closures/new",
            "GET /admin/closures/{slug}",
            "GET /admin/people/{handle}/hours/dates",
            "GET /admin/people",
            "GET /admin/people/invite",
            "GET /admin/people/{handle}",
            "GET /admin/people/{handle}/sick",
            "GET /admin/people/{handle}/deactivation",
            "GET /admin/people/{handle}/hours",
            "GET /admin/people/{handle}/lessons",
            "GET /admin/people/{handle}/profile",
            "GET /admin/people/{handle}/qualifications",
            "GET /admin/people/{handle}/role",
            "GET /admin/school",
            "GET /admin/school/look",
            "GET /admin/school/policies",
            "GET /admin/school/texts",
            "GET /admin/school/texts/{kind}/{language}",
            "GET /admin/school/texts/{kind}/{language}/preview",
            "GET /admin/activity",
            "GET /admin/exports",
            "GET /admin/exports/school.zip",
            "GET /admin/exports/{file}",
            "GET /admin/imports",
            "GET /admin/imports/{kind}",
            "GET /admin/imports/{kind}/template.csv",
            "GET /admin/imports/{kind}/review",
            "GET /admin/types",
            "GET /admin/types/new",
            "GET /admin/types/{slug}",
            "GET /admin/types/{slug}/archive",
            # Of a type that nobody needs a link for; a conflict, said on a page.
            "GET /admin/types/{slug}/link",
            "GET /admin/types/{slug}/preview",
            "GET /admin/types/{slug}/questions",
            "GET /admin/types/{slug}/questions/new",
            "GET /admin/types/{slug}/questions/{question}",
        ),
        Route("admins"),
    ),
    **dict.fromkeys(
        (
            "POST /admin/bookings/{reference}/approve",
            "POST /admin/bookings/{reference}/cancel",
            "POST /admin/bookings/{reference}/decline",
            "POST /admin/closures/{slug}/remove",
            # Nothing was uploaded: back to the upload, or to the choice.
            "POST /admin/imports/{kind}/review",
            "POST /admin/imports/{kind}/discard",
            "POST /admin/locations/{slug}/archive",
            "POST /admin/locations/{slug}/restore",
            "POST /admin/locations/{slug}/rooms/{room}/archive",
            "POST /admin/locations/{slug}/rooms/{room}/restore",
            "POST /admin/travel/{zone}/remove",
            "POST /admin/school/sync",
            "POST /admin/school/texts/{kind}/{language}/reset",
            "POST /admin/imports/{kind}/review",
            "POST /admin/imports/{kind}/discard",
            "POST /admin/types/{slug}/archive",
            "POST /admin/types/{slug}/duplicate",
            "POST /admin/types/{slug}/restore",
            "POST /admin/types/{slug}/duplicate",
            "POST /admin/types/{slug}/link",
            "POST /admin/types/{slug}/questions/{question}/archive",
            "POST /admin/types/{slug}/questions/{question}/restore",
        ),
        Route("admins", form=_nothing),
    ),
    "POST /admin/classes/new": Route("admins", form=_class_form),
    "POST /admin/classes/{handle}/attendance": Route("admins", form=lambda _: {"everybody": "present"}),
    "POST /admin/classes/{handle}/cancel": Route("admins", form=_nothing),
    "POST /admin/school/texts/{kind}/{language}": Route("admins", form=lambda _: {"closing": "Matrix."}),
    "POST /admin/school/texts/{kind}/{language}/preview": Route(
        "admins", form=lambda _: {"opening": "Hello {student}", "view": "text"}
    ),
    "POST /admin/bookings/{reference}/move": Route("admins", form=lambda _: {"time": TOO_FAR}),
    "POST /admin/bookings/{reference}/attendance": Route("admins", form=lambda _: {"attendance": "present"}),
    "POST /admin/bookings/{reference}/notes": Route("admins", form=lambda _: {"body": "Played well."}),
    "POST /admin/bookings/new": Route(
        "admins",
        query=lambda things: {"student": things.handle, "type": things.type_slug},
        form=_booking_form,
    ),
    "POST /admin/imports/{kind}": Route("admins", form=_nothing, files=_list_file),
    "POST /admin/locations/new": Route("admins", form=lambda _: {"name": "Place of the matrix"}),
    "POST /admin/locations/{slug}": Route("admins", form=lambda _: {"directions": "Left."}),
    "POST /admin/locations/{slug}/rooms": Route(
        "admins", form=lambda _: {"name": f"Room {uuid.uuid4().hex}", "capacity": "1"}
    ),
    "POST /admin/locations/{slug}/rooms/{room}": Route(
        "admins", form=lambda _: {"name": "Chamber of the matrix", "capacity": "2"}
    ),
    "POST /admin/locations/{slug}/rooms/{room}/move": Route("admins", form=lambda _: {"to": "up"}),
    "POST /admin/travel/new": Route(
        "admins",
        form=lambda _: {
            "name": uuid.uuid4().hex,
            "postcode_prefixes": uuid.uuid4().hex[:12],
            "travel_minutes": "9",
        },
    ),
    "POST /admin/travel/{zone}": Route(
        "admins", form=lambda _: {"name": "Suburb", "postcode_prefixes": "99", "travel_minutes": "7"}
    ),
    "POST /admin/travel/{zone}/move": Route("admins", form=lambda _: {"to": "up"}),
    # Clerk remembers who was invited.
    "POST /admin/people/invite": Route(
        "admins", form=lambda _: {"emails": f"{uuid.uuid4().hex}@example.com", "role": "student"}
    ),
    "POST /admin/people/invitations/resend": Route(
        "admins", form=lambda things: {"invitation": things.invitation_id}
    ),
    "POST /admin/people/invitations/revoke": Route(
        "admins", form=lambda things: {"invitation": things.invitation_id}
    ),
    "GET /admin/people/bulk": Route(
        "admins", query=lambda things: {"do": "deactivate", "person": things.handle}
    ),
    "POST /admin/people/bulk": Route(
        "admins", form=lambda things: {"do": "role", "role": "instructor", "person": [things.handle]}
    ),
    "POST /admin/people/{handle}/deactivation": Route("admins", form=_nothing),
    "POST /admin/people/{handle}/reactivation": Route("admins", form=_nothing),
    "POST /admin/closures/new": Route("admins", form=_closure_form),
    "POST /admin/closures/{slug}": Route("admins", form=_closure_form),
    "POST /admin/locations/{slug}/hours": Route("admins", form=_hours_form),
    "POST /admin/people/{handle}/hours": Route("admins", form=_hours_form),
    "POST /admin/people/{handle}/hours/dates": Route("admins", form=_date_form),
    "POST /admin/people/{handle}/hours/dates/remove": Route(
        "admins", form=lambda things: {"on_date": things.on_date}
    ),
    "POST /admin/people/{handle}/hours/time-off": Route("admins", form=_time_off_form),
    "POST /admin/people/{handle}/hours/time-off/remove": Route(
        "admins", form=lambda things: {"time_off": things.time_off_code}
    ),
    "POST /admin/people/{handle}/profile": Route("admins", form=lambda _: {"bio": "Teaches."}),
    "POST /admin/people/{handle}/qualifications": Route(
        "admins", form=lambda things: {"appointment_type_ids": [things.type_slug]}
    ),
    "GET /admin/people/{handle}/sick": Route("admins", query=lambda things: {"from": things.on_date}),
    "POST /admin/people/{handle}/sick": Route("admins", form=_sick_form),
    "POST /admin/people/{handle}/role": Route("admins", form=lambda _: {"role": "instructor"}),
    "POST /admin/school": Route("admins", form=lambda _: {"name": "Stillwater Yoga"}),
    "POST /admin/school/look": Route("admins", form=lambda _: {"accent_color": "#0f766e"}),
    "POST /admin/school/policies": Route("admins", form=lambda _: {"policy_text": "Bring a mat."}),
    "POST /admin/school/logo": Route("admins", form=_nothing, files=_picture_file),
    "POST /admin/school/logo/removal": Route("admins", form=_nothing),
    "POST /admin/people/{handle}/photo": Route("admins", form=_nothing, files=_picture_file),
    "POST /admin/people/{handle}/photo/removal": Route("admins", form=_nothing),
    "POST /teach/profile/photo": Route("staff", form=_nothing, files=_picture_file),
    "POST /teach/profile/photo/removal": Route("staff", form=_nothing),
    "POST /admin/types/new": Route("admins", form=_type_form),
    "POST /admin/types/{slug}": Route("admins", form=_type_form),
    # Published again by the form above.
    "POST /admin/types/bulk": Route(
        "admins", form=lambda things: {"action": "unpublish", "types": [things.type_slug]}
    ),
    "POST /admin/types/{slug}/move": Route("admins", form=lambda _: {"to": "down"}),
    "POST /admin/types/{slug}/questions/new": Route(
        "admins", form=lambda _: {"kind": "short_text", "label": "What is the matrix?"}
    ),
    "POST /admin/types/{slug}/questions/{question}": Route(
        "admins", form=lambda _: {"kind": "yes_no", "label": "Is this the matrix, really?"}
    ),
    "POST /admin/types/{slug}/questions/{question}/move": Route("admins", form=lambda _: {"to": "up"}),
}


def routes_of(app: CourseCove) -> list[str]:
    """Return every route of a school as "VERB /path/{parameter}", from the router."""
    found = []
    for route in app.school.routes:
        assert isinstance(route, HTTPRoute), f"{route.path}: the matrices know nothing but HTTP"
        for method in route.route_handler_map:
            # OPTIONS is answered by the framework, from the router alone.
            if method != "OPTIONS":
                found.append(f"{method} {route.path_format}")
    return sorted(found)
