"""How a person reads this school and is reminded."""

from __future__ import annotations

from tests.conftest import ClientFor
from tests.portals.reading import text_of

MIA = "mia@example.com"


def test_a_chosen_zone_counts_whatever_the_device_says(client: ClientFor) -> None:
    mia = client("musicschool", MIA, cookie=True)
    mia.cookies.set("tz", "Europe/Berlin")
    saved = mia.post("/settings", data={"time_zone": "America/New_York", "locale": "", "reminders": "school"})
    assert saved.status_code == 303
    page = mia.get("/settings")
    assert "New York time" in text_of(page)
    assert '<option value="America/New_York" selected' in page.text
    online = mia.get("/book/music-theory-online?with=anyone")
    assert "Times in your time zone, New York." in text_of(online)


def test_a_chosen_language_speaks_at_once(client: ClientFor) -> None:
    priya = client("musicschool", "priya@example.com", cookie=True)
    assert '<html lang="en"' in priya.get("/settings").text
    saved = priya.post("/settings", data={"locale": "de", "reminders": "school"})
    [line] = [line for line in saved.headers.get_list("set-cookie") if line.startswith("lang=")]
    assert line.startswith("lang=de;")
    german = priya.get("/settings", headers={"Cookie": f"{priya.headers['Cookie']}; lang=de"})
    assert '<html lang="de"' in german.text
    assert '<option value="de" selected' in german.text


def test_reminders_are_the_schools_until_one_chooses_otherwise(client: ClientFor) -> None:
    leo = client("musicschool", "leo@example.com", cookie=True)
    page = leo.get("/settings")
    assert "24 hours and 2 hours before" in text_of(page)
    leo.post("/settings", data={"reminders": "own", "reminder_minutes": ["60", "2880"]})
    mine = leo.get("/settings")
    assert 'value="own" checked' in mine.text
    assert 'value="60" checked' in mine.text
    assert 'value="120" checked' not in mine.text
    # No mark is a choice, too.
    leo.post("/settings", data={"reminders": "own"})
    none = leo.get("/settings")
    assert 'value="own" checked' in none.text
    assert 'value="60" checked' not in none.text


def test_what_cannot_be_is_said_beside_the_field_and_the_rest_is_kept(client: ClientFor) -> None:
    mia = client("musicschool", MIA, cookie=True)
    refused = mia.post(
        "/settings",
        data={
            "time_zone": "Mars/Olympus",
            "locale": "de",
            "reminders": "own",
            "reminder_minutes": ["60", "30"],
        },
    )
    assert refused.status_code == 422
    assert 'aria-invalid="true"' in refused.text
    assert 'value="30" checked' in refused.text
    assert '<option value="de" selected' in refused.text
    many = mia.post(
        "/settings", data={"reminders": "own", "reminder_minutes": ["15", "30", "60", "120", "240"]}
    )
    assert many.status_code == 422
    assert "at most four" in text_of(many).lower()


def test_settings_are_for_members(client: ClientFor) -> None:
    assert client("musicschool", cookie=True).get("/settings").headers["location"].startswith("/sign-in")
