"""The one place that knows what time it is.

Everything that asks for the current instant calls :func:`now`, so that a test
can stand at any moment of a year, and so that a reader can find every place
where time enters a decision.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

_read: Callable[[], datetime] = lambda: datetime.now(UTC)  # noqa: E731 - replaced by tests


def now() -> datetime:
    """Return the current instant as an aware UTC datetime."""
    return _read()
