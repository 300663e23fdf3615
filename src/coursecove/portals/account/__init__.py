"""Signing in, signing up, signing out and joining a school; the school's colours and pictures.

Clerk's components do the first two in the browser; these pages mount them.
"""

from __future__ import annotations

from typing import Any

from coursecove.portals.account.branding import branding
from coursecove.portals.account.feeds import calendar_feed
from coursecove.portals.account.joining import join, join_page
from coursecove.portals.account.languages import choose_language
from coursecove.portals.account.pictures import picture
from coursecove.portals.account.sessions import sign_in, sign_out, sign_out_page, sign_up
from coursecove.portals.account.unsubscribing import UnsubscribePages

HANDLERS: list[Any] = [
    sign_in,
    sign_up,
    sign_out_page,
    sign_out,
    join_page,
    join,
    choose_language,
    branding,
    picture,
    UnsubscribePages,
    calendar_feed,
]
