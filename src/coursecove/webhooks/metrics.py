"""What this process did with events, for Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

_GROUPS = frozenset({"user", "organization", "organizationMembership", "organizationInvitation", "session"})

EVENTS = Counter(
    "coursecove_webhook_events_total",
    "Attempts at webhook events that ended, and messages that needed none",
    ["type_group", "path", "status", "outcome"],
)
SECONDS = Histogram(
    "coursecove_webhook_processing_seconds",
    "Time from taking an event up to writing down how that ended",
    ["path"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 1, 2.5, 5, 10, 20),
)


def group_of(event_type: str) -> str:
    """Return the part of a type before its dot, "other" for groups we have never heard of."""
    group = event_type.partition(".")[0]
    return group if group in _GROUPS else "other"


def count(event_type: str, path: str, status: str, outcome: str | None, seconds: float | None = None) -> None:
    """Note how an attempt ended; labels have few values, whatever a sender calls its events."""
    EVENTS.labels(group_of(event_type), path, status, outcome or "none").inc()
    if seconds is not None:
        SECONDS.labels(path).observe(seconds)
