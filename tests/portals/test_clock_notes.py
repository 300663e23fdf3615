"""A lesson's page names a change of clocks that comes before it, to whoever it concerns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from coursecove.config import Settings
from coursecove.db.session import Database
from coursecove.notifications.clock_changes import changes_between
from tests.bookings.desk import CLARA, IDA, LEO, Desk
from tests.conftest import ClientFor
from tests.factories.world import School
from tests.serving import Loop


def test_the_change_is_named_where_clocks_part(
    loop: Loop, database: Database, musicschool: School, client: ClientFor, settings: Settings
) -> None:
    now = datetime.now(UTC)
    change = changes_between("Europe/Berlin", now, now + timedelta(days=250))[0]
    start = (change + timedelta(days=5)).replace(hour=12, minute=0, second=0)
    booking = Desk(loop, database, musicschool).book(
        CLARA, "Music theory online", start, teacher=IDA, student=LEO, override_rules=True
    )
    page, leo = client("musicschool", LEO, cookie=True), client("musicschool", LEO)

    def text(zone: str | None) -> str:
        leo.patch("/api/v1/me/preferences", json={"time_zone": zone})
        return page.get(f"/lessons/{booking.reference}").text

    to_kolkata = text("Asia/Kolkata")
    assert "The clocks change in Berlin on" in to_kolkata
    assert "it is at 17:30 your time, not at" in to_kolkata
    for zone in ("Europe/Berlin", "Europe/London", None):
        assert "The clocks change" not in text(zone), zone
    # Whoever does not want to be told is not told here either.
    assert "The clocks change" in text("Asia/Kolkata")
    leo.patch("/api/v1/me/preferences", json={"clock_change_notices": False})
    assert "The clocks change" not in text("Asia/Kolkata")
