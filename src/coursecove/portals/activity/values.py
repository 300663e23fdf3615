"""What was changed, in people's words: names of fields, and their values before and after.

Facts keep what the database has: ids, minutes, cents, days as ISO 8601.  None of
that is for a reader, and least of all the JSON around it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from coursecove import formatting
from coursecove.i18n import LANGUAGES, N_, _, ngettext
from coursecove.portals.activity.names import Names
from coursecove.portals.lesson_words import attendance_word, rule_words
from coursecove.tenants.languages import language_name

LABELS = {
    "accent_color": N_("Colour"),
    "address": N_("Address"),
    "appointment_type_id": N_("Lesson"),
    "appointment_type_ids": N_("Lessons"),
    "approve_within_minutes": N_("Time to answer a request"),
    "attendance": N_("Attendance"),
    "bio": N_("About"),
    "bookable_from": N_("Bookable from"),
    "bookable_until": N_("Bookable until"),
    "buffer_after_minutes": N_("Break after"),
    "buffer_before_minutes": N_("Break before"),
    "cancellation_notice_minutes": N_("Cancelling until"),
    "capacity": N_("Seats"),
    "closing": N_("Closing words"),
    "color": N_("Colour"),
    "content": N_("Content"),
    "currency": N_("Currency"),
    "day_limit": N_("Most in a day"),
    "default_cancellation_notice_minutes": N_("Cancelling until (new types)"),
    "default_minimum_notice_minutes": N_("Minimum notice (new types)"),
    "default_reschedule_notice_minutes": N_("Moving until (new types)"),
    "default_travel_minutes": N_("Travel time by default"),
    "description": N_("Description"),
    "directions": N_("Directions"),
    "duration_minutes": N_("Duration"),
    "email": N_("E-mail"),
    "ends_at": N_("End"),
    "ends_on": N_("Last day"),
    "expires_on": N_("May teach until"),
    "file_name": N_("File"),
    "further_durations_minutes": N_("Other durations"),
    "hint": N_("Hint"),
    "horizon_days": N_("Booking horizon"),
    "instructor": N_("Instructor"),
    "instructor_id": N_("Instructor"),
    "instructor_ids": N_("Instructors"),
    "kind": N_("Kind"),
    "label": N_("Question"),
    "language": N_("Language"),
    "languages": N_("Languages"),
    "locale": N_("Language"),
    "location_id": N_("Location"),
    "location_ids": N_("Locations"),
    "location_mode": N_("Where"),
    "logo": N_("Logo"),
    "meeting_url": N_("Meeting link"),
    "minimum_notice_minutes": N_("Minimum notice"),
    "most_reschedules": N_("Most times moved"),
    "name": N_("Name"),
    "on_date": N_("Day"),
    "opening": N_("Opening words"),
    "opening_hours": N_("Opening hours"),
    "options": N_("Choices"),
    "overridden_rules": N_("Rules passed"),
    "photo": N_("Photo"),
    "policy_text": N_("Policies"),
    "postcode_prefixes": N_("Postcodes"),
    "price_cents": N_("Price"),
    "published": N_("Published"),
    "published_at": N_("Published"),
    "reason": N_("Reason"),
    "reminder_minutes": N_("Reminders"),
    "required": N_("Needed"),
    "requires_approval": N_("Approval needed"),
    "reschedule_notice_minutes": N_("Moving until"),
    "role": N_("Role"),
    "room_id": N_("Room"),
    "rows": N_("Rows"),
    "seats": N_("Seats taken"),
    "self_enrolment": N_("Anybody may join"),
    "shared": N_("Shared with the student"),
    "start_interval_minutes": N_("Start times every"),
    "starts_at": N_("Start"),
    "starts_on": N_("First day"),
    "student_day_limit": N_("Most in a day for one student"),
    "student_week_limit": N_("Most in a week for one student"),
    "subject": N_("Subject"),
    "time_zone": N_("Time zone"),
    "travel_minutes": N_("Travel time"),
    "visibility": N_("Visible to"),
    "waitlist_offer_minutes": N_("A freed seat is kept for"),
    "week_limit": N_("Most in a week"),
    "weekly_hours": N_("Weekly hours"),
    "windows": N_("Hours"),
    "yearly": N_("Every year"),
}
#: What a fact carries for programs, or what its sentence says already.
_SILENT = frozenset({
    "answers", "appointment_type_id", "approved", "booking_ids", "copied_from_id", "former_ends_at",
    "former_instructor_id", "former_starts_at", "from_waitlist", "held", "in_class", "instructor_id",
    "joined_by_id", "lessons", "link_key", "locale", "note_id", "offer_expires_at", "pending", "position",
    "question_ids", "reference", "revision", "room_ids", "rules_overridden", "scope", "series_id",
    "series_on", "session_id", "student_id", "tell_instructor", "with_series", "zone_ids",
})  # fmt: skip
#: When a lesson is stands in its sentence.
_SAID_OF_LESSONS = frozenset({"starts_at", "ends_at", "location_id", "room_id"})
#: Fields of a changed thing that are silent elsewhere.
_SPOKEN_WHEN_CHANGED = frozenset({"instructor_id", "appointment_type_id", "locale", "position"})

_WORDS: dict[str, dict[str, str]] = {
    "location_mode": {
        "in_person": N_("In person"),
        "online": N_("Online"),
        "students_place": N_("At the student’s place"),
    },
    "visibility": {
        "public": N_("Everybody"),
        "members": N_("Members"),
        "link": N_("Whoever has the link"),
    },
    "role": {"admin": N_("Admin"), "instructor": N_("Instructor"), "student": N_("Student")},
    "kind": {
        "private": N_("Private lesson"),
        "class": N_("Class"),
        "short_text": N_("Short text"),
        "long_text": N_("Long text"),
        "choice": N_("Choice"),
        "yes_no": N_("Yes or no"),
        "people": N_("People"),
        "appointment_types": N_("Appointment types"),
        "hours": N_("Hours"),
        "confirmation": N_("Confirmation"),
        "series_booked": N_("Series booked"),
        "series_approved": N_("Series confirmed"),
        "series_declined": N_("Series declined"),
        "series_lapsed": N_("Series lapsed"),
        "series_moved": N_("Series moved"),
        "series_cancelled": N_("Series cancelled"),
        "cancellation": N_("Cancellation"),
        "reminder": N_("Reminder"),
        "request": N_("Request"),
        "approval": N_("Confirmation of a request"),
        "decline": N_("Request declined"),
        "lapse": N_("Request lapsed"),
        "change": N_("Change"),
    },
}
_NOTICES = ("_notice_minutes", "approve_within_minutes")
_LONGEST = 160


@dataclass(frozen=True, slots=True)
class Line:
    """A field of a fact: what it was (None: the fact says only what it is) and what it is."""

    label: str
    was: str | None
    now: str


def lines_of(data: Mapping[str, Any], names: Names, *, of_lesson: bool = False) -> list[Line]:
    """Return what a fact says, field by field, in the order of its labels."""
    found = []
    for name, value in data.items():
        if of_lesson and (name == "ends_at" or (name in _SAID_OF_LESSONS and not isinstance(value, dict))):
            continue
        if isinstance(value, dict) and set(value) == {"from", "to"}:
            if name in _SILENT and name not in _SPOKEN_WHEN_CHANGED:
                continue
            was, now = _said(name, value["from"], names), _said(name, value["to"], names)
            found.append(Line(label_of(name), was, now))
        elif name not in _SILENT and value not in (None, "", [], False):
            found.append(Line(label_of(name), None, _said(name, value, names)))
    return sorted(found, key=lambda line: line.label)


def label_of(name: str) -> str:
    """Return what a field is called; one without a label by its own name, in words."""
    return _(LABELS[name]) if name in LABELS else name.removesuffix("_id").replace("_", " ").capitalize()


def _said(name: str, value: Any, names: Names) -> str:
    if value is None or value in ("", []):
        return _("none")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if name == "published_at":
        return _("yes")
    if name in ("logo", "photo"):
        return _("a picture")
    if isinstance(value, list):
        return _listed(name, value, names)
    return _short(_one(name, value, names))


def _listed(name: str, values: list[Any], names: Names) -> str:
    if all(isinstance(value, Mapping) and "starts_minute" in value for value in values):
        return ", ".join(_window(value, names) for value in values)
    if any(isinstance(value, Mapping | list) for value in values):
        return ngettext("{count} entry", "{count} entries", len(values)).format(count=len(values))
    singular = name.removesuffix("s") if name.endswith("_ids") else name
    return formatting.listed([_one(singular, value, names) for value in values])


def _window(value: Mapping[str, Any], names: Names) -> str:
    times = "–".join(formatting.clock_minutes(int(value[end])) for end in ("starts_minute", "ends_minute"))
    day = f"{formatting.weekday(int(value['weekday']), 'abbreviated')} " if value.get("weekday") else ""
    place = names.name_of("location_id", value.get("location_id")) if value.get("location_id") else None
    return f"{day}{times}" + (f" ({place})" if place else "")


def _one(name: str, value: Any, names: Names) -> str:
    if name in ("instructor", "former_instructor") or name.endswith("_id"):
        return names.name_of(name, value) or _("something that no longer exists")
    speak = _SPEAKERS.get(name)
    if speak is not None:
        return speak(str(value))
    if name in _WORDS:
        word = _WORDS[name].get(str(value))
        return _(word) if word else str(value)
    if isinstance(value, int):
        return _number(name, value, names)
    if isinstance(value, str) and name.endswith(("_at", "_on", "_date", "_from", "_until")):
        return _moment(value, names)
    # Nothing of a shape nobody thought of is shown as it is stored.
    return str(value) if isinstance(value, str | int | float) else _("something else")


def _number(name: str, value: int, names: Names) -> str:
    if name == "price_cents":
        return formatting.money(value, names.currency)
    if name.endswith(_NOTICES):
        return formatting.notice(value)
    if name.endswith("_minutes"):
        return formatting.duration(value)
    if name.endswith("_days"):
        return ngettext("{count} day", "{count} days", value).format(count=formatting.number(value))
    return formatting.number(value)


def _moment(value: str, names: Names) -> str:
    try:
        if len(value) == len("2026-12-03"):
            return formatting.date_short(date.fromisoformat(value))
        instant = datetime.fromisoformat(value)
    except ValueError:
        return value
    return f"{formatting.day(instant, names.zone)}, {formatting.time(instant, names.zone)}"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1].rstrip() + "…"


_SPEAKERS: dict[str, Callable[[str], str]] = {
    "attendance": attendance_word,
    "language": lambda code: LANGUAGES.get(code, code),
    "reminder_minutes": lambda minutes: _("{span} before").format(span=formatting.notice(int(minutes))),
    "languages": language_name,
    "locale": lambda code: LANGUAGES.get(code, code),
    "overridden_rules": rule_words,
    "time_zone": formatting.zone_name,
}
