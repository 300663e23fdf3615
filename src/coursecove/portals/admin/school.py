"""The school's own settings."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.formatting import zone_name
from coursecove.i18n import N_, _
from coursecove.portals import staleness
from coursecove.portals.admin.inputs import check_characters
from coursecove.portals.admin.navigation import admin_page
from coursecove.portals.admin.synchronization import sync_words
from coursecove.portals.forms import Form, attempt, convert, names_of, read_form
from coursecove.portals.pages import redirect, render
from coursecove.portals.teach.profile import zone_options
from coursecove.tenants import service as tenants
from coursecove.tenants.guards import as_admin
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationUpdate, OrganizationView
from coursecove.text import one_line

AnyRequest = Request[Any, Any, Any]

_CURRENCIES = {
    "AED": "UAE dirham",
    "AUD": "Australian dollar",
    "BRL": "Brazilian real",
    "CAD": "Canadian dollar",
    "CHF": "Swiss franc",
    "CLP": "Chilean peso",
    "CNY": "Chinese yuan",
    "COP": "Colombian peso",
    "CZK": "Czech koruna",
    "DKK": "Danish krone",
    "EUR": "Euro",
    "GBP": "British pound",
    "HKD": "Hong Kong dollar",
    "HUF": "Hungarian forint",
    "IDR": "Indonesian rupiah",
    "ILS": "Israeli shekel",
    "INR": "Indian rupee",
    "ISK": "Icelandic króna",
    "JPY": "Japanese yen",
    "KES": "Kenyan shilling",
    "KRW": "South Korean won",
    "MXN": "Mexican peso",
    "MYR": "Malaysian ringgit",
    "NGN": "Nigerian naira",
    "NOK": "Norwegian krone",
    "NZD": "New Zealand dollar",
    "PHP": "Philippine peso",
    "PLN": "Polish złoty",
    "RON": "Romanian leu",
    "SEK": "Swedish krona",
    "SGD": "Singapore dollar",
    "THB": "Thai baht",
    "TRY": "Turkish lira",
    "UAH": "Ukrainian hryvnia",
    "USD": "US dollar",
    "VND": "Vietnamese đồng",
    "ZAR": "South African rand",
}
_MESSAGES = {
    "accent_color": "Choose a colour.",
    "currency": "Choose a currency.",
    "self_enrolment": "Choose who may join.",
}
_LABELS = {
    "name": N_("Name"),
    "accent_color": N_("Colour"),
    "time_zone": N_("Time zone"),
    "currency": N_("Currency"),
    "self_enrolment": N_("Who may join"),
}


def _who_may_join(value: str) -> str:
    return _("Anybody") if value == "true" else _("By invitation")


_WORDS = {"time_zone": zone_name, "self_enrolment": _who_may_join}


class SchoolPages(Controller):
    """What the school is called, where its clock is, what it charges in, and who may join."""

    path = "/admin/school"
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
        """Show the settings as they are stored."""
        form = staleness.drawn(_values(await tenants.get_organization(session)))
        return _draw(request, form, await sync_words(request, organization))

    @post("/", status_code=200)
    async def save(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """Save them; the next page shows the change already."""
        form = Form(await read_form(request, fields=(*names_of(OrganizationUpdate), *staleness.FIELDS)))

        async def stored() -> dict[str, Any]:
            return _values(await tenants.get_organization(session, locked=True))

        async def verb() -> OrganizationView:
            await staleness.check(
                session,
                form,
                stored,
                subject=("organization", organization.id),
                labels=_LABELS,
                by=by,
                words=_WORDS,
            )
            check_characters(form.values)
            typed = {
                **form.values,
                "name": one_line(form.value("name")),
                "accent_color": form.value("accent_color").lower(),
            }
            changes = convert(typed, OrganizationUpdate, messages=_MESSAGES)
            return await tenants.update_organization(session, changes, by=by)

        refused = (await attempt(session, form, verb))[1]
        if refused is not None:
            sync = await sync_words(request, organization)
            return _draw(request, refused, sync, status_code=refused.refused_status)
        request.app.state.directory.forget_after_commit(session, organization.slug)
        return redirect(request, "/admin/school", flash="The school’s settings are saved.")


def _values(stored: OrganizationView) -> dict[str, Any]:
    """Return what the form of the settings shows."""
    return {
        "name": stored.name,
        "time_zone": stored.time_zone,
        "currency": stored.currency,
        "accent_color": stored.accent_color,
        "self_enrolment": "true" if stored.self_enrolment else "false",
    }


def _draw(request: AnyRequest, form: Form, sync: dict[str, Any], *, status_code: int = 200) -> Response[Any]:
    chosen = form.value("currency")
    currencies = {**({chosen: chosen} if chosen else {}), **_CURRENCIES}
    return render(
        request,
        "admin/school.html",
        admin_page(request, "School"),
        status_code=status_code,
        form=form,
        sync=sync,
        zones=zone_options(chosen=form.value("time_zone")),
        currencies=[
            {"value": code, "label": code if code == name else f"{code}, {name}"}
            for code, name in sorted(currencies.items())
        ],
    )
