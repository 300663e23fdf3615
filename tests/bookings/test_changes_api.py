"""Moving, answering, noting, classes and handing over through the API: the same verbs as the pages call."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from coursecove.config import Settings
from tests.bookings.desk import CLARA, IDA, LEO, MIA, PRIYA, TOMAS
from tests.conftest import ClientFor
from tests.factories.world import School
from tests.portals.reading import a_later_day
from tests.portals.taught import Put, inside, put

API = "/api/v1/bookings"
_HOURS = iter(range(1, 60))


def a_time() -> datetime:
    """A quarter of a day of its own in the past, for each lesson that is over."""
    return datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=6 * next(_HOURS))


@pytest.fixture
def taught(settings: Settings, musicschool: School) -> Put:
    """A lesson Mia had with Ida."""
    with inside(settings, musicschool) as connection:
        return put(connection, musicschool, a_time(), teacher=IDA, students=[MIA], type_name="Violin lesson")


@pytest.fixture
def asked(settings: Settings, musicschool: School) -> Put:
    """A request of Leo's to Ida, a few months ahead."""
    with inside(settings, musicschool) as connection:
        ahead = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(days=120 + next(_HOURS))
        return put(
            connection, musicschool, ahead, teacher=IDA, students=[LEO], type_name="Violin lesson", pending=True
        )


def id_of(staff: httpx.Client, made: Put) -> str:
    [item] = staff.get(API, params={"search": made.reference}).json()["items"]
    return str(item["id"])


def slots(client: httpx.Client, school: School, name: str, day: str, **query: Any) -> Iterator[dict[str, Any]]:
    answer = client.get(
        "/api/v1/availability",
        params={
            "appointment_type_id": str(school.types[name]),
            "from": f"{day}T00:00:00+01:00",
            "until": f"{day}T23:59:00+01:00",
            **query,
        },
    )
    assert answer.status_code == 200, answer.text
    yield from answer.json()["items"]


def test_a_student_moves_a_lesson_and_it_stays_the_same_booking(client: ClientFor, musicschool: School) -> None:
    mia = client("musicschool", MIA)
    day = a_later_day(weekday=2, weeks=3)
    first, second, *_ = slots(mia, musicschool, "Violin lesson", day)
    made = mia.post(
        API,
        json={
            "appointment_type_id": str(musicschool.types["Violin lesson"]),
            "starts_at": first["starts_at"],
        },
    ).json()
    path = f"{API}/{made['id']}/rescheduling"
    headers = {"Idempotency-Key": "move-once"}
    moved = mia.post(path, json={"starts_at": second["starts_at"]}, headers=headers)
    assert moved.status_code == 201, moved.text
    body = moved.json()
    assert (body["id"], body["reference"]) == (made["id"], made["reference"])
    assert (body["starts_at"], body["revision"], body["rescheduled_count"]) == (second["starts_at"], 1, 1)
    replayed = mia.post(path, json={"starts_at": second["starts_at"]}, headers=headers)
    assert (replayed.json(), replayed.headers["Idempotency-Replayed"]) == (body, "true")
    same = mia.post(path, json={"starts_at": second["starts_at"]})
    assert (same.status_code, list(same.json()["fields"])) == (422, ["starts_at"])
    passing = mia.post(path, json={"starts_at": first["starts_at"], "override_rules": True})
    assert passing.status_code == 403
    nowhere = mia.post(path, json={"starts_at": f"{day}T03:00:00+01:00"}).json()
    assert (nowhere["code"], nowhere["reason"]) == ("slot_not_offered", "outside_hours")
    assert nowhere["alternatives"]
    assert nowhere["broken_rules"][0]["rule"] == "outside_hours"
    assert client("musicschool", LEO).post(path, json={"starts_at": first["starts_at"]}).status_code == 404


def test_staff_pass_the_rules_knowingly_and_it_is_kept(client: ClientFor, musicschool: School) -> None:
    ida = client("musicschool", IDA)
    day = a_later_day(weekday=2, weeks=4)
    first = next(slots(client("musicschool"), musicschool, "Violin lesson", day))
    made = ida.post(
        API,
        json={
            "appointment_type_id": str(musicschool.types["Violin lesson"]),
            "starts_at": first["starts_at"],
            "student_id": str(musicschool.members[PRIYA]),
        },
    ).json()
    path = f"{API}/{made['id']}/rescheduling"
    late = f"{day}T21:00:00+01:00"
    assert ida.post(path, json={"starts_at": late}).status_code == 409
    passed = ida.post(path, json={"starts_at": late, "override_rules": True})
    assert passed.status_code == 201, passed.text
    assert "outside_hours" in passed.json()["overridden_rules"]


def test_requests_are_answered_by_their_staff_once(client: ClientFor, asked: Put) -> None:
    ida, leo, tomas = (client("musicschool", who) for who in (IDA, LEO, TOMAS))
    path = f"{API}/{id_of(ida, asked)}"
    assert leo.post(f"{path}/approval").status_code == 403
    assert tomas.post(f"{path}/approval").status_code == 404
    done = ida.post(f"{path}/approval")
    assert (done.status_code, done.json()["status"]) == (201, "confirmed"), done.text
    again = ida.post(f"{path}/declining", json={"reason": "Changed my mind"})
    assert (again.status_code, again.json()["code"]) == (409, "not_waiting")


def test_a_declined_request_tells_the_student_why(client: ClientFor, asked: Put) -> None:
    admin, leo = client("musicschool", CLARA), client("musicschool", LEO)
    path = f"{API}/{id_of(admin, asked)}"
    assert admin.post(f"{path}/declining", json={"reason": "x" * 501}).status_code == 400
    assert leo.post(f"{path}/declining", json={}).status_code == 403
    done = admin.post(f"{path}/declining", json={"reason": "The hall is taken."})
    assert done.status_code == 201, done.text
    seen = leo.get(path).json()
    assert (seen["status"], seen["cancellation_reason"]) == ("declined", "The hall is taken.")


def test_attendance_is_put_and_taken_back(client: ClientFor, taught: Put, asked: Put) -> None:
    ida, mia, tomas = (client("musicschool", who) for who in (IDA, MIA, TOMAS))
    path = f"{API}/{id_of(ida, taught)}/attendance"
    assert mia.put(path, json={"attendance": "present"}).status_code == 403
    assert tomas.put(path, json={"attendance": "present"}).status_code == 404
    for attendance in ("late", "late", None):
        answer = ida.put(path, json={"attendance": attendance})
        assert (answer.status_code, answer.json()["attendance"]) == (200, attendance)
    wrong = ida.put(path, json={"attendance": "asleep"})
    assert (wrong.status_code, list(wrong.json()["fields"])) == (400, ["attendance"])
    ida.post(f"{API}/{id_of(ida, asked)}/approval")
    early = ida.put(f"{API}/{id_of(ida, asked)}/attendance", json={"attendance": "present"})
    assert (early.status_code, early.json()["code"]) == (409, "not_taught_yet")


def test_notes_are_written_shared_changed_and_deleted(client: ClientFor, taught: Put) -> None:
    ida, mia, clara, tomas = (client("musicschool", who) for who in (IDA, MIA, CLARA, TOMAS))
    path = f"{API}/{id_of(ida, taught)}/notes"
    key = {"Idempotency-Key": f"note-{taught.reference}"}
    made = ida.post(path, json={"body": "Bow hold!"}, headers=key)
    assert made.status_code == 201, made.text
    assert ida.post(path, json={"body": "Bow hold!"}, headers=key).json() == made.json()
    note = f"{path}/{made.json()['id']}"
    assert [one["body"] for one in ida.get(path).json()["items"]] == ["Bow hold!"]
    assert mia.get(path).json()["items"] == []
    assert tomas.get(path).status_code == 404
    assert mia.post(path, json={"body": "Mine", "shared": True}).status_code == 403
    assert mia.patch(note, json={"shared": True}).status_code == 403
    shared = ida.patch(note, json={"shared": True})
    assert (shared.status_code, shared.json()["shared"], shared.json()["body"]) == (200, True, "Bow hold!")
    assert [one["body"] for one in mia.get(path).json()["items"]] == ["Bow hold!"]
    empty = ida.patch(note, json={"body": "  "})
    assert (empty.status_code, list(empty.json()["fields"])) == (422, ["body"])
    admins = clara.post(path, json={"body": "Fee waived."}).json()
    refused = ida.delete(f"{path}/{admins['id']}")
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert ida.delete(note).status_code == 204
    assert ida.delete(note).status_code == 404


@pytest.fixture(scope="module")
def orchestra(client: ClientFor, musicschool: School) -> str:
    """A class both teach at Studio Linden."""
    made = client("musicschool", CLARA).post(
        "/api/v1/appointment-types",
        json={
            "name": "Orchestra",
            "kind": "class",
            "capacity": 2,
            "duration_minutes": 60,
            "minimum_notice_minutes": 0,
            "location_ids": [str(musicschool.locations["Studio Linden"])],
            "instructor_ids": [str(musicschool.members[IDA]), str(musicschool.members[TOMAS])],
            "published": True,
        },
    )
    assert made.status_code == 201, made.text
    musicschool.types["Orchestra"] = made.json()["id"]
    return str(made.json()["id"])


def wanted(school: School, day: str, hour: int = 14, **more: Any) -> dict[str, Any]:
    return {
        "appointment_type_id": str(school.types["Orchestra"]),
        "instructor_id": str(school.members[IDA]),
        "location_id": str(school.locations["Studio Linden"]),
        "starts_at": [f"{day}T{hour:02}:00:00+01:00"],
        **more,
    }


def test_classes_are_scheduled_listed_booked_and_cancelled(
    client: ClientFor, musicschool: School, orchestra: str
) -> None:
    ida, mia, tomas, visitor = (client("musicschool", who) for who in (IDA, MIA, TOMAS, None))
    day = a_later_day(weekday=3, weeks=2)
    key = {"Idempotency-Key": "orchestra"}
    made = ida.post("/api/v1/classes", json=wanted(musicschool, day, times=2), headers=key)
    assert made.status_code == 201, made.text
    first, second = made.json()["items"]
    assert (
        ida.post("/api/v1/classes", json=wanted(musicschool, day, times=2), headers=key).json() == made.json()
    )
    query = {"appointment_type_id": orchestra, "from": f"{day}T00:00:00+01:00"}
    # The usual window is a week, its end excluded.
    assert [one["id"] for one in visitor.get("/api/v1/classes", params=query).json()["items"]] == [first["id"]]
    booked = mia.post(
        API,
        json={"appointment_type_id": orchestra, "starts_at": first["starts_at"], "session_id": first["id"]},
    )
    assert booked.status_code == 201, booked.text
    path = f"/api/v1/classes/{first['id']}"
    assert [seat["student"]["name"] for seat in ida.get(path).json()["seats"]] == ["Mia Okafor"]
    for other in (mia, tomas, visitor):
        seen = other.get(path).json()
        assert (seen["seats_left"], seen["seats"]) == (1, None)
    assert visitor.post(f"{path}/cancellation", json={}).status_code == 401
    assert mia.post(f"{path}/cancellation", json={}).status_code == 403
    assert tomas.post(f"{path}/cancellation", json={}).status_code == 403
    gone = ida.post(f"{path}/cancellation", json={"reason": "Flooded"})
    assert gone.status_code == 201, gone.text
    assert mia.get(f"{API}/{booked.json()['id']}").json()["cancellation_reason"] == "Flooded"
    assert ida.post(f"{path}/cancellation", json={}).json()["code"] == "already_cancelled"
    assert ida.get("/api/v1/classes", params=query).json()["items"] == []
    cancelled = ida.get("/api/v1/classes", params={**query, "with_cancelled": "true"}).json()["items"]
    assert [one["id"] for one in cancelled] == [first["id"]]
    assert ida.get(f"/api/v1/classes/{second['id']}").json()["cancelled_at"] is None


def test_a_class_that_cannot_be_names_every_time(
    client: ClientFor, musicschool: School, orchestra: str
) -> None:
    del orchestra
    ida = client("musicschool", IDA)
    day = a_later_day(weekday=2, weeks=5)
    ida.post("/api/v1/classes", json=wanted(musicschool, day))
    refused = ida.post("/api/v1/classes", json=wanted(musicschool, day, times=2))
    assert (refused.status_code, refused.json()["code"]) == (409, "class_not_scheduled")
    assert [conflict["reason"] for conflict in refused.json()["conflicts"]] == ["taken"]
    assert (
        client("musicschool", TOMAS).post("/api/v1/classes", json=wanted(musicschool, day)).status_code == 403
    )
    assert client("musicschool", MIA).post("/api/v1/classes", json=wanted(musicschool, day)).status_code == 403
    private = {**wanted(musicschool, day), "appointment_type_id": str(musicschool.types["Violin lesson"])}
    answer = ida.post("/api/v1/classes", json=private)
    assert (answer.status_code, list(answer.json()["fields"])) == (422, ["appointment_type_id"])


def test_a_seat_is_asked_for_by_a_class_of_its_type(client: ClientFor, musicschool: School, asked: Put) -> None:
    """A session that is none of the type's, a private lesson's for one, is named at its field."""
    mia = client("musicschool", MIA)
    answer = mia.post(
        API,
        json={
            "appointment_type_id": str(musicschool.types["Violin lesson"]),
            "starts_at": f"{a_later_day(weekday=2, weeks=6)}T09:00:00+01:00",
            "session_id": str(asked.session_id),
        },
    )
    assert (answer.status_code, list(answer.json()["fields"])) == (422, ["session_id"])


def test_the_calendar_is_everybodys_to_admins_and_ones_own_to_instructors(
    client: ClientFor, taught: Put, musicschool: School
) -> None:
    window = {
        "from": (datetime.now(UTC) - timedelta(days=30)).isoformat(),
        "until": (datetime.now(UTC) + timedelta(days=30)).isoformat(),
    }

    def found(who: str, **query: Any) -> list[dict[str, Any]]:
        answer = client("musicschool", who).get("/api/v1/calendar", params={**window, **query})
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    everything = found(CLARA)
    assert str(taught.session_id) in {one["session_id"] for one in everything}
    own = found(TOMAS)
    assert {one["instructor"]["name"] for one in own} == {"Tomás Rey"}
    assert len(own) < len(everything)
    assert found(TOMAS, instructor_id=str(musicschool.members[IDA])) == []
    narrowed = found(CLARA, search="mia", appointment_type_id=str(musicschool.types["Violin lesson"]))
    assert {one["appointment_type"]["name"] for one in narrowed} == {"Violin lesson"}
    assert client("musicschool", MIA).get("/api/v1/calendar").status_code == 403
    long = {**window, "until": (datetime.now(UTC) + timedelta(days=33)).isoformat()}
    refused = client("musicschool", CLARA).get("/api/v1/calendar", params=long)
    assert (refused.status_code, list(refused.json()["fields"])) == (422, ["until"])


def test_lessons_are_handed_over_or_cancelled_together(
    client: ClientFor, settings: Settings, musicschool: School
) -> None:
    day = datetime.fromisoformat(f"{a_later_day(weekday=3, weeks=25)}T13:00:00+01:00")
    with inside(settings, musicschool) as connection:
        piano = put(
            connection,
            musicschool,
            day,
            teacher=IDA,
            students=[MIA],
            type_name="Piano lesson",
            location="Studio Linden",
        )
        violin = put(
            connection,
            musicschool,
            day + timedelta(hours=2),
            teacher=IDA,
            students=[LEO],
            type_name="Violin lesson",
            location="Studio Linden",
        )
    ida, tomas = client("musicschool", IDA), client("musicschool", TOMAS)
    window = {"from": day.isoformat(), "until": (day + timedelta(hours=9)).isoformat()}
    path = f"/api/v1/instructors/{musicschool.members[IDA]}/substitutes"
    listed = ida.get(path, params=window)
    assert listed.status_code == 200, listed.text
    assert [[p["name"] for p in one["colleagues"]] for one in listed.json()["items"]] == [["Tomás Rey"], []]
    assert tomas.get(path, params=window).status_code == 403
    choices = [
        {"session_id": str(piano.session_id), "instructor_id": str(musicschool.members[TOMAS])},
        {"session_id": str(violin.session_id), "instructor_id": str(musicschool.members[TOMAS])},
    ]
    assert tomas.post("/api/v1/handovers", json={"lessons": choices}).status_code == 404
    refused = ida.post("/api/v1/handovers", json={"lessons": choices})
    assert (refused.status_code, refused.json()["code"]) == (409, "cannot_hand_over")
    assert list(refused.json()["fields"]) == ["lessons.1"]
    choices[1] = {"session_id": str(violin.session_id)}
    done = ida.post("/api/v1/handovers", json={"lessons": choices, "message": "Fever"})
    assert (done.status_code, done.json()) == (201, {"handed_over": 1, "cancelled": 1})
    assert tomas.get(API, params={"search": piano.reference}).json()["total"] == 1
