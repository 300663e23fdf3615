"""Two people, one form: nobody's change is lost without anybody noticing.

A form carries what it was drawn from.  When it comes back and the store says
something else by then, the form is drawn again (409) with everything that was
typed, and a list of who changed what meanwhile.  What only the others changed
stands in the form already; where both did, what was typed stays, and theirs can
be taken over with one button.  Saving again saves what the form then says.

Two calls make a form careful::

    form = staleness.drawn(values_of(place))                     # GET
    ...
    form = Form(await read_form(request, fields=(*names, *staleness.FIELDS)))
    async def verb():                                            # POST, inside attempt()
        await staleness.check(session, form, stored, subject=("location", place.id), labels=LABELS, by=by)
        return await appointments.update_location(...)

and in the template, first thing in the form, ``{{ ui.drawn_from(form) }}``.  The
handler answers with ``status_code=refused.refused_status``.

The hidden field only serves to compare: whoever forges it deceives themselves.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import formatting
from coursecove.db.session import organization_of
from coursecove.i18n import _
from coursecove.portals.forms import Form, Redrawn
from coursecove.tenants.activity import Fact, facts_about
from coursecove.tenants.models import Member

DRAWN_FROM, TAKE_OVER = "drawn_from", "take_over"
#: What a careful form sends beside its own fields; name them to ``read_form``.
FIELDS = (DRAWN_FROM, TAKE_OVER)

_LONGEST_SHOWN = 80

Values = Mapping[str, Any]
#: How a field's value reads: by a function of it, or looked up ({"true": "Anybody"}).
Words = Callable[[str], str] | Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """A field that somebody changed while the form was open, in words."""

    field: str
    label: str
    was: str
    now: str
    who: str
    when: str
    #: What was typed here meanwhile and stays; None when theirs stands in the form.
    mine: str | None


class _Drawn(msgspec.Struct):
    """What a form was drawn from; ``was`` is what it was drawn from before it was refused."""

    now: dict[str, str | list[str]]
    was: dict[str, str | list[str]] = {}


class Stale(Redrawn):
    """Somebody else changed this while the form was open."""

    code = "stale"
    title = "Somebody changed this while you were editing"


def drawn(values: Values) -> Form:
    """Return the form that shows ``values`` and remembers that it was drawn from them."""
    return Form({**values, DRAWN_FROM: _pack(values)})


async def check(
    session: AsyncSession,
    form: Form,
    stored: Callable[[], Awaitable[Values]],
    *,
    subject: tuple[str, uuid.UUID],
    labels: Mapping[str, str],
    by: Member,
    words: Mapping[str, Words] | None = None,
    typed: Values | None = None,
) -> None:
    """Raise :class:`Stale` when the store no longer says what the form was drawn from.

    Call it first inside the verb of :func:`~coursecove.portals.forms.attempt`.
    ``stored`` returns what the form would be drawn from now, by the same
    function as on GET; it takes the lock of the verb that follows (a row ``for
    update``, ``one_at_a_time``), so that nothing changes between here and
    there.  Other forms about the same ``subject`` wait here as well.

    Only fields in ``labels`` are looked at.  A field ``x`` with ``x_unit``
    reads as both together.  ``typed`` is for forms whose fields are not what
    they are drawn from (a week of windows): it says what was typed in terms of
    ``stored``, and then nothing is taken over for anybody.

    A form that does not say what it was drawn from is not checked.
    """
    before = _unpack(form.value(DRAWN_FROM, ""))
    if before is None:
        return
    await session.execute(
        text("select pg_advisory_xact_lock(hashtextextended(:key, 0))"),
        {"key": f"form:{organization_of(session)}:{subject[0]}:{subject[1]}"},
    )
    current = await stored()
    take_over = form.value(TAKE_OVER, "")
    was = before.was if take_over and before.was else before.now
    mine = form.values if typed is None else typed
    kept: dict[str, Any] = {}
    found: list[tuple[str, bool]] = []
    for name in labels:
        parts = [part for part in (name, f"{name}_unit") if part in current]
        if all(_plain(current[part]) == was.get(part, _plain(current[part])) for part in parts):
            continue
        ours = all(_plain(mine.get(part)) == was.get(part, "") for part in parts)
        same = all(_plain(mine.get(part)) == _plain(current[part]) for part in parts)
        if same and not take_over:
            continue
        if typed is None and (ours or name == take_over):
            kept |= {part: current[part] for part in parts}
        found.append((name, not same and name not in kept))
    if not found and not take_over:
        return
    facts = await facts_about(session, *subject) if found else []
    values = {**form.values, **kept, DRAWN_FROM: _pack(current, was=was)}
    values.pop(TAKE_OVER, None)
    how = words or {}
    changes = [
        _change(name, labels[name], was, current, mine if conflict else None, _cause(facts, name), how, by)
        for name, conflict in found
    ]
    raise Stale(Form(values, stale=changes))


def _change(
    name: str,
    label: str,
    was: Values,
    now: Values,
    mine: Values | None,
    cause: Fact | None,
    words: Mapping[str, Words],
    by: Member,
) -> Change:
    if cause is None or cause.actor_name is None:
        who = _("somebody at your school")
    else:
        who = _("you, in another window") if cause.actor_id == by.id else cause.actor_name

    def said(values: Values) -> str:
        if isinstance(now.get(name), bool) and name not in words:
            return _("yes") if _plain(values.get(name)) else _("no")
        text = _read(name, values, words) or _("empty")
        return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1].rstrip() + "…"

    return Change(
        field=name,
        label=_(label),
        was=said(was),
        now=said(now),
        who=who,
        when=formatting.ago(cause.occurred_at) if cause else "",
        mine=said(mine) if mine is not None else None,
    )


def _cause(facts: Sequence[Fact], name: str) -> Fact | None:
    """Return the latest fact that speaks of a field; a column may carry a unit that the form does not."""
    for fact in facts:
        if any(key == name or key.startswith(f"{name}_") or name.startswith(f"{key}_") for key in fact.data):
            return fact
    return facts[0] if facts else None


def _read(name: str, values: Values, words: Mapping[str, Words]) -> str:
    raw = _plain(values.get(name))
    how = words.get(name)

    def one(value: str) -> str:
        if callable(how):
            return how(value)
        return (how or {}).get(value, value)

    said = formatting.listed([one(value) for value in raw]) if isinstance(raw, list) else one(raw)
    unit = values.get(f"{name}_unit")
    if said and unit:
        unit_words = words.get(f"{name}_unit")
        unit = unit_words.get(str(unit), str(unit)) if isinstance(unit_words, Mapping) else _(str(unit))
        said = f"{said} {unit}"
    return said


def _plain(value: Any) -> str | list[str]:
    """Return a value as a form sends it: text, or a list of texts; a box that is not ticked is empty."""
    if isinstance(value, list | tuple):
        return [str(one).strip() for one in value]
    if value is True:
        return "on"
    if value is None or value is False:
        return ""
    return str(value).replace("\r\n", "\n").strip()


def _pack(values: Values, *, was: Mapping[str, str | list[str]] | None = None) -> str:
    now = {name: _plain(value) for name, value in values.items() if name not in FIELDS}
    return msgspec.json.encode(_Drawn(now, dict(was or {}))).decode()


def _unpack(packed: Any) -> _Drawn | None:
    try:
        return msgspec.json.decode(str(packed), type=_Drawn)
    except msgspec.MsgspecError:
        return None
