"""The question that comes before hours are changed: which lessons would be outside, in words."""

from __future__ import annotations

from typing import Any

from coursecove import formatting
from coursecove.bookings.affected import Affected
from coursecove.i18n import _, ngettext
from coursecove.portals.lesson_words import zone_label


def question(affected: Affected | None, *, whose: bool) -> dict[str, Any] | None:
    """Return what `components/affected.html` shows; None when no lesson is affected.

    ``whose`` names the instructor of each lesson, where it is not one person's page.
    """
    if not affected:
        return None
    zones = {lesson.time_zone for lesson in affected.lessons}
    lines = []
    for lesson in affected.lessons:
        when = (
            f"{formatting.day(lesson.starts_at, lesson.time_zone)}, "
            f"{formatting.time_range(lesson.starts_at, lesson.ends_at, lesson.time_zone)}"
        )
        people = [*lesson.students[:3]]
        if len(lesson.students) > len(people):
            people.append(_("{number} more").format(number=len(lesson.students) - len(people)))
        facts = [lesson.appointment_type, formatting.listed(people) if people else _("no students yet")]
        facts += [_("with {name}").format(name=lesson.instructor)] if whose else []
        facts += [lesson.location] if lesson.location else []
        lines.append(
            {
                "when": f"{when} ({zone_label(lesson.time_zone)})" if len(zones) > 1 else when,
                "what": " · ".join(facts),
            }
        )
    more = affected.total - len(lines)
    return {
        "title": ngettext(
            "One lesson is booked then.", "{number} lessons are booked then.", affected.total
        ).format(number=affected.total),
        "lines": lines,
        "more": ngettext("and one more", "and {number} more", more).format(number=more) if more else None,
        "zone": zone_label(zones.pop()) if len(zones) == 1 else None,
        "fingerprint": affected.fingerprint,
    }
