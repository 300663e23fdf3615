"""Lesson notes on pages: private or shared, changed and deleted by their author, had back once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from coursecove.config import Settings
from tests.conftest import ClientFor
from tests.factories.world import School
from tests.portals.admin_pages import fields, message_at, send
from tests.portals.reading import RAW_ID, links, text_of
from tests.portals.taught import Put, inside, put

IDA, TOMAS, MIA, LEO = "ida@harmony.example", "tomas@harmony.example", "mia@example.com", "leo@example.com"
_DAYS = iter(range(2, 40))


@pytest.fixture
def path(settings: Settings, musicschool: School) -> str:
    """A lesson Mia had with Ida, each test its own: the address of its teaching page."""
    begun = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(days=next(_DAYS))
    with inside(settings, musicschool) as connection:
        made: Put = put(connection, musicschool, begun, teacher=IDA, students=[MIA], type_name="Violin lesson")
    return f"/teach/lessons/{made.reference}"


@pytest.fixture
def ida(client: ClientFor) -> httpx.Client:
    return client("musicschool", IDA, cookie=True)


def student_page(client: ClientFor, path: str) -> str:
    return text_of(client("musicschool", MIA, cookie=True).get(path.removeprefix("/teach")))


def change_href(page: httpx.Response) -> str:
    return links(page, r"/notes\?note=")[0]


def test_a_private_note_stays_with_staff_and_a_shared_one_reaches_the_student(
    ida: httpx.Client, client: ClientFor, path: str
) -> None:
    assert send(ida, f"{path}/notes", body="Shy today. <b>Ask</b> at home?").status_code == 303
    assert "Shy today." not in student_page(client, path)
    assert send(ida, f"{path}/notes", body="Play bar 7 slowly.", shared="on").status_code == 303
    page = ida.get(path)
    said = text_of(page)
    assert "Shy today. <b>Ask</b> at home?" in said
    assert "<b>Ask</b>" not in page.text
    assert "For staff" in said
    assert "Shared with the student" in said
    assert not RAW_ID.search(page.text)
    shown = student_page(client, path)
    assert "Play bar 7 slowly." in shown
    assert "Shy today." not in shown
    calendar = client("musicschool", MIA, cookie=True).get(f"{path.removeprefix('/teach')}/calendar.ics")
    assert "Shy" not in calendar.text


def test_nobody_else_writes_or_reads_them(client: ClientFor, ida: httpx.Client, path: str) -> None:
    send(ida, f"{path}/notes", body="Private")
    href = change_href(ida.get(path))
    for who, status in ((TOMAS, 404), (MIA, 403), (LEO, 403)):
        http = client("musicschool", who, cookie=True)
        assert http.post(f"{path}/notes", data={"body": "Mine", "shared": "on"}).status_code == status
        assert http.get(href).status_code == status
    assert "Mine" not in text_of(ida.get(path))


def test_a_note_without_words_keeps_the_box_and_says_so(ida: httpx.Client, path: str) -> None:
    empty = send(ida, f"{path}/notes", body="   ", shared="on")
    assert empty.status_code == 422
    assert message_at(empty, "body")
    long = send(ida, f"{path}/notes", body="x" * 4001, shared="on")
    assert long.status_code == 422
    assert fields(long, f"{path}/notes")["body"] == ["x" * 4001]
    assert fields(long, f"{path}/notes")["shared"] == ["on"]


def test_a_note_is_changed_and_deleted_and_had_back(ida: httpx.Client, client: ClientFor, path: str) -> None:
    send(ida, f"{path}/notes", body="Bow hold")
    href = change_href(ida.get(path))
    page = ida.get(href)
    action = f"{path}/notes"
    saved = send(ida, action, fields(page, action), body="Bow hold, thumb bent", shared="on")
    assert saved.status_code == 303
    assert "thumb bent" in student_page(client, path)
    gone = send(ida, action, fields(ida.get(href), action), delete="yes")
    assert gone.status_code == 200
    assert "The note is deleted" in text_of(gone)
    assert "thumb bent" not in student_page(client, path)
    undo = fields(gone, action)
    assert undo["body"][0] == "Bow hold, thumb bent"
    back = send(ida, action, body="Bow hold, thumb bent", shared="on")
    assert back.status_code == 303
    assert "thumb bent" in student_page(client, path)
    # A forged name of a note is none.
    assert ida.get(f"{action}?note=note-aaaaaaaa").status_code == 404


def test_whoever_saves_an_older_note_is_told_what_changed(
    ida: httpx.Client, client: ClientFor, path: str
) -> None:
    """The admin rewrote it while Ida had it open; hers is kept in the form, and nothing is overwritten."""
    send(ida, f"{path}/notes", body="First")
    action = f"{path}/notes"
    old = fields(ida.get(change_href(ida.get(path))), action)
    clara = client("musicschool", "clara@harmony.example", cookie=True)
    assert (
        send(clara, action, fields(clara.get(change_href(ida.get(path))), action), body="Second").status_code
        == 303
    )
    refused = send(ida, action, old, body="Third")
    assert refused.status_code == 409
    assert "Second" in text_of(refused)
    assert fields(refused, action)["body"] == ["Third"]
    assert "Second" in text_of(ida.get(path))
