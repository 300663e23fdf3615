"""What admins come for: the week, the catalogue, the people, the school itself."""

from __future__ import annotations

from typing import Any

from coursecove.portals.admin.absence import AbsencePages
from coursecove.portals.admin.activity import activity
from coursecove.portals.admin.appointment_types import TypePages
from coursecove.portals.admin.booking_changes import AdminBookingChanges, AdminMovePages, AdminNotePages
from coursecove.portals.admin.booking_for import StaffBookingPages
from coursecove.portals.admin.bookings import LessonPages
from coursecove.portals.admin.calendar import school_calendar
from coursecove.portals.admin.classes import AdminClassList, AdminClassPages, AdminPlanPages
from coursecove.portals.admin.closures import ClosurePages
from coursecove.portals.admin.exports import ExportPages
from coursecove.portals.admin.hours import PersonHoursPages
from coursecove.portals.admin.imports import ImportPages
from coursecove.portals.admin.invitations import InvitationPages, PendingPages
from coursecove.portals.admin.location_calendar import LocationCalendarPages
from coursecove.portals.admin.location_hours import LocationHoursPages
from coursecove.portals.admin.locations import LocationPages
from coursecove.portals.admin.mail_log import MailLogPages
from coursecove.portals.admin.mail_texts import MailTextPages
from coursecove.portals.admin.overview import overview
from coursecove.portals.admin.people import PeoplePages
from coursecove.portals.admin.person import PersonPages
from coursecove.portals.admin.rooms import RoomPages
from coursecove.portals.admin.school import SchoolPages
from coursecove.portals.admin.synchronization import synchronize
from coursecove.portals.admin.teaching import TeachingPages
from coursecove.portals.admin.travel import TravelPages
from coursecove.portals.admin.type_list import TypeListPages
from coursecove.portals.admin.type_preview import PreviewPages
from coursecove.portals.admin.type_questions import QuestionPages
from coursecove.portals.admin.website import website

HANDLERS: list[Any] = [
    overview,
    school_calendar,
    StaffBookingPages,
    LessonPages,
    AdminBookingChanges,
    AdminMovePages,
    AdminNotePages,
    AdminClassPages,
    AdminClassList,
    AdminPlanPages,
    TypePages,
    TypeListPages,
    PreviewPages,
    QuestionPages,
    LocationPages,
    LocationHoursPages,
    RoomPages,
    TravelPages,
    LocationCalendarPages,
    ClosurePages,
    InvitationPages,
    PendingPages,
    PeoplePages,
    PersonPages,
    TeachingPages,
    PersonHoursPages,
    SchoolPages,
    website,
    MailTextPages,
    MailLogPages,
    activity,
    ImportPages,
    ExportPages,
    AbsencePages,
    synchronize,
]
