"""What hours mean on the days the clocks change, in zones that change in different ways."""

from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from coursecove.scheduling import zones
from coursecove.scheduling.rules import Booked, Reason, Refusal, Rules, Schedule, Slot, Window
from coursecove.scheduling.slots import accepts, offers

IDA = UUID(int=1)
EVERY_DAY = range(1, 8)


def offered(zone: str, day: str, starts: int, ends: int, rules: Rules) -> list[Slot]:
    """What hours from one minute to another, every day, offer on one local day."""
    schedule = Schedule(IDA, zone, tuple(Window(weekday, starts, ends) for weekday in EVERY_DAY))
    noon = datetime.fromisoformat(day).replace(hour=12, tzinfo=ZoneInfo(zone))
    found = offers(
        rules,
        [schedule],
        Booked(),
        from_=noon - timedelta(days=2),
        until=noon + timedelta(days=2),
        now=noon - timedelta(days=9),
    )
    return [slot for slot in found if slot.starts_at.astimezone(ZoneInfo(zone)).date().isoformat() == day]


def labels(zone: str, day: str, starts: int, ends: int, rules: Rules) -> list[str]:
    """The same as a person reads it, with the offset."""
    return [
        f"{slot.starts_at.astimezone(ZoneInfo(zone)):%H:%M%z}"
        for slot in offered(zone, day, starts, ends, rules)
    ]


def test_in_berlin_no_slot_is_offered_in_the_hour_that_is_skipped() -> None:
    assert labels("Europe/Berlin", "2026-03-29", 60, 300, Rules(60)) == [
        "01:00+0100",
        "03:00+0200",
        "04:00+0200",
    ]


def test_in_berlin_a_window_that_starts_in_the_gap_starts_at_the_first_valid_instant() -> None:
    assert labels("Europe/Berlin", "2026-03-29", 150, 300, Rules(60)) == ["03:00+0200", "04:00+0200"]


def test_in_berlin_a_window_that_ends_in_the_gap_ends_at_the_change() -> None:
    assert labels("Europe/Berlin", "2026-03-29", 60, 150, Rules(30)) == ["01:00+0100", "01:30+0100"]


def test_in_berlin_a_window_inside_the_gap_offers_nothing() -> None:
    assert labels("Europe/Berlin", "2026-03-29", 120, 180, Rules(15)) == []
    assert labels("Europe/Berlin", "2026-03-28", 120, 180, Rules(30)) == ["02:00+0100", "02:30+0100"]


def test_in_berlin_a_window_spans_both_hours_when_one_is_repeated() -> None:
    assert labels("Europe/Berlin", "2026-10-25", 60, 240, Rules(60)) == [
        "01:00+0200",
        "02:00+0200",
        "02:00+0100",
        "03:00+0100",
    ]


def test_a_window_that_ends_where_the_clocks_go_back_to_is_not_an_hour_longer() -> None:
    assert labels("Europe/Berlin", "2026-10-25", 60, 120, Rules(30)) == ["01:00+0200", "01:30+0200"]


def test_a_window_that_ends_within_the_repeated_hour_ends_in_its_second_pass() -> None:
    assert labels("Europe/Berlin", "2026-10-25", 60, 150, Rules(30)) == [
        "01:00+0200",
        "01:30+0200",
        "02:00+0200",
        "02:30+0200",
        "02:00+0100",
    ]


def test_two_windows_that_meet_the_same_repeated_hour_offer_each_instant_once() -> None:
    windows = (Window(7, 60, 150), Window(7, 165, 240))
    noon = datetime(2026, 10, 25, 12, tzinfo=UTC)
    found = offers(
        Rules(15),
        [Schedule(IDA, "Europe/Berlin", windows)],
        Booked(),
        from_=noon - timedelta(days=1),
        until=noon,
        now=noon - timedelta(days=2),
    )
    # From 01:00 +0200 to 04:00 +0100 without a break: four hours of quarters.
    assert [slot.starts_at for slot in found] == [
        datetime(2026, 10, 24, 23, tzinfo=UTC) + timedelta(minutes=15 * index) for index in range(16)
    ]


def test_a_lesson_across_the_change_lasts_as_long_as_any_other() -> None:
    [slot] = offered("America/New_York", "2026-03-08", 60, 240, Rules(120))
    assert slot.ends_at - slot.starts_at == timedelta(hours=2)
    assert f"{slot.ends_at.astimezone(ZoneInfo('America/New_York')):%H:%M}" == "04:00"


def test_in_new_york_nine_in_the_morning_stays_nine_after_both_changes() -> None:
    for day, hour in (("2026-03-07", 14), ("2026-03-08", 13), ("2026-10-31", 13), ("2026-11-01", 14)):
        [slot] = offered("America/New_York", day, 540, 600, Rules(60))
        assert slot.starts_at == datetime.fromisoformat(f"{day}T{hour}:00:00+00:00")


def test_on_lord_howe_half_an_hour_is_skipped() -> None:
    assert labels("Australia/Lord_Howe", "2026-10-04", 90, 210, Rules(30)) == [
        "01:30+1030",
        "02:30+1100",
        "03:00+1100",
    ]
    assert labels("Australia/Lord_Howe", "2026-10-04", 135, 180, Rules(15)) == ["02:30+1100", "02:45+1100"]


def test_on_lord_howe_half_an_hour_is_repeated() -> None:
    assert labels("Australia/Lord_Howe", "2026-04-05", 60, 150, Rules(30)) == [
        "01:00+1100",
        "01:30+1100",
        "01:30+1030",
        "02:00+1030",
    ]


def test_starts_after_a_change_keep_their_elapsed_distance_within_the_window() -> None:
    # An hourly grid across a change of half an hour moves by half an hour until the window ends.
    assert labels("Australia/Lord_Howe", "2026-10-04", 60, 270, Rules(60)) == [
        "01:00+1030",
        "02:30+1100",
        "03:30+1100",
    ]


def test_in_kolkata_nothing_ever_changes() -> None:
    for day in ("2026-03-29", "2026-10-25"):
        assert labels("Asia/Kolkata", day, 0, 180, Rules(60)) == ["00:00+0530", "01:00+0530", "02:00+0530"]


@pytest.mark.parametrize(
    ("zone", "day", "first"),
    [
        ("America/Santiago", "2026-09-06", "01:00-0300"),
        ("Africa/Cairo", "2026-04-24", "01:00+0300"),
        ("Asia/Beirut", "2026-03-29", "01:00+0300"),
    ],
)
def test_where_midnight_is_skipped_the_day_begins_at_one(zone: str, day: str, first: str) -> None:
    assert labels(zone, day, 0, 120, Rules(60)) == [first]
    assert labels(zone, day, 30, 120, Rules(60)) == [first]
    assert len(labels(zone, day, 0, 1440, Rules(60))) == 23


@pytest.mark.parametrize(
    ("zone", "day", "offsets"),
    [
        ("America/Santiago", "2026-04-04", ("-0300", "-0400")),
        ("Africa/Cairo", "2026-10-29", ("+0300", "+0200")),
        ("Asia/Beirut", "2026-10-24", ("+0300", "+0200")),
    ],
)
def test_where_the_last_hour_is_repeated_the_day_ends_after_the_second(
    zone: str, day: str, offsets: tuple[str, str]
) -> None:
    assert labels(zone, day, 1380, 1440, Rules(60)) == [f"23:00{offset}" for offset in offsets]
    assert len(labels(zone, day, 0, 1440, Rules(60))) == 25


def test_where_the_first_hour_is_repeated_the_day_before_ends_at_the_first_midnight() -> None:
    assert len(labels("America/Havana", "2026-10-31", 0, 1440, Rules(60))) == 24
    assert labels("America/Havana", "2026-11-01", 0, 60, Rules(60)) == ["00:00-0400", "00:00-0500"]


def test_the_horizon_ends_with_the_second_of_two_last_hours() -> None:
    zone = ZoneInfo("America/Santiago")
    schedule = Schedule(IDA, "America/Santiago", tuple(Window(weekday, 0, 1440) for weekday in EVERY_DAY))
    now = datetime(2026, 4, 3, 12, tzinfo=zone)
    last = datetime(2026, 4, 4, 23, fold=1, tzinfo=zone)
    rules = Rules(60, horizon_days=1)
    assert isinstance(accepts(rules, schedule, Booked(), last, now=now), Slot)
    assert accepts(rules, schedule, Booked(), datetime(2026, 4, 5, tzinfo=zone), now=now) == Refusal(
        (Reason.TOO_FAR,)
    )


def test_both_passes_of_a_repeated_time_are_two_times_to_book() -> None:
    zone = ZoneInfo("Europe/Berlin")
    schedule = Schedule(IDA, "Europe/Berlin", (Window(7, 60, 240),))
    first, second = (datetime(2026, 10, 25, 2, fold=fold, tzinfo=zone) for fold in (0, 1))
    now = datetime(2026, 10, 20, tzinfo=UTC)
    booked = Booked({IDA: [(int(first.timestamp()), int(first.timestamp()) + 3600)]})
    assert accepts(Rules(60), schedule, booked, first, now=now) == Refusal((Reason.TAKEN,))
    assert isinstance(accepts(Rules(60), schedule, booked, second, now=now), Slot)


def test_a_day_the_calendar_skips_has_no_hours() -> None:
    # Samoa crossed the date line: Friday, 30 December 2011 did not happen.
    day = datetime(2011, 12, 30).toordinal()
    friday = zones.opening("Pacific/Apia", day, 0)
    assert friday == zones.opening("Pacific/Apia", day, 600) == zones.closing("Pacific/Apia", day, 1440)
    assert friday == zones.opening("Pacific/Apia", day + 1, 0) == zones.closing("Pacific/Apia", day - 1, 1440)


def test_the_repeated_hour_may_reach_back_into_the_day_before() -> None:
    # Newfoundland changed its clocks at one past midnight until 2011: 23:01 to 00:01 came twice.
    sunday = datetime(2010, 11, 7).toordinal()
    first_midnight = int(datetime(2010, 11, 7, 2, 30, tzinfo=UTC).timestamp())
    assert zones.opening("America/St_Johns", sunday, 0) == first_midnight
    assert zones.closing("America/St_Johns", sunday - 1, 1440) == first_midnight + 3600


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(KeyError, match="Europe/Atlantis"):
        zones.local_day("Europe/Atlantis", 0)
