"""Who may open the admin portal's pages, and what no page of it shows."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.conftest import ClientFor
from tests.factories.world import School
from tests.portals.admin_pages import fill_in, href_of
from tests.portals.reading import RAW_ID, text_of

CLARA = "clara@harmony.example"
NEW = "/admin/bookings/new"


@pytest.fixture(scope="module")
def clara(client: ClientFor) -> httpx.Client:
    return client("musicschool", CLARA, cookie=True)


@pytest.fixture(scope="module")
def addresses(clara: httpx.Client) -> list[str]:
    """Every page of the portal, in the demo's music school."""
    people = clara.get("/admin/people")
    mia, ida = href_of(people, "Mia Okafor"), href_of(people, "Ida Berg")
    lesson = clara.get("/admin/bookings?q=violin").text.split('href="/admin/bookings/')[2].split('"')[0]
    handle = mia.rpartition("/")[2]
    return [
        "/admin",
        "/admin/bookings",
        "/admin/bookings?show=past",
        "/admin/bookings?show=all&status=cancelled&sort=latest",
        f"/admin/bookings/{lesson}",
        f"/admin/bookings/{lesson}/cancel",
        NEW,
        f"{NEW}?student={handle}",
        f"{NEW}?student={handle}&type=piano-lesson",
        f"{NEW}?student={handle}&type=piano-lesson&with=anyone",
        "/admin/types",
        "/admin/types?show=drafts",
        "/admin/types?show=archived",
        "/admin/types/new",
        "/admin/types/piano-lesson",
        "/admin/types/piano-lesson/archive",
        "/admin/locations",
        "/admin/locations?show=archived",
        "/admin/locations/new",
        "/admin/locations/studio-linden",
        "/admin/locations/studio-linden/archive",
        "/admin/people",
        "/admin/people?role=instructor&q=ida",
        "/admin/people/invite",
        mia,
        f"{mia}/role?role=instructor",
        ida,
        f"{ida}/profile",
        f"{ida}/qualifications",
        f"{ida}/hours",
        "/admin/school",
    ]


def test_an_admin_can_open_every_page_and_none_shows_an_id(clara: httpx.Client, addresses: list[str]) -> None:
    for address in addresses:
        page = clara.get(address)
        assert page.status_code == 200, address
        assert not RAW_ID.search(page.text), address
        assert page.text.count("<h1") == 1, address


def test_every_link_on_the_portals_pages_leads_somewhere(clara: httpx.Client, addresses: list[str]) -> None:
    hrefs = set()
    for address in addresses:
        page = clara.get(address)
        hrefs |= {part.split('"')[0] for part in page.text.split('href="/admin')[1:]}
    for href in sorted(hrefs):
        path = f"/admin{href}".replace("&amp;", "&").partition("#")[0]
        assert clara.get(path).status_code == 200, path


def test_a_visitor_is_asked_to_sign_in_and_comes_back(client: ClientFor, addresses: list[str]) -> None:
    visitor = client("musicschool", cookie=True)
    for address in addresses:
        answer = visitor.get(address)
        assert answer.status_code == 303, address
        assert answer.headers["location"].startswith("/sign-in?return_to=/admin"), address


@pytest.mark.parametrize("email", ["mia@example.com", "ida@harmony.example"])
def test_students_and_instructors_are_refused(client: ClientFor, addresses: list[str], email: str) -> None:
    person = client("musicschool", email, cookie=True)
    for address in addresses:
        answer = person.get(address)
        assert answer.status_code == 403, address
        assert "Clara" not in answer.text, address


def test_an_admin_of_another_school_is_a_stranger_here(client: ClientFor, addresses: list[str]) -> None:
    stranger = client("musicschool", "noor@stillwater.example", cookie=True)
    for address in addresses:
        answer = stranger.get(address)
        assert answer.status_code == 303, address
        assert answer.headers["location"].startswith("/join?return_to=/admin"), address


_FORMS: dict[str, dict[str, str]] = {
    "/admin/types/new": {"name": "Harp", "location_mode": "online", "duration_minutes": "45"},
    "/admin/types/piano-lesson": {"name": "Taken over"},
    "/admin/types/piano-lesson/archive": {},
    "/admin/types/piano-lesson/restore": {},
    "/admin/locations/new": {"name": "Cellar"},
    "/admin/locations/studio-linden": {"name": "Taken over"},
    "/admin/locations/studio-linden/archive": {},
    "/admin/locations/studio-linden/restore": {},
    "/admin/people/invite": {"email": "new@example.com", "role": "admin"},
    "/admin/school": {"name": "Taken over"},
}


@pytest.mark.parametrize("email", ["mia@example.com", "ida@harmony.example"])
def test_students_and_instructors_cannot_send_the_forms_either(
    client: ClientFor, clara: httpx.Client, email: str, stand_in: Any
) -> None:
    person = client("musicschool", email, cookie=True)
    handle = href_of(clara.get("/admin/people"), "Mia Okafor")
    lesson = clara.get("/admin/bookings?q=violin").text.split('href="/admin/bookings/')[2].split('"')[0]
    forms = {
        **_FORMS,
        f"{handle}/role": {"role": "admin"},
        f"/admin/bookings/{lesson}/cancel": {},
        f"{NEW}?student={handle.rpartition('/')[2]}&type=piano-lesson": {"with": "anyone"},
    }
    invited = len(stand_in.store.state.invitations)
    for path, values in forms.items():
        assert person.post(path, data=values).status_code == 403, path
    assert "Taken over" not in clara.get("/admin/types").text
    assert "Cellar" not in clara.get("/admin/locations").text
    assert "Cancelled" not in text_of(clara.get(f"/admin/bookings/{lesson}"))
    assert len(stand_in.store.state.invitations) == invited


def test_what_is_not_here_is_not_found(client: ClientFor, clara: httpx.Client, yoga: School) -> None:
    noor = client("yoga", "noor@stillwater.example", cookie=True)
    sofia = href_of(noor.get("/admin/people"), "Sofia Marino")
    their_lesson = noor.get("/admin/bookings").text.split('href="/admin/bookings/')[2].split('"')[0]
    assert len(their_lesson) == len("K7QF-2M9X")
    for path in (
        "/admin/types/private-yoga-session",
        "/admin/types/private-yoga-session/archive",
        "/admin/types/no-such-type",
        "/admin/locations/the-loft",
        "/admin/locations/the-loft/archive",
        f"/admin/bookings/{their_lesson}",
        f"/admin/bookings/{their_lesson}/cancel",
        "/admin/bookings/0000-0000",
        "/admin/bookings/nonsense",
        sofia,
        f"{sofia}/role",
        f"{sofia}/hours",
        f"{NEW}?student={sofia.rpartition('/')[2]}",
        "/admin/people/mia-okafor",
        "/admin/people/mia-okafor-aaaaaaaa",
        f"/admin/people/{yoga.members['sofia@example.com']}",
        "/admin/people/ünïcode",
        "/admin/nothing",
    ):
        assert clara.get(path).status_code == 404, path
    for path in ("/admin/types/private-yoga-session", "/admin/locations/the-loft", f"{sofia}/role"):
        assert clara.post(path, data={"name": "Mine", "role": "admin"}).status_code == 404, path


def test_addresses_nobody_types_are_not_found_instead_of_a_failure(clara: httpx.Client) -> None:
    for path in (
        "/admin/types/%00",
        "/admin/locations/%00",
        "/admin/people/%00",
        "/admin/bookings/%00",
        f"{NEW}?student=%00",
    ):
        assert clara.get(path).status_code in (400, 404), path
    for path in (
        "/admin/people?q=%00",
        "/admin/people?page=99999999999999999999",
        "/admin/bookings?q=%00&page=-1&from=x&until=9999-99-99&instructor=%00&type=%00&student=%00",
        f"{NEW}?q=%00",
    ):
        assert clara.get(path).status_code == 200, path


def test_a_students_pages_for_teaching_do_not_exist(clara: httpx.Client) -> None:
    mia = href_of(clara.get("/admin/people"), "Mia Okafor")
    for path in ("profile", "qualifications", "hours"):
        assert clara.get(f"{mia}/{path}").status_code == 404


def test_scripts_in_names_are_text(clara: httpx.Client) -> None:
    script = "<script>alert(1)</script>"
    place = {"address": script, "directions": script, "time_zone": "Europe/Berlin"}
    lesson = {"description": script, "location_mode": "online", "duration_minutes": "45", "published": "yes"}
    for path, values in (("/admin/locations/new", place), ("/admin/types/new", lesson)):
        changes = {name: [value] for name, value in values.items()}
        answer = fill_in(clara, path, name=[f"{script} {path}"], **changes)
        assert answer.status_code == 303, text_of(answer)
    mia = href_of(clara.get("/admin/people"), "Mia Okafor").rpartition("/")[2]
    for path in (
        "/admin/locations",
        "/admin/types",
        "/admin",
        "/admin/bookings",
        f"{NEW}?student={mia}",
        f"/admin/people?q={script}",
        f"/admin/bookings?q={script}",
    ):
        page = clara.get(path)
        assert page.status_code == 200
        assert script not in page.text, path
        # The toast that says so on the next page is escaped, too.
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in clara.get("/admin/types").text
