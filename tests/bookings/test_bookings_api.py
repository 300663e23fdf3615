"""Free times and bookings over HTTP, as clients meet them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.bookings.desk import CLARA, IDA, LEO, MIA, PRIYA
from tests.conftest import ClientFor
from tests.factories.world import School

SOON = (datetime.now(UTC) + timedelta(days=14)).replace(hour=0, minute=0, second=0, microsecond=0)


def _free(
    client: httpx.Client, school: School, name: str = "Violin lesson", **query: Any
) -> list[dict[str, Any]]:
    answer = client.get(
        "/api/v1/availability",
        params={
            "appointment_type_id": str(school.types[name]),
            "from": SOON.isoformat(),
            "until": (SOON + timedelta(days=7)).isoformat(),
            **query,
        },
    )
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def _wanted(school: School, starts_at: str, name: str = "Violin lesson", **more: Any) -> dict[str, Any]:
    return {"appointment_type_id": str(school.types[name]), "starts_at": starts_at, **more}


def test_a_visitor_sees_free_times_and_a_student_books_sees_and_cancels(
    client: ClientFor, musicschool: School
) -> None:
    slots = _free(client("musicschool"), musicschool)
    assert slots[0]["instructors"][0]["name"] == "Ida Berg"
    assert slots[0]["location"]["name"]
    assert set(slots[0]["instructors"][0]) == {"id", "name", "image_url", "email"}
    mia = client("musicschool", MIA)
    made = mia.post("/api/v1/bookings", json=_wanted(musicschool, slots[0]["starts_at"], note="Bach"))
    assert made.status_code == 201, made.text
    booking = made.json()
    assert booking["starts_at"] == slots[0]["starts_at"]
    assert booking["status"] == "confirmed"
    assert mia.get(f"/api/v1/bookings/{booking['id']}").json() == booking
    listed = mia.get("/api/v1/bookings", params={"search": booking["reference"]}).json()
    assert ([item["id"] for item in listed["items"]], listed["total"]) == ([booking["id"]], 1)
    gone = mia.post(f"/api/v1/bookings/{booking['id']}/cancellation", json={"reason": "Ill"})
    assert gone.status_code == 201, gone.text
    assert (gone.json()["status"], gone.json()["revision"]) == ("cancelled", 1)
    again = mia.post(f"/api/v1/bookings/{booking['id']}/cancellation", json={})
    assert (again.status_code, again.json()["code"]) == (409, "already_cancelled")
    assert _free(client("musicschool"), musicschool)[0]["starts_at"] == slots[0]["starts_at"]


def test_a_taken_time_is_answered_with_alternatives_a_client_can_read(
    client: ClientFor, musicschool: School
) -> None:
    start = _free(client("musicschool"), musicschool)[5]["starts_at"]
    assert (
        client("musicschool", MIA).post("/api/v1/bookings", json=_wanted(musicschool, start)).status_code == 201
    )
    lost = client("musicschool", LEO).post("/api/v1/bookings", json=_wanted(musicschool, start))
    assert lost.status_code == 409
    assert lost.headers["content-type"].startswith("application/problem+json")
    problem = lost.json()
    assert problem["code"] == "slot_taken"
    assert len(problem["alternatives"]) == 5
    first = problem["alternatives"][0]
    assert set(first) == {"starts_at", "ends_at", "instructor", "location"}
    assert datetime.fromisoformat(first["starts_at"]).tzinfo is not None
    assert first["instructor"]["name"] == "Ida Berg"
    refused = client("musicschool", LEO).post(
        "/api/v1/bookings", json=_wanted(musicschool, "2001-01-01T10:00:00+01:00")
    )
    assert (refused.json()["code"], refused.json()["reason"]) == ("slot_not_offered", "past")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"starts_at": "2031-03-03T10:00:00"}, 400, "malformed"),
        ({"starts_at": "tomorrow"}, 400, "malformed"),
        ({"price_cents": 0}, 400, "malformed"),
        ({"organization_id": str(uuid.uuid4())}, 400, "malformed"),
        ({"note": "x" * 1001}, 400, "malformed"),
        ({"note": "a\x00b"}, 422, "invalid"),
        ({"location_id": str(uuid.uuid4())}, 422, "invalid"),
        ({"appointment_type_id": str(uuid.uuid4())}, 422, "invalid"),
        ({"student_id": str(uuid.uuid4())}, 403, "forbidden"),
        ({"starts_at": "9999-12-31T23:59:59-12:00"}, 422, "invalid"),
        ({"starts_at": "0001-01-01T00:00:00+14:00"}, 422, "invalid"),
    ],
)
def test_what_a_booking_cannot_carry_is_refused_and_changes_nothing(
    client: ClientFor, musicschool: School, change: dict[str, Any], status: int, code: str
) -> None:
    mia = client("musicschool", MIA)
    before = mia.get("/api/v1/bookings").json()["total"]
    start = _free(mia, musicschool)[-1]["starts_at"]
    answer = mia.post("/api/v1/bookings", json={**_wanted(musicschool, start), **change})
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert mia.get("/api/v1/bookings").json()["total"] == before


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"from": "2031-03-03T10:00:00"}, 422),
        ({"until": "2031-03-03T10:00:00"}, 422),
        ({"until": (SOON + timedelta(days=62, seconds=1)).isoformat()}, 422),
        ({"until": (SOON + timedelta(days=62)).isoformat()}, 200),
        ({"from": "9999-12-31T23:59:59Z", "until": ""}, 422),
        ({"from": "0001-01-01T00:00:00+14:00", "until": "0001-01-02T00:00:00Z"}, 200),
        # Numbers are no dates, although msgspec would take them for seconds since 1970.
        ({"from": "0.0", "until": ""}, 422),
        ({"until": "1796123456"}, 422),
        ({"appointment_type_id": str(uuid.uuid4())}, 404),
        ({"appointment_type_id": "x"}, 400),
    ],
)
def test_a_window_of_free_times_has_offsets_and_at_most_62_days(
    client: ClientFor, musicschool: School, query: dict[str, str], status: int
) -> None:
    parameters = {
        "appointment_type_id": str(musicschool.types["Violin lesson"]),
        "from": SOON.isoformat(),
        **query,
    }
    parameters = {name: value for name, value in parameters.items() if value}
    answer = client("musicschool").get("/api/v1/availability", params=parameters)
    assert answer.status_code == status, answer.text


def test_bookings_need_somebody_signed_in_and_are_their_own(client: ClientFor, musicschool: School) -> None:
    start = _free(client("musicschool"), musicschool)[9]["starts_at"]
    wanted = _wanted(musicschool, start)
    assert client("musicschool").post("/api/v1/bookings", json=wanted).status_code == 401
    assert client("musicschool").get("/api/v1/bookings").status_code == 401
    booking = client("musicschool", MIA).post("/api/v1/bookings", json=wanted).json()["id"]
    for method, path in (("GET", ""), ("POST", "/cancellation")):
        answers = [
            client("musicschool", LEO).request(method, f"/api/v1/bookings/{one}{path}", json={})
            for one in (booking, uuid.uuid4())
        ]
        assert [answer.status_code for answer in answers] == [404, 404]
        first, second = ({k: v for k, v in answer.json().items() if k != "request_id"} for answer in answers)
        assert first == second
    # Priya studies at both schools; a lesson of one is nothing at the other.
    assert client("yoga", PRIYA).get(f"/api/v1/bookings/{booking}").status_code == 404


def test_somebody_signed_in_is_not_offered_the_times_of_their_own_lessons(
    client: ClientFor, musicschool: School
) -> None:
    start = _free(client("musicschool"), musicschool, "Guitar lesson")[12]["starts_at"]
    priya = client("musicschool", PRIYA)
    assert priya.post("/api/v1/bookings", json=_wanted(musicschool, start, "Guitar lesson")).status_code == 201
    around = {"from": start, "until": (datetime.fromisoformat(start) + timedelta(minutes=1)).isoformat()}
    made = client("musicschool", CLARA).post(
        "/api/v1/appointment-types",
        json={
            "name": "Beside guitar",
            "duration_minutes": 30,
            "start_interval_minutes": 5,
            "location_ids": [str(one) for one in musicschool.locations.values()],
            "instructor_ids": [str(musicschool.members[IDA])],
        },
    )
    musicschool.types["Beside guitar"] = uuid.UUID(made.json()["id"])
    visitors = _free(client("musicschool"), musicschool, "Beside guitar", **around)
    assert _free(priya, musicschool, "Beside guitar", **around) == []
    assert isinstance(visitors, list)


def test_staff_book_for_students_over_the_api(client: ClientFor, musicschool: School) -> None:
    start = _free(client("musicschool"), musicschool)[14]["starts_at"]
    body = _wanted(musicschool, start, student_id=str(musicschool.members[LEO]))
    answer = client("musicschool", CLARA).post("/api/v1/bookings", json=body)
    assert (answer.status_code, answer.json()["student"]["name"]) == (201, "Leo Lindqvist")
    seen = client("musicschool", IDA).get("/api/v1/bookings", params={"student_id": body["student_id"]})
    assert answer.json()["id"] in {item["id"] for item in seen.json()["items"]}


@pytest.mark.parametrize(
    "query", [{"status": "lost"}, {"order": "price"}, {"page": 0}, {"page_size": 201}, {"page": 10**12}]
)
def test_list_filters_are_checked(client: ClientFor, query: dict[str, Any]) -> None:
    answer = client("musicschool", MIA).get("/api/v1/bookings", params=query)
    assert answer.status_code == 400, answer.text
