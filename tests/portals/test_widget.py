"""Lessons on the school's own website: what may be framed, what may not, and what is in it."""

from __future__ import annotations

import html
import re

import httpx
import pytest

from tests.conftest import ClientFor
from tests.portals.reading import RAW_ID, fields_of, links, text_of

SITE = "https://www.harmony-music.example"


def policy(page: httpx.Response) -> dict[str, str]:
    """Return the Content-Security-Policy of an answer, by directive."""
    parts = (part.strip().partition(" ") for part in page.headers["content-security-policy"].split(";"))
    return {name: value for name, _, value in parts}


@pytest.mark.parametrize("path", ["/embed", "/embed/piano-lesson", f"/embed/piano-lesson?origin={SITE}"])
def test_the_pages_for_frames_may_be_framed_and_nothing_else(client: ClientFor, path: str) -> None:
    visitor = client("musicschool", cookie=True)
    page = visitor.get(path)
    assert page.status_code == 200
    assert policy(page)["frame-ancestors"] == "*"
    assert "x-frame-options" not in page.headers
    # Where anybody may stand around it, nobody else's script is let in.
    assert policy(page)["script-src"] == policy(page)["connect-src"] == "'self'"
    assert policy(page)["default-src"] == policy(page)["base-uri"] == "'none'"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/book/piano-lesson",
        "/sign-in",
        "/lessons",
        "/settings",
        "/embedded",
        "/embed/trombone",
        "/embed/../lessons",
        "/book/piano-lesson?origin=https://evil.example",
        "/api/v1/organization",
    ],
)
@pytest.mark.parametrize("email", [None, "mia@example.com"])
def test_every_other_page_refuses_to_be_framed(client: ClientFor, path: str, email: str | None) -> None:
    """Seen to fail with the frame's policy chosen by the beginning of the path, for `/embedded`."""
    page = client("musicschool", email, cookie=True).get(path)
    assert policy(page)["frame-ancestors"] == "'none'", path
    assert page.headers["x-frame-options"] == "DENY"


def test_a_frame_knows_nobody_even_when_the_browser_sends_its_cookies(client: ClientFor) -> None:
    """Seen to fail while the gateway asked who it was: a student's next lesson shows in a stranger's site."""
    student, visitor = client("musicschool", "mia@example.com", cookie=True), client("musicschool", cookie=True)
    for path in ("/embed", "/embed/piano-lesson"):
        framed = student.get(path)
        assert "Mia" not in framed.text
        assert "mia@example.com" not in framed.text
        assert "clerk" not in framed.text.lower().replace("img.clerk.com", "")
        assert "set-cookie" not in framed.headers
        assert len(links(framed, "")) == len(links(visitor.get(path), ""))
        # Nothing in it can be pressed on somebody's behalf.
        assert 'method="post"' not in framed.text


def test_what_is_for_members_or_by_link_is_not_in_a_frame(client: ClientFor) -> None:
    admin = client("musicschool", "clara@harmony.example")
    made = admin.post(
        "/api/v1/appointment-types",
        json={
            "name": "Ensemble rehearsal",
            "duration_minutes": 60,
            "location_mode": "online",
            "visibility": "members",
            "instructor_ids": [],
        },
    ).json()
    student = client("musicschool", "mia@example.com", cookie=True)
    assert "Ensemble rehearsal" in student.get("/").text
    assert "Ensemble rehearsal" not in student.get("/embed").text
    assert student.get(f"/embed/{made['slug']}").status_code == 404


def test_a_chosen_time_leaves_the_frame_and_everything_before_it_stays_inside(client: ClientFor) -> None:
    visitor = client("musicschool", cookie=True)
    page = visitor.get("/embed/piano-lesson", params={"with": "ida-berg", "origin": SITE})
    times = re.findall(r'<a class="time-slot"[^>]*>', page.text)
    assert times
    for tag in times:
        assert 'target="_blank"' in tag
        href = html.unescape(re.findall(r'href="([^"]*)"', tag)[0])
        assert href.startswith("/book/piano-lesson?")
        assert "origin" not in fields_of(href)
    assert "Confirm your lesson" in text_of(visitor.get(href))
    for inside in (*links(page, r"[?&]day="), *links(page, r"[?&]with=tomas-rey"), *links(page, r"[?&]at=")):
        if "time=" not in inside:
            assert inside.startswith("/embed/piano-lesson?")
            assert fields_of(inside)["origin"] == SITE
    # A time in the address of a frame confirms nothing there.
    assert "Choose a time" in text_of(
        visitor.get("/embed/piano-lesson?with=ida-berg&day=2031-01-06&time=10:00")
    )
    assert not RAW_ID.search(page.text)


@pytest.mark.parametrize(
    ("origin", "named"),
    [
        (SITE, SITE),
        ("http://localhost:3000", "http://localhost:3000"),
        ("javascript:alert(1)", None),
        ("https://user:pass@evil.example", None),
        ("*", None),
        ('https://a.example"><script>', None),
    ],
)
def test_the_height_is_told_to_the_site_that_was_named_and_to_no_other(
    client: ClientFor, origin: str, named: str | None
) -> None:
    page = client("musicschool", cookie=True).get("/embed", params={"origin": origin})
    told = re.findall(r'<meta name="framed-by" content="([^"]*)">', page.text)
    assert told == ([named] if named else [])
    assert "alert(1)" not in page.text


def test_the_script_belongs_to_everybody_and_can_be_kept_for_an_hour(client: ClientFor) -> None:
    script = client("musicschool", cookie=True).get("/widget.js")
    assert script.status_code == 200
    assert script.headers["content-type"].startswith("text/javascript")
    assert script.headers["cache-control"] == "public, max-age=3600"
    assert script.headers["cross-origin-resource-policy"] == "cross-origin"
    # It believes the school's own frame alone.
    assert "event.origin !== school || event.source !== frame.contentWindow" in script.text


def test_an_admin_copies_the_line_for_the_website(client: ClientFor) -> None:
    admin = client("musicschool", "clara@harmony.example", cookie=True)
    page = admin.get("/admin/school/website")
    assert page.status_code == 200
    codes = [html.unescape(code) for code in re.findall(r'data-copy="([^"]*)"', page.text)]
    assert len(codes) == 3
    assert all(re.match(r'<script src="https?://musicschool\.[^"]*/widget\.js" data-', code) for code in codes)
    guitar = admin.get("/admin/school/website?lesson=guitar-lesson")
    assert 'data-lesson="guitar-lesson"' in html.unescape(html.unescape(guitar.text))
    assert (
        client("musicschool", "ida@harmony.example", cookie=True).get("/admin/school/website").status_code
        == 403
    )
