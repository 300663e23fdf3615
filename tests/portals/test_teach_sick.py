"""“I cannot teach”: one's lessons of some days, who could give each, and one button for all of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest

from coursecove.config import Settings
from tests.conftest import ClientFor
from tests.factories.world import School
from tests.portals.admin_pages import fields, href_of, message_at, send
from tests.portals.reading import RAW_ID, a_later_day, text_of
from tests.portals.taught import Put, inside, put

IDA, TOMAS, MIA, LEO = "ida@harmony.example", "tomas@harmony.example", "mia@example.com", "leo@example.com"
PATH = "/teach/sick"


@pytest.fixture
def ida(client: ClientFor) -> httpx.Client:
    return client("musicschool", IDA, cookie=True)


def at(day: str, hour: int) -> datetime:
    here = datetime.fromisoformat(f"{day}T{hour:02}:00:00")
    return here.replace(tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)


def two_lessons(settings: Settings, school: School, day: str) -> tuple[Put, Put]:
    """Mia's piano lesson, which Tomás could give, and Leo's violin lesson, which nobody else can."""
    with inside(settings, school) as connection:
        piano = put(
            connection,
            school,
            at(day, 14),
            teacher=IDA,
            students=[MIA],
            type_name="Piano lesson",
            location="Studio Linden",
        )
        violin = put(
            connection,
            school,
            at(day, 16),
            teacher=IDA,
            students=[LEO],
            type_name="Violin lesson",
            location="Studio Linden",
        )
    return piano, violin


def days(client: httpx.Client, first: str, last: str | None = None, path: str = PATH) -> httpx.Response:
    return client.get(path, params={"from": first, "until": last or first})


def test_lessons_are_proposed_to_who_is_free_or_cancelled_and_all_is_settled_at_once(
    ida: httpx.Client, client: ClientFor, settings: Settings, musicschool: School
) -> None:
    day = a_later_day(weekday=3, weeks=3)
    piano, violin = two_lessons(settings, musicschool, day)
    page = days(ida, day)
    said = text_of(page)
    assert "Mia Okafor" in said
    assert "Nobody else who is qualified is free." in said
    values = fields(page, PATH)
    # Whoever can take it is chosen already; what nobody can give is to be cancelled.
    assert [one.partition("-")[0] for one in values["becomes"]] == ["tomas", "cancel"]
    assert not RAW_ID.search(page.text)
    answer = send(ida, PATH, values, message="Fever, sorry!")
    assert (answer.status_code, answer.headers["location"]) == (303, "/teach")
    mia = client("musicschool", MIA, cookie=True)
    assert "Tomás Rey" in text_of(mia.get(f"/lessons/{piano.reference}"))
    leo = text_of(client("musicschool", LEO, cookie=True).get(f"/lessons/{violin.reference}"))
    assert "Fever, sorry!" in leo
    assert client("musicschool", TOMAS, cookie=True).get(f"/teach/lessons/{piano.reference}").status_code == 200
    assert ida.get(f"/teach/lessons/{piano.reference}").status_code == 404
    # The day is taken off, once however often one settles it.
    send(ida, PATH, {"from": [day], "until": [day]})
    with inside(settings, musicschool) as connection:
        [(count,)] = connection.execute(
            "select count(*) from time_off where member_id = %s and starts_at <= %s and ends_at > %s",
            [musicschool.members[IDA], at(day, 12), at(day, 12)],
        ).fetchall()
    assert count == 1


def test_a_lesson_booked_meanwhile_is_decided_about_as_well_and_nothing_is_lost(
    ida: httpx.Client, client: ClientFor, settings: Settings, musicschool: School
) -> None:
    """Seen to fail when lessons that were not in the form were left out instead."""
    day = a_later_day(weekday=2, weeks=4)
    piano, _violin = two_lessons(settings, musicschool, day)
    values = fields(days(ida, day), PATH)
    with inside(settings, musicschool) as connection:
        late = put(
            connection,
            musicschool,
            at(day, 18),
            teacher=IDA,
            students=["priya@example.com"],
            type_name="Violin lesson",
            location="Studio Linden",
        )
    refused = send(ida, PATH, values, message="Migraine")
    assert refused.status_code == 422
    said = text_of(refused)
    assert "This lesson is new. Decide about it as well." in said
    assert fields(refused, PATH)["message"] == ["Migraine"]
    assert message_at(refused, "lessons.2") == "This lesson is new. Decide about it as well."
    assert "Ida Berg" in text_of(client("musicschool", MIA, cookie=True).get(f"/lessons/{piano.reference}"))
    settled = send(ida, PATH, fields(refused, PATH))
    assert settled.status_code == 303
    assert ida.get(f"/teach/lessons/{late.reference}").status_code == 200
    assert "This lesson is cancelled" in text_of(ida.get(f"/teach/lessons/{late.reference}"))


def test_a_colleague_who_is_not_free_any_more_is_said_at_the_lesson(
    ida: httpx.Client, settings: Settings, musicschool: School
) -> None:
    day = a_later_day(weekday=2, weeks=5)
    two_lessons(settings, musicschool, day)
    values = fields(days(ida, day), PATH)
    with inside(settings, musicschool) as connection:
        put(
            connection,
            musicschool,
            at(day, 14),
            teacher=TOMAS,
            students=["priya@example.com"],
            type_name="Guitar lesson",
            location="Kreuzberg Hall",
        )
    refused = send(ida, PATH, values)
    assert refused.status_code == 422
    assert message_at(refused, "lessons.0") == "Choose somebody who is free, or cancel the lesson."
    assert "Tomás Rey" not in text_of(refused)


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ({"from": "31.12."}, "from", "Enter a date such as 2026-12-31."),
        ({"from": "2020-01-01", "until": "2020-01-02"}, "until", "This is over already."),
        ({"from": "2031-02-02", "until": "2031-02-01"}, "until", "The last day must not be before the first."),
        ({"from": "2031-01-01", "until": "2031-12-31"}, "until", "At most 120 days at a time, please."),
    ],
)
def test_days_that_cannot_be_are_said_beside_their_field(
    ida: httpx.Client, query: dict[str, str], field: str, message: str
) -> None:
    page = ida.get(PATH, params=query)
    assert page.status_code == 200
    assert message_at(page, field) == message
    posted = send(ida, PATH, {name: [value] for name, value in query.items()})
    assert posted.status_code == 422
    assert message_at(posted, field) == message


def test_an_admin_settles_it_for_somebody_and_nobody_else_does(
    client: ClientFor, settings: Settings, musicschool: School
) -> None:
    day = a_later_day(weekday=3, weeks=6)
    piano, _violin = two_lessons(settings, musicschool, day)
    clara = client("musicschool", "clara@harmony.example", cookie=True)
    path = f"{href_of(clara.get('/admin/people'), 'Ida Berg')}/sick"
    page = days(clara, day, path=path)
    assert "Ida Berg cannot teach" in text_of(page)
    for who in (TOMAS, MIA):
        other = client("musicschool", who, cookie=True)
        assert other.get(path).status_code == 403
        assert send(other, path, {"from": [day], "until": [day]}).status_code == 403
    answer = send(clara, path, fields(page, path), message="She is ill.")
    assert answer.status_code == 303
    taken = client("musicschool", TOMAS, cookie=True).get(f"/teach/lessons/{piano.reference}")
    assert "Mia Okafor" in text_of(taken)
    # Who did it is in the booking's history, for admins.
    assert "She is ill." in text_of(clara.get(f"/admin/bookings/{piano.reference}"))


def test_what_has_begun_today_is_not_in_the_list(
    ida: httpx.Client, settings: Settings, musicschool: School
) -> None:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    with inside(settings, musicschool) as connection:
        begun = put(
            connection,
            musicschool,
            now - timedelta(minutes=5),
            teacher=IDA,
            students=[MIA],
            type_name="Music theory online",
            minutes=10,
        )
    assert begun.handle("Music theory online") not in ida.get(PATH).text
