"""A school writes its words and sees the mail while it does."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import DESKTOP, PHONE, House, OpenContext, sign_in

pytestmark = pytest.mark.browser

HERE = "/admin/school/texts/confirmation/en"


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_the_preview_follows_what_is_typed_and_is_no_step_back(
    visit: OpenContext, house: House, size: dict[str, int]
) -> None:
    page = visit(size).new_page()
    sign_in(page, house, "Clara Weiss", return_to="/admin/school/texts")
    page.get_by_role("link", name=re.compile("A lesson is booked")).click()
    mail = page.frame_locator("#mail-preview")
    expect(mail.get_by_text("You are booked for")).to_be_visible()
    page.get_by_label("Subject").fill("Until {when}")
    page.get_by_label("Opening words").fill("Dear {student},\n\nhow lovely.")
    expect(mail.get_by_text("Dear Mia Sample,")).to_be_visible()
    expect(mail.get_by_text(re.compile("Until .*16:00"))).to_be_visible()
    expect(mail.get_by_text("You are booked for")).to_have_count(0)
    page.get_by_role("button", name="See as text").click()
    expect(mail.locator("pre")).to_contain_text("how lovely.")
    page.get_by_label("Closing words").fill("Bye, {nobody}")
    expect(mail.get_by_text(re.compile("none of the placeholders"))).to_be_visible()
    page.get_by_label("Closing words").fill("Bye")
    expect(mail.locator("pre")).to_contain_text("Bye")
    # Nothing is saved by looking, and looking is nothing to go back through.
    page.go_back()
    expect(page).to_have_url(re.compile("/admin/school/texts$"))
    expect(page.get_by_text("Your words in English")).to_have_count(0)


def test_without_scripts_the_buttons_show_it(visit: OpenContext, house: House) -> None:
    signed_in = visit(DESKTOP)
    sign_in(signed_in.new_page(), house, "Clara Weiss", return_to="/admin")
    page = visit(DESKTOP, java_script_enabled=False, storage_state=signed_in.storage_state()).new_page()
    page.goto(house.origin() + HERE)
    page.get_by_label("Opening words").fill("Dear {student}, at last.")
    page.get_by_role("button", name="See as HTML").click()
    mail = page.frame_locator("#mail-preview")
    expect(mail.get_by_text("Dear Mia Sample, at last.")).to_be_visible()
    page.get_by_role("button", name="See as text").click()
    expect(mail.locator("pre")).to_contain_text("Dear Mia Sample, at last.")
    page.get_by_role("button", name="Save words").click()
    expect(page.get_by_text("The words are saved.")).to_be_visible()
    expect(page.get_by_label("Opening words")).to_have_value("Dear {student}, at last.")
    page.get_by_role("button", name="Back to CourseCove").click()
    expect(page.get_by_label("Opening words")).to_have_value("")
