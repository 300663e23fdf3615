"""Facts as pages show them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import formatting
from coursecove.i18n import _
from coursecove.portals.activity.names import Names, names_for
from coursecove.portals.activity.sentences import icon_of, sentence_of
from coursecove.portals.activity.values import Line, lines_of
from coursecove.tenants.activity import Fact, facts_about

_CREATED = frozenset({"created", "confirmed", "requested", "scheduled", "applied"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened: a sentence, when, where it leads, and what it was before and after."""

    text: str
    icon: str
    href: str | None
    day: str
    time: str
    ago: str
    iso: str
    lines: list[Line]


async def entries_of(session: AsyncSession, facts: Sequence[Fact]) -> list[Entry]:
    """Return facts in words, in a fixed number of queries; times are on the school's clock."""
    names = await names_for(session, facts) if facts else None
    return [_entry(fact, names) for fact in facts if names]


async def history_of(session: AsyncSession, subject_type: str, subject_id: uuid.UUID) -> list[Entry]:
    """Return the latest of what happened to one thing, newest first; ``ui.history`` draws it."""
    return await entries_of(session, await facts_about(session, subject_type, subject_id))


def _entry(fact: Fact, names: Names) -> Entry:
    # What something began with is on its own page; here it is enough that it began.
    begun = fact.action.partition(".")[2] in _CREATED
    of_lesson = fact.subject_type in ("booking", "session")
    return Entry(
        text=sentence_of(
            fact.action, fact.data, who=fact.actor_name or _("CourseCove"), what=names.subject(fact)
        ),
        icon=icon_of(fact.action),
        href=names.href(fact),
        day=formatting.day_long(fact.occurred_at, names.zone),
        time=formatting.time(fact.occurred_at, names.zone),
        ago=formatting.ago(fact.occurred_at),
        iso=fact.occurred_at.isoformat().replace("+00:00", "Z"),
        lines=[
            line
            for line in lines_of(fact.data, names, of_lesson=of_lesson)
            if not begun or line.was is not None
        ],
    )
