"""The school itself: its settings, and its words in mails."""

from __future__ import annotations

from collections.abc import AsyncIterator

from coursecove.i18n import LANGUAGES, N_, _
from coursecove.notifications import mail_texts
from coursecove.portals.exports.kinds import Asking, Export, Row, in_hours, yes_no
from coursecove.tenants import service as tenants


async def settings(asking: Asking) -> AsyncIterator[Row]:
    """Yield a setting a row."""
    school = await tenants.get_organization(asking.session)
    yield _("Name"), school.name
    yield _("Subdomain"), school.slug
    yield _("Time zone"), school.time_zone
    yield _("Language"), LANGUAGES.get(school.locale, school.locale)
    yield _("Currency"), school.currency
    yield _("Colour"), school.accent_color
    yield _("Anybody may join"), yes_no(school.self_enrolment)
    yield _("What students should know"), school.policy_text
    yield _("Minimum notice in hours (new types)"), in_hours(school.default_minimum_notice_minutes)
    yield _("Cancelling until, in hours (new types)"), in_hours(school.default_cancellation_notice_minutes)
    yield _("Moving until, in hours (new types)"), in_hours(school.default_reschedule_notice_minutes)
    yield _("Way to a student, in minutes"), school.default_travel_minutes


async def texts(asking: Asking) -> AsyncIterator[Row]:
    """Yield the mails in which the school has words of its own."""
    for text in await mail_texts.list_mail_texts(asking.session):
        if text.updated_at is not None:
            kind = _(mail_texts.KINDS[text.kind])
            yield kind, LANGUAGES[text.language], text.subject, text.opening, text.closing


SETTINGS = Export("settings", N_("Settings"), (N_("Setting"), N_("Value")), settings)
MAIL_TEXTS = Export(
    "mail-texts",
    N_("E-mail texts"),
    (N_("Mail"), N_("Language"), N_("Subject"), N_("Opening words"), N_("Closing words")),
    texts,
)
