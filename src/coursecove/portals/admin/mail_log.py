"""The log of mails: what went to whom, what did not, and sending that again."""

from __future__ import annotations

import uuid
from typing import Any, get_args

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency, Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import formatting
from coursecove.i18n import _, ngettext
from coursecove.notifications import deliveries
from coursecove.notifications.deliveries import DeliveryPage, DeliveryStatus, DeliveryView
from coursecove.notifications.kinds import KINDS, LABELS
from coursecove.portals.admin.booking_history import mail_name, outcome
from coursecove.portals.admin.navigation import (
    AnyRequest,
    address,
    admin_page,
    last_page,
    page_number,
    pages_of,
)
from coursecove.portals.forms import read_form
from coursecove.portals.pages import local_path, redirect, render
from coursecove.tenants.guards import as_admin
from coursecove.tenants.handles import handle_of
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

PATH = "/admin/mail"
PAGE_SIZE = 50
_STATES: tuple[DeliveryStatus, ...] = get_args(DeliveryStatus)
# As many as one page can mark, and more than a person does.
_MOST_AT_ONCE = 200


class MailLogPages(Controller):
    """Everything that was mailed about lessons."""

    path = PATH
    include_in_schema = False
    dependencies = {"by": Provide(as_admin)}

    @get("/")
    async def log(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
    ) -> Response[Any]:
        """List mails, newest first, narrowed by kind, by what became of them, and by words."""
        query = {name: request.query_params.get(name, "").strip()[:200] for name in ("q", "kind", "status")}
        number = page_number(request.query_params.get("page", ""))
        found = await _found(session, query, number)
        if found.total and not found.items:
            number = last_page(found.total, PAGE_SIZE)
            found = await _found(session, query, number)
        failed = await deliveries.list_deliveries(session, status="failed", page_size=1)
        return render(
            request,
            "admin/mail_log.html",
            admin_page(request, _("Mail")),
            typed=query,
            rows=[_row(delivery, organization.time_zone) for delivery in found.items],
            kinds=[{"value": kind, "label": _(LABELS[kind])} for kind in KINDS],
            statuses=[{"value": status, "label": _status_word(status)} for status in _STATES],
            clear_href=PATH if any(query.values()) else None,
            failed=failed.total,
            failed_words=ngettext(
                "{count} mail could not be delivered.",
                "{count} mails could not be delivered.",
                failed.total,
            ).format(count=formatting.number(failed.total)),
            can_resend=any(delivery.status == "failed" for delivery in found.items),
            back=address(PATH, {**query, "page": str(number) if number > 1 else None}),
            pages=pages_of(PATH, query, page=number, page_size=PAGE_SIZE, total=found.total),
        )

    @post("/resending")
    async def resend(
        self, request: AnyRequest, session: NamedDependency[AsyncSession], by: NamedDependency[Member]
    ) -> Response[Any]:
        """Send marked mails again, or all that failed; what has been sent meanwhile is left alone."""
        values = await read_form(request, fields=("all", "return_to"), lists=("mail",))
        back = local_path(values.get("return_to"), default=PATH)
        target = back if back == PATH or back.startswith(f"{PATH}?") else PATH
        if values.get("all"):
            count = await deliveries.send_all_again(session, None, by=by)
        else:
            marked = _ids(values["mail"])
            if not marked:
                return redirect(request, target, flash=_("Mark the mails to send again."), kind="warning")
            count = await deliveries.send_all_again(session, marked, by=by)
        said = ngettext("{count} mail is on its way again.", "{count} mails are on their way again.", count)
        return redirect(request, target, flash=said.format(count=formatting.number(count)))


async def _found(session: AsyncSession, query: dict[str, str], page: int) -> DeliveryPage:
    """Return a page of the log; a kind or a state that does not exist has no mails."""
    kind = next((kind for kind in KINDS if kind == query["kind"]), None)
    status = next((status for status in _STATES if status == query["status"]), None)
    if (query["kind"] and kind is None) or (query["status"] and status is None):
        return DeliveryPage([], 0, page, PAGE_SIZE)
    return await deliveries.list_deliveries(
        session, kind=kind, status=status, search=query["q"], page=page, page_size=PAGE_SIZE
    )


def _ids(texts: list[str]) -> list[uuid.UUID]:
    found = []
    for text in texts[:_MOST_AT_ONCE]:
        try:
            found.append(uuid.UUID(text))
        except ValueError:
            continue
    return found


def _status_word(status: DeliveryStatus) -> str:
    return {
        "waiting": _("On its way"),
        "sent": _("Sent"),
        "failed": _("Not delivered"),
        "skipped": _("Not needed"),
    }[status]


def _row(delivery: DeliveryView, zone: str) -> dict[str, Any]:
    at = delivery.sent_at or delivery.failed_at or delivery.skipped_at or delivery.created_at
    return {
        "value": str(delivery.id),
        "what": mail_name(delivery.kind),
        "to": delivery.recipient_name,
        "email": delivery.recipient_email,
        "person_href": f"/admin/people/{handle_of(delivery.recipient_id, delivery.recipient_name)}",
        "reference": delivery.reference,
        "href": f"/admin/bookings/{delivery.reference}" if delivery.reference else None,
        "at": f"{formatting.day(at, zone)}, {formatting.time(at, zone)}",
        "failed": delivery.status == "failed",
        "why": _why(delivery, zone),
        **outcome(delivery),
    }


def _why(delivery: DeliveryView, zone: str) -> str | None:
    """Say what stands against a mail, in a sentence; the server's own words are for who runs the server."""
    name = (delivery.error or "").partition(":")[0]
    if delivery.status == "failed":
        if name == "RecipientRefused":
            return _("There is no such mailbox. Ask for another address.")
        if name == "UnusableAddress":
            return _("Mail cannot be sent to this address.")
        return _("The mail server did not take it, {count} times in a row.").format(count=delivery.attempts)
    if delivery.status == "skipped":
        return _("Overtaken by a later change.")
    if delivery.attempts and delivery.next_attempt_at:
        again = formatting.time(delivery.next_attempt_at, zone)
        return _("The mail server did not take it yet. Next attempt at {time}.").format(time=again)
    return None
