"""The log of mails for admins: what it lists, what it finds, and sending again what failed."""

from __future__ import annotations

from typing import Any

import pytest

from coursecove.notifications import deliveries
from coursecove.notifications.deliveries import NotFailed
from tests.bookings.desk import CLARA, IDA, LEO, MIA, Desk, berlin
from tests.conftest import ClientFor
from tests.notifications.post import Mailroom, PostOffice


@pytest.fixture
def failed(desk: Desk, mailroom: Mailroom, office: PostOffice, request: pytest.FixtureRequest) -> Any:
    """Mia's and Ida's mails about a lesson, refused for good."""
    day = 4 + request.node.nodeid.count("x") + len(request.node.name) % 20
    booking = desk.book(CLARA, "Violin lesson", berlin(day, 14), teacher=IDA, student=MIA, override_rules=True)
    office.refuse = "550 No such user"
    mailroom.send_all(booking.id)
    office.refuse = None
    assert {one.failed_at is not None for one in mailroom.deliveries(booking.id)} == {True}
    return booking


def _listed(desk: Desk, **wanted: Any) -> list[Any]:
    found = desk.own(CLARA, lambda session, by: deliveries.list_deliveries(session, **wanted))
    return found.items


def test_the_log_finds_by_kind_state_person_and_reference(desk: Desk, failed: Any) -> None:
    both = _listed(desk, search=failed.reference)
    assert {one.recipient_email for one in both} == {MIA, IDA}
    assert {(one.kind, one.status, one.reference) for one in both} == {
        ("confirmation", "failed", failed.reference)
    }
    assert all("550 No such user" in one.error for one in both)
    [to_mia] = _listed(desk, search=f"okafor {failed.reference}")
    assert to_mia.recipient_name == "Mia Okafor"
    assert _listed(desk, search=failed.reference, status="sent") == []
    assert _listed(desk, search=failed.reference, kind="cancellation") == []
    assert _listed(desk, search="%") == []
    page = desk.own(CLARA, lambda session, by: deliveries.list_deliveries(session, page=2, page_size=1))
    assert (len(page.items), page.page) == (1, 2)
    assert page.total >= 2


def test_a_failed_mail_is_sent_again_as_the_same_mail(
    desk: Desk, mailroom: Mailroom, office: PostOffice, failed: Any
) -> None:
    [to_mia] = _listed(desk, search=f"okafor {failed.reference}")
    again = desk.own(CLARA, lambda session, by: deliveries.send_again(session, to_mia.id, by=by))
    assert (again.status, again.attempts, again.error) == ("waiting", 0, None)
    mailroom.deliver(to_mia.id)
    assert office.to(MIA).message["Message-ID"] == f"<{to_mia.id}@coursecove.localhost>"
    [sent] = _listed(desk, search=f"okafor {failed.reference}")
    assert sent.status == "sent"
    with pytest.raises(NotFailed):
        desk.own(CLARA, lambda session, by: deliveries.send_again(session, to_mia.id, by=by))
    mailroom.deliver(to_mia.id)
    assert len(office.mails) == 1


def test_what_is_not_true_any_more_is_not_sent_after_all(
    desk: Desk, mailroom: Mailroom, office: PostOffice, failed: Any
) -> None:
    desk.cancel(CLARA, failed)
    count = desk.own(CLARA, lambda session, by: deliveries.send_all_again(session, None, by=by))
    assert count >= 2
    for one in mailroom.deliveries(failed.id):
        mailroom.deliver(one.id)
    assert office.mails == []
    assert {one.status for one in _listed(desk, search=failed.reference)} == {"skipped"}


def test_nobody_but_admins_sees_or_resends(desk: Desk, failed: Any) -> None:
    """The database itself keeps the log from everybody else."""
    for email in (IDA, MIA, LEO):
        seen = desk.own(email, lambda session, by: deliveries.list_deliveries(session))
        assert seen.total == 0
        assert desk.own(email, lambda session, by: deliveries.send_all_again(session, None, by=by)) == 0


def test_the_page_lists_searches_and_resends(client: ClientFor, desk: Desk, failed: Any, travel: Any) -> None:
    from datetime import UTC, datetime

    travel(datetime.now(UTC))
    page = client("musicschool", CLARA, cookie=True)
    text = page.get(f"/admin/mail?q={failed.reference}&status=failed").text
    assert "There is no such mailbox." in text
    assert "Mia Okafor" in text
    assert f"/admin/bookings/{failed.reference}" in text
    assert "550" not in text
    marked = [str(one.id) for one in _listed(desk, search=failed.reference)]
    done = page.post(
        "/admin/mail/resending", data={"mail": marked, "return_to": f"/admin/mail?q={failed.reference}"}
    )
    assert (done.status_code, done.headers["location"]) == (303, f"/admin/mail?q={failed.reference}")
    assert {one.status for one in _listed(desk, search=failed.reference)} == {"waiting"}
    elsewhere = page.post("/admin/mail/resending", data={"all": "yes", "return_to": "//evil.example/"})
    assert elsewhere.headers["location"] == "/admin/mail"
    nothing = page.post("/admin/mail/resending", data={})
    assert nothing.headers["location"] == "/admin/mail"
    for odd in ("?kind=nonsense", "?status=nonsense", "?page=99", "?q=%00"):
        assert page.get(f"/admin/mail{odd}").status_code == 200, odd
    answer = client("musicschool", CLARA).get("/api/v1/deliveries", params={"search": failed.reference})
    assert answer.json()["total"] == 2
    assert client("musicschool", IDA).get("/api/v1/deliveries").status_code == 403
