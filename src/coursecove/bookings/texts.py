"""What people write on a booking, checked the same for the API and for forms."""

from __future__ import annotations

from coursecove import formatting
from coursecove.errors import Invalid
from coursecove.i18n import _
from coursecove.text import is_storable, paragraphs


def checked_text(text: str, *, field: str, longest: int) -> str:
    """Return ``text`` tidied; raises :class:`Invalid` at ``field`` when it cannot be kept as it is."""
    text = paragraphs(text)
    if not is_storable(text):
        raise Invalid(fields={field: _("Remove the characters that cannot be shown.")})
    if len(text) > longest:
        words = _("Keep this to {most} characters; it has {count}.")
        raise Invalid(
            fields={field: words.format(most=formatting.number(longest), count=formatting.number(len(text)))}
        )
    return text
