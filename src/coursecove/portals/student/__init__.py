"""What students come for: the school's front page, booking a lesson, their own lessons."""

from __future__ import annotations

from typing import Any

from coursecove.portals.student.booking import BookingPages
from coursecove.portals.student.calendar_link import CalendarLinkPages
from coursecove.portals.student.classes import ClassPages
from coursecove.portals.student.embedding import embedded_catalogue, embedded_times, widget_script
from coursecove.portals.student.family import FamilyPages
from coursecove.portals.student.front import front
from coursecove.portals.student.lessons import LessonPages
from coursecove.portals.student.moving import MovePages
from coursecove.portals.student.repeating import SeriesPages
from coursecove.portals.student.settings import SettingsPages

HANDLERS: list[Any] = [
    front,
    BookingPages,
    SeriesPages,
    LessonPages,
    MovePages,
    ClassPages,
    FamilyPages,
    SettingsPages,
    CalendarLinkPages,
    widget_script,
    embedded_catalogue,
    embedded_times,
]
