"""The desk of Harmony Music School with a post office beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

import pytest

from coursecove.db.session import Database
from coursecove.resources import Resources
from tests.bookings.desk import MONDAY, Desk
from tests.factories.world import School
from tests.notifications.post import Mailroom, PostOffice
from tests.serving import Loop


@pytest.fixture
def desk(loop: Loop, database: Database, musicschool: School, travel: Callable[[datetime], None]) -> Desk:
    """The verbs of bookings, at ``MONDAY``."""
    travel(MONDAY)
    return Desk(loop, database, musicschool)


@pytest.fixture
def office() -> Iterator[PostOffice]:
    """An SMTP server for one test."""
    with PostOffice() as office:
        yield office


@pytest.fixture
def mailroom(desk: Desk, resources: Resources, office: PostOffice) -> Mailroom:
    """From bookings to mails in that post office."""
    return Mailroom(desk, resources, office)
