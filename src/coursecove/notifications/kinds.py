"""The kinds of mail there are, in the order a person meets them."""

from __future__ import annotations

from typing import Literal, get_args

from coursecove.i18n import N_

Kind = Literal[
    "confirmation",
    "series_booked",
    "request",
    "approval",
    "decline",
    "lapse",
    "change",
    "handover",
    "cancellation",
    "series_approved",
    "series_declined",
    "series_lapsed",
    "series_moved",
    "series_cancelled",
    "reminder",
    "offer",
    "offer_lapsed",
    "list_ended",
    "clock_change",
]
KINDS: tuple[Kind, ...] = get_args(Kind)

LABELS: dict[str, str] = {
    "confirmation": N_("Confirmation"),
    "series_booked": N_("Series booked"),
    "request": N_("Request received"),
    "approval": N_("Request confirmed"),
    "decline": N_("Request declined"),
    "lapse": N_("Request lapsed"),
    "change": N_("Change"),
    "handover": N_("Handed over"),
    "cancellation": N_("Cancellation"),
    "series_approved": N_("Series confirmed"),
    "series_declined": N_("Series declined"),
    "series_lapsed": N_("Series lapsed"),
    "series_moved": N_("Series moved"),
    "series_cancelled": N_("Series cancelled"),
    "reminder": N_("Reminder"),
    "offer": N_("Free seat offered"),
    "offer_lapsed": N_("Offer lapsed"),
    "list_ended": N_("Waiting list ended"),
    "clock_change": N_("Clock change"),
}
#: What one can do without, and end by a link in the mail; everything else says what one agreed to.
DISPENSABLE = frozenset({"reminder", "clock_change"})
#: What becomes of the lesson in the reader's calendar (RFC 5546); the others carry no calendar entry.
CALENDAR_METHODS: dict[str, str] = {
    "confirmation": "REQUEST",
    "request": "REQUEST",
    "approval": "REQUEST",
    "change": "REQUEST",
    "decline": "CANCEL",
    "lapse": "CANCEL",
    "handover": "CANCEL",
    "cancellation": "CANCEL",
}
#: What was done to several lessons of a series, and the one mail that speaks for all of them …
SERIES_ACTS: dict[str, Kind] = {
    "series.booked": "series_booked",
    "series.confirmed": "series_approved",
    "series.declined": "series_declined",
    "series.lapsed": "series_lapsed",
    "series.moved": "series_moved",
    "series.cancelled": "series_cancelled",
}
SERIES_KINDS = frozenset(SERIES_ACTS.values())
#: … and those of them after which the lessons do not take place.
SERIES_ENDED = frozenset({"series_declined", "series_lapsed", "series_cancelled"})
