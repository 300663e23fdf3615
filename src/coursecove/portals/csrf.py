"""The token in every form: proof that a page of ours, shown to this session, sent it.

The second of two locks.  The gateway compares where a form was sent from; this
one holds where a browser or a proxy leaves that out or gets it wrong.

Stateless: a token is a random value and an HMAC over it, the session and the
organization.  So it is worth nothing in another session or at another school,
it lives as long as the session does, and no two pages carry the same one, which
leaves nothing to measure in compressed answers (BREACH).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import uuid
from typing import Any

from litestar import Request

from coursecove.config import Settings
from coursecove.errors import Forbidden
from coursecove.i18n import N_, _
from coursecove.identity.authentication import SignedIn
from coursecove.keys import derive_key
from coursecove.tenants.guards import identity_of

FIELD = "_csrf"
HEADER = "x-csrf-token"

_LABEL = b"coursecove form token 1"
_MASK_BYTES = 16
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class StaleForm(Forbidden):
    """The form carries no token of this session; what was typed is offered again with one."""

    code = "csrf"
    title = N_("Please send this form again")


def issue(settings: Settings, session_id: str, organization_id: uuid.UUID | None) -> str:
    """Return a fresh token for one session at one organization (None: the bare domain)."""
    mask = secrets.token_bytes(_MASK_BYTES)
    return base64.urlsafe_b64encode(mask + _proof(settings, mask, session_id, organization_id)).decode()


def holds(token: str, settings: Settings, session_id: str, organization_id: uuid.UUID | None) -> bool:
    """Say whether a token was issued for this session at this organization; takes the same time either way."""
    try:
        sent = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return False
    mask, proof = sent[:_MASK_BYTES], sent[_MASK_BYTES:]
    return hmac.compare_digest(proof, _proof(settings, mask, session_id, organization_id))


def _proof(settings: Settings, mask: bytes, session_id: str, organization_id: uuid.UUID | None) -> bytes:
    place = organization_id.bytes if organization_id else bytes(16)
    # The first two are of fixed length, so no two triples read the same.
    return hmac.digest(
        derive_key(settings.secret_key, _LABEL), mask + place + session_id.encode(), hashlib.sha256
    )


def for_page(request: Request[Any, Any, Any]) -> dict[str, str] | None:
    """Return ``{"name", "token"}`` for the forms of a page; None when nobody is signed in."""
    identity = identity_of(request)
    if not isinstance(identity, SignedIn):
        return None
    settings: Settings = request.app.state.resources.settings
    return {"name": FIELD, "token": issue(settings, identity.claims.session_id, _place(request))}


async def require_token(request: Request[Any, Any, Any]) -> None:
    """Refuse a change of a signed-in person that carries no token of theirs, as field or as header.

    Runs before the handler of every page.  Whoever is not signed in has no
    authority to abuse, and is asked to sign in by the handler; a Bearer token
    is added by no browser on its own.

    Raises :class:`StaleForm`, with what was typed kept for the page that says so.
    """
    identity = identity_of(request)
    state = request.scope["state"]
    if request.method in _SAFE_METHODS or not isinstance(identity, SignedIn) or state.get("by_bearer"):
        return
    settings: Settings = request.app.state.resources.settings
    session_id, place = identity.claims.session_id, _place(request)
    sent = request.headers.get(HEADER, "")
    if sent and holds(sent, settings, session_id, place):
        return
    typed: list[tuple[str, str]] = []
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() in _FORMS:
        form = await request.form()
        typed = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    if any(name == FIELD and holds(value, settings, session_id, place) for name, value in typed):
        return
    state["typed"] = [(name, value) for name, value in typed if name != FIELD]
    raise StaleForm(_("It has become too old, or it was not ours. Nothing was changed."))


def _place(request: Request[Any, Any, Any]) -> uuid.UUID | None:
    organization = request.scope["state"].get("organization")
    return organization.id if organization else None
