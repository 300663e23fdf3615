"""How many statements something costs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

#: The look-up of a host's school, kept for some seconds: whether they are over is no cost of what is asked.
_LOOK_UP = "from subdomains"
_ITS_SCOPE = "set_config('app.organization_id', '', true)"


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collect what all engines of this process send while the block runs, but for the look-up of the school."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if _LOOK_UP not in statement:
            sent.append(statement)
            return
        opened = max((at for at, each in enumerate(sent) if _ITS_SCOPE in each), default=None)
        if opened is not None:
            del sent[opened]

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)
