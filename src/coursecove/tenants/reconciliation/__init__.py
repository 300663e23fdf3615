"""Repairing what was never delivered: Clerk's Backend API read through, and compared with what is here.

Hourly for the whole instance, and for one school when its admin asks.  Every
change goes through the functions the webhooks go through, so that versions and
tombstones hold.  Nothing is removed because of an error, an unfinished walk or
a single answer.
"""

from __future__ import annotations

from coursecove.tenants.reconciliation.service import SyncState, SyncTooSoon, request_sync, sync_state

__all__ = ["SyncState", "SyncTooSoon", "request_sync", "sync_state"]
