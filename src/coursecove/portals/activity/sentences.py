"""A sentence for everything that is tracked: who did what.

``{who}`` is the actor and ``{what}`` the thing it is about, named by
:mod:`coursecove.portals.activity.names`.  Every action that the code tracks
has one here; a test holds the two together.
"""

from __future__ import annotations

from typing import Any

from coursecove.i18n import N_, _

SENTENCES = {
    "appointment_type.archived": N_("{who} archived {what}"),
    "appointment_type.changed": N_("{who} changed {what}"),
    "appointment_type.created": N_("{who} added {what}"),
    "appointment_type.link_renewed": N_("{who} renewed the link of {what}"),
    "appointment_type.questions_reordered": N_("{who} put the questions of {what} in another order"),
    "appointment_type.reordered": N_("{who} put the appointment types in another order"),
    "appointment_type.restored": N_("{who} restored {what}"),
    "booking.attendance_noted": N_("{who} noted the attendance at {what}"),
    "booking.cancelled": N_("{who} cancelled {what}"),
    "booking.confirmed": N_("{who} booked {what}"),
    "booking.confirmed:approved": N_("{who} accepted the request for {what}"),
    "booking.declined": N_("{who} declined the request for {what}"),
    "booking.lapsed": N_("Nobody answered the request for {what} in time"),
    "booking.moved": N_("{who} moved {what}"),
    "booking.note_added": N_("{who} wrote a note about {what}"),
    "booking.note_changed": N_("{who} changed a note about {what}"),
    "booking.note_deleted": N_("{who} deleted a note about {what}"),
    "booking.reassigned": N_("{who} gave {what} to another instructor"),
    "booking.requested": N_("{who} asked for {what}"),
    "calendar_feed.opened": N_("{who} made a calendar link for {what}"),
    "calendar_feed.revoked": N_("{who} ended the calendar link of {what}"),
    "child.added": N_("{who} added the child {what}"),
    "child.changed": N_("{who} changed the child {what}"),
    "child.removed": N_("{who} took the child {what} out of the school"),
    "class.cancelled": N_("{who} cancelled the class {what}"),
    "class.changed": N_("{who} changed the class {what}"),
    "class.moved": N_("{who} moved the class {what}"),
    "class.scheduled": N_("{who} put the class {what} on the calendar"),
    "closure.changed": N_("{who} changed the closure {what}"),
    "closure.created": N_("{who} entered the closure {what}"),
    "closure.removed": N_("{who} removed the closure {what}"),
    "hold.expired": N_("Nobody confirmed {what} while it was kept"),
    "hold.placed": N_("{who} kept the time of {what} for a moment"),
    "hold.released": N_("{who} let go of {what}"),
    "import.applied": N_("{who} imported a list: {what}"),
    "instructor.changed": N_("{who} changed the profile of {what}"),
    "instructor.date_changed": N_("{who} set other hours of {what} for a single day"),
    "instructor.date_removed": N_("{who} let a single day of {what} follow the week again"),
    "instructor.hours_changed": N_("{who} changed the weekly hours of {what}"),
    "instructor.qualification_expiry_changed": N_("{who} changed until when {what} may teach a lesson"),
    "instructor.qualifications_changed": N_("{who} changed what {what} may teach"),
    "instructor.time_off_added": N_("{who} entered time off of {what}"),
    "instructor.time_off_removed": N_("{who} took back time off of {what}"),
    "invitation.resent": N_("{who} sent the invitation to {what} again"),
    "invitation.revoked": N_("{who} took back the invitation to {what}"),
    "location.archived": N_("{who} archived the location {what}"),
    "location.changed": N_("{who} changed the location {what}"),
    "location.created": N_("{who} added the location {what}"),
    "location.hours_changed": N_("{who} changed the opening hours of {what}"),
    "location.restored": N_("{who} restored the location {what}"),
    "location.rooms_reordered": N_("{who} put the rooms of {what} in another order"),
    "mail_text.changed": N_("{who} changed the school’s words in mails"),
    "mail_text.reset": N_("{who} took the school’s words out of mails"),
    "mail.sent_again": N_("{who} had mails sent again that had failed"),
    "member.deactivated": N_("{who} deactivated {what}"),
    "member.invited": N_("{who} invited {what}"),
    "member.reactivated": N_("{who} let {what} in again"),
    "member.role_changed": N_("{who} changed the role of {what}"),
    "organization.changed": N_("{who} changed the school’s settings"),
    "organization.sync_requested": N_("{who} asked for everybody to be compared with Clerk"),
    "question.archived": N_("{who} archived the question {what}"),
    "question.changed": N_("{who} changed the question {what}"),
    "question.created": N_("{who} added the question {what}"),
    "question.restored": N_("{who} restored the question {what}"),
    "room.archived": N_("{who} archived the room {what}"),
    "room.changed": N_("{who} changed the room {what}"),
    "room.created": N_("{who} added the room {what}"),
    "room.restored": N_("{who} restored the room {what}"),
    "series.booked": N_("{who} booked the series {what}"),
    "series.cancelled": N_("{who} cancelled lessons of the series {what}"),
    "series.confirmed": N_("{who} confirmed the requests of the series {what}"),
    "series.declined": N_("{who} declined the requests of the series {what}"),
    "series.lapsed": N_("Nobody answered the requests of the series {what} in time"),
    "series.moved": N_("{who} moved lessons of the series {what}"),
    "session.reassigned": N_("{who} gave {what} to another instructor"),
    "travel_zone.changed": N_("{who} changed the travel zone {what}"),
    "travel_zone.created": N_("{who} added the travel zone {what}"),
    "travel_zone.deleted": N_("{who} deleted the travel zone {what}"),
    "travel_zone.reordered": N_("{who} put the travel zones in another order"),
    "waitlist.accepted": N_("{who} took the seat that was offered in {what}"),
    "waitlist.declined": N_("{who} did not take the seat that was offered in {what}"),
    "waitlist.ended": N_("The waiting list of {what} ended"),
    "waitlist.joined": N_("{who} joined the waiting list of {what}"),
    "waitlist.lapsed": N_("A seat that was offered in {what} was not taken in time"),
    "waitlist.left": N_("{who} left the waiting list of {what}"),
    "waitlist.offered": N_("A free seat in {what} was offered to who waited longest"),
}

#: What the log can be narrowed to: the beginnings of its actions.
KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "lessons": (N_("Lessons"), ("booking.", "class.", "session.", "hold.", "waitlist.", "series.")),
    "types": (N_("Appointment types"), ("appointment_type.", "question.")),
    "places": (
        N_("Locations and closures"),
        ("location.", "room.", "travel_zone.", "closure.", "calendar_feed."),
    ),
    "people": (N_("People and hours"), ("member.", "child.", "invitation.", "instructor.")),
    "school": (N_("School"), ("organization.", "mail_text.", "mail.", "import.")),
}

_ICONS = {
    "booking": "calendar-check",
    "class": "calendar-days",
    "session": "calendar-days",
    "hold": "calendar-check",
    "waitlist": "calendar-days",
    "series": "calendar-days",
    "appointment_type": "shapes",
    "question": "shapes",
    "location": "map-pin",
    "room": "map-pin",
    "travel_zone": "map-pin",
    "closure": "calendar-x",
    "calendar_feed": "map-pin",
}


def icon_of(action: str) -> str:
    """Return the icon that stands beside a sentence."""
    start = action.partition(".")[0]
    return _ICONS.get(
        start, "users" if start in ("member", "child", "instructor", "invitation") else "settings"
    )


def sentence_of(action: str, data: dict[str, Any], *, who: str, what: str) -> str:
    """Return what happened; an action nobody wrote a sentence for is still said, if clumsily."""
    variant = f"{action}:approved" if data.get("approved") else action
    sentence = SENTENCES.get(variant) or SENTENCES.get(action) or N_("{who} changed something about {what}")
    return _(sentence).format(who=who, what=what)
