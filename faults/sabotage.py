"""Guards taken out on purpose: the product as it would be without one of them.

``python -m faults.sabotage <guard> serve|worker`` is ``coursecove serve|worker``
with one guard gone.  A run against it has to be reported as a violation;
otherwise the run proves nothing.  The product itself has no switch for this.
"""

from __future__ import annotations

import asyncio
import random
import re
import sys
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any

from sqlalchemy import text

from coursecove.tenants.inbound import memberships, organizations, users
from coursecove.webhooks import at_once, batches, ledger, processing
from coursecove.webhooks.inbox import find_handler

LEASE_SECONDS = 0.7
# Every third attempt sleeps through its lease; the others hurry.
DAWDLING = 0.35
DAWDLE_SECONDS = (1.0, 4.0)


def _without(module: ModuleType, name: str, clause: str, instead: str = "") -> None:
    """Take a clause out of a statement; fails when there is none, which would make this harmless."""
    before = getattr(module, name)
    statement = str(before)
    if isinstance(before, str):
        # What travels as a message of its own has the driver's placeholders.
        clause, instead = (re.sub(r"(?<!:):(\w+)", r"%(\1)s", words) for words in (clause, instead))
    if clause not in statement:
        raise SystemExit(f"{module.__name__}.{name} has no {clause!r} to take out")
    after = statement.replace(clause, instead)
    _replace(module, name, after if isinstance(before, str) else text(after))


def _replace(module: ModuleType, name: str, by: object) -> None:
    if not hasattr(module, name):
        raise SystemExit(f"{module.__name__} has no {name} to replace")
    setattr(module, name, by)


def short_leases() -> None:
    """Not a guard gone but a squeeze: leases so short that attempts often outlive theirs."""
    ledger.FAST_LEASE_SECONDS = ledger.QUEUE_LEASE_SECONDS = LEASE_SECONDS
    ledger.WAKE_AGAIN_SECONDS = 0.2
    # A lease that ran out counts as an attempt; here that is no sign of poison.
    ledger.MAX_ATTEMPTS = 100
    find = find_handler

    def find_slowly(event_type: str) -> Any:
        handler: Callable[..., Awaitable[Any]] | None = find(event_type)
        if handler is None:
            return None

        async def dawdle(session: Any, event: Any) -> Any:
            # Asleep before it takes any lock, as a paused process would be.
            if random.random() < DAWDLING:
                await asyncio.sleep(random.uniform(*DAWDLE_SECONDS))
            return await handler(session, event)

        return dawdle

    _replace(processing, "find_handler", find_slowly)
    # What is done in one message has no lease to lose, and a batch does not dawdle.
    for module in (at_once, batches):
        _replace(module, "find_at_once", lambda _event_type: None)
    _replace(batches, "types_at_once", list)


def fencing() -> None:
    """An attempt writes its end although its lease has gone to somebody else."""
    short_leases()
    for name in ("_COMPLETE", "_WAIT", "_RELEASE"):
        _without(ledger, name, " and lease_token = :token")


def dedupe() -> None:
    """A message that is known is taken for a new one."""
    _without(
        ledger,
        "_INSERT",
        "do nothing",
        "do update set status = excluded.status, attempts = excluded.attempts, "
        "lease_token = excluded.lease_token, lease_expires_at = excluded.lease_expires_at",
    )


def version_guard() -> None:
    """Whatever arrives last wins, for people and for members."""
    guard = "members.version < excluded.version or (members.version = excluded.version and not :created)"
    _without(memberships, "_UPSERT", guard, "cast(:created as boolean) is not null")
    _without(users, "_CHANGES", "where users.version < excluded.version", "where true")


def tombstones() -> None:
    """What was deleted is forgotten."""

    async def never(*_: Any, **__: str) -> bool:
        return False

    for module in (organizations, memberships):
        _replace(module, "is_buried", never)
    grave = (
        "where not exists (select from identity_tombstones where kind = 'user' and clerk_id = given.clerk_id)"
    )
    _without(users, "_CHANGES", grave, "where true")


GUARDS: dict[str, Callable[[], None]] = {
    "fencing": fencing,
    "dedupe": dedupe,
    "version-guard": version_guard,
    "tombstones": tombstones,
}
# Nothing is broken here: the same squeeze as for "fencing", with the guard in place, must pass.
SQUEEZES: dict[str, Callable[[], None]] = {"short-leases": short_leases}


def main() -> None:
    """Take the guard out, then be the product."""
    (GUARDS | SQUEEZES)[sys.argv[1]]()
    from coursecove.cli import main as coursecove

    coursecove(sys.argv[2:])


if __name__ == "__main__":
    main()
