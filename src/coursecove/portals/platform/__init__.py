"""The bare domain: what CourseCove is, and how it is doing, for those who run it."""

from __future__ import annotations

from typing import Any

from coursecove.portals.account.sessions import sign_in, sign_out, sign_out_page, sign_up
from coursecove.portals.platform.landing import landing
from coursecove.portals.platform.overview import overview
from coursecove.portals.platform.replays import ReplayPages
from coursecove.portals.platform.schools import schools
from coursecove.portals.platform.webhooks import WebhookPages

HANDLERS: list[Any] = [
    landing,
    sign_in,
    sign_up,
    sign_out_page,
    sign_out,
    overview,
    WebhookPages,
    ReplayPages,
    schools,
]
