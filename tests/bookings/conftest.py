"""The desk of Harmony Music School, on a Monday morning in 2031."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from coursecove.db.session import Database
from tests.bookings.desk import MONDAY, Desk
from tests.factories.world import School
from tests.serving import Loop


@pytest.fixture(scope="module")
def harmony(loop: Loop, database: Database, musicschool: School) -> Desk:
    """The verbs of bookings in a database of this module; the clock is the real one."""
    return Desk(loop, database, musicschool)


@pytest.fixture
def desk(harmony: Desk, travel: Callable[[datetime], None]) -> Desk:
    """The same, at ``MONDAY``."""
    travel(MONDAY)
    return harmony
