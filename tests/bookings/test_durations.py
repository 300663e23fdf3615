"""Lengths that no lesson has are refused at the door, by everything that takes one."""

from __future__ import annotations

import pytest

from tests.bookings.desk import CLARA, MIA
from tests.conftest import ClientFor
from tests.factories.world import School

STARTS_AT = "2031-03-04T10:00:00+01:00"


@pytest.mark.parametrize("minutes", [0, -45, 4, 721, 10**9, 10**30, 45.5, "45", True])
@pytest.mark.parametrize("path", ["/bookings", "/holds", "/series", "/series/previews", "/classes"])
def test_a_length_that_no_lesson_has_is_400_at_its_field(
    client: ClientFor, musicschool: School, path: str, minutes: object
) -> None:
    body = {
        "appointment_type_id": str(musicschool.types["Piano lesson"]),
        "starts_at": [STARTS_AT] if path == "/classes" else STARTS_AT,
        "duration_minutes": minutes,
    }
    if path == "/classes":
        body["instructor_id"] = str(musicschool.members["ida@harmony.example"])
    if path.startswith("/series"):
        body["times"] = 3
    answer = client("musicschool", CLARA if path == "/classes" else MIA).post(f"/api/v1{path}", json=body)
    assert answer.status_code == 400, answer.text
    assert "duration_minutes" in answer.json()["fields"]
