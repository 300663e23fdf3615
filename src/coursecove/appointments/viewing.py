"""Who may be shown what of the catalogue by the API, in one place for all its controllers."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
from litestar.di import NamedDependency, Provide

from coursecove.appointments.catalogue import is_staff
from coursecove.appointments.schemas import AppointmentTypeView
from coursecove.errors import Forbidden, Unauthenticated
from coursecove.i18n import _
from coursecove.tenants import guards
from coursecove.tenants.models import Member

Viewer = NamedDependency[Member | None]
GUARDS = {"by": Provide(guards.as_admin), "viewer": Provide(guards.maybe_member)}


def is_admin(viewer: Member | None) -> bool:
    """Say whether somebody runs the school."""
    return viewer is not None and viewer.role == "admin"


def check_may_include(viewer: Member | None, include: Collection[str]) -> None:
    """Raise unless ``viewer`` may ask for what is not offered; to ask for nothing more is anybody's right."""
    if not include or is_admin(viewer):
        return
    if viewer is None:
        raise Unauthenticated(_("Sign in as an admin to see what is not offered to the public."))
    raise Forbidden(_("What is not offered to the public is for the school's admins."))


def as_shown(viewer: Member | None, type_: AppointmentTypeView) -> AppointmentTypeView:
    """Return a type as ``viewer`` may see it: how long somebody stays qualified is for their colleagues."""
    return type_ if is_staff(viewer) else msgspec.structs.replace(type_, qualified_until={})
