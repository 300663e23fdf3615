"""A school's admin sees how the school stands with Clerk, and can have it looked at again."""

from __future__ import annotations

import httpx
import pytest

from coursecove.dev.clerk.world import MUSIC_SCHOOL, YOGA
from tests.conftest import ClientFor
from tests.platform.inbox import Inbox
from tests.portals.reading import text_of
from tests.webhooks.support import membership, new_id, organization


@pytest.fixture
def clara(client: ClientFor) -> httpx.Client:
    return client("musicschool", "clara@harmony.example", cookie=True)


def test_the_card_says_how_the_school_stands(clara: httpx.Client, inbox: Inbox) -> None:
    page = clara.get("/admin/school")
    assert page.status_code == 200
    assert "Up to date" in text_of(page)
    assert "None kept" in text_of(page)
    inbox.send("organization.updated", organization(MUSIC_SCHOOL.clerk_id, slug="musicschool"))
    assert "None kept" not in text_of(clara.get("/admin/school"))
    inbox.waiting()
    assert "One change is waiting for another one to arrive." in text_of(clara.get("/admin/school"))
    inbox.change("update webhook_events set status = 'failed', error = 'x' where status = 'pending'")
    failed = text_of(clara.get("/admin/school"))
    assert "Needs attention" in failed
    assert "One change could not be taken over." in failed


def test_another_schools_trouble_is_not_shown(clara: httpx.Client, inbox: Inbox) -> None:
    theirs = membership(new_id("orgmem"), YOGA.clerk_id, new_id("user"))
    inbox.send("organizationMembership.created", theirs)
    assert "Up to date" in text_of(clara.get("/admin/school"))


def test_sync_now_begins_once_a_minute(clara: httpx.Client, inbox: Inbox) -> None:
    first = clara.post("/admin/school/sync")
    assert (first.status_code, first.headers["location"]) == (303, "/admin/school")
    with inbox.connection() as connection:
        asked = "select count(*) from reconciliations where organization_id is not null"
        assert connection.execute(asked).fetchone() == (1,)
        clara.post("/admin/school/sync")
        assert connection.execute(asked).fetchone() == (1,)
    assert "Under way" in text_of(clara.get("/admin/school"))
    refused = clara.post("/admin/school/sync")
    cookies = f"{clara.headers['Cookie']}; flash={refused.cookies['flash']}"
    assert "Please try again in" in text_of(clara.get("/admin/school", headers={"Cookie": cookies}))


def test_only_admins_may(client: ClientFor) -> None:
    for email, status in (("ida@harmony.example", 403), ("mia@example.com", 403), (None, 401)):
        answer = client("musicschool", email, cookie=True).post("/admin/school/sync")
        assert answer.status_code == status, email
