"""The life of one lesson in words: who did what when, and which mails went out about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from coursecove import formatting
from coursecove.i18n import _
from coursecove.notifications.deliveries import DeliveryView
from coursecove.notifications.kinds import LABELS
from coursecove.portals.lesson_words import Clocks, attendance_word, rule_words
from coursecove.tenants.activity import Fact


def history(facts: Sequence[Fact], clocks: Clocks, *, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return what happened, oldest first; ``names`` are people by id, for lessons that changed hands."""
    return [
        {
            "text": _sentence(fact, clocks, names),
            "reason": fact.data.get("reason"),
            "rules": rules_passed(fact.data.get("overridden_rules") or ()),
            "at": clocks.moment(fact.occurred_at),
            "iso": fact.occurred_at.isoformat(),
        }
        for fact in sorted(facts, key=lambda fact: fact.occurred_at)
    ]


def rules_passed(rules: Sequence[str]) -> str | None:
    """Return "minimum notice and working hours", or None when no rule was passed."""
    return formatting.listed([rule_words(rule) for rule in rules]) if rules else None


def _sentence(fact: Fact, clocks: Clocks, names: Mapping[str, str]) -> str:
    who = fact.actor_name or "CourseCove"
    data = fact.data
    if fact.action == "booking.confirmed":
        words = _("{who} confirmed the request") if data.get("approved") else _("{who} booked it")
    elif fact.action == "booking.moved":
        return _("{who} moved it to {when}").format(who=who, when=_when(data, "starts_at", clocks))
    elif fact.action == "booking.reassigned":
        to = names.get(str(data.get("instructor_id")))
        return _("{who} gave it to {to}").format(who=who, to=to or _("somebody else"))
    elif fact.action == "booking.attendance_noted":
        if not data.get("attendance"):
            return _("{who} took the attendance back").format(who=who)
        return _("{who} noted: {attendance}").format(who=who, attendance=_attendance(data["attendance"]))
    else:
        words = {
            "booking.requested": _("{who} asked for it"),
            "booking.declined": _("{who} declined the request"),
            "booking.lapsed": _("Nobody answered in time, so the request lapsed"),
            "booking.cancelled": _("{who} cancelled it"),
            "booking.note_added": _("{who} wrote a note"),
            "booking.note_changed": _("{who} changed a note"),
            "booking.note_deleted": _("{who} deleted a note"),
        }.get(fact.action, _("{who} changed it"))
    return words.format(who=who)


def _attendance(value: Any) -> str:
    # A change is written down as what it was and what it is.
    now = value.get("to") if isinstance(value, dict) else value
    return attendance_word(now) if now else _("no attendance")


def _when(data: Mapping[str, Any], name: str, clocks: Clocks) -> str:
    value = data.get(name)
    text = value.get("to") if isinstance(value, dict) else value
    try:
        return clocks.moment(datetime.fromisoformat(str(text)))
    except ValueError:
        return _("another time")


def mails(deliveries: Sequence[DeliveryView], clocks: Clocks) -> list[dict[str, Any]]:
    """Return the mails about a lesson with what became of each."""
    return [
        {
            "to": delivery.recipient_email,
            "what": mail_name(delivery.kind),
            "at": clocks.moment(delivery.sent_at or delivery.created_at),
            **outcome(delivery),
        }
        for delivery in deliveries
    ]


def outcome(delivery: DeliveryView) -> dict[str, str]:
    """Return the badge of a mail."""
    if delivery.sent_at:
        return {"label": _("Sent"), "kind": "success"}
    if delivery.failed_at:
        return {"label": _("Not delivered"), "kind": "error"}
    if delivery.skipped_at:
        return {"label": _("Not needed"), "kind": "neutral"}
    if delivery.attempts:
        return {"label": _("Trying again"), "kind": "warning"}
    return {"label": _("On its way"), "kind": "neutral"}


def mail_name(kind: str) -> str:
    """Return what a kind of mail is called."""
    return _(LABELS[kind]) if kind in LABELS else _("Message")
