"""The school's own settings, a page for each part of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from babel.numbers import get_currency_name
from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import i18n
from coursecove.errors import Invalid
from coursecove.formatting import initials, notice, zone_name
from coursecove.i18n import LANGUAGES, N_, _
from coursecove.portals import staleness
from coursecove.portals.admin.colour_words import colour_words
from coursecove.portals.admin.inputs import check_characters, number, span_in, spoken_span, unit_options
from coursecove.portals.admin.navigation import admin_page
from coursecove.portals.admin.synchronization import sync_words
from coursecove.portals.forms import Form, attempt, convert, read_form
from coursecove.portals.pages import redirect, render
from coursecove.portals.reminders import reminder_options
from coursecove.portals.teach.profile import uploaded_photo, zone_options
from coursecove.portals.uploads import MAX_FORM_BYTES, read_picture
from coursecove.tenants import service as tenants
from coursecove.tenants.guards import as_admin
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationUpdate, OrganizationView
from coursecove.text import one_line

AnyRequest = Request[Any, Any, Any]
PATH = "/admin/school"

# Those that schools of our size charge in; another one that is set already stays among the choices.
_CURRENCIES = (
    "AED", "AUD", "BRL", "CAD", "CHF", "CLP", "CNY", "COP", "CZK", "DKK", "EUR", "GBP", "HKD",
    "HUF", "IDR", "ILS", "INR", "ISK", "JPY", "KES", "KRW", "MXN", "MYR", "NGN", "NOK", "NZD",
    "PHP", "PLN", "RON", "SEK", "SGD", "THB", "TRY", "UAH", "USD", "VND", "ZAR",
)  # fmt: skip
_NOTICES = (
    "default_minimum_notice_minutes",
    "default_cancellation_notice_minutes",
    "default_reschedule_notice_minutes",
    "waitlist_offer_minutes",
)
_COLOR = re.compile(r"#[0-9a-f]{6}")


def _who_may_join(value: str) -> str:
    return _("Anybody") if value == "true" else _("By invitation")


@dataclass(frozen=True, slots=True)
class Part:
    """A page of the settings: its fields by what they are called, and how what is typed is read."""

    path: str
    template: str
    labels: Mapping[str, str]
    #: Further fields that the form has, such as the units of spans.
    more: tuple[str, ...] = ()
    #: Those of the fields that hold several values.
    lists: tuple[str, ...] = ()
    words: Mapping[str, staleness.Words] = field(default_factory=dict)
    messages: Mapping[str, str] = field(default_factory=dict)

    @property
    def fields(self) -> tuple[str, ...]:
        """What the form sends."""
        return (*(name for name in self.labels if name not in self.lists), *self.more, *staleness.FIELDS)

    def values(self, stored: OrganizationView) -> dict[str, Any]:
        """Return what the form shows."""
        values: dict[str, Any] = {}
        for name in self.labels:
            value = getattr(stored, name)
            if name in _NOTICES:
                values[name], values[f"{name}_unit"] = spoken_span(value)
            elif name in self.lists:
                values[name] = [str(one) for one in value]
            else:
                values[name] = {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
        return values

    def changes(self, form: Form) -> OrganizationUpdate:
        """Return what the form changes; raises Invalid at every field that cannot be read."""
        check_characters(form.values)
        typed = {name: value for name, value in form.values.items() if name in self.labels}
        if "name" in typed:
            typed["name"] = one_line(typed["name"])
        if "accent_color" in typed:
            typed["accent_color"] = typed["accent_color"].lower()
        parsers: dict[str, Callable[[str], Any]] = {
            name: span_in(form.value(f"{name}_unit", "minutes")) for name in _NOTICES if name in typed
        }
        if "default_travel_minutes" in typed:
            parsers["default_travel_minutes"] = number
        emptied = [name for name in parsers if not typed[name]]
        if emptied:
            raise Invalid(fields=dict.fromkeys(emptied, _("Enter a number; 0 for none.")))
        messages = {name: _(text) for name, text in self.messages.items()}
        return convert(typed, OrganizationUpdate, parsers=parsers, messages=messages)


GENERAL = Part(
    PATH,
    "admin/school.html",
    {
        "name": N_("Name"),
        "time_zone": N_("Time zone"),
        "locale": N_("Language"),
        "currency": N_("Currency"),
    },
    words={"time_zone": zone_name, "locale": LANGUAGES},
    messages={"currency": N_("Choose a currency."), "locale": N_("Choose a language.")},
)
LOOK = Part(
    f"{PATH}/look",
    "admin/school_look.html",
    {"accent_color": N_("Colour")},
    more=("try",),
    messages={"accent_color": N_("Choose a colour.")},
)
POLICIES = Part(
    f"{PATH}/policies",
    "admin/school_policies.html",
    {
        "self_enrolment": N_("Who may join"),
        "policy_text": N_("What students should know"),
        "default_minimum_notice_minutes": N_("Minimum notice"),
        "default_cancellation_notice_minutes": N_("Cancelling until"),
        "default_reschedule_notice_minutes": N_("Moving until"),
        "default_travel_minutes": N_("Way to a student"),
        "waitlist_offer_minutes": N_("A freed seat is kept for"),
        "reminder_minutes": N_("Reminders"),
    },
    more=tuple(f"{name}_unit" for name in _NOTICES),
    lists=("reminder_minutes",),
    words={"self_enrolment": _who_may_join, "reminder_minutes": lambda minutes: notice(int(minutes))},
    messages={
        "self_enrolment": N_("Choose who may join."),
        "default_minimum_notice_minutes": N_("Enter 0 up to 60 days."),
        "default_cancellation_notice_minutes": N_("Enter 0 up to 60 days."),
        "default_reschedule_notice_minutes": N_("Enter 0 up to 60 days."),
        "default_travel_minutes": N_("Enter 0 to 120 minutes."),
        "waitlist_offer_minutes": N_("From 15 minutes to 7 days."),
        "reminder_minutes": N_("Choose at most four."),
    },
)


def school_tabs(current: str) -> list[dict[str, Any]]:
    """Return the tabs of the settings."""
    tabs = [
        (PATH, _("General")),
        (LOOK.path, _("Look")),
        (POLICIES.path, _("Policies")),
        (f"{PATH}/texts", _("E-mail texts")),
        (f"{PATH}/website", _("Your website")),
        ("/admin/exports", _("Export")),
    ]
    return [{"label": label, "href": href, "current": href == current} for href, label in tabs]


class SchoolPages(Controller):
    """What the school is called and looks like, where its clock is, what it charges in, what it asks for."""

    path = PATH
    include_in_schema = False
    dependencies = {"by": Provide(as_admin)}

    @get("/")
    async def edit(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
    ) -> Response[Any]:
        """Show name, zone, language and currency, and how the school stands with Clerk."""
        return await _show(request, session, organization, GENERAL)

    @post("/", status_code=200)
    async def save(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """Save them; the next page shows the change already."""
        return await _save(request, session, organization, GENERAL, by=by)

    @get("/look")
    async def edit_look(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
    ) -> Response[Any]:
        """Show logo and colour, and what becomes of the colour."""
        return await _show(request, session, organization, LOOK)

    @post("/look", status_code=200)
    async def save_look(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """Save the colour, or say what would become of it without saving."""
        return await _save(request, session, organization, LOOK, by=by)

    @post("/logo", status_code=200, request_max_body_size=MAX_FORM_BYTES)
    async def upload_logo(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """Show another logo, or say what is wrong with the file."""
        content = await read_picture(request)

        async def verb() -> OrganizationView:
            return await tenants.set_logo(session, content, by=by)

        refused = (await attempt(session, Form(), verb))[1]
        if refused is not None:
            return await _show(
                request,
                session,
                organization,
                LOOK,
                picture_error=refused.error("picture"),
                status_code=refused.refused_status,
            )
        request.app.state.directory.forget_after_commit(session, organization.slug)
        return redirect(request, LOOK.path, flash=_("The logo is saved."))

    @post("/logo/removal", status_code=200)
    async def remove_logo(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """Take the logo away."""
        await read_form(request, fields=())
        await tenants.remove_logo(session, by=by)
        request.app.state.directory.forget_after_commit(session, organization.slug)
        return redirect(request, LOOK.path, flash=_("The logo is removed."))

    @get("/policies")
    async def edit_policies(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
    ) -> Response[Any]:
        """Show who may join, what students read before they book, and what new types begin with."""
        return await _show(request, session, organization, POLICIES)

    @post("/policies", status_code=200)
    async def save_policies(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """Save them; what is booked keeps the policy it was booked under."""
        return await _save(request, session, organization, POLICIES, by=by)


async def _show(
    request: AnyRequest,
    session: AsyncSession,
    organization: OrganizationView,
    part: Part,
    *,
    picture_error: str | None = None,
    status_code: int = 200,
) -> Response[Any]:
    stored = await tenants.get_organization(session)
    form = staleness.drawn(part.values(stored))
    return await _draw(
        request, organization, stored, part, form, picture_error=picture_error, status_code=status_code
    )


async def _save(
    request: AnyRequest, session: AsyncSession, organization: OrganizationView, part: Part, *, by: Member
) -> Response[Any]:
    form = Form(await read_form(request, fields=part.fields, lists=part.lists))

    async def stored() -> dict[str, Any]:
        return part.values(await tenants.get_organization(session, locked=True))

    async def verb() -> OrganizationView:
        await staleness.check(
            session,
            form,
            stored,
            subject=("organization", organization.id),
            labels=part.labels,
            by=by,
            words=part.words,
        )
        return await tenants.update_organization(session, part.changes(form), by=by)

    if form.value("try"):
        # The colour is shown, not saved.
        unsaved = await tenants.get_organization(session)
        return await _draw(request, organization, unsaved, part, form)
    refused = (await attempt(session, form, verb))[1]
    if refused is not None:
        unchanged = await tenants.get_organization(session)
        return await _draw(request, organization, unchanged, part, refused, status_code=refused.refused_status)
    request.app.state.directory.forget_after_commit(session, organization.slug)
    return redirect(request, part.path, flash=_("The school’s settings are saved."))


async def _draw(
    request: AnyRequest,
    organization: OrganizationView,
    stored: OrganizationView,
    part: Part,
    form: Form,
    *,
    picture_error: str | None = None,
    status_code: int = 200,
) -> Response[Any]:
    context: dict[str, Any] = {}
    if part is GENERAL:
        context = {
            "sync": await sync_words(request, organization),
            "zones": zone_options(chosen=form.value("time_zone")),
            "languages": [{"value": code, "label": name} for code, name in LANGUAGES.items()],
            "currencies": _currency_options(form.value("currency")),
        }
    elif part is LOOK:
        color = form.value("accent_color").lower()
        context = {
            "colour": colour_words(color if _COLOR.fullmatch(color) else stored.accent_color),
            "unsaved": bool(form.value("try")),
            "logo_url": stored.logo_url,
            "uploaded": uploaded_photo(stored.logo_url),
            "initials": initials(stored.name),
            "picture_error": picture_error,
        }
    else:
        context = {"units": unit_options(), "reminders": reminder_options()}
    return render(
        request,
        part.template,
        admin_page(request, _("School")),
        status_code=status_code,
        form=form,
        labels={name: _(label) for name, label in part.labels.items()},
        tabs=school_tabs(part.path),
        **context,
    )


def _currency_options(chosen: str) -> list[dict[str, str]]:
    codes = sorted({*_CURRENCIES, *([chosen] if chosen else [])})
    options = []
    for code in codes:
        name = get_currency_name(code, locale=i18n.locale())
        options.append({"value": code, "label": code if name == code else f"{code}, {name}"})
    return options
