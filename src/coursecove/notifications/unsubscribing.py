"""Links that end a kind of mail one can do without, for whoever holds the mail; nobody signs in for that.

A link proves itself: the person, what it ends and a signature over both and the
school, by a key that serves nothing else.  So nothing is stored, nothing can be
guessed, and a link of one school ends nothing at another.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import uuid

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.config import Settings
from coursecove.db.session import organization_of
from coursecove.errors import NotFound
from coursecove.i18n import _
from coursecove.keys import derive_key
from coursecove.notifications.kinds import DISPENSABLE
from coursecove.tenants import service as tenants

PATH = "/unsubscribe"

_LABEL = b"coursecove end of mails 1"
_CODES = {kind: bytes([place]) for place, kind in enumerate(("reminder", "clock_change"), start=1)}
_KINDS = {code: kind for kind, code in _CODES.items()}
_PROOF_BYTES = 20


class Ending(Struct, frozen=True):
    """What a link ends, for whom, and whether it has ended already."""

    member_id: uuid.UUID
    kind: str
    ended: bool


def unsubscribe_token(
    settings: Settings, *, organization_id: uuid.UUID, member_id: uuid.UUID, kind: str
) -> str:
    """Return the part of a link that ends mails of ``kind``, one of DISPENSABLE, to one person."""
    message = member_id.bytes + _CODES[kind]
    return _written(message + _proof(settings, organization_id, message))


async def read_ending(session: AsyncSession, settings: Settings, token: str) -> Ending:
    """Return what a link ends; raises NotFound for one that is not this school's, or altered."""
    try:
        sent = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        sent = b""
    # The last letter has bits to spare: only one way of writing a link counts.
    if not hmac.compare_digest(_written(sent).encode(), token.encode(errors="replace")):
        sent = b""
    message, proof = sent[:17], sent[17:]
    kind = _KINDS.get(message[16:])
    genuine = hmac.compare_digest(proof, _proof(settings, organization_of(session), message))
    if not genuine or kind not in DISPENSABLE:
        raise NotFound(_("This link ends no mails. Perhaps it was cut off on its way."))
    member_id = uuid.UUID(bytes=message[:16])
    # Whoever has left the school gets no mail, and their link is as good as none.
    await tenants.get_member(session, member_id)
    chosen = await tenants.get_preferences(session, member_id)
    if kind == "reminder":
        reminders = chosen.reminder_minutes
        if reminders is None:
            reminders = (await tenants.get_organization(session)).reminder_minutes
        return Ending(member_id, kind, ended=not reminders)
    return Ending(member_id, kind, ended=not chosen.clock_change_notices)


async def end_mails(session: AsyncSession, settings: Settings, token: str) -> Ending:
    """Send no more mails of the kind; doing it twice is fine.  Refuses like :func:`read_ending`."""
    ending = await read_ending(session, settings, token)
    await tenants.stop_mail(
        session,
        ending.member_id,
        reminders=ending.kind == "reminder",
        clock_changes=ending.kind == "clock_change",
    )
    return ending


def _written(sent: bytes) -> str:
    return base64.urlsafe_b64encode(sent).decode().rstrip("=")


def _proof(settings: Settings, organization_id: uuid.UUID, message: bytes) -> bytes:
    key = derive_key(settings.secret_key, _LABEL)
    return hmac.digest(key, organization_id.bytes + message, hashlib.sha256)[:_PROOF_BYTES]
