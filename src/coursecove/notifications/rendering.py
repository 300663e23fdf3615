"""A mail's words in both forms, text and HTML, with the school's look and its own words where it has some."""

from __future__ import annotations

from functools import cache
from urllib.parse import urljoin

from jinja2 import Environment
from msgspec import Struct

from coursecove.i18n import _
from coursecove.notifications.formers import Former
from coursecove.notifications.kinds import Kind
from coursecove.notifications.letters import Fact, Letter, letter_of, subject
from coursecove.notifications.mail_texts import MailWords, filled
from coursecove.notifications.notices import Notice
from coursecove.notifications.series_letters import series_letter
from coursecove.notifications.wording import time_span
from coursecove.templating import template_engine
from coursecove.tenants.schemas import OrganizationView

__all__ = [
    "Content",
    "Former",
    "Kind",
    "Notice",
    "placeholder_values",
    "readable_on",
    "render",
    "render_letter",
    "subject",
]


class Content(Struct, frozen=True):
    """One mail's words."""

    subject: str
    text: str
    html: str


def render(notice: Notice) -> Content:
    """Return the words of a notice in the language spoken right now; what people wrote is escaped in HTML."""
    words = filled(notice.words or MailWords(), placeholder_values(notice))
    return render_letter(
        series_letter(notice) if notice.lessons else letter_of(notice),
        notice.organization,
        base=notice.link,
        words=words,
        unsubscribe=notice.unsubscribe,
    )


def render_letter(
    letter: Letter,
    organization: OrganizationView,
    *,
    base: str,
    words: MailWords | None = None,
    unsubscribe: str | None = None,
) -> Content:
    """Return a letter as text and HTML; ``base`` is an address of the school's pages, for its logo."""
    words = words or MailWords()
    headline = words.subject or letter.subject
    values = {
        "letter": letter,
        "organization": organization,
        # An uploaded logo has an address of this host; in a mail it needs all of it.
        "logo_url": urljoin(base, organization.logo_url) if organization.logo_url else None,
        "brand": organization.accent_color,
        "brand_foreground": readable_on(organization.accent_color),
        "subject": headline,
        "opening": words.opening,
        "closing": words.closing,
        "unsubscribe": unsubscribe,
    }
    return Content(
        subject=headline,
        text=_environment()
        .get_template("emails/letter.txt")
        .render(values, facts=_columns(letter.facts))
        .strip()
        + "\n",
        html=_environment().get_template("emails/letter.html").render(values),
    )


def _columns(facts: list[Fact]) -> list[str]:
    """Return facts as lines of plain text, what they say in one column."""
    # A question that a school asked may be long: it stands above its answer.
    short = [len(fact.label) for fact in facts if len(fact.label) <= _LONGEST_LABEL]
    width = max([*short, 0]) + 3
    lines = []
    for fact in facts:
        said = [*(fact.href or fact.text).split("\n"), *(fact.note.split("\n") if fact.note else [])]
        if fact.href:
            said[0] = f"{fact.text.partition(':')[0]}: {fact.href}"
        head = f"{fact.label}:".ljust(width)
        if len(fact.label) > _LONGEST_LABEL:
            lines.append(f"{fact.label}:")
            head = " " * width
        lines.append(f"{head}{said[0]}")
        lines += [f"{' ' * width}{line}" for line in said[1:]]
    return lines


_LONGEST_LABEL = 16


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
