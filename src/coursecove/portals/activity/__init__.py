"""The activity log in words: what happened, field by field, as a person says it."""

from __future__ import annotations

from coursecove.portals.activity.entries import Entry, entries_of, history_of

__all__ = ["Entry", "entries_of", "history_of"]
