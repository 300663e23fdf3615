"""Every class of the school: on the calendar, with its seats, cancelled."""

from __future__ import annotations

from litestar.di import Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.bookings.class_schemas import ClassView
from coursecove.i18n import _
from coursecove.portals.admin.booking_filters import PATH as LESSONS
from coursecove.portals.admin.navigation import address, admin_clocks, admin_page
from coursecove.portals.class_list import ClassListPage
from coursecove.portals.class_pages import ClassDesk, ClassPages
from coursecove.portals.class_planning import PlanPages
from coursecove.portals.student.choice import instant_text
from coursecove.tenants.guards import as_admin
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

PATH = "/admin/classes"


async def _zone(_session: AsyncSession, organization: OrganizationView, _by: Member) -> str:
    return organization.time_zone


def _book_href(found: ClassView) -> str | None:
    if found.cancelled_at is not None or not found.seats_left:
        return None
    return address(
        "/admin/bookings/new",
        {
            "type": found.appointment_type.slug,
            "time": instant_text(found.starts_at),
            "place": found.location.slug if found.location else None,
        },
    )


DESK = ClassDesk(
    path=PATH,
    lessons=LESSONS,
    listed=lambda: (_("Classes"), PATH),
    page=admin_page,
    zone=_zone,
    clocks=lambda request, organization, venue, _own: admin_clocks(request, organization, venue=venue),
    own=False,
    book_href=_book_href,
)


class AdminClassPages(ClassPages):
    """One class with its seats."""

    path = PATH
    dependencies = {"by": Provide(as_admin)}
    desk = DESK


class AdminClassList(ClassListPage):
    """The classes of the coming weeks."""

    path = PATH
    dependencies = {"by": Provide(as_admin)}
    desk = DESK


class AdminPlanPages(PlanPages):
    """Putting anybody's classes on the calendar."""

    path = f"{PATH}/new"
    dependencies = {"by": Provide(as_admin)}
    desk = DESK
