"""``Idempotency-Key``: the same request twice has one effect and one answer."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from coursecove.config import Settings
from tests.bookings.desk import LEO, MIA
from tests.conftest import ClientFor
from tests.factories.world import School

PATH = "/api/v1/bookings"
SOON = (datetime.now(UTC) + timedelta(days=14)).replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.fixture(scope="module")
def starts(client: ClientFor, musicschool: School) -> list[str]:
    """Free starts, each for one test."""
    answer = client("musicschool").get(
        "/api/v1/availability",
        params={
            "appointment_type_id": str(musicschool.types["Guitar lesson"]),
            "from": SOON.isoformat(),
            "until": (SOON + timedelta(days=14)).isoformat(),
        },
    )
    # Every second one, because a lesson and its buffer take the next.
    return [slot["starts_at"] for slot in answer.json()["items"]][::3]


def _post(client: httpx.Client, school: School, start: str, key: str | bytes, **more: Any) -> httpx.Response:
    body = {"appointment_type_id": str(school.types["Guitar lesson"]), "starts_at": start, **more}
    return client.post(
        PATH, json=body, headers={b"Idempotency-Key": key if isinstance(key, bytes) else key.encode()}
    )


def test_the_same_key_and_request_replay_the_first_answer(
    client: ClientFor, musicschool: School, starts: list[str]
) -> None:
    mia = client("musicschool", MIA)
    first = _post(mia, musicschool, starts[0], "one")
    second = _post(mia, musicschool, starts[0], "one")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert first.headers["content-type"] == second.headers["content-type"]
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"


def test_the_order_of_json_keys_does_not_make_another_request(
    client: ClientFor, musicschool: School, starts: list[str]
) -> None:
    mia = client("musicschool", MIA)
    type_id = musicschool.types["Guitar lesson"]
    bodies = (
        f'{{"appointment_type_id":"{type_id}","starts_at":"{starts[1]}"}}',
        f'{{ "starts_at": "{starts[1]}", "appointment_type_id": "{type_id}" }}',
    )
    headers = {"Idempotency-Key": "order", "Content-Type": "application/json"}
    answers = [mia.post(PATH, content=body, headers=headers) for body in bodies]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].content == answers[1].content


def test_another_request_with_a_used_key_is_refused(
    client: ClientFor, musicschool: School, starts: list[str]
) -> None:
    mia = client("musicschool", MIA)
    assert _post(mia, musicschool, starts[2], "used").status_code == 201
    other = _post(mia, musicschool, starts[3], "used")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    booking = mia.get(PATH, params={"from": starts[2]}).json()["items"][0]["id"]
    elsewhere = mia.post(f"{PATH}/{booking}/cancellation", json={}, headers={"Idempotency-Key": "used"})
    assert elsewhere.json()["code"] == "idempotency_key_reused"


def test_a_key_belongs_to_one_member(client: ClientFor, musicschool: School, starts: list[str]) -> None:
    assert _post(client("musicschool", MIA), musicschool, starts[4], "mine").status_code == 201
    answer = _post(client("musicschool", LEO), musicschool, starts[5], "mine")
    assert answer.status_code == 201
    assert answer.json()["student"]["name"] == "Leo Lindqvist"


def test_a_failure_is_not_kept(
    client: ClientFor, musicschool: School, settings: Settings, starts: list[str]
) -> None:
    mia, leo = client("musicschool", MIA), client("musicschool", LEO)
    taken = _post(leo, musicschool, starts[6], "leo-first").json()
    assert _post(mia, musicschool, starts[6], "retry").json()["code"] == "slot_taken"
    assert leo.post(f"{PATH}/{taken['id']}/cancellation", json={}).status_code == 201
    assert _post(mia, musicschool, starts[6], "retry").status_code == 201


def test_a_key_is_good_for_a_day(
    client: ClientFor, musicschool: School, settings: Settings, starts: list[str]
) -> None:
    mia = client("musicschool", MIA)
    assert _post(mia, musicschool, starts[7], "old").status_code == 201
    with psycopg.connect(settings.database_owner_url) as owner:
        # FORCE row level security holds for the owner as well, so it has to be lifted for this.
        owner.execute("alter table idempotency_keys no force row level security")
        owner.execute("update idempotency_keys set created_at = now() - interval '25 hours' where key = 'old'")
        owner.execute("alter table idempotency_keys force row level security")
    assert _post(mia, musicschool, starts[8], "old").status_code == 201


@pytest.mark.parametrize("key", ["", "a b", "ä".encode(), "x" * 201])
def test_a_key_is_visible_ascii(
    client: ClientFor, musicschool: School, starts: list[str], key: str | bytes
) -> None:
    answer = _post(client("musicschool", MIA), musicschool, starts[9], key)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


def test_a_request_sent_twenty_times_at_once_books_once(
    client: ClientFor, musicschool: School, starts: list[str]
) -> None:
    mia = client("musicschool", MIA)
    answers: list[httpx.Response] = []
    threads = [
        threading.Thread(target=lambda: answers.append(_post(mia, musicschool, starts[10], "storm")))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counted = Counter((a.status_code, a.json().get("code")) for a in answers)
    assert set(counted) <= {(201, None), (409, "idempotency_in_flight")}
    assert len({a.content for a in answers if a.status_code == 201}) == 1
    assert sum("idempotency-replayed" not in a.headers for a in answers if a.status_code == 201) == 1


def test_while_the_first_request_runs_the_second_is_told_to_wait(
    client: ClientFor, musicschool: School, settings: Settings, starts: list[str]
) -> None:
    """Held open by a lock of ours on the same name, as the first request's transaction would."""
    mia = client("musicschool", MIA)
    member = musicschool.members[MIA]
    with psycopg.connect(settings.database_url) as first:
        first.execute(
            "select pg_advisory_xact_lock(hashtextextended(%s, 0))",
            [f"idempotency:{musicschool.organization_id}:{member}:held"],
        )
        waiting = _post(mia, musicschool, starts[11], "held")
        assert (waiting.status_code, waiting.json()["code"]) == (409, "idempotency_in_flight")
    assert _post(mia, musicschool, starts[11], "held").status_code == 201
