"""Staff move a lesson: to a free time at once, against the rules knowingly; a record says who did it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest

from coursecove.config import Settings
from tests.conftest import ClientFor
from tests.factories.world import School
from tests.portals.admin_pages import fields, send
from tests.portals.reading import a_later_day, fields_of, links, text_of, times_of
from tests.portals.taught import Put, inside, put

IDA, TOMAS, MIA = "ida@harmony.example", "tomas@harmony.example", "mia@example.com"
_WEEKS = iter(range(2, 30))


def at(day: str, hour: int) -> datetime:
    here = datetime.fromisoformat(f"{day}T{hour:02}:00:00")
    return here.replace(tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)


@pytest.fixture
def day() -> str:
    """A Wednesday of each test's own."""
    return a_later_day(weekday=3, weeks=next(_WEEKS))


@pytest.fixture
def lesson(settings: Settings, musicschool: School, day: str) -> Put:
    with inside(settings, musicschool) as connection:
        return put(
            connection,
            musicschool,
            at(day, 9),
            teacher=IDA,
            students=[MIA],
            type_name="Piano lesson",
            location="Studio Linden",
        )


@pytest.fixture
def ida(client: ClientFor) -> httpx.Client:
    return client("musicschool", IDA, cookie=True)


def moved_by(client: httpx.Client, page: httpx.Response, path: str, **changes: str) -> httpx.Response:
    return send(client, path, fields(page, path), **changes)


def test_an_instructor_moves_a_lesson_to_a_free_time_and_the_student_sees_it(
    ida: httpx.Client, client: ClientFor, lesson: Put, day: str
) -> None:
    path = f"/teach/lessons/{lesson.reference}/move"
    times = times_of(ida.get(f"{path}?day={day}"))
    # Its own old time is no conflict: what overlaps it is offered, too.
    [href] = [one for one in times if fields_of(one)["time"].endswith("T14:00Z")] or [times[-1]]
    confirm = ida.get(href)
    assert "Move the lesson?" in text_of(confirm)
    # To somebody else it goes by handing over.
    assert "Tomás Rey" not in text_of(confirm)
    answer = moved_by(ida, confirm, path)
    assert answer.status_code == 303, text_of(answer)
    student = client("musicschool", MIA, cookie=True)
    seen = student.get(f"/lessons/{lesson.reference}")
    when = datetime.fromisoformat(fields_of(href)["time"].replace("Z", "+00:00"))
    assert f"{when.astimezone(ZoneInfo('Europe/Berlin')):%H:%M}" in text_of(seen)


def test_a_rule_in_the_way_is_named_and_passed_only_by_asking_once_more(
    ida: httpx.Client, client: ClientFor, lesson: Put, day: str
) -> None:
    """Seen to fail with ``override_rules`` always True: the first press then moved it."""
    path = f"/teach/lessons/{lesson.reference}/move"
    late = f"{day}T20:00Z"
    confirm = ida.get(f"{path}?place=studio-linden&time={late}")
    assert "This time is against the rules" in text_of(confirm)
    assert "outside the hours" in text_of(confirm)
    refused = moved_by(ida, confirm, path, override="")
    assert refused.status_code == 409
    assert "outside the hours" in text_of(refused)
    assert "09:00" in text_of(client("musicschool", MIA, cookie=True).get(f"/lessons/{lesson.reference}"))
    answer = moved_by(ida, confirm, path, override="yes")
    assert answer.status_code == 303, text_of(answer)
    admin = text_of(
        client("musicschool", "clara@harmony.example", cookie=True).get(f"/admin/bookings/{lesson.reference}")
    )
    assert "Ida Berg" in admin
    assert "working hours" in admin


def test_a_time_that_is_taken_cannot_be_had_and_others_are_offered(
    ida: httpx.Client, settings: Settings, musicschool: School, lesson: Put, day: str
) -> None:
    with inside(settings, musicschool) as connection:
        put(
            connection,
            musicschool,
            at(day, 11),
            teacher=IDA,
            students=["leo@example.com"],
            type_name="Violin lesson",
            location="Studio Linden",
        )
    path = f"/teach/lessons/{lesson.reference}/move"
    answer = send(
        ida, path, {"with": "ida-berg", "place": "studio-linden", "time": f"{day}T10:15Z"}, override="yes"
    )
    assert answer.status_code == 409
    assert "The instructor has another lesson then." in text_of(answer) or "taken this time" in text_of(answer)
    assert "near it" in text_of(answer)


def test_only_whose_lesson_it_is_moves_it(client: ClientFor, lesson: Put, day: str) -> None:
    path = f"/teach/lessons/{lesson.reference}/move"
    form = {"with": "ida-berg", "place": "studio-linden", "time": f"{day}T14:00Z"}
    for who, status in ((TOMAS, 404), (MIA, 403)):
        http = client("musicschool", who, cookie=True)
        assert http.get(path).status_code == status
        assert http.post(path, data=form).status_code == status
    seen = client("musicschool", MIA, cookie=True).get(f"/lessons/{lesson.reference}")
    assert "09:00" in text_of(seen)


def test_an_admin_moves_it_to_another_instructor(client: ClientFor, lesson: Put, day: str) -> None:
    clara = client("musicschool", "clara@harmony.example", cookie=True)
    path = f"/admin/bookings/{lesson.reference}/move"
    times = times_of(clara.get(f"{path}?with=tomas-rey&day={day}"))
    assert times
    confirm = clara.get(times[0])
    answer = moved_by(clara, confirm, path)
    assert answer.status_code == 303, text_of(answer)
    taken = client("musicschool", TOMAS, cookie=True).get(f"/teach/lessons/{lesson.reference}")
    assert "Mia Okafor" in text_of(taken)
    assert client("musicschool", IDA, cookie=True).get(f"/teach/lessons/{lesson.reference}").status_code == 404


def test_a_lesson_that_is_over_is_not_moved(ida: httpx.Client, settings: Settings, musicschool: School) -> None:
    with inside(settings, musicschool) as connection:
        over = put(
            connection,
            musicschool,
            datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(days=3),
            teacher=IDA,
            students=[MIA],
            type_name="Piano lesson",
        )
    path = f"/teach/lessons/{over.reference}"
    assert ida.get(f"{path}/move").headers["location"] == path
    assert not links(ida.get(path), "/move$")
