"""``Idempotency-Key``: a creating request that is sent again has one effect and one answer.

The answer is kept in the request's own transaction, so it exists exactly when
the effect does; failures leave nothing behind and may be tried again.  Keys
belong to one member of one school and are good for a day.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeAlias

import msgspec
from litestar import Request, Response
from litestar.params import HeaderParameter
from litestar.status_codes import HTTP_201_CREATED
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.db.session import organization_of
from coursecove.errors import Conflict, CourseCoveError, Malformed
from coursecove.i18n import _

KEPT = "24 hours"

IdempotencyKey: TypeAlias = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        required=False,
        description=(
            "Any unique value of up to 200 visible ASCII characters. Within a day, the same key with the same "
            "request replays the first answer, marked `Idempotency-Replayed: true`."
        ),
    ),
]
"""The type of a handler's ``idempotency_key`` parameter."""


class IdempotencyInFlight(Conflict):
    """The first request with this key has not been answered yet."""

    code = "idempotency_in_flight"
    title = "This request is still being worked on"


class IdempotencyKeyReused(CourseCoveError):
    """The key belongs to a request with other contents."""

    code = "idempotency_key_reused"
    status = 422
    title = "This Idempotency-Key was used for another request"


_VISIBLE = re.compile(r"[\x21-\x7e]{1,200}")
_LOCK = text("select pg_try_advisory_xact_lock(hashtextextended(:name, 0))")
_FIND = text("""
select fingerprint, status_code, response from idempotency_keys
where member_id = :member_id and key = :key and created_at > now() - cast(:kept as interval)
""")
_FORGET = text("""
delete from idempotency_keys where member_id = :member_id and created_at <= now() - cast(:kept as interval)
""")
_KEEP = text("""
insert into idempotency_keys (organization_id, member_id, key, fingerprint, status_code, response)
values (:organization_id, :member_id, :key, :fingerprint, :status_code, :response)
""")


async def respond_once(
    request: Request[Any, Any, Any],
    session: AsyncSession,
    key: str | None,
    work: Callable[[], Awaitable[Any]],
    *,
    member_id: uuid.UUID,
    status_code: int = HTTP_201_CREATED,
) -> Response[Any]:
    """Answer with what ``work`` returns, once per key; without a key simply do it.

    Raises :class:`IdempotencyInFlight`, :class:`IdempotencyKeyReused`,
    Malformed for a key that is empty, too long or not visible ASCII, and
    whatever ``work`` raises, which is not kept.
    """
    if key is None:
        return Response(await work(), status_code=status_code)
    if not _VISIBLE.fullmatch(key):
        raise Malformed(_("An Idempotency-Key has 1 to 200 visible ASCII characters."))
    organization_id = organization_of(session)
    # Trying, not waiting: a client that repeats itself must not pile up connections.
    name = f"idempotency:{organization_id}:{member_id}:{key}"
    if not await session.scalar(_LOCK, {"name": name}):
        raise IdempotencyInFlight("Ask again in a moment with the same key.")
    values = {"member_id": member_id, "key": key, "kept": KEPT}
    fingerprint = await _fingerprint(request)
    known = (await session.execute(_FIND, values)).one_or_none()
    if known is not None:
        if known.fingerprint != fingerprint:
            raise IdempotencyKeyReused("Use a new key for a new request.")
        return _answer(bytes(known.response), known.status_code, replayed=True)
    body = msgspec.json.encode(await work())
    await session.execute(_FORGET, values)
    await session.execute(
        _KEEP,
        {
            "organization_id": organization_id,
            "member_id": member_id,
            "key": key,
            "fingerprint": fingerprint,
            "status_code": status_code,
            "response": body,
        },
    )
    return _answer(body, status_code, replayed=False)


async def _fingerprint(request: Request[Any, Any, Any]) -> str:
    """Return a digest of what is asked; the order of JSON keys and white space do not count."""
    body = await request.body()
    meaning = msgspec.json.encode(msgspec.json.decode(body), order="sorted") if body else b""
    return hashlib.sha256(f"{request.method} {request.url.path}\n".encode() + meaning).hexdigest()


def _answer(body: bytes, status_code: int, *, replayed: bool) -> Response[bytes]:
    headers = {"Idempotency-Replayed": "true"} if replayed else {}
    return Response(body, status_code=status_code, media_type="application/json", headers=headers)
