"""What instructors come for: their lessons, their hours, what students see of them."""

from __future__ import annotations

from typing import Any

from coursecove.portals.teach.calendar_link import TeachingCalendarPages
from coursecove.portals.teach.classes import TaughtClassList, TaughtClassPages, TaughtPlanPages
from coursecove.portals.teach.hours import HoursPages
from coursecove.portals.teach.lessons import TaughtLessonPages, TaughtNotePages
from coursecove.portals.teach.moving import TaughtMovePages
from coursecove.portals.teach.profile import ProfilePages
from coursecove.portals.teach.substitution import OwnAbsence
from coursecove.portals.teach.today import today
from coursecove.portals.teach.types import own_types
from coursecove.portals.teach.week import week

HANDLERS: list[Any] = [
    today,
    week,
    TaughtLessonPages,
    TaughtNotePages,
    TaughtMovePages,
    TaughtClassPages,
    TaughtClassList,
    TaughtPlanPages,
    OwnAbsence,
    own_types,
    HoursPages,
    ProfilePages,
    TeachingCalendarPages,
]
