"""Lists of 5,000 rows: a page asks the database as often as one of a short list, and stays quick.

Seen to fail with a query for each row of the list of people:
54 statements instead of 16.
"""

from __future__ import annotations

import httpx
import pytest

from coursecove.config import Settings
from tests.conftest import ClientFor
from tests.factories.world import School
from tests.patience import patience
from tests.portals.many import add_lessons, add_members, counted
from tests.portals.reading import text_of

# With room for a machine that does other things besides: alone, each takes a fraction of a second.
QUICK_SECONDS = 5


@pytest.fixture(scope="module")
def clara(client: ClientFor) -> httpx.Client:
    return client("musicschool", "clara@harmony.example", cookie=True)


def fewest(http: httpx.Client, path: str) -> tuple[int, httpx.Response]:
    """Return the fewest queries of three times; now and then one asks again which school the host is."""
    return min((counted(lambda: http.get(path)) for _ in range(3)), key=lambda one: one[0])


def assert_constant(http: httpx.Client, path: str, add: object, *, shown: str) -> None:
    """Assert that a page of a full list costs no more queries than one of the short list before."""
    assert callable(add)
    few, _ = fewest(http, path)
    add()
    many, page = fewest(http, path)
    assert shown in text_of(page)
    assert many <= few, f"{few} queries for a short list, {many} for a long one"
    assert page.elapsed.total_seconds() < patience(QUICK_SECONDS)


@pytest.mark.parametrize("path", ["/admin/people?q=a", "/admin/people?role=student&order=-joined_at&q=a"])
def test_people(clara: httpx.Client, settings: Settings, musicschool: School, path: str) -> None:
    def add() -> None:
        if "of 5,0" not in text_of(clara.get(path)):
            add_members(settings, musicschool, 5_000)

    assert_constant(clara, path, add, shown="1 to 25 of 5,0")


def test_lessons(clara: httpx.Client, settings: Settings, musicschool: School) -> None:
    path = "/admin/bookings?show=all"

    def add() -> None:
        add_lessons(
            settings,
            musicschool,
            5_000,
            type_name="Music theory online",
            teacher="tomas@harmony.example",
            student="mia@example.com",
        )

    assert_constant(clara, path, add, shown="1 to 25 of 5,0")
    # The pages of one person among them, the last page, and a search.
    person = clara.get("/admin/people?q=mia okafor").text.partition('href="/admin/people/mia-okafor-')[2]
    lessons = f"/admin/people/mia-okafor-{person[:8]}/lessons"
    for address in (f"{path}&page=201", f"{path}&q=mia", lessons, "/admin"):
        number, page = counted(lambda address=address: clara.get(address))  # type: ignore[misc]
        assert number < 40, (address, number)
        assert page.elapsed.total_seconds() < patience(QUICK_SECONDS), address
