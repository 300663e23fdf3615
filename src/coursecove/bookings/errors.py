"""What bookings refuse, each with a code a client can rely on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from coursecove.bookings.class_schemas import ClassConflict
from coursecove.bookings.schemas import Alternative
from coursecove.errors import Conflict, Invalid
from coursecove.i18n import N_, _


class BrokenRule(Struct, frozen=True):
    """A rule that a time breaks, in words; ``overridable``: staff may pass it with ``override_rules``."""

    rule: str
    message: str
    overridable: bool


class SlotTaken(Conflict):
    """Somebody else has the time; ``extra["alternatives"]`` holds the nearest free ones."""

    code = "slot_taken"
    title = N_("Somebody else has just taken this time")

    def __init__(self, alternatives: Sequence[Alternative], broken_rules: Sequence[BrokenRule] = ()) -> None:
        super().__init__(
            _advice(alternatives),
            extra={"alternatives": list(alternatives), "broken_rules": list(broken_rules)},
        )


class SlotNotOffered(Conflict):
    """The time is against the rules.

    ``extra["reason"]`` says which to tell first and ``extra["broken_rules"]``
    all of them, beside the nearest free times in ``extra["alternatives"]``.
    """

    code = "slot_not_offered"
    title = N_("This time cannot be booked")

    def __init__(
        self,
        reason: str,
        alternatives: Sequence[Alternative],
        broken_rules: Sequence[BrokenRule] = (),
    ) -> None:
        self.reason = reason
        super().__init__(
            f"{in_words(reason)} {_advice(alternatives)}",
            extra={
                "reason": reason,
                "alternatives": list(alternatives),
                "broken_rules": list(broken_rules),
            },
        )


class StudentBusy(Conflict):
    """The student has another lesson at that time, at this school."""

    code = "student_busy"
    title = N_("There is another lesson at this time")


class ClassFull(Conflict):
    """Every seat of the class is taken; ``extra["alternatives"]`` holds its next sessions with free ones."""

    code = "class_full"
    title = N_("Every seat is taken")

    def __init__(self, alternatives: Sequence[Alternative]) -> None:
        super().__init__(_advice(alternatives), extra={"alternatives": list(alternatives)})


class ClassNotScheduled(Conflict):
    """Some of the times do not work, so none was put on the calendar; ``extra["conflicts"]`` lists them."""

    code = "class_not_scheduled"
    title = N_("The class cannot be at all of these times")

    def __init__(self, conflicts: Sequence[ClassConflict], broken_rules: Sequence[BrokenRule]) -> None:
        super().__init__(
            _("Nothing was put on the calendar."),
            extra={"conflicts": list(conflicts), "broken_rules": list(broken_rules)},
        )


class TooLateToCancel(Conflict):
    """The cut-off that was promised when the lesson was booked has passed, or the lesson is over."""

    code = "too_late_to_cancel"
    title = N_("It is too late to cancel this lesson")


class AlreadyCancelled(Conflict):
    """The lesson was cancelled before, by this person or another."""

    code = "already_cancelled"
    title = N_("This lesson is already cancelled")


class TooLateToMove(Conflict):
    """The cut-off for moving has passed, it was moved as often as allowed, or the lesson is over."""

    code = "too_late_to_move"
    title = N_("This lesson can no longer be moved")


class HoldExpired(Conflict):
    """The time was kept until a moment that has passed, or it was let go."""

    code = "hold_expired"
    title = N_("This time is no longer kept for you")

    def __init__(self) -> None:
        super().__init__(_("Choose it again if it is still free."))


class TooManyHolds(Conflict):
    """Nobody keeps a whole day for themselves."""

    code = "too_many_holds"
    title = N_("You keep several times already")

    def __init__(self) -> None:
        super().__init__(_("Book one of them, or let one go, and try again."))


class SeatsLeft(Conflict):
    """There is nothing to wait for: a seat can be booked."""

    code = "seats_left"
    title = N_("There is a free seat")

    def __init__(self) -> None:
        super().__init__(_("Book it right away."))


class InClassAlready(Conflict):
    """Who has a seat does not wait for one."""

    code = "in_class_already"
    title = N_("There is a seat in this class already")


class OfferEnded(Conflict):
    """No seat is offered (any more): it was declined, has run out, or was not this one's turn yet."""

    code = "offer_ended"
    title = N_("This seat is no longer offered")

    def __init__(self) -> None:
        super().__init__(_("Join the list again to be offered the next one."))


class SeriesConflict(Conflict):
    """Some dates cannot be had, so nothing was written; ``extra["preview"]`` says which, and what is free."""

    code = "series_conflict"
    title = N_("Some of the lessons cannot be at this time")

    def __init__(self, preview: Struct) -> None:
        super().__init__(_("Nothing was changed. Decide about the marked dates."), extra={"preview": preview})


class LessonsAhead(Conflict):
    """Somebody who still has lessons is not taken out of the school."""

    code = "lessons_ahead"
    title = N_("There are lessons ahead")


class NotWaiting(Conflict):
    """The request was answered or taken back before, or its deadline has passed."""

    code = "not_waiting"
    title = N_("This request is no longer waiting for an answer")


class NotTaughtYet(Conflict):
    """Who came is known from the lesson's start on."""

    code = "not_taught_yet"
    title = N_("This lesson has not started yet")


class CannotHandOver(Conflict):
    """Some lessons cannot be given to whom was chosen; ``extra["lessons"]`` says which and why."""

    code = "cannot_hand_over"
    title = N_("Not every lesson can be given away like this")


class InstructorNotQualified(Invalid):
    """The instructor does not teach this kind of lesson."""

    code = "instructor_not_qualified"
    title = N_("This instructor does not teach this lesson")


# By the names of scheduling.rules.Reason.
_REASONS = {
    "past": N_("This time has passed."),
    "too_soon": N_("It starts too soon to be booked."),
    "too_far": N_("It is further ahead than lessons can be booked."),
    "outside_term": N_("It is outside the term in which this lesson is taught."),
    "not_qualified": N_("The instructor's qualification for this lesson has ended by then."),
    "closed": N_("The school or the place is closed that day."),
    "outside_hours": N_("It is outside the hours in which this lesson is taught."),
    "location_closed": N_("The place is not open at that time."),
    "time_off": N_("The instructor is away."),
    "not_on_grid": N_("Lessons do not start at this minute."),
    "not_scheduled": N_("This class does not take place at that time."),
    "limit_reached": N_("No more of these lessons fit into that day or week."),
    "student_busy": N_("There is another lesson at this time."),
    "taken": N_("The instructor has another lesson then."),
    "no_room": N_("No room is free then."),
    "full": N_("Every seat is taken."),
    "nobody_teaches": N_("Nobody teaches this lesson at the moment."),
}


def in_words(reason: str) -> str:
    """Return the sentence for a rule's name."""
    return _(_REASONS[reason])


def broken(reasons: Iterable[str], overridable: Iterable[str]) -> list[BrokenRule]:
    """Return rules in words, in their order and each once."""
    may = set(overridable)
    return [BrokenRule(str(r), in_words(r), r in may) for r in dict.fromkeys(reasons)]


def _advice(alternatives: Sequence[Alternative]) -> str:
    return _("These times near it are free.") if alternatives else _("Please look for another day.")
