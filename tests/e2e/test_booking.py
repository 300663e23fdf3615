"""The main job, in a real browser: a student books a lesson on their own school's subdomain.

The school and its people came in through signed webhooks, because that is how
the demo under test was opened.
"""

from __future__ import annotations

import re

import icalendar
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import DESKTOP, House, OpenContext, choose_person, sign_in

pytestmark = pytest.mark.browser


def choose_a_day(page: Page, nth: int) -> None:
    """Press a marked day of the month after the one that opens: near a month's end that one has few."""
    shown = page.locator("#days-month").inner_text()
    page.get_by_role("link", name="Next month").click()
    expect(page.locator("#days-month")).not_to_have_text(shown)
    page.locator("[data-day-picker] td a").nth(nth).click()
    expect(page.locator("[data-day-picker] td a[aria-current]")).to_be_visible()
    expect(page.locator("#time-heading")).not_to_contain_text("Choose a day")


def choose_a_free_time(page: Page, *, teacher: str = "Ida Berg", day: int = 1, nth: int = 0) -> str:
    """Go from the calendar of a type to its last step; returns the label of the chosen time."""
    page.locator(".chip", has_text=teacher).click()
    expect(page.locator(".chip[aria-current]", has_text=teacher)).to_be_focused()
    choose_a_day(page, day)
    times = page.locator("section[aria-labelledby='time-heading'] a")
    label = times.nth(nth).inner_text().split("\n")[0]
    times.nth(nth).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Confirm")
    return label


def test_a_visitor_picks_a_time_signs_in_and_books_it_on_a_phone(house: House, visit: OpenContext) -> None:
    """From the front page to mail with a calendar file, seen by all three, then cancelled."""
    page = visit().new_page()
    page.goto(house.origin())
    expect(page.get_by_role("heading", level=1)).to_have_text("Harmony Music School")
    page.get_by_role("link", name=re.compile("Violin lesson")).first.click()
    # One teacher only, so that step is skipped.
    expect(page.get_by_role("heading", name="Choose a time")).to_be_visible()
    choose_a_day(page, 2)
    page.locator("section[aria-labelledby='time-heading'] a").first.click()
    page.get_by_role("link", name="Sign in and book").click()
    choose_person(page, "Leo Lindqvist")
    # Back at the same choice, now as somebody.
    page.get_by_label("Note for your teacher").fill("First lesson, please be gentle.")
    page.get_by_role("button", name="Book this lesson").click()
    page.wait_for_url(re.compile(r"/lessons/[0-9A-Z]{4}-[0-9A-Z]{4}"))
    reference = page.url.rpartition("/")[2].partition("?")[0]
    expect(page.locator("main")).to_contain_text("Studio Linden")
    expect(page.locator("main")).to_contain_text("First lesson, please be gentle.")

    page.goto(f"{house.origin()}/lessons")
    expect(page.locator("main")).to_contain_text("Violin lesson")

    mailbox = visit(DESKTOP).new_page()
    for _ in range(50):
        mailbox.goto(house.mailbox)
        if mailbox.locator("a.row", has_text="leo@example.com").filter(has_text="Violin").count():
            break
        mailbox.wait_for_timeout(200)
    mailbox.locator("a.row", has_text="leo@example.com").filter(has_text="Violin").first.click()
    with mailbox.expect_download() as download:
        mailbox.locator("a[download$='.ics']").first.click()
    invitation = icalendar.Calendar.from_ical(download.value.path().read_bytes())
    event = invitation.walk("VEVENT")[0]
    assert invitation["METHOD"] == "REQUEST"
    assert reference in mailbox.frame_locator("iframe").locator("body").inner_text()
    assert "Violin lesson" in str(event["SUMMARY"])

    instructor = visit(DESKTOP).new_page()
    sign_in(instructor, house, "Ida Berg", return_to=f"/teach/lessons/{reference}")
    expect(instructor.locator("main")).to_contain_text("Leo Lindqvist")
    admin = visit(DESKTOP).new_page()
    sign_in(admin, house, "Clara Weiss", return_to=f"/admin/bookings/{reference}")
    expect(admin.locator("main")).to_contain_text("Leo Lindqvist")

    # The page that asks, without the dialog.
    page.goto(f"{house.origin()}/lessons/{reference}/cancel")
    page.get_by_role("button", name=re.compile("Cancel")).first.click()
    page.wait_for_url(re.compile(r"/lessons"))
    page.goto(f"{house.origin()}/lessons/{reference}")
    expect(page.locator("main")).to_contain_text(re.compile("cancelled", re.IGNORECASE))


def test_the_loser_of_a_race_sees_the_nearest_free_times(house: House, visit: OpenContext) -> None:
    """Two students hold the same time on their screens; one gets it, the other gets a choice."""
    first, second = visit().new_page(), visit().new_page()
    sign_in(first, house, "Mia Okafor")
    sign_in(second, house, "Priya Nair")
    first.goto(f"{house.origin()}/book/guitar-lesson")
    choose_a_day(first, 3)
    first.locator("section[aria-labelledby='time-heading'] a").nth(2).click()
    expect(first.get_by_role("button", name="Book this lesson")).to_be_visible()
    second.goto(first.url)
    second.get_by_label("Note for your teacher").fill("I would love this one.")
    first.get_by_role("button", name="Book this lesson").click()
    first.wait_for_url(re.compile(r"/lessons/"))
    second.get_by_role("button", name="Book this lesson").click()
    expect(second.get_by_role("heading", name="Free times near it")).to_be_visible()
    # What was typed is still there, and one tap books another time.
    expect(second.get_by_label("Note for your teacher")).to_have_value("I would love this one.")
    second.locator("section[aria-labelledby='alternatives-heading'] button").first.click()
    second.wait_for_url(re.compile(r"/lessons/[0-9A-Z]{4}-[0-9A-Z]{4}"))
    expect(second.locator("main")).to_contain_text("I would love this one.")


def test_a_new_person_signs_up_joins_the_school_and_books(house: House, visit: OpenContext) -> None:
    """Nobody has to wait for a webhook to book their first lesson."""
    page = visit().new_page()
    page.goto(f"{house.origin()}/sign-up?return_to=/book/piano-lesson")
    page.get_by_label("Given name").fill("Nina")
    page.get_by_label("Family name").fill("Sokolova")
    page.get_by_label("E-mail").fill("nina@example.com")
    page.get_by_role("button", name="Create account").click()
    page.get_by_role("button", name="Join Harmony Music School").click()
    expect(page.get_by_role("heading", name="Choose a time")).to_be_visible()
    choose_a_free_time(page)
    page.get_by_role("button", name="Book this lesson").click()
    page.wait_for_url(re.compile(r"/lessons/[0-9A-Z]{4}-[0-9A-Z]{4}"))


def test_booking_works_without_javascript(house: House, visit: OpenContext) -> None:
    """Only signing in needs a script; the rest is links and forms."""
    context = visit()
    signed_in = context.new_page()
    sign_in(signed_in, house, "Sofia Marino", slug="yoga")
    page = visit(java_script_enabled=False, storage_state=context.storage_state()).new_page()
    page.goto(house.origin("yoga"))
    page.get_by_role("link", name=re.compile("Breathing at your desk")).first.click()
    choose_a_day(page, 1)
    page.locator("section[aria-labelledby='time-heading'] a").nth(4).click()
    # A script would keep the time by itself.
    page.get_by_label("Note for your teacher").fill("Without a script")
    page.get_by_role("button", name="Keep this time").click()
    expect(page.locator("#hold")).to_contain_text("Held for you until")
    expect(page.get_by_label("Note for your teacher")).to_have_value("Without a script")
    page.get_by_role("button", name="Book this lesson").click()
    page.wait_for_url(re.compile(r"/lessons/[0-9A-Z]{4}-[0-9A-Z]{4}"))
    expect(page.locator("main")).to_contain_text("Jun Tanaka")
    expect(page.locator("main")).to_contain_text("Without a script")


def test_booking_works_with_the_keyboard_alone(house: House, visit: OpenContext) -> None:
    """Tab and Enter reach every step; the focus follows what has changed."""
    page = visit(DESKTOP).new_page()
    sign_in(page, house, "Sam Carter", slug="tutoring")

    def tab_to(text: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            focused = page.evaluate(
                "document.activeElement.innerText || document.activeElement.ariaLabel || ''"
            )
            if re.search(text, focused):
                return
        raise AssertionError(f"no Tab reached {text}")

    tab_to("Physics online")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Choose a time")).to_be_visible()
    tab_to("Next month")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Previous month")).to_be_visible()
    # The focus is at the new month; the arrows walk over its free days.
    tab_to(r"^\d+$")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("#time-heading")).to_be_focused()
    tab_to(r"^\d\d:\d\d")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Book this lesson")).to_be_visible()
    tab_to("Book this lesson")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/lessons/[0-9A-Z]{4}-[0-9A-Z]{4}"))


def test_signing_out_ends_the_session_everywhere_on_this_school(house: House, visit: OpenContext) -> None:
    """The menu signs out through Clerk; afterwards my lessons ask who one is."""
    page = visit(DESKTOP).new_page()
    sign_in(page, house, "Mia Okafor", return_to="/lessons")
    page.locator("summary.account-summary").click()
    page.get_by_role("link", name="Sign out").click()
    page.wait_for_url(f"{house.origin()}/")
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    page.goto(f"{house.origin()}/lessons")
    page.wait_for_url(re.compile(r"/sign-in\?return_to=/lessons"))


def test_a_form_whose_session_has_ended_is_sent_again_and_loses_nothing(
    house: House, visit: OpenContext
) -> None:
    """A phone wakes up after an hour: the token is stale, Clerk's session is not."""
    context = visit()
    page = context.new_page()
    sign_in(page, house, "Ida Berg", return_to="/teach/profile")
    page.get_by_label("About you").fill("Still here after a long break.")
    # The token is gone, as after a minute; the scripts that would renew it in time are gone too.
    context.clear_cookies(name="__session")
    context.route(re.compile(r"/static/js/clerk\.js"), lambda route: route.continue_())
    page.evaluate("document.getElementById('f-bio').form.submit()")
    page.wait_for_url(re.compile(r"/teach/profile"))
    expect(page.get_by_label("About you")).to_have_value("Still here after a long break.")
    page.goto(f"{house.origin()}/teach/profile")
    expect(page.get_by_label("About you")).to_have_value("Still here after a long break.")
