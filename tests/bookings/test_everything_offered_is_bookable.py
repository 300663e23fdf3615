"""One engine offers and accepts: a random walk over a real database."""

from __future__ import annotations

import random
from datetime import timedelta

from coursecove.bookings.errors import SlotNotOffered, SlotTaken, StudentBusy
from tests.bookings.desk import IDA, LEO, MIA, MONDAY, PRIYA, TOMAS, Desk

STEPS = 30
OVERLAPS = """
select count(*) from sessions a join sessions b
  on a.instructor_id = b.instructor_id and a.id < b.id and a.during && b.during
where a.cancelled_at is null and b.cancelled_at is null
union all
select count(*) from bookings a join bookings b
  on a.student_id = b.student_id and a.id < b.id and a.during && b.during
where a.cancelled_at is null and b.cancelled_at is null
"""


def test_everything_offered_is_bookable_and_what_is_not_offered_is_refused(desk: Desk) -> None:
    """Thirty random steps, each: a bookable time is booked, a time that is not offered is refused."""
    dice = random.Random(20310303)
    desk.add_type("Any length", [IDA, TOMAS], duration_minutes=25, buffer_before_minutes=10)
    booked, refused = [], 0
    for _ in range(STEPS):
        student = dice.choice([MIA, LEO, PRIYA])
        name = dice.choice(["Piano lesson", "Violin lesson", "Music theory online", "Any length"])
        teacher = dice.choice([None, IDA])
        from_ = MONDAY + timedelta(days=dice.randrange(10), hours=dice.randrange(10))
        offered = desk.slots(name, from_, days=2, teacher=teacher, student_id=desk.school.members[student])
        starts = {slot.starts_at for slot in offered}
        if offered:
            slot = dice.choice(offered)
            place = slot.location.name if slot.location else None
            chosen = dice.choice([None, *slot.instructors])
            booking = desk.book(
                student,
                name,
                slot.starts_at,
                teacher=IDA if teacher or (chosen and chosen.name == "Ida Berg") else None,
                place=place,
            )
            assert booking.instructor.name in {person.name for person in slot.instructors}
            assert (booking.starts_at, booking.ends_at) == (slot.starts_at, slot.ends_at)
            booked.append((student, booking))
        elsewhere = from_ + timedelta(minutes=5 * dice.randrange(1, 500))
        if elsewhere not in starts:
            try:
                desk.book(student, name, elsewhere, teacher=teacher)
            except (SlotTaken, SlotNotOffered, StudentBusy):
                refused += 1
            else:
                raise AssertionError(f"{name} at {elsewhere} was not offered and could be booked")
        if booked and dice.random() < 0.2:
            who, booking = booked.pop(dice.randrange(len(booked)))
            if desk.get(who, booking.id).can_cancel:
                desk.cancel(who, booking)
    assert len(booked) > STEPS / 3
    assert refused > STEPS / 3
    assert desk.rows(OVERLAPS) == [(0,), (0,)]
