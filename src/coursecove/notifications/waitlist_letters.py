"""Mail about a place on a waiting list: a seat is offered, the offer has run out, the class is cancelled."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.bookings import service as bookings
from coursecove.bookings.schemas import WaitlistEntryView
from coursecove.errors import NotFound
from coursecove.i18n import _
from coursecove.notifications.letters import Button, Fact, Letter
from coursecove.notifications.recipients import zones_for
from coursecove.notifications.wording import moment_in_words, short_start, time_span
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

#: What a place on the list must be for the mail to be true.
_STATUS = {"offer": "offered", "offer_lapsed": "lapsed", "list_ended": "class_cancelled"}


class WaitlistNotice(Struct, frozen=True):
    """What there is to say about a place on a waiting list."""

    kind: str
    entry: WaitlistEntryView
    organization: OrganizationView
    # Where one answers.
    link: str
    zone: str
    other_zone: str | None
    reader: Member


async def find_waitlist_notice(
    session: AsyncSession, delivery: Row[Any], *, organization: OrganizationView, recipient: Member, origin: str
) -> WaitlistNotice | None:
    """Return what to say; None when it is no longer true: an offer that was answered, or has run out."""
    try:
        entry = await bookings.get_entry(session, delivery.waitlist_entry_id, viewer=recipient)
    except NotFound:
        return None
    if entry.status != _STATUS[delivery.kind]:
        return None
    chosen = await tenants.get_preferences(session, recipient.id)
    instructors = await tenants.instructors_by_id(session, [entry.instructor.id])
    teaching = instructors.get(entry.instructor.id)
    zone, other_zone = zones_for(
        entry,
        "student",
        school_zone=organization.time_zone,
        instructor_zone=teaching.time_zone if teaching else organization.time_zone,
        own_zone=chosen.time_zone or chosen.seen_time_zone,
    )
    return WaitlistNotice(
        delivery.kind,
        entry,
        organization,
        f"{origin}/classes/{entry.class_handle}",
        zone,
        other_zone,
        recipient,
    )


def waitlist_letter(notice: WaitlistNotice) -> Letter:
    """Return the words, in the language spoken right now."""
    entry = notice.entry
    name = entry.appointment_type.name
    child = entry.student.name if entry.student.id != notice.reader.id else None
    what = _("{lesson} for {student}").format(lesson=name, student=child) if child else name
    start = short_start(entry.starts_at, notice.zone, with_zone=notice.other_zone is not None)
    when = time_span(entry.starts_at, entry.ends_at, notice.zone)
    notes: list[str] = []
    buttons = [Button(_("Open the class"), notice.link)]
    if notice.kind == "offer":
        until = moment_in_words(entry.offer_expires_at or entry.starts_at, notice.zone)
        subject = _("A seat is free: {what}, {start}")
        heading = _("A seat is free for you")
        opening = _("It is kept for you until {until}. Take it, or leave it to whoever waits next.").format(
            until=until
        )
        buttons = [Button(_("Answer the offer"), notice.link)]
        notes.append(_("Without an answer it goes to the next one; nobody is enrolled without saying yes."))
    elif notice.kind == "offer_lapsed":
        subject = _("The offer has run out: {what}, {start}")
        heading = _("The offer has run out")
        opening = _("Nobody answered in time, so the seat was offered to whoever waits next.")
    else:
        subject = _("Cancelled: {what}, {start}")
        heading = _("This class is cancelled")
        opening = _("You were on its waiting list. It does not take place, and the list has ended.")
    elsewhere = time_span(entry.starts_at, entry.ends_at, notice.other_zone) if notice.other_zone else None
    facts = [Fact(_("Class"), name)]
    if child:
        facts.append(Fact(_("For"), child))
    facts.append(Fact(_("When"), when, elsewhere))
    if entry.location is not None:
        facts.append(Fact(_("Where"), entry.location.name, entry.location.address or None))
    facts.append(Fact(_("With"), entry.instructor.name))
    return Letter(
        subject=subject.format(what=what, start=start),
        preheader=opening,
        heading=heading,
        opening=[opening],
        facts=facts,
        buttons=buttons,
        notes=notes,
        footer=_("You get this mail because you wait for a seat at {school}.").format(
            school=notice.organization.name
        ),
    )
