"""Refusals of this room."""

from __future__ import annotations

from coursecove.errors import Conflict, Forbidden
from coursecove.i18n import N_


class NotAMember(Forbidden):
    """The person is signed in, but does not belong to this school."""

    code = "not_a_member"
    title = N_("You are not a member of this school yet")


class LastAdmin(Conflict):
    """Somebody has to be able to let people in."""

    code = "last_admin"
    title = N_("A school needs at least one admin")


class OwnMembership(Conflict):
    """Nobody shuts themselves out."""

    code = "own_membership"
    title = N_("This is your own membership")


class Deactivated(Forbidden):
    """The person belongs to this school, and an admin has shut them out."""

    code = "deactivated"
    title = N_("Your access to this school is switched off")


class EnrolmentClosed(Forbidden):
    """The school lets people in by invitation only."""

    code = "enrolment_closed"
    title = N_("This school takes new students by invitation")
