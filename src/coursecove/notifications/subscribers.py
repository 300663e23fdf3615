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
from coursecove.notifications.kinds import SERIES_ACTS, Kind
from coursecove.notifications.planning import plan
from coursecove.notifications.recipients import Recipient, instructors_of, recipients_of, responsible_for
from coursecove.notifications.series_acts import BOOKED_REVISION, act_in

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

    A lesson that was booked as one of a series, or changed with others of it, is
    told of with all of them.
    """
    if _is_told_with_series(fact):
        return
    recipients = await recipients_of(session, _told(fact))
    about = {"booking_id": fact.subject_id, "booking_revision": fact.data["revision"]}
    await plan(session, ((_kind(fact, one), one) for one in recipients), about)


def _is_told_with_series(fact: Event) -> bool:
    booked = fact.action in ("booking.confirmed", "booking.requested") and not fact.data.get("approved")
    return bool(fact.data.get("with_series") or (booked and fact.data.get("series_id")))


@subscribe("series.booked")
async def plan_series_booked(session: AsyncSession, fact: Event) -> None:
    """Plan one mail about all lessons of a series that was booked, kept with the first of them."""
    told = {**fact.data, "tell_instructor": True} if fact.data["pending"] else fact.data
    recipients = await recipients_of(session, told)
    # Nothing has happened yet to a lesson that was just booked.
    about = {"booking_id": uuid.UUID(fact.data["booking_ids"][0]), "booking_revision": BOOKED_REVISION}
    await plan(session, (("series_booked", one) for one in recipients), about)


@subscribe(*(action for action in SERIES_ACTS if action != "series.booked"))
async def plan_series_mail(session: AsyncSession, fact: Event) -> None:
    """Plan one mail to each person about what was done to several lessons of a series.

    Instructors hear of those they give, and of seats in a class nothing.
    Whoever gives some of the lessons of their own child gets a mail about those
    and one about the others.
    """
    act = act_in(fact.action, fact.data)
    if act is None:
        return
    concerned = {one.id: one for one in await responsible_for(session, uuid.UUID(fact.data["student_id"]))}
    students = set(concerned)
    if not fact.data["in_class"]:
        for instructor_id in dict.fromkeys(act.instructors.values()):
            for one in await instructors_of(session, instructor_id):
                concerned.setdefault(one.id, one)
    for person in concerned.values():
        given = [id_ for id_ in act.revisions if act.instructors[id_] == person.id]
        taken = [id_ for id_ in act.revisions if id_ not in given] if person.id in students else []
        for first in [*given[:1], *taken[:1]]:
            about = {"booking_id": first, "booking_revision": act.revisions[first]}
            await plan(session, [(act.kind, person)], about)


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
