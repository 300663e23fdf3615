"""``coursecove webhooks …``: the inbox on the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import click
import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.config import Settings
from coursecove.errors import NotFound
from coursecove.resources import open_resources
from coursecove.webhooks import service
from coursecove.webhooks.service import EventFilters, EventView, Order
from coursecove.webhooks.wakeups import settle

T = TypeVar("T")


class Instant(click.ParamType[datetime]):
    """A date or an ISO 8601 instant; UTC when it names no offset."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> datetime:
        """Return it as an aware datetime, or say how to write one."""
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            self.fail(
                "Write a date such as 2026-12-31, or an instant such as 2026-12-31T23:00:00Z.", param, context
            )
        return found if found.tzinfo else found.replace(tzinfo=UTC)


INSTANT = Instant()


@click.group("webhooks")
def webhooks_group() -> None:
    """What Clerk sent, what became of it, and once more please."""


@webhooks_group.command("stats")
@click.option("--hours", default=24, show_default=True, type=click.IntRange(1, 24 * 365))
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def stats_command(context: click.Context, hours: int, as_json: bool) -> None:
    """How the inbox is doing."""
    found = _ask(context, lambda session: service.stats(session, hours=hours))
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    good, fast = _percent(found.success_rate), _percent(found.fast_path_share)
    click.echo(f"last {hours} h  {found.completed} completed, {found.failed} failed ({good} good)")
    click.echo(f"open now   {found.pending} pending, {found.waiting} of them waiting for another event")
    click.echo(f"at work    {found.processing} being processed")
    click.echo(f"fast path  {fast} of what was completed")
    click.echo(f"latency    {_ms(found.p50_ms)} median, {_ms(found.p99_ms)} p99")
    if found.oldest_pending_at:
        click.echo(f"oldest     received {_when(found.oldest_pending_at)}, still open")


@webhooks_group.command("list")
@click.option("--status", type=click.Choice(service.STATUSES))
@click.option("--outcome", type=click.Choice(service.OUTCOMES))
@click.option("--type", "event_type", help="For example user.created.")
@click.option(
    "--path", type=click.Choice(service.PATHS), help="Done in the request (fast) or by a worker (queue)."
)
@click.option("--waiting/--not-waiting", default=None, help="What waits for another event, or does not.")
@click.option("--entity", "entity_id", help="A Clerk id, for example user_2x.")
@click.option("--from", "from_", type=INSTANT, help="Received then or later; UTC unless it says otherwise.")
@click.option("--until", type=INSTANT, help="Received before then.")
@click.option("--search", help="A part of a message id or a Clerk id.")
@click.option("--order", type=click.Choice(service.ORDERS), default="newest", show_default=True)
@click.option("--page", default=1, show_default=True, type=click.IntRange(1, 100_000))
@click.option("--limit", default=30, show_default=True, type=click.IntRange(1, 1000))
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def list_command(
    context: click.Context, /, order: Order, page: int, limit: int, *, as_json: bool, **narrowed: Any
) -> None:
    """Events, newest first."""
    filters = EventFilters(**narrowed)
    found = _ask(
        context,
        lambda session: service.find_events(session, filters, order=order, page=page, page_size=limit),
    )
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    for event in found.items:
        click.echo(f"{_when(event.received_at)}  {event.message_id}  {event.event_type}  {_state(event)}")
    if not found.items:
        click.echo("No events.")
    elif found.total > len(found.items):
        click.echo(f"{len(found.items)} of {found.total}, page {page}")


@webhooks_group.command("show")
@click.argument("message_id")
@click.option("--body", is_flag=True, help="Its payload too, without secrets and personal data.")
@click.pass_context
def show_command(context: click.Context, message_id: str, body: bool) -> None:
    """Everything known about one event."""
    found = _ask(context, lambda session: service.get_event(session, message_id))
    if body:
        click.echo(f"{found.body_bytes} bytes that are no JSON." if found.body is None else found.body)
        return
    for name in found.event.__struct_fields__:
        value = getattr(found.event, name)
        if value is not None:
            click.echo(f"{name:16} {_when(value) if isinstance(value, datetime) else value}")
    for name, value in sorted(found.headers.items()):
        click.echo(f"{name:16} {value}")


@webhooks_group.command("replay")
@click.argument("message_ids", nargs=-1)
@click.option("--failed", is_flag=True, help="Everything that failed, at most 1000 at a time.")
@click.pass_context
def replay_command(context: click.Context, message_ids: tuple[str, ...], failed: bool) -> None:
    """Process events once more; safe at any time."""
    if failed == bool(message_ids):
        raise click.UsageError("Name message ids, or say --failed.")
    if failed:
        done = _ask(context, service.replay_failed)
    else:
        done = _ask(context, lambda session: service.replay(session, message_ids))
    click.echo(f"{len(done)} will be processed again.")
    left_out = set(message_ids) - set(done)
    if left_out:
        raise click.ClickException(f"unknown, or being processed right now: {', '.join(sorted(left_out))}")


def _ask(context: click.Context, question: Callable[[AsyncSession], Awaitable[T]]) -> T:
    settings: Settings = context.obj["settings"]()

    async def ask() -> T:
        async with open_resources(settings) as resources:
            async with resources.database.platform_scope() as session:
                answer = await question(session)
            await settle()
            return answer

    try:
        return asyncio.run(ask())
    except NotFound as error:
        raise click.ClickException(error.detail or error.title) from error


def _state(event: EventView) -> str:
    parts = [event.status, event.outcome, event.path]
    if event.status == "pending" and event.waiting_for:
        parts.append(f"waits for {event.waiting_for}")
    if event.error:
        parts.append(f"after {event.attempts} attempts: {event.error}" if event.attempts else event.error)
    return " ".join(part for part in parts if part)


def _when(instant: datetime) -> str:
    return f"{instant.astimezone():%Y-%m-%d %H:%M:%S %Z}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _ms(milliseconds: float | None) -> str:
    return "–" if milliseconds is None else f"{milliseconds:.0f} ms"
