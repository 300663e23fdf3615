"""Sending what is due: one mail per delivery, claimed in Postgres.

A claim is a lease: it moves the next attempt past the time sending may take and
commits, so that no database connection waits for a mail server.  A worker that
dies between sending and noting it leaves a delivery that is sent once more, with
the same Message-ID; that is the one way a mail goes twice.
"""

from __future__ import annotations

import uuid
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any

import msgspec
import structlog
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.config import Settings
from coursecove.db.session import SYSTEM
from coursecove.errors import NotFound
from coursecove.i18n import speaking
from coursecove.jobs import job
from coursecove.notifications.clock_letters import clock_letter, find_clock_notice
from coursecove.notifications.letters import Letter
from coursecove.notifications.mail_texts import find_words
from coursecove.notifications.messages import UnusableAddress, compose, compose_letter
from coursecove.notifications.notices import find_notice, unsubscribe_link
from coursecove.notifications.rendering import render_letter
from coursecove.notifications.smtp import RecipientRefused, send
from coursecove.notifications.waitlist_letters import find_waitlist_notice, waitlist_letter
from coursecove.periodic import periodic
from coursecove.resources import Resources
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

log = structlog.get_logger("coursecove.notifications")

ATTEMPTS = 8

_CLAIM = text("""
update deliveries set attempts = attempts + 1, next_attempt_at = now() + interval '2 minutes'
where id = (
  select id from deliveries
  where id = :id and next_attempt_at <= now()
    and sent_at is null and failed_at is null and skipped_at is null
  for update skip locked
)
returning id, kind, booking_id, booking_revision, waitlist_entry_id, clock_change_at, ahead_minutes, not_before,
  recipient_id, recipient_email, attempts, created_at
""")
# The attempt's number is the fence: a worker that wakes after its lease writes nothing.
_SENT = text("update deliveries set sent_at = now(), error = null where id = :id and attempts = :attempts")
_SKIPPED = text(
    "update deliveries set skipped_at = now(), error = :error where id = :id and attempts = :attempts"
)
_FAILED = text(
    "update deliveries set failed_at = now(), error = :error where id = :id and attempts = :attempts"
)
_AGAIN = text("""
update deliveries set error = :error, next_attempt_at = now()
  + least(interval '30 seconds' * power(2, :attempts - 1), interval '1 hour')
where id = :id and attempts = :attempts
""")
_DUE = text("""
select organization_id, id from deliveries
where sent_at is null and failed_at is null and skipped_at is null
  and next_attempt_at < now() - interval '3 seconds'
order by next_attempt_at limit 200
""")


@job("notifications.deliver")
async def deliver(resources: Resources, *, organization_id: str, delivery_id: str) -> None:
    """Send one delivery that is due; does nothing when it was sent, or is being sent, elsewhere.

    Skips what is not true any more: what a later revision of the booking has
    overtaken, a reminder of a lesson that was moved or has begun.  Tries again after
    30 s, 1 min, 2 min … at most an hour, and gives up after eight attempts or
    when the address will never take mail.
    """
    organization = uuid.UUID(organization_id)
    database = resources.database
    async with database.organization(organization, acting=SYSTEM) as session:
        claimed = (await session.execute(_CLAIM, {"id": uuid.UUID(delivery_id)})).one_or_none()
    if claimed is None:
        return
    statement, error = _SENT, None
    try:
        if claimed.attempts > ATTEMPTS:
            # Every claim counts, so a mail that kills its worker ends as well.
            raise UnusableAddress("Given up: the last attempt ended without a result.")
        async with database.organization(organization, acting=SYSTEM) as session:
            message = await _message(session, claimed, resources.settings)
        if message is None:
            statement, error = _SKIPPED, "This is not true any more."
        else:
            await send(
                resources.settings.smtp_url,
                message,
                sender=parseaddr(resources.settings.mail_from)[1],
                recipient=claimed.recipient_email,
            )
    except Exception as problem:
        final = isinstance(problem, UnusableAddress | RecipientRefused) or claimed.attempts >= ATTEMPTS
        statement = _FAILED if final else _AGAIN
        error = f"{type(problem).__name__}: {problem}".replace("\x00", "")[:500]
        log.warning("delivery_failed", delivery_id=delivery_id, attempts=claimed.attempts, final=final)
    values = {"id": claimed.id, "attempts": claimed.attempts}
    async with database.organization(organization, acting=SYSTEM) as session:
        await session.execute(statement, values if statement is _SENT else {**values, "error": error})


async def _message(session: AsyncSession, delivery: Row[Any], settings: Settings) -> EmailMessage | None:
    """Return the mail, in the language of its reader; None when it is no longer true or not for them."""
    try:
        recipient = await tenants.get_member(session, delivery.recipient_id)
    except NotFound:
        return None
    organization = await tenants.get_organization(session)
    language = (await tenants.get_preferences(session, recipient.id)).locale or organization.locale
    options: Any = {"organization": organization, "recipient": recipient}
    if delivery.waitlist_entry_id is not None:
        place = await find_waitlist_notice(
            session, delivery, origin=settings.origin(organization.slug), **options
        )
        if place is None:
            return None
        with speaking(language):
            return _from_letter(
                waitlist_letter(place), organization, recipient, delivery, settings, base=place.link
            )
    if delivery.clock_change_at is not None:
        moves = await find_clock_notice(session, delivery, origin=settings.origin(organization.slug), **options)
        if moves is None:
            return None
        with speaking(language):
            return _from_letter(
                clock_letter(moves),
                organization,
                recipient,
                delivery,
                settings,
                base=moves.link,
                unsubscribe=unsubscribe_link(settings, organization, recipient.id, delivery.kind),
            )
    notice = await find_notice(session, delivery, settings, **options)
    if notice is None:
        return None
    if notice.part == "student":
        # The school speaks to its students; colleagues read CourseCove's words.
        words = await find_words(session, delivery.kind, language)
        notice = msgspec.structs.replace(notice, words=words)
    with speaking(language):
        return compose(
            notice, delivery_id=delivery.id, recipient_email=delivery.recipient_email, settings=settings
        )


def _from_letter(
    letter: Letter,
    organization: OrganizationView,
    recipient: Member,
    delivery: Row[Any],
    settings: Settings,
    *,
    base: str,
    unsubscribe: str | None = None,
) -> EmailMessage:
    return compose_letter(
        render_letter(letter, organization, base=base, unsubscribe=unsubscribe),
        organization,
        delivery_id=delivery.id,
        recipient_name=recipient.name,
        recipient_email=delivery.recipient_email,
        settings=settings,
        unsubscribe=unsubscribe,
    )


@periodic("notifications.sweep", every_seconds=10)
async def sweep(resources: Resources) -> None:
    """Wake every delivery that is due and was not woken, or whose attempt did not end, oldest first."""
    async with resources.database.platform_scope() as session:
        due = (await session.execute(_DUE)).all()
    for organization_id, delivery_id in due:
        await resources.queue.send(deliver, organization_id=organization_id, delivery_id=delivery_id)
