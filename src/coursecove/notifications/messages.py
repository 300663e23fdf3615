"""A notice as an e-mail message."""

from __future__ import annotations

import re
import uuid
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from typing import Any

from coursecove import clock
from coursecove.config import Settings
from coursecove.i18n import _
from coursecove.notifications.calendar_invite import calendar_invite, method_of, series_calendar
from coursecove.notifications.rendering import Content, Notice, render
from coursecove.notifications.wording import plain_line
from coursecove.tenants.schemas import OrganizationView


class _Policy(EmailPolicy):
    """Leaves the address that ends mails on one line: to fold it, Python would encode it."""

    def fold(self, name: str, value: Any) -> str:
        if name.lower() == "list-unsubscribe":
            return f"{name}: {value}{self.linesep}"
        return str(super().fold(name, value))

    def fold_binary(self, name: str, value: Any) -> bytes:
        if name.lower() == "list-unsubscribe":
            return self.fold(name, value).encode("ascii")
        return bytes(super().fold_binary(name, value))


# Not every server on the way can carry eight bits.
_POLICY = _Policy(linesep="\r\n", cte_type="7bit")
# What has a meaning in an address.  Quoting is the standard's answer, but Python
# loses the quotes when it folds a long header, and then a name like "<x@y>" is an
# address: so a display name does without.
_SPECIALS = re.compile(r'[<>"@\\,;:()\[\]]+')
_LONGEST_NAME = 120


class UnusableAddress(ValueError):
    """No mail can ever be sent to this address."""


def compose(
    notice: Notice, *, delivery_id: uuid.UUID, recipient_email: str, settings: Settings
) -> EmailMessage:
    """Return the message with text, HTML and the calendar entry, the latter inline and attached.

    Google and Outlook act on the inline ``text/calendar`` part, Apple Mail and
    others on the file; a mail that changes nothing in a calendar has neither, and
    one about a series the file alone, with all its lessons.
    Raises :class:`UnusableAddress`.
    """
    message = compose_letter(
        render(notice),
        notice.organization,
        delivery_id=delivery_id,
        recipient_name=notice.reader_name,
        recipient_email=recipient_email,
        settings=settings,
        unsubscribe=notice.unsubscribe,
    )
    method = method_of(notice)
    if notice.lessons and (notice.part == "student" or not notice.in_class):
        file = series_calendar(
            notice,
            recipient_email=recipient_email,
            mail_from=settings.mail_from,
            base_domain=settings.base_domain,
        )
        message.add_attachment(file, maintype="application", subtype="ics", filename="lessons.ics")
    elif method is not None:
        calendar = calendar_invite(
            notice,
            recipient_email=recipient_email,
            mail_from=settings.mail_from,
            base_domain=settings.base_domain,
        )
        message.add_alternative(
            calendar.decode(), subtype="calendar", params={"method": method, "name": "lesson.ics"}
        )
        message.add_attachment(calendar, maintype="application", subtype="ics", filename="lesson.ics")
    return message


def compose_letter(
    content: Content,
    organization: OrganizationView,
    *,
    delivery_id: uuid.UUID,
    recipient_name: str,
    recipient_email: str,
    settings: Settings,
    unsubscribe: str | None = None,
) -> EmailMessage:
    """Return a message with text and HTML from a school to one person.

    The Message-ID is the delivery's, so that a mail sent twice after a crash is
    one mail to the reader.  ``unsubscribe`` is an address that ends this kind of
    mail with one POST (RFC 8058).  Raises :class:`UnusableAddress`.
    """
    message = EmailMessage(policy=_POLICY)
    message["Subject"] = plain_line(content.subject)
    sender = _("{school} via CourseCove").format(school=organization.name)
    message["From"] = _address(sender, parseaddr(settings.mail_from)[1])
    message["To"] = _address(recipient_name, recipient_email)
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = f"<{delivery_id}@{settings.base_domain}>"
    # Keeps holiday replies from answering a machine (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    if unsubscribe is not None:
        message["List-Unsubscribe"] = f"<{unsubscribe}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(content.text)
    message.add_alternative(content.html, subtype="html")
    return message


def _address(name: str, email: str) -> Address:
    try:
        return Address(display_name=plain_line(_SPECIALS.sub(" ", name))[:_LONGEST_NAME], addr_spec=email)
    except (ValueError, IndexError) as error:
        raise UnusableAddress("This is not an e-mail address that mail can be sent to.") from error
