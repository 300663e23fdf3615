"""``coursecove webhooks …``: the inbox on the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

import click
import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.config import Settings
from coursecove.errors import NotFound
from coursecove.resources import open_resources
from coursecove.webhooks import service
from coursecove.webhooks.service import EventView
from coursecove.webhooks.wakeups import settle

T = TypeVar("T")


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
@click.option("--type", "event_type", help="For example user.created.")
@click.option("--entity", "entity_id", help="A Clerk id, for example user_2x.")
@click.option("--limit", default=30, show_default=True, type=click.IntRange(1, 1000))
@click.pass_context
def list_command(
    context: click.Context, status: str | None, event_type: str | None, entity_id: str | None, limit: int
) -> None:
    """Events, newest first."""
    found = _ask(
        context,
        lambda session: service.list_events(
            session, status=status, event_type=event_type, entity_id=entity_id, limit=limit
        ),
    )
    for event in found:
        click.echo(f"{_when(event.received_at)}  {event.message_id}  {event.event_type}  {_state(event)}")
    if not found:
        click.echo("No events.")


@webhooks_group.command("show")
@click.argument("message_id")
@click.option("--body", is_flag=True, help="What was signed; it holds personal data.")
@click.pass_context
def show_command(context: click.Context, message_id: str, body: bool) -> None:
    """Everything known about one event."""
    if body:
        click.echo(_ask(context, lambda session: service.get_body(session, message_id)))
        return
    event = _ask(context, lambda session: service.get_event(session, message_id))
    for name in event.__struct_fields__:
        value = getattr(event, name)
        if value is not None:
            click.echo(f"{name:16} {_when(value) if isinstance(value, datetime) else value}")


@webhooks_group.command("replay")
@click.argument("message_ids", nargs=-1)
@click.option("--failed", is_flag=True, help="Everything that failed, at most 1000 at a time.")
@click.pass_context
def replay_command(context: click.Context, message_ids: tuple[str, ...], failed: bool) -> None:
    """Process events once more; safe at any time."""
    if failed == bool(message_ids):
        raise click.UsageError("Name message ids, or say --failed.")

    async def replay(session: AsyncSession) -> list[str]:
        wanted = list(message_ids)
        if failed:
            wanted = [
                event.message_id for event in await service.list_events(session, status="failed", limit=1000)
            ]
        return await service.replay(session, wanted)

    done = _ask(context, replay)
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
