"""A notice as an e-mail message."""

from __future__ import annotations

import re
import uuid
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from coursecove import clock
from coursecove.config import Settings
from coursecove.notifications.calendar_invite import calendar_invite, method_of
from coursecove.notifications.rendering import Notice, render
from coursecove.notifications.wording import plain_line

# Not every server on the way can carry eight bits.
_POLICY = SMTP.clone(cte_type="7bit")
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
    others on the file.  The Message-ID is the delivery's, so that a mail sent
    twice after a crash is one mail to the reader.  Raises
    :class:`UnusableAddress`.
    """
    content = render(notice)
    calendar = calendar_invite(
        notice,
        recipient_email=recipient_email,
        mail_from=settings.mail_from,
        base_domain=settings.base_domain,
    )
    message = EmailMessage(policy=_POLICY)
    message["Subject"] = plain_line(content.subject)
    message["From"] = _address(f"{notice.organization.name} via CourseCove", parseaddr(settings.mail_from)[1])
    message["To"] = _address(getattr(notice.booking, notice.part).name, recipient_email)
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = f"<{delivery_id}@{settings.base_domain}>"
    # Keeps holiday replies from answering a machine (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(content.text)
    message.add_alternative(content.html, subtype="html")
    message.add_alternative(
        calendar.decode(), subtype="calendar", params={"method": method_of(notice), "name": "lesson.ics"}
    )
    message.add_attachment(calendar, maintype="application", subtype="ics", filename="lesson.ics")
    return message


def _address(name: str, email: str) -> Address:
    try:
        return Address(display_name=plain_line(_SPECIALS.sub(" ", name))[:_LONGEST_NAME], addr_spec=email)
    except (ValueError, IndexError) as error:
        raise UnusableAddress("This is not an e-mail address that mail can be sent to.") from error
