"""Addresses of people on pages: readable and stable, and never their id.

``mia-okafor-k7qf2m9x`` is a name for the reader and a code for the look-up.
The code is a digest of the id, so it tells nobody the id and stays when the
person is renamed; the name in front of it may be out of date.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import uuid
from collections.abc import Iterable

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.errors import NotFound
from coursecove.i18n import _
from coursecove.tenants import queries
from coursecove.tenants.models import Member
from coursecove.text import slugify

# 40 bits, eight letters: among ten thousand people two share a code once in twenty thousand schools.
_CODE_BYTES = 5


def handle_of(member_id: uuid.UUID, name: str) -> str:
    """Return the part of an address that stands for this person."""
    digest = hashlib.sha256(member_id.bytes).digest()[:_CODE_BYTES]
    code = base64.b32encode(digest).decode().lower()
    # Whoever has no name is shown by their address, which is nothing for histories and logs.
    return f"{slugify('' if '@' in name else name, fallback='person', longest=40)}-{code}"


async def get_member_by_handle(session: AsyncSession, handle: str) -> Member:
    """Return the current member a handle stands for; raises :class:`NotFound`, also when two share its code."""
    found = await members_by_handle(session, [handle])
    if handle not in found:
        raise NotFound(_("There is no such person at this school."))
    return found[handle]


async def members_by_handle(session: AsyncSession, handles: Iterable[str]) -> dict[str, Member]:
    """Return the current members behind handles, in one query; those that stand for nobody are left out."""
    wanted = {handle: _digest_in(handle) for handle in handles}
    digests = {digest for digest in wanted.values() if digest}
    if not digests:
        return {}
    of_row = func.substring(func.sha256(func.uuid_send(Member.id)), 1, _CODE_BYTES)
    found: dict[bytes, list[Member]] = {}
    for member in await session.scalars(queries.current_members().where(of_row.in_(digests))):
        found.setdefault(hashlib.sha256(member.id.bytes).digest()[:_CODE_BYTES], []).append(member)
    return {
        handle: found[digest][0]
        for handle, digest in wanted.items()
        if digest is not None and len(found.get(digest, ())) == 1
    }


def _digest_in(handle: str) -> bytes | None:
    try:
        digest = base64.b32decode(handle.rpartition("-")[2].upper())
    except (binascii.Error, ValueError):
        return None
    return digest if len(digest) == _CODE_BYTES else None
