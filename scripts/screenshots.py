"""Takes the pictures of docs/screenshots/ from a running demo: `make screenshots`.

Start `make demo` first (fresh, so that the pictures show the demo world as it
opens).  Phone pictures are 390 px wide, desktop ones 1280 px.
"""

from __future__ import annotations

import re
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, sync_playwright

from coursecove.config import load_settings, read_env_file, state_folder

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "screenshots"
SIZES = {"phone": (390, 844), "desktop": (1280, 860)}
VISITOR, STUDENT, INSTRUCTOR, ADMIN = None, "Mia Okafor", "Ida Berg", "Clara Weiss"
OPERATOR = "Olivia Park"

# name, who, size, theme, path, whole page?
PICTURES = (
    ("front-page-desktop", VISITOR, "desktop", "light", "/", False),
    ("front-page-phone-dark", VISITOR, "phone", "dark", "/", False),
    ("booking-phone", STUDENT, "phone", "light", "{time}", True),
    ("booking-desktop-dark", STUDENT, "desktop", "dark", "{time}", False),
    ("confirm-phone", STUDENT, "phone", "light", "{confirm}", True),
    ("my-lessons-phone", STUDENT, "phone", "light", "/lessons", False),
    ("lesson-desktop", STUDENT, "desktop", "light", "{lesson}", False),
    ("move-phone", STUDENT, "phone", "light", "{move}", False),
    ("class-phone", STUDENT, "phone", "light", "{class}", True),
    ("family-phone", STUDENT, "phone", "light", "/family", True),
    ("settings-phone-dark", STUDENT, "phone", "dark", "/settings", True),
    ("sign-in-phone", VISITOR, "phone", "light", "/sign-in", False),
    ("teach-desktop", INSTRUCTOR, "desktop", "light", "/teach", False),
    ("teach-phone", INSTRUCTOR, "phone", "light", "/teach", False),
    ("teach-week-desktop-dark", INSTRUCTOR, "desktop", "dark", "/teach/week", False),
    ("teach-hours-desktop", INSTRUCTOR, "desktop", "light", "/teach/hours", False),
    ("teach-hours-phone", INSTRUCTOR, "phone", "light", "/teach/hours", False),
    ("teach-sick-phone", INSTRUCTOR, "phone", "light", "{sick}", True),
    ("admin-desktop", ADMIN, "desktop", "light", "/admin", False),
    ("admin-calendar-desktop", ADMIN, "desktop", "light", "{calendar}", True),
    ("admin-lessons-desktop-dark", ADMIN, "desktop", "dark", "/admin/bookings", False),
    ("admin-types-desktop", ADMIN, "desktop", "light", "/admin/types", False),
    ("admin-type-phone", ADMIN, "phone", "light", "/admin/types/piano-lesson", False),
    ("admin-type-desktop", ADMIN, "desktop", "light", "/admin/types/piano-lesson", True),
    ("admin-people-phone-dark", ADMIN, "phone", "dark", "/admin/people", False),
    ("admin-activity-desktop", ADMIN, "desktop", "light", "/admin/activity", False),
    ("admin-import-phone", ADMIN, "phone", "light", "/admin/imports/people", False),
    ("platform-desktop", OPERATOR, "desktop", "light", "/platform", False),
    ("platform-event-phone", OPERATOR, "phone", "light", "{event}", False),
    ("api-desktop", VISITOR, "desktop", "light", "/api/v1/docs", False),
)


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    environ = read_env_file(state_folder() / "env")
    if not environ:
        print("Start `make demo` first.")
        return 1
    settings = load_settings(environ)
    school = settings.origin("musicschool")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None),
            args=["--no-sandbox", "--disable-quic", "--disable-background-networking"],
        )
        for name, who, size, theme, path, whole in PICTURES:
            page = open_page(browser, size, theme)
            # The operator belongs to no school and is at home on the bare domain.
            site = settings.origin() if who == OPERATOR else school
            if who:
                sign_in(page, site, who, to="/" if who == OPERATOR else "/lessons")
            page.goto(site + resolve(page, site, path))
            page.wait_for_load_state("networkidle")
            if whole:
                # As tall as the page, so that what is fixed to the bottom stays at the bottom.
                height = page.evaluate("document.documentElement.scrollHeight")
                page.set_viewport_size({"width": SIZES[size][0], "height": height})
            page.screenshot(path=FOLDER / f"{name}.png")
            page.context.close()
            print(name)
        if settings.mailbox_url:
            page = open_page(browser, "desktop", "light")
            page.goto(settings.mailbox_url)
            page.locator("a.row", has_text="mia@example.com").last.click()
            page.wait_for_load_state("networkidle")
            page.screenshot(path=FOLDER / "confirmation-mail.png")
            print("confirmation-mail")
        page = open_page(browser, "desktop", "light")
        page.goto(settings.origin())
        page.wait_for_load_state("networkidle")
        page.screenshot(path=FOLDER / "landing-desktop.png")
        browser.close()
    return 0


def open_page(browser: Browser, size: str, theme: str) -> Page:
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
        locale="en-GB",
        timezone_id="Europe/Berlin",
    )
    return context.new_page()


def sign_in(page: Page, site: str, name: str, *, to: str) -> None:
    page.goto(f"{site}/sign-in?return_to={to}")
    page.get_by_role("button", name=re.compile(name)).first.click()
    page.wait_for_url(lambda url: urlsplit(url).path == to)


def resolve(page: Page, school: str, path: str) -> str:
    """Find the address of a page that depends on today: a day with times, a chosen time, a lesson."""
    if path == "{lesson}":
        link = page.locator("main a[href^='/lessons/']").first
        return str(link.get_attribute("href"))
    if path == "{move}":
        link = page.locator("main a[href$='/move']").first
        return str(link.get_attribute("href"))
    if path == "{class}":
        page.goto(f"{school}/book/choir-evening")
        link = page.locator("main a[href^='/classes/']").first
        return str(link.get_attribute("href")) if link.count() else "/book/choir-evening"
    if path == "{sick}":
        first = datetime.now(UTC).date() + timedelta(days=1)
        return f"/teach/sick?from={first}&until={first + timedelta(days=7)}"
    if path == "{calendar}":
        # The coming week: on a Saturday this one is over.
        return f"/admin/calendar?on={datetime.now(UTC).date() + timedelta(days=3)}"
    if path == "{event}":
        page.goto(f"{school}/platform/webhooks?type=organizationMembership.created")
        return str(page.locator("main a[href^='/platform/webhooks/msg_']").first.get_attribute("href"))
    if path in ("{time}", "{confirm}"):
        # A month from now is sure to have free days, whatever day it is.
        month = datetime.now(UTC).date().replace(day=1) + timedelta(days=32)
        page.goto(f"{school}/book/piano-lesson?with=ida-berg&month={month:%Y-%m}")
        page.locator("#days a").nth(2).click()
        page.wait_for_url(re.compile("day="))
        if path == "{confirm}":
            link = page.locator("section[aria-labelledby='time-heading'] a").nth(1)
            return str(link.get_attribute("href"))
        parts = urlsplit(page.url)
        return f"{parts.path}?{parts.query}"
    return path


if __name__ == "__main__":
    sys.exit(main())
