"""An instructor's day in a real browser, on a phone: who came, what was done, another time, and a sick day."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from types import SimpleNamespace
from typing import cast
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Locator, Page, expect

from coursecove.config import Settings, read_env_file
from tests.e2e.conftest import DESKTOP, House, OpenContext, sign_in
from tests.factories.world import School, read_school
from tests.portals.taught import Put, inside, put

pytestmark = pytest.mark.browser

TOMAS, LEO, PRIYA = "tomas@harmony.example", "leo@example.com", "priya@example.com"
BERLIN = ZoneInfo("Europe/Berlin")

PutLesson = Callable[..., Put]


@pytest.fixture(scope="module")
def put_lesson(house: House) -> PutLesson:
    """``put_lesson(at, student, **options)``: a lesson of Tomás's in the demo, whenever it is."""
    env = read_env_file(house.home / "env")
    settings = cast(
        "Settings",
        SimpleNamespace(database_url=env["DATABASE_URL"], database_platform_url=env["DATABASE_PLATFORM_URL"]),
    )
    school: School = read_school(settings, "musicschool")

    def made(at: datetime, student: str, *, minutes: int = 45) -> Put:
        with inside(settings, school) as connection:
            return put(
                connection,
                school,
                at,
                teacher=TOMAS,
                students=[student],
                type_name="Piano lesson",
                location="Kreuzberg Hall",
                minutes=minutes,
            )

    return made


def begun() -> datetime:
    """A moment ago, on this day of the school."""
    now = datetime.now(BERLIN).replace(second=0, microsecond=0)
    return max(now - timedelta(minutes=5), now.replace(hour=0, minute=0)).astimezone(UTC)


def a_tuesday(weeks: int, hour: int) -> datetime:
    today = datetime.now(BERLIN).date()
    day = today - timedelta(days=today.weekday()) + timedelta(weeks=weeks, days=1)
    return datetime.combine(day, time(hour), tzinfo=BERLIN).astimezone(UTC)


def tab_to(page: Page, wanted: Locator, *, most: int = 150) -> None:
    """Press Tab until the element has the focus, as somebody without a mouse does."""
    for _step in range(most):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{wanted} cannot be reached with the keyboard")


def test_attendance_and_a_shared_note_with_the_keyboard_alone(
    house: House, visit: OpenContext, put_lesson: PutLesson
) -> None:
    """Nothing is clicked after signing in: Tab, Enter, Space and letters."""
    lesson = put_lesson(begun(), LEO, minutes=4)
    page = visit().new_page()
    sign_in(page, house, "Tomás Rey", return_to="/teach")
    article = page.locator(f"#lesson-{lesson.reference}")
    late = article.get_by_role("button", name="Late, Leo Lindqvist")
    expect(late).to_have_attribute("aria-pressed", "false")
    tab_to(page, late)
    page.keyboard.press("Enter")
    expect(article.get_by_role("button", name="Late, Leo Lindqvist")).to_have_attribute("aria-pressed", "true")
    tab_to(
        page, page.locator(f"#lesson-{lesson.reference}").get_by_role("link", name=re.compile("Write a note"))
    )
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(lesson.reference))
    box = page.get_by_label("New note")
    tab_to(page, box)
    page.keyboard.type("Both hands together from bar 9.")
    tab_to(page, page.get_by_label("Share it with the student"))
    page.keyboard.press("Space")
    tab_to(page, page.get_by_role("button", name="Save the note"))
    page.keyboard.press("Enter")
    expect(page.locator("#notes")).to_contain_text("Shared with the student")

    student = visit().new_page()
    sign_in(student, house, "Leo Lindqvist", return_to=f"/lessons/{lesson.reference}")
    expect(student.locator("main")).to_contain_text("Both hands together from bar 9.")
    expect(student.locator("main")).to_contain_text("Late")


def test_a_lesson_is_moved_on_a_phone(house: House, visit: OpenContext, put_lesson: PutLesson) -> None:
    lesson = put_lesson(a_tuesday(5, 13), PRIYA)
    page = visit().new_page()
    sign_in(page, house, "Tomás Rey", return_to=f"/teach/lessons/{lesson.reference}")
    before = page.locator("main time").first.inner_text()
    page.get_by_role("link", name="Move the lesson").click()
    times = page.locator("section[aria-labelledby='time-heading'] a")
    chosen = times.last.inner_text().split("\n")[0].strip()
    times.last.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Move the lesson?")
    expect(page.get_by_role("heading", name="So far")).to_be_visible()
    page.get_by_role("button", name="Move the lesson").click()
    expect(page.get_by_text(re.compile("Moved to"))).to_be_visible()
    expect(page.locator("main")).to_contain_text(chosen)
    assert page.locator("main time").first.inner_text() != before


def test_a_sick_day_hands_the_lesson_to_a_colleague(
    house: House, visit: OpenContext, put_lesson: PutLesson
) -> None:
    at = a_tuesday(6, 15)
    lesson = put_lesson(at, PRIYA)
    day = at.astimezone(BERLIN).date().isoformat()
    page = visit().new_page()
    sign_in(page, house, "Tomás Rey", return_to="/teach")
    page.get_by_role("link", name="I cannot teach").click()
    page.get_by_label("From", exact=True).fill(day)
    page.get_by_label("Until, this day included").fill(day)
    page.get_by_role("button", name="Show the lessons").click()
    row = page.get_by_role("listitem").filter(has_text="Priya Nair")
    # Who is qualified and free stands in the field already.
    expect(row.get_by_label("Who gives it?").locator("option:checked")).to_have_text("Ida Berg")
    page.get_by_label("Message to the students").fill("I have a fever, sorry!")
    page.get_by_role("button", name="Settle it all and take the days off").click()
    page.wait_for_url(re.compile(r"/teach($|\?)"))
    expect(page.get_by_text(re.compile("1 lesson handed over"))).to_be_visible()

    colleague = visit().new_page()
    sign_in(colleague, house, "Ida Berg", return_to=f"/teach/lessons/{lesson.reference}")
    expect(colleague.locator("main")).to_contain_text("Priya Nair")


def monday(page: Page) -> list[tuple[str, str]]:
    """The times of Monday as the plain fields say them."""
    starts = [one.input_value() for one in page.locator("[name=starts-1]").all()]
    ends = [one.input_value() for one in page.locator("[name=ends-1]").all()]
    return [pair for pair in zip(starts, ends, strict=True) if any(pair)]


def save(page: Page) -> None:
    page.get_by_role("button", name="Save hours").click()
    expect(page.get_by_text(re.compile(r"hours are saved|Saved", re.IGNORECASE)).first).to_be_visible()
    page.reload()


def test_hours_are_dragged_in_the_week_and_say_the_same_as_the_fields(house: House, visit: OpenContext) -> None:
    """With the mouse: draw, stretch, move; then by the fields alone, and back to what it was."""
    page = visit(DESKTOP).new_page()
    sign_in(page, house, "Tomás Rey", return_to="/teach/hours")
    assert monday(page) == []
    column = page.locator("[data-weekday='1']")

    def at(minute: int, of: Locator = column) -> tuple[float, float]:
        box = of.bounding_box()
        assert box is not None
        return box["x"] + box["width"] / 2, box["y"] + box["height"] * minute / 1440

    def drag(from_: tuple[float, float], to: tuple[float, float]) -> None:
        page.mouse.move(*from_)
        page.mouse.down()
        page.mouse.move(*to, steps=8)
        page.mouse.up()

    page.locator("[data-week-grid]").scroll_into_view_if_needed()
    drag(at(10 * 60), at(12 * 60))
    assert monday(page) == [("10:00", "12:00")]
    drag(at(12 * 60 - 1), at(13 * 60))
    assert monday(page) == [("10:00", "13:00")]
    drag(at(11 * 60), at(12 * 60))
    assert monday(page) == [("11:00", "14:00")]
    expect(page.get_by_text("Not saved yet.")).to_be_visible()
    save(page)
    assert monday(page) == [("11:00", "14:00")]

    page.locator("[name=starts-1]").first.fill("09:30")
    page.locator("[name=ends-1]").first.fill("11:30")
    # The drawing follows what is typed.
    expect(column.locator(".week-window")).to_contain_text("09:30")
    save(page)
    assert monday(page) == [("09:30", "11:30")]
    page.get_by_role("button", name="Remove time 1 of Monday").click()
    expect(column.locator(".week-window")).to_have_count(0)
    save(page)
    assert monday(page) == []
