"""The desk of Harmony Music School with a post office beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from coursecove.bookings import service as bookings
from coursecove.bookings.series_schemas import SeriesCreate, SeriesView
from coursecove.db.session import Database
from coursecove.resources import Resources
from tests.bookings.desk import CLARA, MIA, MONDAY, Desk
from tests.factories.world import School
from tests.notifications.post import Mailroom, PostOffice
from tests.notifications.series_post import WEEKLY, add_weekly_types
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


@pytest.fixture
def book(desk: Desk, travel: Callable[[datetime], None]) -> Iterator[Callable[..., SeriesView]]:
    """Book a series, by Mia unless said otherwise; afterwards its times are free again."""
    add_weekly_types(desk)
    made: list[SeriesView] = []

    def booked(starts_at: datetime, times: int = 4, *, name: str = WEEKLY, **options: Any) -> SeriesView:
        data = SeriesCreate(
            appointment_type_id=desk.school.types[name], starts_at=starts_at, times=times, **options
        )
        made.append(desk.own(MIA, lambda session, by: bookings.book_series(session, data, by=by)))
        return made[-1]

    yield booked
    travel(MONDAY)
    for series in made:
        for lesson in series.lessons:
            if desk.get(CLARA, lesson.id).cancelled_at is None:
                desk.cancel(CLARA, lesson)
