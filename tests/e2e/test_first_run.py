"""A new admin, an empty school, the checklist: from founding to a type that can be booked.

Nothing here knows an address of the admin portal: every page is reached by what
the checklist and the pages themselves offer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Page, expect

from coursecove.config import read_env_file
from tests.e2e.conftest import BASE_DOMAIN, DESKTOP, PHONE, House, OpenContext, choose_person
from tests.e2e.test_booking import choose_a_day

TEACHERS = (("Ada", "Lovelace"), ("Ben", "Whittle"))


class Clerk:
    """What Clerk's own pages do: people sign up, found schools and accept invitations."""

    def __init__(self, house: House) -> None:
        env = read_env_file(house.home / "env")
        self.http = httpx.Client(
            base_url=env["CLERK_API_URL"].removesuffix("/v1") + "/v1",
            headers={"Authorization": f"Bearer {env['CLERK_SECRET_KEY']}"},
            trust_env=False,
        )
        self.port = urlsplit(env["CLERK_API_URL"]).port

    def call(self, method: str, path: str, **body: object) -> dict[str, object]:
        answer = self.http.request(method, path, json=body or None)
        assert answer.is_success, answer.text
        found: dict[str, object] = answer.json()
        return found

    def found_school(self, name: str, slug: str) -> str:
        """Found a school, as somebody who signed up for it; return its id at Clerk."""
        who = {"first_name": "Fay", "last_name": f"Founder {slug}"}
        person = self.call("POST", "/users", email_address=[f"fay@{slug}.example"], **who)
        school = self.call("POST", "/organizations", name=name, slug=slug, created_by=person["id"])
        return str(school["id"])

    def invitation_page(self, school_id: str, email: str) -> str:
        """Return where the link of an invitation leads."""
        listed = self.call("GET", f"/organizations/{school_id}/invitations")["data"]
        assert isinstance(listed, list)
        [id_] = [one["id"] for one in listed if one["email_address"] == email]
        return f"http://clerk.{BASE_DOMAIN}:{self.port}/invitations/{id_}"


@contextmanager
def a_step(page: Page, label: str, *, overview: str) -> Iterator[None]:
    """Follow a step of the checklist, and come back to it afterwards."""
    page.goto(overview)
    page.locator("section[aria-labelledby='first-steps']").get_by_role("link", name=label, exact=True).click()
    expect(page.get_by_role("heading", level=1)).not_to_have_text("Overview")
    yield
    page.goto(overview)


def progress(page: Page) -> str:
    found = re.search(r"(\d) of (\d)", page.locator("section[aria-labelledby='first-steps']").inner_text())
    assert found
    return found[0]


@pytest.mark.parametrize(("size", "slug"), [(PHONE, "first-phone"), (DESKTOP, "first-desk")])
def test_the_checklist_alone_leads_from_an_empty_school_to_a_bookable_type(
    house: House, visit: OpenContext, size: dict[str, int], slug: str
) -> None:
    clerk = Clerk(house)
    school_id = clerk.found_school("Lighthouse Drawing", slug)
    origin = house.origin(slug)
    overview = f"{origin}/admin"
    page = visit(size).new_page()
    for _ in range(50):
        # The school is there as soon as the webhook was processed; an unknown one is remembered for a moment.
        if page.goto(f"{origin}/").status == 200:  # type: ignore[union-attr]
            break
        page.wait_for_timeout(200)
    page.goto(f"{origin}/sign-in?return_to=/admin")
    choose_person(page, f"Fay Founder {slug}")
    page.wait_for_url(overview)
    assert progress(page) == "0 of 7"

    with a_step(page, "Open the settings", overview=overview):
        page.get_by_label("Time zone").select_option("Europe/Lisbon")
        page.get_by_label("Currency").select_option("EUR")
        page.get_by_role("button", name="Save").click()
        expect(page.locator(".toast-item, .flash").first).to_be_visible()
    assert progress(page) == "1 of 7"

    with a_step(page, "Add a location", overview=overview):
        page.get_by_label("Name").fill("Lantern Room")
        page.get_by_label("Address").fill("Rua da Bica 4, Lisboa")
        page.get_by_role("button", name="Add location").click()
        expect(page.locator("main")).to_contain_text("Rua da Bica 4")
    with a_step(page, "Add another location", overview=overview):
        page.get_by_label("Name").fill("Pier Studio")
        page.get_by_role("button", name="Add location").click()
        expect(page.locator("main")).to_contain_text("Pier Studio")
    assert progress(page) == "2 of 7"

    emails = [f"{given.lower()}@{slug}.example" for given, _family in TEACHERS]
    with a_step(page, "Invite an instructor", overview=overview):
        page.get_by_label("E-mail addresses").fill("\n".join(emails))
        expect(page.get_by_label("Instructor")).to_be_checked()
        page.get_by_role("button", name="Send invitations").click()
        expect(page.locator("main")).to_contain_text(emails[0])
    for (given, family), email in zip(TEACHERS, emails, strict=True):
        theirs = visit(PHONE).new_page()
        theirs.goto(clerk.invitation_page(school_id, email))
        theirs.locator("input[name=first_name]").fill(given)
        theirs.locator("input[name=last_name]").fill(family)
        theirs.get_by_role("button").last.click()
        theirs.wait_for_url(re.compile(re.escape(origin)))
    for _ in range(50):
        page.goto(overview)
        if (
            progress(page) == "3 of 7"
            and page.get_by_role("link", name="Set the hours of Ada Lovelace").count()
        ):
            break
        page.wait_for_timeout(200)

    with a_step(page, "Create an appointment type", overview=overview):
        page.get_by_label("Name", exact=True).fill("Drawing lesson")
        page.get_by_label("Length").first.fill("60")
        page.get_by_label("Price").fill("40")
        for name in ("Lantern Room", "Pier Studio", "Ada Lovelace", "Ben Whittle"):
            page.get_by_role("checkbox", name=name).check()
        # What goes for classes, for lessons online and at the student's place is out of the way.
        for label in ("Seats", "Answer within, how many"):
            expect(page.get_by_label(label)).to_be_hidden()
        page.get_by_role("button", name="Create appointment type").click()
        expect(page.locator("main")).to_contain_text("Drawing lesson")
    assert progress(page) == "4 of 7"

    for given, family in TEACHERS:
        with a_step(page, f"Set the hours of {given} {family}", overview=overview):
            for day in ("Monday", "Wednesday", "Friday"):
                row = page.get_by_role("group", name=f"{day}, time 1")
                row.get_by_label("From").fill("09:00")
                row.get_by_label("To", exact=True).fill("17:00")
            page.get_by_role("button", name="Save hours").click()
            expect(page.locator(".toast-item, .flash").first).to_be_visible()
    assert progress(page) == "5 of 7"

    closed = (datetime.now(UTC) + timedelta(days=40)).date()
    with a_step(page, "Add a closure", overview=overview):
        page.get_by_label("Name").fill("Harbour festival")
        page.get_by_label("First day").fill(closed.isoformat())
        page.get_by_role("button", name="Add closure").click()
        expect(page.locator("main")).to_contain_text("Harbour festival")
    assert progress(page) == "6 of 7"
    expect(page.get_by_role("link", name="Book for a student")).to_be_visible()

    # A stranger finds it on the front page, and a free time with either of them.
    visitor = visit(size).new_page()
    visitor.goto(origin)
    card = visitor.get_by_role("listitem").filter(has_text="Drawing lesson").first
    expect(card).to_contain_text("€40")
    expect(card).to_contain_text("Ada Lovelace and Ben Whittle")
    expect(card).to_contain_text("2 places")
    card.get_by_role("link", name="Drawing lesson", exact=True).click()
    expect(visitor.locator("#days-month")).to_be_visible()
    choose_a_day(visitor, 1)
    visitor.locator("section[aria-labelledby='time-heading'] a").first.click()
    expect(visitor.get_by_role("link", name="Sign in and book")).to_be_visible()
