"""The activity log."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from coursecove import clock
from coursecove.i18n import N_, _
from coursecove.portals.activity import entries_of
from coursecove.portals.admin.activity import Wanted, facts_page, read_wanted
from coursecove.portals.exports.kinds import Asking, Export, Row, day_of, time_of

_PAGE = 500


async def activity(asking: Asking) -> AsyncIterator[Row]:
    """Yield what happened, the latest first: a row a change, or one where a fact changed nothing."""
    zone = asking.organization.time_zone
    wanted = Wanted({}) if asking.everything else await read_wanted(asking.session, asking.query, zone)
    # What happens while the file is written would shift the pages.
    now = clock.now()
    until = min(wanted.facts.until or now, now)
    wanted.facts = msgspec.structs.replace(wanted.facts, until=until)
    number = 1
    while True:
        found = await facts_page(asking.session, wanted, page=number, page_size=_PAGE)
        for fact, entry in zip(found.items, await entries_of(asking.session, found.items), strict=True):
            when = day_of(fact.occurred_at, zone), time_of(fact.occurred_at, zone)
            who = fact.actor_name or _("CourseCove")
            for line in entry.lines:
                yield (*when, who, entry.text, line.label, line.was or "", line.now)
            if not entry.lines:
                yield (*when, who, entry.text, "", "", "")
        if number * _PAGE >= found.total:
            return
        number += 1


ACTIVITY = Export(
    "activity",
    N_("Activity"),
    (N_("Day"), N_("Time"), N_("Who"), N_("What happened"), N_("Field"), N_("Before"), N_("Now")),
    activity,
)
