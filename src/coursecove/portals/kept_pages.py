"""Pages that are the same for every visitor, kept until something on them changes.

The key says everything a page was drawn from; what is kept under a key never
becomes wrong, only unused.  Nothing about a person, and no token of a form, is
on such a page: those who are signed in are drawn theirs.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

from litestar import Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.compression import KEPT, KeptBody
from coursecove.db.session import kept_beside

#: Of all schools together, packed and plain.
MOST_BYTES = 12_000_000
_OVERHEAD = 500


def answer_kept(
    request: Request[Any, Any, Any], session: AsyncSession, key: Hashable, draw: Callable[[], Response[bytes]]
) -> Response[bytes]:
    """Return the page of ``key``; drawn when nobody has asked for it in a while."""
    shelf: _Shelf = kept_beside(session).setdefault("pages", _Shelf())
    kept = shelf.find(key)
    if kept is None:
        drawn = draw()
        kept = KeptBody(drawn.content)
        shelf.keep(key, kept)
    request.scope["state"][KEPT] = kept
    return Response(kept.plain, media_type="text/html")


class _Shelf:
    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, tuple[KeptBody, int]] = OrderedDict()
        self._bytes = 0

    def find(self, key: Hashable) -> KeptBody | None:
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def keep(self, key: Hashable, body: KeptBody) -> None:
        # The packed form comes later, and is a fifth of it.
        counted = _OVERHEAD + len(body.plain) * 6 // 5
        self._kept[key] = (body, counted)
        self._bytes += counted
        while self._bytes > MOST_BYTES and self._kept:
            _, (_body, size) = self._kept.popitem(last=False)
            self._bytes -= size
