"""Reading what a person typed, and handing it back with a message beside each field.

A form's page keeps three things: ``values`` (exactly what was typed),
``errors`` (field → message) and ``problem`` (a sentence about the whole).  A
refused form answers 422 with all of them; nothing typed is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from litestar import Request
from litestar.datastructures import FormMultiDict
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.db.session import discard
from coursecove.errors import Conflict, CourseCoveError, Malformed
from coursecove.i18n import N_, _
from coursecove.portals import csrf
from coursecove.typed import clock_time, convert, whole_number

__all__ = [
    "Form",
    "Redrawn",
    "UnexpectedFields",
    "attempt",
    "clock_time",
    "convert",
    "names_of",
    "read_form",
    "whole_number",
]

_REFUSED = frozenset({400, 403, 409, 422})
# Of a name nobody knows, enough to recognise it by.
_MOST_NAMED, _LONGEST_NAME = 10, 60


class UnexpectedFields(Malformed):
    """A form carries something its page does not have; ``fields`` names it."""

    code = "unexpected_fields"
    title = N_("This form could not be read")


@dataclass(frozen=True, slots=True)
class Form:
    """What was typed, and what is wrong with it; ``stale`` is what others changed meanwhile."""

    values: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    problem: str | None = None
    stale: Sequence[Any] | None = None

    def value(self, name: str, default: Any = "") -> Any:
        """Return what to show in a field."""
        return self.values.get(name, default)

    def error(self, name: str) -> str | None:
        """Return what to say beside a field."""
        return self.errors.get(name)

    @property
    def refused_status(self) -> int:
        """The status of a refused form's page: 422 when fields are wrong, 409 when the state of things is."""
        return 422 if self.errors else 409

    def refused(self, error: CourseCoveError) -> Form:
        """Return the same form with the messages of ``error``."""
        if isinstance(error, Redrawn):
            return error.form
        fields = dict(error.fields)
        problem = error.detail or _(error.title)
        return Form(self.values, fields, problem if not fields else _("Please check the marked fields."))


class Redrawn(Conflict):
    """A refusal that knows what the form is to show instead of what was typed."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.form = form


def names_of(type_: type[msgspec.Struct]) -> tuple[str, ...]:
    """Return the fields of a struct as a form names them."""
    return tuple(info.encode_name for info in msgspec.structs.fields(type_))


async def read_form(
    request: Request[Any, Any, Any], *, fields: Iterable[str], lists: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the fields of a posted form, trimmed; those named in ``lists`` as lists of values.

    ``fields`` and ``lists`` are all that the page's form has; a form of a
    button alone has none.  Every handler that changes something reads its form,
    before it changes anything.

    Raises :class:`UnexpectedFields` when there is anything else, as the API does
    of a body: whoever adds ``role`` to a form is not to learn whether it worked
    by luck.
    """
    data: FormMultiDict = await request.form()
    sent = [(name, value) for name, value in data.multi_items() if name != csrf.FIELD]
    known = {*fields, *lists}
    # No form of ours has a file in it.
    unknown = sorted({name for name, value in sent if name not in known or not isinstance(value, str)})
    if unknown:
        raise UnexpectedFields(
            _("It has fields that do not belong to it. Nothing was changed."),
            fields={name[:_LONGEST_NAME]: _("Not a field of this form.") for name in unknown[:_MOST_NAMED]},
        )
    values: dict[str, Any] = {name: [] for name in lists}
    for name, value in sent:
        text = value.replace("\r\n", "\n").strip()
        if name in lists:
            values[name].append(text)
        else:
            values.setdefault(name, text)
    return values


async def attempt(session: AsyncSession, form: Form, verb: Callable[[], Any]) -> tuple[Any, Form | None]:
    """Run a verb for a form: its result and None, or None and the refused form.

    A refusal undoes whatever the verb had written, so that drawing the page
    again in the same unit of work saves nothing half done.  401, 404 and
    defects are not the form's business and rise.
    """
    try:
        return await verb(), None
    except CourseCoveError as error:
        if error.status not in _REFUSED:
            raise
        await discard(session)
        return None, form.refused(error)
