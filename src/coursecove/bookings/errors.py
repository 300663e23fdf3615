"""What bookings refuse, each with a code a client can rely on."""

from __future__ import annotations

from collections.abc import Sequence

from coursecove.bookings.schemas import Alternative
from coursecove.errors import Conflict, Invalid


class SlotTaken(Conflict):
    """Somebody else has the time; ``extra["alternatives"]`` holds the nearest free ones."""

    code = "slot_taken"
    title = "Somebody else has just taken this time"

    def __init__(self, alternatives: Sequence[Alternative]) -> None:
        super().__init__(_advice(alternatives), extra={"alternatives": list(alternatives)})


class SlotNotOffered(Conflict):
    """The time is against the rules; ``extra["reason"]`` says which, beside the nearest free times."""

    code = "slot_not_offered"
    title = "This time cannot be booked"

    def __init__(self, reason: str, alternatives: Sequence[Alternative]) -> None:
        self.reason = reason
        super().__init__(
            f"{_REASONS[reason]} {_advice(alternatives)}",
            extra={"reason": reason, "alternatives": list(alternatives)},
        )


class StudentBusy(Conflict):
    """The student has another lesson at that time, at this school."""

    code = "student_busy"
    title = "There is another lesson at this time"


class TooLateToCancel(Conflict):
    """The cut-off that was promised when the lesson was booked has passed, or the lesson is over."""

    code = "too_late_to_cancel"
    title = "It is too late to cancel this lesson"


class AlreadyCancelled(Conflict):
    """The lesson was cancelled before, by this person or another."""

    code = "already_cancelled"
    title = "This lesson is already cancelled"


class InstructorNotQualified(Invalid):
    """The instructor does not teach this kind of lesson."""

    code = "instructor_not_qualified"
    title = "This instructor does not teach this lesson"


_REASONS = {
    "too_soon": "It starts too soon to be booked.",
    "too_far": "It is further ahead than lessons can be booked.",
    "outside_hours": "It is outside the hours in which this lesson is taught.",
    "not_on_grid": "Lessons do not start at this minute.",
    "nobody_teaches": "Nobody teaches this lesson at the moment.",
}


def _advice(alternatives: Sequence[Alternative]) -> str:
    return "These times near it are free." if alternatives else "Please look for another day."
