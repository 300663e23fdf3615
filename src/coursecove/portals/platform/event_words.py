"""An event in words: what became of it, and what happened when."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from coursecove import clock
from coursecove.portals.platform.operators import Moments, milliseconds, span
from coursecove.webhooks.service import EventView

_KINDS = {"pending": "warning", "processing": "info", "completed": "success", "failed": "error"}
_LABELS = {"pending": "Pending", "processing": "Processing", "completed": "Completed", "failed": "Failed"}
_OUTCOMES = {
    "applied": "What it says was applied.",
    "superseded": "Something newer was known already, so it changed nothing.",
    "ignored": "Nothing here depends on events of this type.",
}
_LANES = {"fast": "request", "queue": "worker"}
_PATHS = {"fast": "in the request that brought it", "queue": "by a worker"}


def event_href(message_id: str) -> str:
    """Return the address of an event's page."""
    return f"/platform/webhooks/{quote(message_id, safe='')}"


def status_badge(event: EventView) -> dict[str, str]:
    """Return label and kind of an event's status."""
    if event.status == "pending" and event.waiting_for:
        return {"label": "Waiting", "kind": "warning"}
    return {"label": _LABELS[event.status], "kind": _KINDS[event.status]}


def summary(event: EventView) -> str:
    """Return what there is to say about an event in a line of a list."""
    if event.status == "failed":
        return event.error or ""
    if event.status == "pending" and event.waiting_for:
        return f"Waits for {_entity(event.waiting_for)}"
    if event.status == "pending":
        return f"After {event.attempts} attempts: {event.error}" if event.error else "Due for a worker"
    if event.status == "processing":
        return f"Attempt {event.attempts}, {_PATHS[event.path or 'queue']}"
    return (event.outcome or "").capitalize()


def event_row(event: EventView, moments: Moments) -> dict[str, Any]:
    """Return an event as a line of a list."""
    return {
        "message_id": event.message_id,
        "href": event_href(event.message_id),
        "type": event.event_type,
        "entity_id": event.entity_id,
        "status": status_badge(event),
        "busy": event.status == "processing",
        "summary": summary(event),
        "attempts": event.attempts,
        "received": moments.moment(event.received_at),
        "took": _took(event),
    }


def facts(event: EventView) -> list[dict[str, str]]:
    """Return what is known of an event beside its history, for a list of definitions."""
    rows = [
        {"label": "Message", "text": event.message_id},
        {"label": "Sender", "text": event.source.capitalize()},
        {"label": "Type", "text": event.event_type},
    ]
    if event.entity_id:
        rows.append(
            {"label": "About", "text": event.entity_id, "href": f"/platform/webhooks?q={event.entity_id}"}
        )
    if event.entity_version is not None:
        rows.append({"label": "Version", "text": str(event.entity_version)})
    rows.append({"label": "Attempts", "text": str(event.attempts)})
    if event.processing_ms is not None:
        rows.append({"label": "Work", "text": milliseconds(event.processing_ms)})
    if event.latency_ms is not None:
        rows.append({"label": "From received to done", "text": milliseconds(event.latency_ms)})
    return rows


def history(event: EventView, moments: Moments) -> list[dict[str, Any]]:
    """Return what happened to an event and what comes next, in order."""
    steps = [
        _step(moments.moment(event.received_at), "Received", "Its signature was right; it was written down.")
    ]
    if event.waiting_for and event.waiting_since:
        steps.append(
            _step(
                moments.moment(event.waiting_since),
                "Put aside",
                f"It makes sense only after {_entity(event.waiting_for)}, which has not arrived.",
            )
        )
    elif event.attempts > 1 or (event.attempts and event.status != "completed"):
        words = "1 attempt" if event.attempts == 1 else f"{event.attempts} attempts"
        steps.append(_step(None, f"{words} so far", f"The last one {_PATHS[event.path or 'queue']}."))
    if event.status == "completed" and event.processed_at:
        done = f"{_PATHS[event.path or 'queue']}.".capitalize()
        steps.append(
            _step(
                moments.moment(event.processed_at),
                (event.outcome or "completed").capitalize(),
                f"{_OUTCOMES.get(event.outcome or '', '')} Done {done[0].lower()}{done[1:]}",
                kind="success",
            )
        )
    elif event.status == "failed":
        steps.append(_step(moments.moment(event.updated_at), "Failed", event.error or "", kind="error"))
    elif event.status == "processing" and event.lease_expires_at:
        steps.append(
            _step(
                moments.moment(event.lease_expires_at),
                "Being processed",
                "Until then it belongs to whoever works on it; after that somebody else may take it.",
                kind="info",
            )
        )
    elif event.next_attempt_at:
        due = event.next_attempt_at <= clock.now()
        title = "Due" if due else "Next attempt"
        text = f"The last one ended so: {event.error}" if event.error else "A worker takes it up."
        if event.waiting_for:
            text = "Sooner when what it waits for arrives."
        steps.append(_step(moments.moment(event.next_attempt_at), title, text, kind="warning"))
    return steps


def age(seconds: float | None) -> str:
    """Return how old the oldest open event is."""
    return "–" if seconds is None else span(seconds)


def _step(at: dict[str, str] | None, title: str, text: str, *, kind: str = "neutral") -> dict[str, Any]:
    return {"at": at, "title": title, "text": text, "kind": kind}


def _entity(key: str) -> str:
    # Clerk's ids begin with what they are: user_…, org_….
    return key.partition(":")[2]


def _took(event: EventView) -> str:
    if event.latency_ms is None:
        return "–"
    return f"{milliseconds(event.latency_ms)}, {_LANES[event.path or 'queue']}"
