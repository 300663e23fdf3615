"""What mail a fact leads to.

The rows are written in the transaction that marks the fact as handed on, so
each revision of a booking leads to one mail per person, however often the fact
is woken.
"""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.events import Event, subscribe
from coursecove.notifications.kinds import Kind
from coursecove.notifications.planning import plan
from coursecove.notifications.recipients import Recipient, recipients_of, responsible_for
from coursecove.notifications.series_acts import BOOKED_REVISION

_KINDS: dict[str, Kind] = {
    "booking.confirmed": "confirmation",
    "booking.requested": "request",
    "booking.declined": "decline",
    "booking.lapsed": "lapse",
    "booking.moved": "change",
    "booking.reassigned": "change",
    "booking.cancelled": "cancellation",
}


@subscribe(*_KINDS)
async def plan_deliveries(session: AsyncSession, fact: Event) -> None:
    """Plan one mail for everybody whom a change of a booking concerns.

    A lesson that was booked as one of a series is told of with all the others.
    """
    if fact.action in ("booking.confirmed", "booking.requested") and fact.data.get("series_id"):
        return
    recipients = await recipients_of(session, _told(fact))
    about = {"booking_id": fact.subject_id, "booking_revision": fact.data["revision"]}
    await plan(session, ((_kind(fact, one), one) for one in recipients), about)


@subscribe("series.booked")
async def plan_series_mail(session: AsyncSession, fact: Event) -> None:
    """Plan one mail about all lessons of a series that was booked, kept with the first of them."""
    told = {**fact.data, "tell_instructor": True} if fact.data["pending"] else fact.data
    recipients = await recipients_of(session, told)
    # Nothing has happened yet to a lesson that was just booked.
    about = {"booking_id": uuid.UUID(fact.data["booking_ids"][0]), "booking_revision": BOOKED_REVISION}
    await plan(session, (("series_booked", one) for one in recipients), about)


_OF_LISTS: dict[str, Kind] = {
    "waitlist.offered": "offer",
    "waitlist.lapsed": "offer_lapsed",
    "waitlist.ended": "list_ended",
}


@subscribe(*_OF_LISTS)
async def plan_waitlist_mail(session: AsyncSession, fact: Event) -> None:
    """Plan a mail to whoever waits, and their guardian.  That a class has begun is no news to them."""
    if fact.data.get("reason") == "class_began":
        return
    kind = _OF_LISTS[fact.action]
    recipients = await responsible_for(session, uuid.UUID(fact.data["student_id"]))
    await plan(session, ((kind, one) for one in recipients), {"waitlist_entry_id": fact.subject_id})


def _kind(fact: Event, recipient: Recipient) -> Kind:
    if recipient.part == "former":
        return "handover"
    return "approval" if fact.data.get("approved") else _KINDS[fact.action]


def _told(fact: Event) -> dict[str, Any]:
    """Return the fact with whether its instructor hears of it: of a request always, somebody has to answer."""
    if fact.action == "booking.requested":
        return {**fact.data, "tell_instructor": True}
    return fact.data
