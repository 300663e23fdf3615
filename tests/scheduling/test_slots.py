"""Each rule of the slot engine, in a school in Berlin unless a sentence says otherwise.

2026-01-05 is a Monday; Berlin is one hour ahead of UTC in January.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from coursecove.scheduling.intervals import Interval
from coursecove.scheduling.rules import (
    Booked,
    Places,
    Reason,
    Refusal,
    Rules,
    Schedule,
    Slot,
    Window,
)
from coursecove.scheduling.slots import (
    accepts,
    free_days,
    nearest,
    offer_starts,
    offers,
)

BERLIN = "Europe/Berlin"
IDA = UUID(int=1)
TOMAS = UUID(int=2)
STUDIO = UUID(int=11)
ANNEX = UUID(int=12)
MONDAY, TUESDAY, SATURDAY, SUNDAY = 1, 2, 6, 7
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = Rules(60)
FREE = Booked()


def at(text: str, zone: str = BERLIN, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)


def span(start: str, end: str, zone: str = BERLIN) -> Interval:
    return int(at(start, zone).timestamp()), int(at(end, zone).timestamp())


def hours(weekday: int, starts: str, ends: str, location_id: UUID | None = None) -> Window:
    def minute(text: str) -> int:
        hour, minutes = text.split(":")
        return int(hour) * 60 + int(minutes)

    return Window(weekday, minute(starts), minute(ends), location_id)


def ida(*windows: Window, zone: str = BERLIN) -> Schedule:
    return Schedule(IDA, zone, windows)


def on(
    day: str,
    schedule: Schedule,
    rules: Rules = HOUR,
    booked: Booked = FREE,
    *,
    places: Places | None = None,
    now: datetime = NEW_YEAR,
) -> list[str]:
    """The wall-clock starts offered on a local day of the schedule, as a person reads them."""
    zone = ZoneInfo(schedule.time_zone)
    noon = datetime.fromisoformat(day).replace(hour=12, tzinfo=zone)
    found = offers(
        rules,
        [schedule],
        booked,
        places=places,
        from_=noon - timedelta(days=2),
        until=noon + timedelta(days=2),
        now=now,
    )
    local = [slot.starts_at.astimezone(zone) for slot in found]
    return [f"{start:%H:%M}" for start in local if start.date().isoformat() == day]


def refusal(answer: Slot | Refusal) -> Reason:
    assert isinstance(answer, Refusal)
    return answer.reason


MORNING = ida(hours(MONDAY, "9:00", "12:00"))


def test_lessons_fill_the_window_and_the_last_one_ends_with_it() -> None:
    assert on("2026-01-05", MORNING) == ["09:00", "10:00", "11:00"]
    assert on("2026-01-05", MORNING, Rules(50)) == ["09:00", "09:50", "10:40"]


def test_a_window_shorter_than_the_lesson_offers_nothing() -> None:
    assert on("2026-01-05", ida(hours(MONDAY, "9:00", "9:45"))) == []


def test_no_lesson_is_offered_on_a_weekday_without_hours() -> None:
    assert on("2026-01-06", MORNING) == []


def test_sunday_is_the_seventh_weekday() -> None:
    assert on("2026-01-11", ida(hours(SUNDAY, "9:00", "10:00"))) == ["09:00"]


def test_several_windows_a_day_are_each_their_own_hours() -> None:
    schedule = ida(hours(MONDAY, "13:15", "14:45"), hours(MONDAY, "9:00", "10:30"))
    assert on("2026-01-05", schedule) == ["09:00", "13:15"]


def test_a_slot_states_taught_and_blocked_time_in_utc() -> None:
    rules = Rules(60, buffer_before_minutes=10, buffer_after_minutes=20)
    schedule = ida(hours(MONDAY, "9:00", "10:00", STUDIO))
    [slot] = offers(rules, [schedule], FREE, from_=at("2026-01-05"), until=at("2026-01-06"), now=NEW_YEAR)
    assert slot == Slot(
        starts_at=datetime(2026, 1, 5, 8, 0, tzinfo=UTC),
        ends_at=datetime(2026, 1, 5, 9, 0, tzinfo=UTC),
        blocked_from=datetime(2026, 1, 5, 7, 50, tzinfo=UTC),
        blocked_until=datetime(2026, 1, 5, 9, 20, tzinfo=UTC),
        instructor_id=IDA,
        location_id=STUDIO,
    )
    assert slot.starts_at.tzinfo is UTC


def test_the_start_interval_is_anchored_to_the_start_of_the_window() -> None:
    rules = Rules(45, start_interval_minutes=30)
    assert on("2026-01-05", ida(hours(MONDAY, "9:10", "11:00")), rules) == ["09:10", "09:40", "10:10"]


def test_half_past_hours_in_india_stay_on_the_indian_clock() -> None:
    schedule = ida(hours(MONDAY, "9:00", "11:00"), zone="Asia/Kolkata")
    assert on("2026-01-05", schedule) == ["09:00", "10:00"]
    [first, _] = offers(HOUR, [schedule], FREE, from_=NEW_YEAR, until=at("2026-01-06"), now=NEW_YEAR)
    assert first.starts_at == datetime(2026, 1, 5, 3, 30, tzinfo=UTC)


def test_windows_that_touch_at_one_location_hold_a_lesson_across_both_and_share_the_first_ones_grid() -> None:
    schedule = ida(hours(MONDAY, "13:00", "14:00", STUDIO), hours(MONDAY, "12:00", "13:00", STUDIO))
    assert on("2026-01-05", schedule, Rules(45)) == ["12:00", "12:45"]


def test_windows_that_overlap_at_one_location_count_once() -> None:
    schedule = ida(
        hours(MONDAY, "9:00", "12:00"), hours(MONDAY, "10:00", "11:00"), hours(MONDAY, "11:30", "13:00")
    )
    assert on("2026-01-05", schedule) == ["09:00", "10:00", "11:00", "12:00"]


def test_windows_that_touch_at_two_locations_do_not_share_a_lesson() -> None:
    schedule = ida(hours(MONDAY, "12:00", "13:00", STUDIO), hours(MONDAY, "13:00", "14:00", ANNEX))
    assert on("2026-01-05", schedule, Rules(45)) == ["12:00", "13:00"]


def test_a_window_that_ends_at_1440_ends_at_midnight_and_no_lesson_crosses_it() -> None:
    schedule = ida(hours(MONDAY, "22:30", "24:00"), hours(TUESDAY, "0:00", "1:00"))
    assert on("2026-01-05", schedule, Rules(30)) == ["22:30", "23:00", "23:30"]
    assert on("2026-01-05", schedule) == ["22:30"]
    assert on("2026-01-06", schedule) == ["00:00"]


def test_a_lesson_may_begin_the_moment_another_ends_when_nobody_asks_for_a_buffer() -> None:
    booked = Booked({IDA: [span("2026-01-05 10:00", "2026-01-05 11:00")]})
    assert on("2026-01-05", MORNING, booked=booked) == ["09:00", "11:00"]


def test_a_second_of_overlap_takes_the_slot() -> None:
    booked = Booked(
        {
            IDA: [
                span("2026-01-05 09:59:59", "2026-01-05 10:00"),
                span("2026-01-05 11:00", "2026-01-05 11:00:01"),
            ]
        }
    )
    assert on("2026-01-05", MORNING, booked=booked) == ["10:00"]


def test_buffers_of_two_neighbours_add_up() -> None:
    # The lesson from 10:00 to 11:00 brought ten minutes before and after it along.
    booked = Booked({IDA: [span("2026-01-05 09:50", "2026-01-05 11:10")]})
    rules = Rules(30, buffer_before_minutes=5, buffer_after_minutes=15, start_interval_minutes=5)
    starts = on("2026-01-05", MORNING, rules, booked)
    assert max(start for start in starts if start < "10:00") == "09:05"  # 9:35 + 15 = 9:50
    assert min(start for start in starts if start > "10:00") == "11:15"  # 11:10 + 5


def test_buffers_do_not_apply_at_the_edges_of_the_working_day() -> None:
    rules = Rules(60, buffer_before_minutes=30, buffer_after_minutes=30)
    assert on("2026-01-05", MORNING, rules) == ["09:00", "10:00", "11:00"]


def test_blocked_time_may_be_unsorted_nested_and_empty() -> None:
    booked = Booked(
        {
            IDA: [
                span("2026-01-05 11:00", "2026-01-05 11:30"),
                span("2026-01-05 08:00", "2026-01-05 10:00"),
                span("2026-01-05 08:30", "2026-01-05 08:45"),
                span("2026-01-05 10:30", "2026-01-05 10:30"),
            ]
        }
    )
    assert on("2026-01-05", MORNING, booked=booked) == ["10:00"]


def test_one_instructors_lesson_does_not_block_another() -> None:
    booked = Booked({TOMAS: [span("2026-01-05 09:00", "2026-01-05 12:00")]})
    assert on("2026-01-05", MORNING, booked=booked) == ["09:00", "10:00", "11:00"]


def test_a_students_own_lesson_hides_the_times_it_meets_but_needs_no_buffer() -> None:
    rules = Rules(60, buffer_before_minutes=15, buffer_after_minutes=15)
    own = [span("2026-01-05 10:00", "2026-01-05 11:00")]
    assert on("2026-01-05", MORNING, rules, booked=Booked(student=own)) == ["09:00", "11:00"]


def test_minimum_notice_counts_elapsed_minutes_and_allows_its_boundary() -> None:
    rules = Rules(60, minimum_notice_minutes=120)
    assert on("2026-01-05", MORNING, rules, now=at("2026-01-05 08:00")) == ["10:00", "11:00"]
    assert on("2026-01-05", MORNING, rules, now=at("2026-01-05 08:00:00.000001")) == ["11:00"]
    ten = at("2026-01-05 10:00")
    assert isinstance(accepts(rules, MORNING, FREE, ten, now=at("2026-01-05 08:00")), Slot)
    late = accepts(rules, MORNING, FREE, ten, now=at("2026-01-05 08:00:00.000001"))
    assert refusal(late) is Reason.TOO_SOON


def test_minimum_notice_is_not_shortened_by_the_clocks_going_forward() -> None:
    # From 22:00 to 10:00 the clock shows twelve hours; eleven pass.
    schedule = ida(hours(SUNDAY, "9:00", "12:00"))
    rules = Rules(60, minimum_notice_minutes=12 * 60)
    assert on("2026-03-29", schedule, rules, now=at("2026-03-28 22:00")) == ["11:00"]


def test_the_horizon_includes_the_whole_last_local_day() -> None:
    schedule = ida(*(hours(day, "0:00", "24:00") for day in range(1, 8)))
    rules = Rules(60, horizon_days=2)
    now = at("2026-01-05 23:30")
    assert on("2026-01-07", schedule, rules, now=now)[-1] == "23:00"
    assert on("2026-01-08", schedule, rules, now=now) == []


def test_the_horizon_counts_days_of_the_schedules_zone() -> None:
    # 23:30 on Sunday in UTC is already Monday in Berlin.
    rules = Rules(60, horizon_days=0)
    assert on("2026-01-05", MORNING, rules, now=datetime(2026, 1, 4, 23, 30, tzinfo=UTC)) != []
    assert on("2026-01-05", MORNING, rules, now=datetime(2026, 1, 4, 22, 30, tzinfo=UTC)) == []


def test_the_range_asked_for_is_half_open() -> None:
    found = offers(
        HOUR, [MORNING], FREE, from_=at("2026-01-05 09:00"), until=at("2026-01-05 11:00"), now=NEW_YEAR
    )
    assert [slot.starts_at for slot in found] == [at("2026-01-05 09:00"), at("2026-01-05 10:00")]


def test_an_empty_or_reversed_range_offers_nothing() -> None:
    noon = at("2026-01-05 10:00")
    assert offers(HOUR, [MORNING], FREE, from_=noon, until=noon, now=NEW_YEAR) == []
    assert offers(HOUR, [MORNING], FREE, from_=noon, until=noon - timedelta(days=1), now=NEW_YEAR) == []


def test_the_edges_of_the_calendar_can_be_asked_for() -> None:
    found = offers(
        Rules(60, horizon_days=4),
        [MORNING],
        FREE,
        from_=datetime.min.replace(tzinfo=UTC),
        until=datetime.max.replace(tzinfo=UTC),
        now=NEW_YEAR,
    )
    assert [slot.starts_at for slot in found] == [at(f"2026-01-05 {hour}:00") for hour in ("09", "10", "11")]


def test_slots_are_sorted_by_start_then_instructor_then_location() -> None:
    tomas = Schedule(TOMAS, BERLIN, (hours(MONDAY, "9:00", "11:00"),))
    two_rooms = ida(hours(MONDAY, "10:00", "11:00", ANNEX), hours(MONDAY, "10:00", "11:00", STUDIO))
    found = offers(HOUR, [tomas, two_rooms], FREE, from_=at("2026-01-05"), until=at("2026-01-06"), now=NEW_YEAR)
    assert [(slot.starts_at, slot.instructor_id, slot.location_id) for slot in found] == [
        (at("2026-01-05 09:00"), TOMAS, None),
        (at("2026-01-05 10:00"), IDA, STUDIO),
        (at("2026-01-05 10:00"), IDA, ANNEX),
        (at("2026-01-05 10:00"), TOMAS, None),
    ]


def test_a_time_without_a_zone_is_refused_loudly() -> None:
    with pytest.raises(ValueError, match="time zone"):
        accepts(HOUR, MORNING, FREE, datetime(2026, 1, 5, 9), now=NEW_YEAR)


@pytest.mark.parametrize(
    ("rules", "starts_at", "reason"),
    [
        (HOUR, "2026-01-05 08:00", Reason.OUTSIDE_HOURS),
        (HOUR, "2026-01-05 11:30", Reason.OUTSIDE_HOURS),
        (HOUR, "2026-01-06 09:00", Reason.OUTSIDE_HOURS),
        (HOUR, "2026-01-05 09:30", Reason.NOT_ON_GRID),
        (HOUR, "2026-01-05 09:00:01", Reason.NOT_ON_GRID),
        (HOUR, "2026-01-05 08:59:59.5", Reason.NOT_ON_GRID),
        (HOUR, "2025-12-29 09:00", Reason.PAST),
        (Rules(60, minimum_notice_minutes=5 * 24 * 60), "2026-01-05 09:00", Reason.TOO_SOON),
        (Rules(60, horizon_days=3), "2026-01-05 09:00", Reason.TOO_FAR),
        (HOUR, "2026-01-05 10:00", Reason.TAKEN),
        (Rules(60, buffer_before_minutes=1), "2026-01-05 11:00", Reason.TAKEN),
    ],
)
def test_a_refused_time_comes_with_its_reason(rules: Rules, starts_at: str, reason: Reason) -> None:
    booked = Booked({IDA: [span("2026-01-05 10:00", "2026-01-05 11:00")]})
    assert refusal(accepts(rules, MORNING, booked, at(starts_at), now=NEW_YEAR)) is reason


def test_a_student_who_sends_the_form_twice_meets_their_own_lesson() -> None:
    lesson = span("2026-01-05 10:00", "2026-01-05 11:00")
    answer = accepts(
        HOUR, MORNING, Booked({IDA: [lesson]}, student=[lesson]), at("2026-01-05 10:00"), now=NEW_YEAR
    )
    assert refusal(answer) is Reason.STUDENT_BUSY


def test_an_accepted_time_is_the_slot_that_was_offered() -> None:
    rules = Rules(60, buffer_before_minutes=10, buffer_after_minutes=20)
    offered = offers(rules, [MORNING], FREE, from_=at("2026-01-05"), until=at("2026-01-06"), now=NEW_YEAR)
    assert [accepts(rules, MORNING, FREE, slot.starts_at, now=NEW_YEAR) for slot in offered] == offered


def test_a_time_at_two_locations_is_accepted_at_the_one_asked_for() -> None:
    schedule = ida(hours(MONDAY, "9:00", "10:00", STUDIO), hours(MONDAY, "9:00", "10:00", ANNEX))
    nine = at("2026-01-05 09:00")
    chosen = accepts(HOUR, schedule, FREE, nine, now=NEW_YEAR, location_id=ANNEX)
    either = accepts(HOUR, schedule, FREE, nine, now=NEW_YEAR)
    assert isinstance(chosen, Slot)
    assert chosen.location_id == ANNEX
    assert isinstance(either, Slot)
    assert either.location_id == STUDIO
    assert refusal(accepts(HOUR, schedule, FREE, nine, now=NEW_YEAR, location_id=None)) is Reason.OUTSIDE_HOURS


def test_the_days_with_something_free_are_days_of_the_viewers_zone() -> None:
    schedule = ida(hours(MONDAY, "9:00", "10:00"), hours(MONDAY, "22:00", "24:00"))
    booked = Booked({IDA: [span("2026-01-12 00:00", "2026-01-13 00:00")]})
    found = offer_starts(HOUR, [schedule], booked, from_=NEW_YEAR, until=at("2026-01-20"), now=NEW_YEAR)
    assert free_days(found, BERLIN) == {date(2026, 1, 5), date(2026, 1, 19)}
    assert free_days(found, "Asia/Tokyo") == {
        date(2026, 1, 5),
        date(2026, 1, 6),
        date(2026, 1, 19),
        date(2026, 1, 20),
    }


def test_the_loser_of_a_race_sees_the_nearest_times_the_earlier_of_two_as_close_first() -> None:
    found = offers(HOUR, [MORNING], FREE, from_=NEW_YEAR, until=at("2026-01-20"), now=NEW_YEAR)
    ten = at("2026-01-05 10:00")
    others = [slot for slot in found if slot.starts_at != ten]
    assert [slot.starts_at for slot in nearest(others, ten, 3, now=NEW_YEAR)] == [
        at("2026-01-05 09:00"),
        at("2026-01-05 11:00"),
        at("2026-01-12 09:00"),
    ]


def test_a_time_that_has_passed_is_no_alternative() -> None:
    found = offers(HOUR, [MORNING], FREE, from_=NEW_YEAR, until=at("2026-01-06"), now=NEW_YEAR)
    late = at("2026-01-05 09:30")
    assert [slot.starts_at for slot in nearest(found, late, 5, now=late)] == [
        at("2026-01-05 10:00"),
        at("2026-01-05 11:00"),
    ]


@pytest.mark.parametrize(
    "broken",
    [
        {"duration_minutes": 0},
        {"duration_minutes": 30, "start_interval_minutes": 0},
        {"duration_minutes": 30, "buffer_before_minutes": -1},
        {"duration_minutes": 30, "buffer_after_minutes": -1},
        {"duration_minutes": 30, "minimum_notice_minutes": -1},
        {"duration_minutes": 30, "horizon_days": -1},
        {"duration_minutes": 30, "horizon_days": 36_501},
    ],
)
def test_rules_that_make_no_sense_are_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"lesson lasts|apart|negative|horizon"):
        Rules(**broken)


@pytest.mark.parametrize(
    ("weekday", "starts", "ends"), [(0, 0, 60), (8, 0, 60), (1, 60, 60), (1, -1, 60), (1, 0, 1441)]
)
def test_hours_that_make_no_sense_are_refused(weekday: int, starts: int, ends: int) -> None:
    with pytest.raises(ValueError, match=r"weekday|hours"):
        Window(weekday, starts, ends)
