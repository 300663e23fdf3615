"""What students and parents do, on a phone: book in a hurry, move, cancel, wait, repeat, book for a child."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.e2e.conftest import BASE_DOMAIN, DESKTOP, House, OpenContext, no_full_page_load, sign_in
from tests.e2e.test_booking import choose_a_day

pytestmark = pytest.mark.browser

LESSON = re.compile(r"/lessons/[0-9A-Z]{4}-[0-9A-Z]{4}")
TIMES = "section[aria-labelledby='time-heading'] a"


class Taps:
    """Counts taps and how long each keeps one waiting, from the touch to what one came for."""

    def __init__(self) -> None:
        self.waits: list[tuple[str, float]] = []

    def tap(self, name: str, target: Locator, until: Callable[[], None]) -> None:
        target.wait_for()
        began = time.perf_counter()
        target.click()
        until()
        self.waits.append((name, (time.perf_counter() - began) * 1000))

    def __str__(self) -> str:
        return "\n".join(
            f"  {number}. {name}: {wait:.0f} ms" for number, (name, wait) in enumerate(self.waits, 1)
        )


def book(page: Page, house: House, lesson: str, *, day: int, nth: int = 0) -> str:
    """Book a time of the month after this one; return the address of the lesson."""
    page.goto(f"{house.origin()}/book/{lesson}")
    choose_a_day(page, day)
    page.locator(TIMES).nth(nth).click()
    page.get_by_role("button", name=re.compile("Book this lesson|Take this seat")).click()
    page.wait_for_url(LESSON)
    return page.url.partition("?")[0]


def test_from_the_front_page_to_a_booked_lesson_in_at_most_four_taps(
    house: House, visit: OpenContext, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three are enough; with the next free time on the card, two.  The waits are printed, not judged."""
    page = visit().new_page()
    sign_in(page, house, "Leo Lindqvist")
    taps = Taps()
    card = page.locator("#catalogue").get_by_role("link", name="Guitar lesson", exact=True)
    taps.tap("the lesson", card, lambda: expect(page.locator(TIMES).first).to_be_visible())
    sure = page.get_by_role("button", name="Book this lesson")
    with no_full_page_load(page):
        taps.tap("a time", page.locator(TIMES).first, lambda: expect(sure).to_be_visible())
    taps.tap("book it", sure, lambda: page.wait_for_url(LESSON))
    expect(page.get_by_role("heading", level=1)).to_have_text("You’re booked")
    assert len(taps.waits) <= 4
    short = Taps()
    page.goto(house.origin())
    soonest = page.locator("#catalogue li", has_text="Violin lesson").get_by_role(
        "link", name=re.compile(r"\d\d:\d\d")
    )
    short.tap("the next free time", soonest, lambda: expect(sure).to_be_visible())
    short.tap("book it", sure, lambda: page.wait_for_url(LESSON))
    with capsys.disabled():
        print(f"\nFrom the front page to a booked lesson:\n{taps}\nBy the next free time:\n{short}")


def test_narrowing_never_loads_the_page_anew_and_keeps_the_focus(house: House, visit: OpenContext) -> None:
    page = visit().new_page()
    page.goto(house.origin())
    with no_full_page_load(page):
        page.get_by_label("Teacher", exact=True).select_option(label="Tomás Rey")
        expect(page.locator("#catalogue")).not_to_contain_text("Violin lesson")
    assert "with=tomas-rey" in page.url
    page.locator("#catalogue").get_by_role("link", name="Piano lesson", exact=True).click()
    expect(page.locator(".chip[aria-current]", has_text="Tomás Rey")).to_be_visible()
    with no_full_page_load(page):
        page.locator(".chip", has_text="Evening").click()
        evening = page.locator(".chip[aria-current]", has_text="Evening")
        expect(evening).to_be_focused()
        hours = [int(text[:2]) for text in page.locator(TIMES).all_inner_texts()]
    assert hours
    assert min(hours) >= 17
    # A link that leads out of the flow opens its page; seen to fail with an empty one, for want of that part.
    page.get_by_role("navigation", name="Steps of your booking").get_by_role("link").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Harmony Music School")


def test_what_was_typed_before_signing_in_is_there_afterwards_and_the_time_is_held(
    house: House, visit: OpenContext
) -> None:
    page = visit().new_page()
    page.goto(f"{house.origin()}/book/songwriting")
    choose_a_day(page, 1)
    page.locator(TIMES).first.click()
    note = page.get_by_label("Note for your teacher")
    note.fill("A song about the sea.")
    page.get_by_label("A melody").check()
    page.get_by_role("link", name="Sign in and book").click()
    page.get_by_role("button", name=re.compile("Priya Nair")).first.click()
    expect(page.get_by_role("button", name="Book this lesson")).to_be_visible()
    expect(note).to_have_value("A song about the sea.")
    expect(page.get_by_label("A melody")).to_be_checked()
    expect(page.locator("#hold")).to_have_text(re.compile(r"Held for you until \d\d:\d\d"))
    # Looking at other times loses nothing either.
    page.get_by_role("link", name="Choose another time").click()
    page.locator(TIMES).nth(1).click()
    expect(note).to_have_value("A song about the sea.")
    page.get_by_role("button", name="Book this lesson").click()
    page.wait_for_url(LESSON)
    expect(page.locator("main")).to_contain_text("A song about the sea.")
    expect(page.locator("main")).to_contain_text("A melody")


def test_the_button_stays_where_it_is_when_the_time_is_kept(house: House, visit: OpenContext) -> None:
    """What appears above it while somebody's finger is on its way would make them miss it."""
    page = visit().new_page()
    sign_in(page, house, "Leo Lindqvist")
    asked: list[Route] = []
    page.route("**/hold*", lambda route: asked.append(route))
    page.goto(f"{house.origin()}/book/choir-evening")
    choose_a_day(page, 0)
    page.locator(TIMES).first.click()
    button = page.get_by_role("button", name="Take this seat")
    expect(button).to_be_visible()
    page.wait_for_timeout(300)
    before = button.bounding_box()
    asked[0].continue_()
    expect(page.locator("[data-held-until]")).to_be_visible()
    assert button.bounding_box() == before


def test_a_lesson_is_moved_and_then_cancelled_on_a_phone(house: House, visit: OpenContext) -> None:
    page = visit().new_page()
    sign_in(page, house, "Mia Okafor")
    lesson = book(page, house, "guitar-lesson", day=5)
    page.goto(lesson)
    page.get_by_role("link", name="Move to another time").locator("visible=true").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Choose another time")
    choose_a_day(page, 6)
    page.locator(TIMES).nth(1).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Move your lesson?")
    expect(page.locator("main")).to_contain_text("You can move it to another time until")
    page.get_by_role("button", name="Move the lesson").click()
    page.wait_for_url(lesson)
    expect(page.locator("main")).to_contain_text("up to 2 more times")
    page.get_by_role("link", name="Cancel the lesson").locator("visible=true").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("A cold")
    dialog.get_by_role("button", name="Cancel the lesson").click()
    expect(page.locator("main")).to_contain_text("This lesson is cancelled")
    expect(page.locator("main")).to_contain_text("A cold")


def test_a_seat_in_a_class_is_taken_and_given_back(house: House, visit: OpenContext) -> None:
    page = visit().new_page()
    sign_in(page, house, "Priya Nair")
    lesson = book(page, house, "choir-evening", day=1)
    page.goto(lesson)
    expect(page.locator("main")).to_contain_text("Your seat in a class for 14")
    page.goto(f"{lesson}/cancel")
    page.get_by_role("button", name="Cancel the lesson").click()
    expect(page.locator("main")).to_contain_text("This lesson is cancelled")


def test_a_full_class_is_waited_for_and_the_freed_seat_is_taken(house: House, visit: OpenContext) -> None:
    """The admin makes a class of one seat; Mia has it, Leo waits, Mia gives it back."""
    admin = visit(DESKTOP).new_page()
    sign_in(admin, house, "Clara Weiss", return_to="/admin/classes")
    start = (datetime.now(UTC) + timedelta(days=25)).replace(hour=6, minute=0, second=0, microsecond=0)
    made = admin.evaluate(
        """async (starts) => {
            const read = async (path) => (await fetch(path)).json();
            const types = await read("/api/v1/appointment-types");
            const choir = types.items.find((type) => type.slug === "choir-evening");
            const answer = await fetch("/api/v1/classes", {
                method: "POST",
                headers: {"Content-Type": "application/json"},
                body: JSON.stringify({
                    appointment_type_id: choir.id, instructor_id: choir.instructor_ids[0],
                    location_id: choir.location_ids[0], starts_at: [starts], capacity: 1, override_rules: true,
                }),
            });
            return [answer.status, await answer.text()];
        }""",
        start.isoformat(),
    )
    assert made[0] == 201, made
    mia, leo = visit().new_page(), visit().new_page()
    sign_in(mia, house, "Mia Okafor")
    mia.goto(f"{house.origin()}/book/choir-evening?with=anyone&time={start:%Y-%m-%dT%H:%MZ}")
    mia.get_by_role("button", name="Take this seat").click()
    mia.wait_for_url(LESSON)
    lesson = mia.url.partition("?")[0]
    sign_in(leo, house, "Leo Lindqvist")
    leo.goto(f"{house.origin()}/book/choir-evening")
    day = f"{start:%a} {start.day} {start:%b}"
    leo.locator("section[aria-labelledby='full-heading'] li", has_text=day).get_by_role("link").click()
    leo.get_by_role("button", name="Join the waiting list").click()
    expect(leo.locator("main")).to_contain_text("You are next.")
    mia.goto(f"{lesson}/cancel")
    mia.get_by_role("button", name="Cancel the lesson").click()
    expect(mia.locator("main")).to_contain_text("This lesson is cancelled")
    leo.goto(house.origin())
    expect(leo.locator("main")).to_contain_text("A seat is free for you until")
    leo.locator("#waiting li", has_text=day).get_by_role("link", name="Answer").click()
    leo.get_by_role("button", name="Take this seat").click()
    leo.wait_for_url(LESSON)
    expect(leo.get_by_role("heading", level=1)).to_have_text("You’re booked")


def test_the_same_time_every_week_is_looked_at_booked_moved_and_cancelled(
    house: House, visit: OpenContext
) -> None:
    page = visit().new_page()
    sign_in(page, house, "Priya Nair")
    page.goto(f"{house.origin()}/book/guitar-lesson")
    choose_a_day(page, 2)
    page.locator(TIMES).nth(3).click()
    page.get_by_text("The same time every week").click()
    page.get_by_label("How many lessons").fill("3")
    page.get_by_role("button", name="Look at the dates").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Look at the dates")
    expect(page.locator("ol[aria-label='Dates'] > li")).to_have_count(3)
    for decision in page.locator("ol[aria-label='Dates'] select").all():
        # Whatever is taken in this demo: another time near it, or none.
        decision.select_option(index=0)
    page.get_by_role("button", name="Book them all").click()
    page.wait_for_url(re.compile(r"/lessons$"))
    page.locator(".lesson", has_text="Guitar lesson").last.get_by_role("link", name="Guitar lesson").click()
    expect(page.locator("main")).to_contain_text("3 lessons until")
    lesson = page.url.partition("?")[0]
    day = (page.locator("main time[datetime]").first.get_attribute("datetime") or "")[:10]
    page.goto(f"{lesson}/move?day={day}")
    page.locator(TIMES).first.click()
    page.get_by_role("link", name="All to come").click()
    expect(page.locator("#changes-heading")).to_be_visible()
    page.get_by_role("button", name="Move them").click()
    page.wait_for_url(re.compile(r"/lessons$"))
    expect(page.locator(".toasts, .flash").first).to_contain_text(re.compile("lessons? (is|are) moved"))
    page.goto(lesson)
    page.get_by_role("link", name="Cancel", exact=True).locator("visible=true").click()
    page.get_by_role("link", name="All to come").click()
    expect(page.locator("#changes-heading")).to_be_visible()
    page.get_by_role("button", name="Cancel them").click()
    page.wait_for_url(re.compile(r"/lessons$"))
    expect(page.locator(".toasts, .flash").first).to_contain_text("lessons are cancelled")


def test_a_weekly_lesson_is_asked_for_and_confirmed_as_one(house: House, visit: OpenContext) -> None:
    page = visit().new_page()
    sign_in(page, house, "Leo Lindqvist")
    page.goto(f"{house.origin()}/book/audition-coaching")
    choose_a_day(page, 3)
    page.locator(TIMES).nth(1).click()
    expect(page.locator("#hold")).to_contain_text("Held for you until")
    page.get_by_text("The same time every week").click()
    page.get_by_label("How many lessons").fill("2")
    page.get_by_role("button", name="Look at the dates").click()
    # What the school wants to know first, with the weeks still there.
    expect(page.get_by_label("How many lessons")).to_have_value("2")
    page.get_by_label("Which piece are you preparing?").fill("Gymnopédie No. 1")
    page.get_by_role("button", name="Look at the dates").click()
    page.get_by_role("button", name="Ask for them all").click()
    page.wait_for_url(re.compile(r"/lessons$"))
    expect(page.locator(".toasts, .flash").first).to_contain_text("You asked for 2 lessons")

    ida = visit().new_page()
    sign_in(ida, house, "Ida Berg", return_to="/teach")
    asked = ida.locator(".lesson", has_text="The first of 2 lessons that are asked for")
    expect(asked).to_contain_text("Leo Lindqvist")
    asked.get_by_role("button", name="Confirm all 2").click()
    expect(ida.locator(".toasts, .flash").first).to_contain_text("All of them are confirmed.")
    expect(asked).to_have_count(0)
    page.goto(f"{house.origin()}/lessons")
    expect(page.locator(".lesson", has_text="Audition coaching")).to_have_count(2)
    expect(page.locator(".lesson", has_text="Audition coaching").first).not_to_contain_text("Waiting")


def test_a_parent_adds_a_child_books_for_it_and_finds_its_lesson(house: House, visit: OpenContext) -> None:
    page = visit().new_page()
    sign_in(page, house, "Leo Lindqvist", return_to="/settings")
    page.get_by_role("link", name="Add a child").click()
    page.get_by_label("Given name").fill("Ronja")
    page.get_by_label("Year of birth").fill("2017")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("main")).to_contain_text("Ronja Lindqvist")
    page.goto(f"{house.origin()}/book/violin-lesson")
    with no_full_page_load(page):
        page.locator(".chip", has_text="Ronja").click()
        expect(page.locator(".chip[aria-current]", has_text="Ronja")).to_be_focused()
    choose_a_day(page, 4)
    page.locator(TIMES).first.click()
    expect(page.locator("form")).to_contain_text(["Booking for Ronja Lindqvist"])
    page.get_by_role("button", name="Book this lesson").click()
    page.wait_for_url(LESSON)
    page.goto(f"{house.origin()}/lessons")
    page.locator(".chip", has_text="Ronja").click()
    expect(page.locator(".lesson")).to_have_count(1)
    expect(page.locator(".lesson")).to_contain_text("Violin lesson for Ronja Lindqvist")


@contextmanager
def a_website(body: str) -> Iterator[str]:
    """The school's own website: another origin on this machine, with one page."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = f"<!doctype html><title>Our school</title><main>{body}</main>".encode()
            self.send_response(200 if self.path == "/" else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page if self.path == "/" else b"")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://our-school.{BASE_DOMAIN}:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


def test_one_line_brings_the_lessons_to_the_schools_own_website(house: House, visit: OpenContext) -> None:
    """The frame grows to what is in it, and a chosen time is confirmed in a window of its own."""
    line = f'<script src="{house.origin()}/widget.js" data-lesson="piano-lesson" data-title="Piano"></script>'
    context = visit()
    page = context.new_page()
    with a_website(line) as website:
        page.goto(website)
        frame = page.frame_locator("iframe[title='Piano']")
        expect(frame.get_by_role("heading", level=1)).to_have_text("Choose a time")
        page.wait_for_function("document.querySelector('iframe').getBoundingClientRect().height > 500")
        height = page.locator("iframe").evaluate("e => e.clientHeight")
        inside = frame.locator("body").evaluate("e => Math.ceil(e.getBoundingClientRect().height)")
        assert abs(height - inside) <= 2
        frame.locator(".chip", has_text="Ida Berg").click()
        expect(frame.locator(".chip[aria-current]", has_text="Ida Berg")).to_be_visible()
        with context.expect_page() as opened:
            frame.locator(TIMES).first.click()
        expect(opened.value.get_by_role("link", name="Sign in and book")).to_be_visible()
        assert opened.value.url.startswith(f"{house.origin()}/book/piano-lesson")
        # Somebody else's message is not believed.
        page.evaluate("window.postMessage({source: 'coursecove', height: 9000}, '*')")
        page.wait_for_timeout(200)
        assert page.locator("iframe").evaluate("e => e.clientHeight") < 9000


def test_a_button_on_the_website_opens_the_catalogue_and_closes_again(house: House, visit: OpenContext) -> None:
    line = f'<script src="{house.origin()}/widget.js" data-mode="button" data-label="Book now" async></script>'
    page = visit(DESKTOP).new_page()
    with a_website(line) as website:
        page.goto(website)
        page.get_by_role("button", name="Book now").click()
        frame = page.frame_locator("iframe")
        expect(frame.get_by_role("link", name="Piano lesson", exact=True)).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("dialog")).to_be_hidden()
