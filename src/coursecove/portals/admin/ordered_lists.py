"""What lists have in common whose rows stand in an order of the school's, and can be archived and restored."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from litestar import Response
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.i18n import _
from coursecove.portals.forms import Form, attempt, read_form
from coursecove.portals.pages import AnyRequest, redirect

Thing = TypeVar("Thing")


def with_handle(things: Iterable[Thing], handle: str, *, handle_of: Callable[[Thing], str]) -> Thing | None:
    """Return the thing an address names: the words in front are for readers, and may be of yesterday."""
    code = handle.rpartition("-")[2]
    return next((thing for thing in things if handle_of(thing).rpartition("-")[2] == code), None)


def neighbours(ids: Sequence[uuid.UUID], index: int, to: str | None) -> list[uuid.UUID] | None:
    """Return the two ids that change places, in their new order; None when there is nothing to go past."""
    if to == "up" and index > 0:
        return [ids[index], ids[index - 1]]
    if to == "down" and index + 1 < len(ids):
        return [ids[index + 1], ids[index]]
    return None


async def put_beside(
    request: AnyRequest,
    ids: Sequence[uuid.UUID],
    thing_id: uuid.UUID,
    reorder: Callable[[list[uuid.UUID]], Awaitable[object]],
    *,
    back: str,
) -> Response[Any]:
    """Put a row before or after its neighbour, as the form says; what is archived stands in no order."""
    to = (await read_form(request, fields=("to",))).get("to")
    pair = neighbours(ids, ids.index(thing_id), to) if thing_id in ids else None
    if pair is not None:
        await reorder(pair)
    return redirect(request, back, flash=_("The order is saved.") if pair else None)


async def restored(
    request: AnyRequest, session: AsyncSession, verb: Callable[[], Awaitable[object]], *, back: str, said: str
) -> Response[Any]:
    """Restore something with one press, and say so; or what stands against it."""
    await read_form(request, fields=())
    refused = (await attempt(session, Form(), verb))[1]
    if refused is not None:
        problem = next(iter(refused.errors.values()), None) or refused.problem
        return redirect(request, back, flash=problem, kind="error")
    return redirect(request, back, flash=said)
