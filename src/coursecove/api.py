"""Everything below /api/v1, room by room."""

from __future__ import annotations

from typing import Any

from coursecove.appointments.controllers import API_CONTROLLERS as APPOINTMENTS
from coursecove.bookings.controllers import API_CONTROLLERS as BOOKINGS
from coursecove.scheduling.controllers import API_CONTROLLERS as SCHEDULING
from coursecove.tenants.controllers import API_CONTROLLERS as TENANTS

API_HANDLERS: list[Any] = [
    *TENANTS,
    *APPOINTMENTS,
    *SCHEDULING,
    *BOOKINGS,
]
