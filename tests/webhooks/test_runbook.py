"""The queries of docs/operations/webhooks.md are there to be pasted at night; they have to work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from coursecove.resources import Resources
from tests.webhooks.support import deliver, new_id, rows, user

pytestmark = pytest.mark.anyio


async def test_every_query_of_the_page_runs_and_finds_what_it_is_for(house: Resources, project: Path) -> None:
    page = (project / "docs/operations/webhooks.md").read_text(encoding="utf-8")
    queries = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    assert len(queries) == 7
    await deliver(house, "user.created", user("user_2x"), message_id="msg_done")
    await deliver(house, "user.created", {"id": new_id("user")}, message_id="msg_failed")
    found = [await rows(house, query.rstrip().rstrip(";").replace(":", r"\:")) for query in queries]
    counts, success, fast, latency, failed, oldest, person = found
    assert counts == [{"status": "completed", "count": 1}, {"status": "failed", "count": 1}]
    assert success == [{"success_rate": 0.5}]
    assert float(fast[0]["fast_path_share"]) == 1.0
    assert latency[0]["p99"] > 0
    assert "updated_at" in failed[0]["error"]
    assert oldest == []
    assert person[0]["outcome"] == "applied"
