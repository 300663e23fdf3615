"""What the times can be narrowed by, beside the calendar: who, how long, where, when in the day; as links."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from coursecove import formatting
from coursecove.i18n import _
from coursecove.portals.student.calendar import part_words
from coursecove.portals.student.choice import Choice
from coursecove.tenants.family import ChildView


def narrowing_of(choice: Choice) -> list[dict[str, Any]]:
    """Return the rows of links above a calendar; a row with one link would choose nothing and is left out."""
    rows = [
        {"label": _("Who is it for?"), "options": student_options(choice)},
        {"label": _("Teacher"), "options": _teachers(choice)},
        {"label": _("Length"), "options": _lengths(choice)},
        {"label": _("Where"), "options": place_options(choice)},
        {"label": _("Time of day"), "options": _parts(choice)},
    ]
    return [row for row in rows if len(row["options"]) > 1]


def _href(choice: Choice) -> str:
    """Return the address of a narrowed choice: on the same day or month, if one was chosen."""
    return choice.href(day=choice.day, month=None if choice.day else choice.month)


def student_options(choice: Choice) -> list[dict[str, Any]]:
    """Return whom it can be for, as links; a time that is chosen stays chosen."""

    def href(student: ChildView | None) -> str:
        other = replace(choice, student=student)
        return other.href(time=choice.time) if choice.time else _href(other)

    if not choice.offer.children:
        return []
    return [
        {"label": _("Me"), "href": href(None), "current": choice.student is None, "icon": "user-round"},
        *(
            {"label": child.given_name, "href": href(child), "current": child == choice.student}
            for child in choice.offer.children
        ),
    ]


def _teachers(choice: Choice) -> list[dict[str, Any]]:
    if choice.offer.is_class:
        return []
    options: list[dict[str, Any]] = []
    # A lesson that is moved has a teacher, and keeps them unless another one is named.
    if not choice.offer.moving_session_id:
        options.append(
            {
                "label": _("Anyone"),
                "href": _href(replace(choice, teacher=None, anyone=True)),
                "current": choice.teacher is None,
                "icon": "users",
            }
        )
    options += [
        {
            "label": teacher.name,
            "href": _href(replace(choice, teacher=teacher, anyone=False)),
            "current": teacher == choice.teacher,
            "initials": formatting.initials(teacher.name),
            "image_url": teacher.image_url,
        }
        for teacher in choice.offer.teachers
    ]
    # Of one teacher alone there is no choice between them and anyone.
    return options if len(choice.offer.teachers) > 1 else []


def _lengths(choice: Choice) -> list[dict[str, Any]]:
    if choice.offer.moving_session_id:
        return []
    return [
        {
            "label": formatting.duration(minutes),
            "href": _href(replace(choice, minutes=minutes)),
            "current": minutes == choice.minutes,
        }
        for minutes in choice.offer.type.durations
    ]


def _parts(choice: Choice) -> list[dict[str, Any]]:
    return [
        {"label": label, "href": _href(replace(choice, part=part)), "current": part == choice.part}
        for part, label in {"": _("Any time"), **part_words()}.items()
    ]


def length_options(choice: Choice) -> list[dict[str, Any]]:
    """Return the lengths to choose from, as links."""
    return [
        {"minutes": minutes, "href": replace(choice, minutes=minutes).href()}
        for minutes in choice.offer.type.durations
    ]


def teacher_options(choice: Choice) -> list[dict[str, Any]]:
    """Return who teaches it, as links."""
    return [
        {
            "href": replace(choice, teacher=teacher, anyone=False).href(),
            "name": teacher.name,
            "initials": formatting.initials(teacher.name),
            "image_url": teacher.image_url,
            "bio": teacher.bio,
        }
        for teacher in choice.offer.teachers
    ]


def place_options(choice: Choice) -> list[dict[str, Any]]:
    """Return the places to narrow the times to, as links; none where there is one."""
    if len(choice.offer.places) < 2:
        return []
    options: list[dict[str, Any]] = [
        {
            "label": place.name,
            "href": _href(replace(choice, place=place)),
            "current": place == choice.place,
        }
        for place in choice.offer.places
    ]
    if choice.offer.one_clock:
        anywhere = replace(choice, place=None)
        options.insert(
            0,
            {
                "label": _("Anywhere"),
                "href": _href(anywhere),
                "current": choice.place is None,
            },
        )
    return options
