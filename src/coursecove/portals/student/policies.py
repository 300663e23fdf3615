"""What a student may still do with a lesson, in plain words: the promises that stand on the booking."""

from __future__ import annotations

from coursecove import clock
from coursecove.bookings.schemas import BookingView
from coursecove.i18n import _, ngettext
from coursecove.portals.lesson_words import Clocks


def cancelling_words(booking: BookingView, clocks: Clocks) -> str | None:
    """Say until when the student can cancel, or that the time for it is over."""
    if booking.cancelled_at is not None or booking.starts_at <= clock.now():
        return None
    if booking.status == "pending":
        return _("You can take your request back until the lesson would start.")
    until = clocks.moment(booking.cancel_until)
    if booking.cancel_until < clock.now():
        return _(
            "Cancelling online was possible until {until}. "
            "If you cannot come, please get in touch with the school."
        ).format(until=until)
    if booking.cancel_until == booking.starts_at:
        return _("You can cancel free of charge until the lesson starts.")
    return _("You can cancel free of charge until {until}.").format(until=until)


def moving_words(booking: BookingView, clocks: Clocks) -> str | None:
    """Say until when and how often the student can move it, or why they cannot; None where it is over."""
    now = clock.now()
    if booking.cancelled_at is not None or booking.starts_at <= now:
        return None
    if booking.status == "pending":
        return _("A request cannot be moved. Take it back and ask for another time.")
    most = booking.most_reschedules
    if most == 0:
        return _("Lessons like this cannot be moved online. Please get in touch with the school.")
    if most is not None and booking.rescheduled_count >= most:
        return ngettext(
            "You have moved it {count} time, which is as often as possible online.",
            "You have moved it {count} times, which is as often as possible online.",
            most,
        ).format(count=most)
    until = clocks.moment(booking.move_until)
    if booking.move_until < now:
        return _("Moving it online was possible until {until}.").format(until=until)
    starts = booking.move_until == booking.starts_at
    text = (
        _("You can move it to another time until it starts")
        if starts
        else _("You can move it to another time until {until}").format(until=until)
    )
    if most is None:
        return _("{sentence}.").format(sentence=text)
    left = most - booking.rescheduled_count
    often = ngettext("once", "up to {count} times", left).format(count=left)
    if booking.rescheduled_count:
        often = ngettext("once more", "up to {count} more times", left).format(count=left)
    return _("{sentence}, {often}.").format(sentence=text, often=often)
