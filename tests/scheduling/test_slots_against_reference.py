"""The engine against a slow and obvious one, on random schools with every rule."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coursecove.scheduling.rules import OVERRIDABLE, Booked, Reason, Refusal, Rules, Seats, Slot
from coursecove.scheduling.slots import accepts_seat, free_days, offer_seats, offer_starts
from tests.scheduling.reference import (
    LOCATIONS,
    MINUTE,
    MOMENTS,
    Reference,
    School,
    overlap,
    schools,
)

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def known(slots: Sequence[Slot]) -> list[tuple[datetime, UUID, UUID | None]]:
    return [(slot.starts_at, slot.instructor_id, slot.location_id) for slot in slots]


@settings(unhurried, max_examples=150)
@given(schools())
def test_the_engine_offers_exactly_what_the_reference_finds(school: School) -> None:
    assert known(school.offers()) == list(Reference(school).offers())


@settings(unhurried, max_examples=60)
@given(schools())
def test_everything_offered_is_accepted(school: School) -> None:
    schedules = {schedule.instructor_id: schedule for schedule in school.schedules}
    for slot in school.offers():
        accepted = school.accepts(schedules[slot.instructor_id], slot.starts_at, slot.location_id)
        assert isinstance(accepted, Slot)
        assert accepted.overridden == ()
        place = None if school.places is None else school.places[slot.location_id]
        # A room is named where one is needed, and it is free.
        assert bool(accepted.rooms) == bool(place and place.rooms)
        for room_id in accepted.rooms:
            taken = school.booked.rooms[room_id]
            assert not any(overlap(slot.blocked_from, slot.blocked_until, other) for other in taken)
        assert known([accepted]) == known([slot])


@settings(unhurried, max_examples=50)
@given(schools(), st.sampled_from([timedelta(), MINUTE, timedelta(seconds=1), timedelta(microseconds=1)]))
def test_nothing_refused_is_offered_and_nothing_else_is_accepted(school: School, nudge: timedelta) -> None:
    offered = set(known(school.offers()))
    at = datetime.fromtimestamp(-(int(-school.from_.timestamp()) // 900) * 900, UTC)
    while (moment := at + nudge) < school.until:
        for schedule in school.schedules:
            for location_id in LOCATIONS:
                accepted = isinstance(school.accepts(schedule, moment, location_id), Slot)
                assert accepted == ((moment, schedule.instructor_id, location_id) in offered)
        at += 15 * MINUTE


@settings(unhurried, max_examples=60)
@given(schools(), st.sampled_from([timedelta(), MINUTE, timedelta(seconds=1), timedelta(seconds=-1)]))
def test_a_refusal_names_every_broken_rule_and_staff_may_pass_the_overridable_ones(
    school: School, nudge: timedelta
) -> None:
    reference = Reference(school)
    at = datetime.fromtimestamp(-(int(-school.from_.timestamp()) // 1800) * 1800, UTC)
    while (moment := at + nudge) < school.until:
        for schedule in school.schedules:
            for location_id in LOCATIONS:
                broken = reference.broken(schedule, location_id, moment)
                answer = school.accepts(schedule, moment, location_id)
                assert (answer.reasons if isinstance(answer, Refusal) else ()) == broken
                # Within a minute nothing begins, whoever wants it.
                passable = OVERRIDABLE.issuperset(broken) and moment.second == 0
                by_staff = school.accepts(schedule, moment, location_id, passing=OVERRIDABLE)
                assert isinstance(by_staff, Slot) == passable
                assert not isinstance(by_staff, Slot) or by_staff.overridden == broken
        at += 45 * MINUTE


@settings(unhurried, max_examples=50)
@given(schools(), st.sampled_from(sorted(MOMENTS)))
def test_the_free_days_are_the_local_dates_of_what_is_offered(school: School, viewer: str) -> None:
    found = offer_starts(
        school.rules,
        school.schedules,
        school.booked,
        places=school.places,
        from_=school.from_,
        until=school.until,
        now=school.now,
    )
    starts = [datetime.fromtimestamp(start, ZoneInfo(viewer)) for group in found for start in group.starts]
    assert free_days(found, viewer) == {start.date() for start in starts}


@settings(unhurried, max_examples=60)
@given(schools(), st.data())
def test_a_seat_is_offered_exactly_when_it_is_accepted_and_the_reference_finds_nothing_against_it(
    school: School, data: st.DataObject
) -> None:
    """What stands against a seat stands against a lesson: all but hours and the instructor's own time."""
    hours = st.integers(-30, 40).map(lambda hour: int(school.from_.timestamp()) // 3600 * 3600 + hour * 1800)
    starts = data.draw(st.lists(hours, max_size=6))
    zone = school.schedules[0].time_zone
    taught = school.rules.duration_minutes * 60
    classes = [
        Seats(UUID(int=index), UUID(int=1), zone, None, start, start + taught, data.draw(st.integers(0, 2)))
        for index, start in enumerate(starts)
    ]
    of_students = Rules(
        duration_minutes=school.rules.duration_minutes,
        minimum_notice_minutes=school.rules.minimum_notice_minutes,
        horizon_days=school.rules.horizon_days,
        bookable_from=school.rules.bookable_from,
        bookable_until=school.rules.bookable_until,
        student_day_limit=school.rules.student_day_limit,
        student_week_limit=school.rules.student_week_limit,
    )
    booked = Booked(student=school.booked.student, starts_of_student=school.booked.starts_of_student)
    alone = School(of_students, school.schedules[:1], booked, None, school.from_, school.until, school.now)
    reference = Reference(alone)
    ignored = {Reason.OUTSIDE_HOURS, Reason.NOT_ON_GRID, Reason.NOT_QUALIFIED, Reason.TIME_OFF}
    schedule = type(alone.schedules[0])(
        school.schedules[0].instructor_id, zone, (), day_limit=None, week_limit=None
    )
    expected = {}
    for seats in classes:
        start = datetime.fromtimestamp(seats.starts_at, UTC)
        against = [reason for reason in reference.broken(schedule, None, start) if reason not in ignored]
        expected[seats.session_id] = (*against, *([Reason.FULL] if seats.left <= 0 else []))
    offered = offer_seats(
        school.rules, classes, school.booked, from_=school.from_, until=school.until, now=school.now
    )
    assert {seats.session_id for seats in offered} == {
        seats.session_id
        for seats in classes
        if not expected[seats.session_id]
        and school.from_.timestamp() <= seats.starts_at < school.until.timestamp()
    }
    for seats in classes:
        answer = accepts_seat(school.rules, seats, school.booked, now=school.now)
        assert (answer.reasons if isinstance(answer, Refusal) else answer) == expected[seats.session_id]
