"""How a person reads this school and is reminded: their zone, language, reminders, calendar and family."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency, Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import formatting
from coursecove.i18n import LANGUAGES, _
from coursecove.portals.account.languages import spoken_cookie
from coursecove.portals.forms import Form, attempt, convert, read_form
from coursecove.portals.pages import STUDENT_NAV, AnyRequest, page_context, redirect, render, viewer_zone
from coursecove.portals.reminders import reminder_options
from coursecove.portals.student.family import child_row
from coursecove.portals.teach.profile import zone_options
from coursecove.tenants import service as tenants
from coursecove.tenants.guards import as_member
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView, PreferencesUpdate, PreferencesView

PATH = "/settings"
_FIELDS = ("time_zone", "locale", "reminders", "clock_change_notices")
_LISTS = ("reminder_minutes",)
# Reminders as the school does it, or as one chose oneself.
_SCHOOL, _OWN = "school", "own"


class SettingsPages(Controller):
    """One's own settings; nobody else at the school reads them."""

    path = PATH
    include_in_schema = False
    dependencies = {"by": Provide(as_member)}

    @get("/")
    async def edit(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """Show them as they are."""
        form = Form(_values_of(await tenants.get_preferences(session, by.id), organization))
        return await _draw(request, session, organization, form, by=by)

    @post("/", status_code=200)
    async def save(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """Save them; pages speak the chosen language from the next one on."""
        form = Form(await read_form(request, fields=_FIELDS, lists=_LISTS))

        async def verb() -> PreferencesView:
            chosen = form.value("reminder_minutes", [])
            values = {
                "time_zone": form.value("time_zone") or None,
                "locale": form.value("locale") or None,
                "reminder_minutes": chosen if form.value("reminders") == _OWN else None,
                "clock_change_notices": form.value("clock_change_notices") == "on",
            }
            messages = {"reminder_minutes": _("Choose at most four.")}
            changes = convert(values, PreferencesUpdate, messages=messages)
            return await tenants.update_preferences(session, changes, by=by)

        saved, refused = await attempt(session, form, verb)
        if refused is not None:
            return await _draw(
                request, session, organization, refused, by=by, status_code=refused.refused_status
            )
        answer = redirect(request, PATH, flash=_("Your settings are saved."))
        if saved.locale:
            answer.set_cookie(spoken_cookie(request, saved.locale))
        return answer


def _values_of(preferences: PreferencesView, organization: OrganizationView) -> dict[str, Any]:
    own = preferences.reminder_minutes is not None
    minutes = preferences.reminder_minutes if own else organization.reminder_minutes
    return {
        "time_zone": preferences.time_zone or "",
        "locale": preferences.locale or "",
        "reminders": _OWN if own else _SCHOOL,
        "reminder_minutes": [str(number) for number in minutes or ()],
        "clock_change_notices": "on" if preferences.clock_change_notices else "",
    }


async def _draw(
    request: AnyRequest,
    session: AsyncSession,
    organization: OrganizationView,
    form: Form,
    *,
    by: Member,
    status_code: int = 200,
) -> Response[Any]:
    zone = form.value("time_zone")
    as_school = formatting.listed([formatting.notice(minutes) for minutes in organization.reminder_minutes])
    return render(
        request,
        "student/settings.html",
        page_context(request, _("Settings"), nav=STUDENT_NAV),
        status_code=status_code,
        form=form,
        name=by.name,
        initials=formatting.initials(by.name),
        email=by.email,
        image_url=by.image_url,
        zones=[option for option in zone_options(chosen=zone) if zone or option.get("value") != ""],
        device_zone=formatting.zone_name(viewer_zone(request, organization.time_zone)),
        languages=[{"value": code, "label": label} for code, label in LANGUAGES.items()],
        reminders=[
            {
                "value": _SCHOOL,
                "label": _("As the school does it"),
                "hint": _("{spans} before").format(spans=as_school) if as_school else _("No reminders"),
            },
            {"value": _OWN, "label": _("As I choose"), "hint": _("Without a mark you are not reminded.")},
        ],
        reminder_minutes=reminder_options(),
        children=[child_row(child) for child in await tenants.list_children(session, guardian=by)],
    )
