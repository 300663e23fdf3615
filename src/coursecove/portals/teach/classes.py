"""Classes an instructor gives; admins, who teach as well, see everybody's here."""

from __future__ import annotations

from litestar.di import Provide

from coursecove.i18n import _
from coursecove.portals.class_list import ClassListPage
from coursecove.portals.class_pages import ClassDesk, ClassPages
from coursecove.portals.class_planning import PlanPages
from coursecove.portals.lesson_words import instructor_clocks
from coursecove.portals.teach.addresses import CLASSES, LESSONS
from coursecove.portals.teach.navigation import own_zone, teach_page
from coursecove.tenants.guards import as_staff

DESK = ClassDesk(
    path=CLASSES,
    lessons=LESSONS,
    listed=lambda: (_("My classes"), CLASSES),
    page=teach_page,
    zone=own_zone,
    clocks=lambda _request, _organization, venue, zone: instructor_clocks(venue=venue, own=zone),
    own=True,
    book_href=lambda _found: None,
)


class TaughtClassPages(ClassPages):
    """One class with its seats."""

    path = CLASSES
    dependencies = {"by": Provide(as_staff)}
    desk = DESK


class TaughtClassList(ClassListPage):
    """The classes of the coming weeks."""

    path = CLASSES
    dependencies = {"by": Provide(as_staff)}
    desk = DESK


class TaughtPlanPages(PlanPages):
    """Putting one's own classes on the calendar."""

    path = f"{CLASSES}/new"
    dependencies = {"by": Provide(as_staff)}
    desk = DESK
