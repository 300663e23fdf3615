"""An instructor moves a lesson of their own to another time."""

from __future__ import annotations

from litestar.di import Provide

from coursecove.portals.moving import MovePages
from coursecove.portals.teach.addresses import LESSONS
from coursecove.portals.teach.lessons import TaughtLessonPages
from coursecove.tenants.guards import as_staff


class TaughtMovePages(MovePages):
    """Another time, place or room; a lesson changes hands by handing it over."""

    path = LESSONS
    dependencies = {"by": Provide(as_staff)}
    desk = TaughtLessonPages.desk
    others = False
