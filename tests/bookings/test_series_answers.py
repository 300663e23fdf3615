"""A series that is asked for: answered as one, or lesson by lesson, and it lapses as one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from coursecove.bookings import approval, service
from coursecove.bookings.errors import NotWaiting, SlotTaken
from coursecove.bookings.schemas import BookingDecline
from coursecove.bookings.series_schemas import SeriesChanged, SeriesCreate, SeriesView
from coursecove.errors import Forbidden, NotFound
from coursecove.resources import Resources
from tests.bookings.desk import CLARA, IDA, LEO, MIA, TOMAS, Desk, berlin

ASKED = "Weekly by request"


@pytest.fixture(scope="module", autouse=True)
def _lessons(harmony: Desk) -> None:
    studio = harmony.school.locations["Studio Linden"]
    harmony.add_type(
        ASKED,
        [IDA],
        location_ids=[studio],
        horizon_days=365,
        requires_approval=True,
        approve_within_minutes=2880,
    )


def ask(desk: Desk, day: int, *, hour: int = 9, times: int = 3) -> SeriesView:
    data = SeriesCreate(appointment_type_id=desk.school.types[ASKED], starts_at=berlin(day, hour), times=times)
    return desk.own(MIA, lambda session, by: service.book_series(session, data, by=by))


def approve(desk: Desk, email: str, series: SeriesView) -> SeriesChanged:
    return desk.own(email, lambda session, by: service.approve_series(session, series.id, by=by))


def decline(desk: Desk, email: str, series: SeriesView, reason: str = "") -> SeriesChanged:
    data = BookingDecline(reason)
    return desk.own(email, lambda session, by: service.decline_series(session, series.id, data, by=by))


def statuses(series: SeriesView) -> list[str]:
    return [lesson.status for lesson in series.lessons]


def test_one_yes_is_for_every_lesson_that_waits(desk: Desk) -> None:
    series = ask(desk, 10)
    assert statuses(series) == ["pending"] * 3
    # What was answered by itself stays answered.
    desk.own(IDA, lambda session, by: service.decline(session, series.lessons[1].id, BookingDecline(), by=by))
    answered = approve(desk, IDA, series)
    assert statuses(answered.series) == ["confirmed", "declined", "confirmed"]
    assert answered.changed == [series.lessons[0].id, series.lessons[2].id]
    [fact] = desk.facts(series.id, "series.confirmed")
    assert [one["revision"] for one in fact["lessons"]] == [1, 1]
    with pytest.raises(NotWaiting):
        approve(desk, CLARA, series)


def test_one_no_frees_every_time_and_ends_the_series(desk: Desk) -> None:
    series = ask(desk, 11)
    with pytest.raises(SlotTaken):
        desk.book(LEO, "Violin lesson", berlin(18, 9))
    declined = decline(desk, CLARA, series, " No room this term. ").series
    assert statuses(declined) == ["declined"] * 3
    assert {lesson.cancellation_reason for lesson in declined.lessons} == {"No room this term."}
    assert declined.ended_at is not None
    assert desk.book(LEO, "Violin lesson", berlin(18, 9)).status == "confirmed"


def test_only_staff_of_the_lessons_answer_a_series(desk: Desk) -> None:
    series = ask(desk, 12)
    for verb in (approve, decline):
        with pytest.raises(Forbidden):
            verb(desk, MIA, series)
        for stranger in (LEO, TOMAS):
            with pytest.raises(NotFound):
                verb(desk, stranger, series)
    assert statuses(approve(desk, IDA, series).series) == ["confirmed"] * 3


def test_requests_of_a_series_that_nobody_answers_lapse_together_and_once(
    desk: Desk, resources: Resources, travel: Callable[[datetime], None]
) -> None:
    """The sweep wakes each of them; the first does it for all whose deadline has come."""
    series = ask(desk, 13)
    soon = min(lesson.approve_by for lesson in series.lessons if lesson.approve_by)
    desk.own(IDA, lambda session, by: service.approve(session, series.lessons[2].id, by=by))
    travel(soon)
    for lesson in series.lessons:
        desk.loop.run(
            approval.lapse.run(
                resources, organization_id=str(desk.school.organization_id), booking_id=str(lesson.id)
            )
        )
    lapsed = desk.own(MIA, lambda session, by: service.get_series(session, series.id, viewer=by))
    assert statuses(lapsed) == ["cancelled", "cancelled", "confirmed"]
    assert [lesson.lapsed for lesson in lapsed.lessons] == [True, True, False]
    assert len(desk.facts(series.id, "series.lapsed")) == 1
    assert [len(desk.facts(lesson.id, "booking.lapsed")) for lesson in series.lessons] == [1, 1, 0]
