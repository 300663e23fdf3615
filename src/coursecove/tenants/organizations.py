"""The school of this unit of work: what everybody may see of it, and what its admins set."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from zoneinfo import available_timezones

from babel.numbers import list_currencies
from msgspec import UNSET
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.errors import Invalid, NotFound
from coursecove.events import track
from coursecove.formatting import listed, notice
from coursecove.i18n import LANGUAGES, _
from coursecove.tenants.models import Member, Organization
from coursecove.tenants.pictures import forget_unused_pictures, picture_url, save_picture
from coursecove.tenants.schemas import MOST_REMINDERS, REMINDERS, OrganizationUpdate, OrganizationView
from coursecove.text import is_storable

# Some systems add names that mean nothing elsewhere ("localtime", "Factory").
_ZONES = frozenset(zone for zone in available_timezones() if "/" in zone or zone == "UTC")


def check_time_zone(name: str, *, field: str = "time_zone") -> None:
    """Raise :class:`Invalid` at ``field`` unless ``name`` is a zone of the IANA database."""
    problem = time_zone_problem(name)
    if problem:
        raise Invalid(fields={field: problem})


def time_zone_problem(name: str) -> str | None:
    """Return what is wrong with a zone's name, or None."""
    return None if name in _ZONES else _("Choose a time zone such as Europe/Berlin.")


def reminder_problem(minutes: Collection[int]) -> str | None:
    """Return what is wrong with how long before a lesson somebody is reminded, or None."""
    if any(one not in REMINDERS for one in minutes):
        return _("Choose among {choices}.").format(choices=listed([notice(one) for one in REMINDERS]))
    if len(set(minutes)) > MOST_REMINDERS:
        return _("Choose at most {count}.").format(count=MOST_REMINDERS)
    return None


def tidy_reminders(minutes: Collection[int]) -> list[int]:
    """Return each once, the earliest reminder first."""
    return sorted(set(minutes), reverse=True)


def organization_view(organization: Organization) -> OrganizationView:
    """Return what everybody may see of a school."""
    return OrganizationView(
        id=organization.id,
        clerk_id=organization.clerk_id,
        slug=organization.slug,
        name=organization.name,
        time_zone=organization.time_zone,
        locale=organization.locale,
        currency=organization.currency,
        accent_color=organization.accent_color,
        logo_url=picture_url(organization.logo_picture_id) or organization.logo_url,
        self_enrolment=organization.self_enrolment,
        policy_text=organization.policy_text,
        default_minimum_notice_minutes=organization.default_minimum_notice_minutes,
        default_cancellation_notice_minutes=organization.default_cancellation_notice_minutes,
        default_reschedule_notice_minutes=organization.default_reschedule_notice_minutes,
        default_travel_minutes=organization.default_travel_minutes,
        reminder_minutes=list(organization.reminder_minutes),
        waitlist_offer_minutes=organization.waitlist_offer_minutes,
    )


async def get_organization(session: AsyncSession, *, locked: bool = False) -> OrganizationView:
    """Return the school of this unit of work; ``locked``, nobody else changes it until this one ends."""
    statement = select(Organization).where(Organization.deleted_at.is_(None))
    if locked:
        statement = statement.with_for_update()
    organization = await session.scalar(statement.execution_options(populate_existing=True))
    if organization is None:
        raise NotFound(_("This school no longer exists."))
    return organization_view(organization)


def _check(changes: OrganizationUpdate) -> None:
    problems: dict[str, str] = {}
    if changes.name is not UNSET and not changes.name.strip():
        problems["name"] = _("This is needed.")
    if changes.time_zone is not UNSET and (problem := time_zone_problem(changes.time_zone)):
        problems["time_zone"] = problem
    if changes.reminder_minutes is not UNSET and (problem := reminder_problem(changes.reminder_minutes)):
        problems["reminder_minutes"] = problem
    if changes.locale is not UNSET and changes.locale not in LANGUAGES:
        problems["locale"] = _("Choose one of these languages: {languages}.").format(
            languages=", ".join(LANGUAGES.values())
        )
    if changes.currency is not UNSET and changes.currency not in list_currencies():
        problems["currency"] = _("Choose a currency such as EUR.")
    for name in ("name", "policy_text"):
        value = getattr(changes, name)
        if isinstance(value, str) and not is_storable(value):
            problems[name] = _("Remove the characters that cannot be shown.")
    if problems:
        raise Invalid(fields=problems)


async def update_organization(
    session: AsyncSession, changes: OrganizationUpdate, *, by: Member
) -> OrganizationView:
    """Change what the school is called and looks like, its zone, language, currency and policies.

    A new zone moves nothing that is booked or kept in a zone of its own
    (locations, instructors); a new currency leaves every price its number.
    """
    _check(changes)
    organization = await _for_update(session)
    changed = {}
    for name in changes.__struct_fields__:
        value = getattr(changes, name)
        if isinstance(value, list):
            value = tidy_reminders(value)
        if value is not UNSET and value != getattr(organization, name):
            changed[name] = {"from": getattr(organization, name), "to": value}
            setattr(organization, name, value)
    await _note(session, organization, changed, by=by)
    return await get_organization(session)


async def set_logo(
    session: AsyncSession, content: bytes, *, by: Member, field: str = "picture"
) -> OrganizationView:
    """Show an uploaded picture as the school's logo; raises :class:`Invalid` at ``field``."""
    picture_id = await save_picture(session, content, by=by, field=field)
    organization = await _for_update(session)
    if organization.logo_picture_id != picture_id:
        before = organization.logo_picture_id
        organization.logo_picture_id = picture_id
        await _note(
            session, organization, {"logo": {"from": before and before.hex, "to": picture_id.hex}}, by=by
        )
        await forget_unused_pictures(session)
    return await get_organization(session)


async def remove_logo(session: AsyncSession, *, by: Member) -> OrganizationView:
    """Take the uploaded logo away; the one Clerk has shows again, or the initials."""
    organization = await _for_update(session)
    if organization.logo_picture_id is not None:
        before = organization.logo_picture_id.hex
        organization.logo_picture_id = None
        await _note(session, organization, {"logo": {"from": before, "to": None}}, by=by)
        await forget_unused_pictures(session)
    return await get_organization(session)


async def _for_update(session: AsyncSession) -> Organization:
    return (
        await session.scalars(select(Organization).with_for_update().execution_options(populate_existing=True))
    ).one()


async def _note(
    session: AsyncSession, organization: Organization, changed: dict[str, Any], *, by: Member
) -> None:
    if not changed:
        return
    organization.updated_at = func.now()
    track(
        session,
        "organization.changed",
        subject_type="organization",
        subject_id=organization.id,
        actor_id=by.id,
        data=changed,
    )
    await session.flush()
