"""Files that people choose in a form."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.datastructures import UploadFile
from msgspec import Struct

from coursecove.i18n import _
from coursecove.portals import csrf
from coursecove.portals.forms import UnexpectedFields

#: What a form with a picture may weigh: enough to say "too large" in words about a phone's photo.
MAX_FORM_BYTES = 16_000_000


class Upload(Struct, frozen=True):
    """A chosen file; its name is what somebody's machine called it, and decides nothing."""

    name: str
    content: bytes


async def read_file(request: Request[Any, Any, Any], name: str) -> Upload | None:
    """Return the file of a form that has nothing but a file; None when none was chosen.

    Raises :class:`~coursecove.portals.forms.UnexpectedFields` when there is anything else.
    """
    form = await request.form()
    sent = [(field, value) for field, value in form.multi_items() if field != csrf.FIELD]
    # A browser sends an empty file of no name for a field nobody used; so does a form without files.
    unknown = sorted({field for field, value in sent if field != name or (isinstance(value, str) and value)})
    if unknown:
        raise UnexpectedFields(
            _("It has fields that do not belong to it. Nothing was changed."),
            fields={field[:60]: _("Not a field of this form.") for field in unknown[:10]},
        )
    for _field, value in sent:
        if isinstance(value, UploadFile):
            content = await value.read()
            if content:
                return Upload(value.filename, content)
    return None


async def read_picture(request: Request[Any, Any, Any]) -> bytes:
    """Return the bytes of the form's ``picture``; none when no file was chosen."""
    upload = await read_file(request, "picture")
    return upload.content if upload else b""
