"""What instructors come for: their lessons, their hours, what students see of them."""

from __future__ import annotations

from typing import Any

from coursecove.portals.teach.hours import HoursPages
from coursecove.portals.teach.lessons import TaughtLessonPages
from coursecove.portals.teach.profile import ProfilePages
from coursecove.portals.teach.schedule import schedule

HANDLERS: list[Any] = [schedule, TaughtLessonPages, HoursPages, ProfilePages]
