"""Every change is followed by the signed webhook Clerk would send, until somebody takes it."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from svix.webhooks import Webhook, WebhookVerificationError

from coursecove.dev.clerk import world
from coursecove.dev.clerk.outbox import RETRY_SECONDS
from coursecove.dev.clerk.stand_in import ClerkStandIn
from tests.dev_clerk.standing_clerk import Browser, Receiver, backend, receiving, standing_clerk, wait_until

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
QUICK = (0.0, 0.05, 0.1, 0.1)
ORGANIZATION = world.MUSIC_SCHOOL.clerk_id


def events_of(receiver: Receiver) -> list[dict[str, Any]]:
    return [json.loads(body) for _, _, body in receiver.received]


def test_the_demo_world_arrives_in_order_signed_and_complete(tmp_path: Path) -> None:
    with (
        receiving() as receiver,
        standing_clerk(tmp_path, webhook_url=receiver.url, webhook_secret=SECRET) as clerk,
    ):
        people, members = len(world.PEOPLE), sum(len(school.people) for school in world.SCHOOLS)
        wait_until(lambda: len(receiver.received) == people + len(world.SCHOOLS) + members)
        wait_until(lambda: clerk.outbox.pending == 0)
        verifier = Webhook(SECRET)
        for _, headers, body in receiver.received:
            verifier.verify(body, headers)
            with pytest.raises(WebhookVerificationError):
                verifier.verify(body + b" ", headers)
        assert len({headers["svix-id"] for _, headers, _ in receiver.received}) == len(receiver.received)
        events = events_of(receiver)
        assert [e["data"]["id"] for e in events[:people]] == [p.clerk_id for p in world.PEOPLE]
        assert receiver.types[people : people + 3] == [
            "organization.created",
            "organizationMembership.created",
            "organizationMembership.created",
        ]
        founder = events[people + 1]["data"]
        assert (founder["role"], founder["public_user_data"]["identifier"]) == (
            "org:admin",
            world.CLARA.email,
        )
        assert all(e["object"] == "event" and e["timestamp"] > 10**12 for e in events)
        updates = [e["data"]["updated_at"] for e in events]
        assert all(earlier < later for earlier, later in itertools.pairwise(updates))


def test_every_verb_of_the_backend_api_sends_what_clerk_sends(tmp_path: Path) -> None:
    with receiving() as receiver, standing_clerk(tmp_path, webhook_url=receiver.url) as clerk:
        wait_until(lambda: clerk.outbox.pending == 0)
        del receiver.received[:]
        with backend(clerk) as api:

            def call(method: str, path: str, **body: Any) -> Any:
                return api.request(method, path, json=body).raise_for_status().json()

            nia = call("POST", "/users", email_address=["nia@example.com"], first_name="Nia")["id"]
            call("PATCH", f"/users/{nia}", last_name="Adeyemi")
            school = call("POST", "/organizations", name="Ébène Chess Club", created_by=nia)
            assert school["slug"] == "ebene-chess-club"
            call("PATCH", f"/organizations/{school['id']}", name="Ebony Chess Club")
            mia = world.MIA.clerk_id
            path = f"/organizations/{school['id']}/memberships"
            call("POST", path, user_id=mia, role="org:member")
            call("PATCH", f"{path}/{mia}", role="org:instructor")
            removed = call("DELETE", f"{path}/{mia}")
            assert removed["public_user_data"]["user_id"] == mia
            invitations = f"/organizations/{school['id']}/invitations"
            invited = call("POST", invitations, email_address="x@example.com", role="org:member")
            call("POST", f"{invitations}/{invited['id']}/revoke")
            session = call("POST", "/sessions", user_id=nia)
            call("POST", f"/sessions/{session['id']}/revoke")
            call("DELETE", f"/organizations/{school['id']}")
            call("DELETE", f"/users/{nia}")
        wait_until(lambda: clerk.outbox.pending == 0)
        assert receiver.types == [
            "user.created",
            "user.updated",
            "organization.created",
            "organizationMembership.created",
            "organization.updated",
            "organizationMembership.created",
            "organizationMembership.updated",
            "organizationMembership.deleted",
            "organizationInvitation.created",
            "organizationInvitation.revoked",
            "session.created",
            "user.updated",
            "session.revoked",
            "organization.deleted",
            "user.deleted",
        ]
        events = events_of(receiver)
        # A removed membership is whole, a deleted person or school is a stub.
        assert events[7]["data"]["organization"]["name"] == "Ebony Chess Club"
        assert events[7]["data"]["role"] == "org:instructor"
        assert events[13]["data"] == {
            "object": "organization",
            "id": school["id"],
            "slug": "ebene-chess-club",
            "deleted": True,
        }
        assert events[14]["data"] == {"object": "user", "id": nia, "deleted": True}


def test_a_failed_delivery_is_tried_again_with_the_same_id_and_a_new_signature(tmp_path: Path) -> None:
    with (
        receiving(500, 302, 200) as receiver,
        standing_clerk(
            tmp_path, seeded=False, webhook_url=receiver.url, webhook_secret=SECRET, retry_seconds=QUICK
        ) as clerk,
    ):
        with backend(clerk) as api:
            api.post("/users", json={"email_address": ["nia@example.com"]}).raise_for_status()
        wait_until(lambda: len(receiver.received) == 3)
        wait_until(lambda: clerk.outbox.pending == 0)
        (first, _, body), (second, _, _), (third, headers, _) = receiver.received
        assert second - first >= QUICK[1]
        assert third - second >= QUICK[2]
        assert len({h["svix-id"] for _, h, _ in receiver.received}) == 1
        assert all(again == body for _, _, again in receiver.received)
        Webhook(SECRET).verify(body, headers)
        message = clerk.outbox.messages[-1]
        assert (message.attempts, message.last_answer) == (3, "200")
        assert message.delivered_at is not None


def test_a_failing_message_does_not_hold_up_the_next_and_is_given_up_in_the_end(tmp_path: Path) -> None:
    with (
        receiving(500) as receiver,
        standing_clerk(tmp_path, seeded=False, webhook_url=receiver.url, retry_seconds=(0.0, 30.0)) as clerk,
        backend(clerk) as api,
    ):
        for name in ("one", "two"):
            api.post("/users", json={"email_address": [f"{name}@example.com"]}).raise_for_status()
        wait_until(lambda: len(receiver.received) == 2)
        assert [e["data"]["email_addresses"][0]["email_address"] for e in events_of(receiver)] == [
            "one@example.com",
            "two@example.com",
        ]
        waiting = api.get("/stand_in/outbox").json()
        assert waiting["pending"] == 1
        assert waiting["failing"][0]["last_answer"] == "500"
        receiver.answers[:] = [500]
        api.post("/stand_in/outbox/deliver").raise_for_status()
        wait_until(lambda: clerk.outbox.pending == 0)
        assert clerk.outbox.messages[0].delivered_at is None


def test_the_documented_attempts_are_eight_and_begin_at_once() -> None:
    assert RETRY_SECONDS[:3] == (0.0, 5.0, 30.0)
    assert len(RETRY_SECONDS) == 8


def test_what_was_not_delivered_is_delivered_after_a_restart(tmp_path: Path) -> None:
    with standing_clerk(tmp_path, webhook_url="http://127.0.0.1:9/nobody", retry_seconds=(0.0, 600.0)):
        pass
    with (
        receiving() as receiver,
        standing_clerk(tmp_path, webhook_url=receiver.url) as clerk,
        backend(clerk) as api,
    ):
        api.post("/stand_in/outbox/deliver").raise_for_status()
        wait_until(lambda: clerk.outbox.pending == 0)
        # What the first one had not even tried goes out by itself: all of them, however far it came.
        assert len(receiver.received) == len(clerk.outbox.messages) > 20


def test_the_console_sends_a_message_once_more_under_its_old_id(tmp_path: Path) -> None:
    with receiving() as receiver, standing_clerk(tmp_path, webhook_url=receiver.url) as clerk:
        wait_until(lambda: clerk.outbox.pending == 0)
        count, last = len(receiver.received), clerk.outbox.messages[-1].id
        answer = submit(clerk, "resend", message_id=last)
        assert "once+more" in answer.headers["Location"]
        wait_until(lambda: len(receiver.received) == count + 1)
        assert receiver.received[-1][1]["svix-id"] == last


def test_the_console_changes_the_world_and_says_so(tmp_path: Path) -> None:
    with receiving() as receiver, standing_clerk(tmp_path, webhook_url=receiver.url) as clerk:
        wait_until(lambda: clerk.outbox.pending == 0)
        del receiver.received[:]
        nia = {"first_name": "Nia", "last_name": "<b>Adeyemi</b>", "email": "nia@example.com"}
        submit(clerk, "sign-up", **nia)
        person = clerk.directory.find_user_by_email("nia@example.com")
        assert person is not None
        submit(clerk, "create-organization", name="Ebony Chess Club", user_id=person.id)
        school = clerk.directory.get_organization("ebony-chess-club")
        ids = {"organization_id": school.id, "user_id": world.MIA.clerk_id}
        submit(clerk, "add-member", role="org:member", **ids)
        submit(clerk, "change-role", role="org:instructor", **ids)
        submit(clerk, "remove-member", **ids)
        submit(clerk, "invite", organization_id=school.id, email="leo@example.com", role="org:member")
        page = httpx.get(f"http://127.0.0.1:{clerk.port}/").text
        assert "leo@example.com" in page
        assert "<b>Adeyemi" not in page
        assert "&lt;b&gt;Adeyemi" in page
        submit(clerk, "delete-organization", organization_id=school.id)
        submit(clerk, "delete-person", user_id=person.id)
        assert "problem=" in submit(clerk, "delete-person", user_id=person.id).headers["Location"]
        wait_until(lambda: clerk.outbox.pending == 0)
        assert receiver.types == [
            "user.created",
            "organization.created",
            "organizationMembership.created",
            "organizationMembership.created",
            "organizationMembership.updated",
            "organizationMembership.deleted",
            "organizationInvitation.created",
            "organization.deleted",
            "user.deleted",
        ]


def test_an_invitation_is_accepted_on_its_own_page_by_somebody_new(tmp_path: Path) -> None:
    with receiving() as receiver, standing_clerk(tmp_path, webhook_url=receiver.url) as clerk:
        wait_until(lambda: clerk.outbox.pending == 0)
        del receiver.received[:]
        home = f"http://musicschool.{clerk.base_domain}:8000/welcome"
        with backend(clerk) as api:
            invited = api.post(
                f"/organizations/{ORGANIZATION}/invitations",
                json={"email_address": "nia@example.com", "role": "org:instructor", "redirect_url": home},
            ).json()
        path = invited["url"].removeprefix(clerk.issuer)
        with Browser(clerk, origin=clerk.issuer) as browser:
            assert "Given name" in browser.get(path).text
            assert "problem=" in browser.post(path, data={"first_name": ""}).headers["Location"]
            answer = browser.post(path, data={"first_name": "Nia", "last_name": "Adeyemi"})
            assert answer.headers["Location"] == home
            signed_in = browser.get("/v1/client").json()["response"]["sessions"][0]
            assert signed_in["user"]["first_name"] == "Nia"
            assert signed_in["last_active_organization_id"] == ORGANIZATION
        wait_until(lambda: clerk.outbox.pending == 0)
        assert receiver.types[:4] == [
            "organizationInvitation.created",
            "user.created",
            "organizationMembership.created",
            "organizationInvitation.accepted",
        ]
        assert events_of(receiver)[3]["data"]["user_id"] == signed_in["user_id"]


def submit(clerk: ClerkStandIn, action: str, **values: str) -> httpx.Response:
    """Send a form of the console as a browser does."""
    base = f"http://127.0.0.1:{clerk.port}"
    answer = httpx.post(f"{base}/console/{action}", data=values, headers={"Origin": base})
    assert answer.status_code == 303, answer.text
    return answer
