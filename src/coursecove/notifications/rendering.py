"""What a mail about a booking says, as its recipient may see it: subject, text and HTML."""

from __future__ import annotations

from functools import cache
from typing import Literal

from jinja2 import Environment
from msgspec import Struct

from coursecove.bookings.schemas import BookingView
from coursecove.i18n import _
from coursecove.notifications.mail_texts import MailWords, filled
from coursecove.notifications.recipients import Part
from coursecove.notifications.wording import moment_in_words, short_start, time_span
from coursecove.templating import template_engine
from coursecove.tenants.schemas import OrganizationView

Kind = Literal["confirmation", "cancellation"]

_TEMPLATES = {"confirmation": "emails/booking_confirmed", "cancellation": "emails/booking_cancelled"}


class Notice(Struct, frozen=True):
    """One mail's subject matter."""

    kind: Kind
    part: Part
    booking: BookingView
    organization: OrganizationView
    # Where the recipient finds the lesson.
    link: str
    zone: str
    other_zone: str | None
    # What the school says in this kind of mail in its own words.
    words: MailWords | None = None


class Content(Struct, frozen=True):
    """One mail's words."""

    subject: str
    text: str
    html: str


def render(notice: Notice) -> Content:
    """Return the words of a notice; names and notes are escaped in HTML."""
    booking = notice.booking
    words = filled(notice.words or MailWords(), placeholder_values(notice))
    headline = words.subject or subject(notice)
    values = {
        "kind": notice.kind,
        "part": notice.part,
        "booking": booking,
        "organization": notice.organization,
        "brand": notice.organization.accent_color,
        "brand_foreground": readable_on(notice.organization.accent_color),
        "link": notice.link,
        "when": time_span(booking.starts_at, booking.ends_at, notice.zone),
        "when_elsewhere": (
            time_span(booking.starts_at, booking.ends_at, notice.other_zone) if notice.other_zone else None
        ),
        "cancel_until": moment_in_words(booking.cancel_until, notice.zone),
        "cancelled_by_you": booking.cancelled_by is not None
        and booking.cancelled_by.id == getattr(booking, notice.part).id,
        "subject": headline,
        "opening": words.opening,
        "closing": words.closing,
    }
    template = _TEMPLATES[notice.kind]
    return Content(
        subject=headline,
        text=_environment().get_template(f"{template}.txt").render(values).strip() + "\n",
        html=_environment().get_template(f"{template}.html").render(values),
    )


def subject(notice: Notice) -> str:
    """Return the subject in plain words, with the zone when the reader might think of another."""
    booking = notice.booking
    start = short_start(booking.starts_at, notice.zone, with_zone=notice.other_zone is not None)
    what = booking.appointment_type.name
    if notice.part == "instructor":
        what = f"{what} with {booking.student.name}"
    verb = {
        ("confirmation", "student"): "Confirmed",
        ("confirmation", "instructor"): "New lesson",
    }.get((notice.kind, notice.part), "Cancelled")
    return f"{verb}: {what}, {start}"


def placeholder_values(notice: Notice) -> dict[str, str]:
    """Return what the placeholders of a school's words become."""
    booking = notice.booking
    place = booking.address
    if booking.location is not None:
        place = ", ".join(part for part in (booking.location.name, booking.location.address) if part)
    return {
        "student": booking.student.name,
        "lesson": booking.appointment_type.name,
        "instructor": booking.instructor.name,
        "when": time_span(booking.starts_at, booking.ends_at, notice.zone),
        "where": place or _("online"),
        "school": notice.organization.name,
        "reference": booking.reference,
    }


def readable_on(color: str) -> str:
    """Return white or near black, whichever reads better on ``#rrggbb`` (WCAG relative luminance)."""
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#ffffff" if 1.05 / (luminance + 0.05) >= 4.5 else "#111114"


@cache
def _environment() -> Environment:
    return template_engine()
