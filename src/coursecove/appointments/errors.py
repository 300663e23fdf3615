"""Refusals of this room."""

from __future__ import annotations

from coursecove.errors import Conflict
from coursecove.i18n import N_


class LocationInUse(Conflict):
    """Published lessons are taught here and nowhere else; ``extra["appointment_types"]`` names them."""

    code = "location_in_use"
    title = N_("This location is still needed")


class NotAnInstructor(Conflict):
    """The member belongs to the school, but does not teach there."""

    code = "not_an_instructor"
    title = N_("This person does not teach here")


class NotQualified(Conflict):
    """The member does not teach this type, so there is nothing that could end."""

    code = "not_qualified"
    title = N_("This person is not qualified for that lesson")


class NotSeenByLink(Conflict):
    """The type is seen without a link, so that there is none to renew."""

    code = "not_seen_by_link"
    title = N_("There is no link to renew")
