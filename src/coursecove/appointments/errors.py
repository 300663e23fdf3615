"""Refusals of this room."""

from __future__ import annotations

from coursecove.errors import Conflict


class LocationInUse(Conflict):
    """Published lessons are taught here and nowhere else; ``extra["appointment_types"]`` names them."""

    code = "location_in_use"
    title = "This location is still needed"


class NotAnInstructor(Conflict):
    """The member belongs to the school, but does not teach there."""

    code = "not_an_instructor"
    title = "This person does not teach here"
