"""Every page, in both sizes and themes, under axe: no findings at WCAG 2.2 AA.

The pages of a school come from the table of routes, which
`tests/isolation/test_roles_and_routes.py` holds to the router; where each one is
at home in the demo is found by following the links of the others.  So a new
page is examined as soon as there is one, or this test says that nothing leads
to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page

from tests.e2e.conftest import DESKTOP, PHONE, House, OpenContext, sign_in
from tests.isolation.people import is_page
from tests.isolation.routes import ROUTES, Audience

# Some tens of pages each, on a machine that may be busy with something else.
pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

#: Not every lesson can be declined, nor every person deactivated: how many are tried.
MOST_GUESSES = 12
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OPERATOR = "Olivia Park"

#: What answers with something else than a page of ours.
NO_PAGES = {
    "/branding.css": "a stylesheet",
    "/widget.js": "a script",
    "/pictures/{digest}": "a picture",
    "/feeds/{token}": "a calendar",
    "/lessons/{reference}/calendar.ics": "a calendar",
    "/admin/imports/{kind}/template.csv": "a download",
    "/admin/exports/{file}": "a download",
    "/admin/exports/school.zip": "a download",
    "/admin/school/texts/{kind}/{language}/preview": "a mail, in a frame that runs no script, axe neither",
}
#: Pages that are there for what the demo does not hold.
NOT_IN_THE_DEMO = {
    "/unsubscribe/{token}": "its address is in mails only",
    "/admin/imports/{kind}/review": "nothing was uploaded",
    "/sign-out": "visitors are sent on; Mia looks at it",
    "/classes/{handle}": "students are led there by a full class; Tomás, who gives one, looks at it",
    "/teach/lessons/{reference}/decline": "Tomás is asked nothing; the admins' page is the same",
    "/teach/lessons/{reference}/notes": "on some days no lesson has begun yet",
    "/admin/bookings/{reference}/notes": "on some days no lesson has begun yet",
}


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whose pages are examined, and what besides the routes: other states of a page, what is not there."""

    name: str | None
    audiences: frozenset[Audience]
    starts: tuple[str, ...]
    besides: tuple[str, ...] = ()


VISITORS = {
    "visitor": Visitor(
        None,
        frozenset({"everyone"}),
        (
            "/",
            "/?with=ida-berg&kind=class&place=@online",
            "/nowhere",
            "/book/piano-lesson",
            "/book/piano-lesson?with=ida-berg",
            "/book/choir-evening",
            "/book/piano-at-your-home",
            "/embed",
            "/embed/piano-lesson",
        ),
    ),
    # A student of the yoga studio is a guest here.
    "guest": Visitor("Sofia Marino", frozenset({"guests"}), ("/join",)),
    "student": Visitor(
        "Mia Okafor",
        frozenset({"members"}),
        (
            "/lessons",
            "/lessons?show=past",
            "/settings",
            "/family",
            "/sign-out",
            "/book/piano-lesson?with=ida-berg&at=evening",
        ),
    ),
    # Tomás gives the classes.
    "instructor": Visitor(
        "Tomás Rey", frozenset({"staff"}), ("/teach", "/teach/week", "/teach/calendar"), ("/classes/{handle}",)
    ),
    "admin": Visitor(
        "Clara Weiss",
        frozenset({"admins"}),
        (
            "/admin",
            "/admin/bookings",
            "/admin/bookings?status=pending",
            "/admin/calendar",
            "/admin/calendar?view=day",
            "/admin/calendar?view=month",
            "/admin/people?role=instructor",
            "/admin/people?status=invited",
            "/admin/mail?status=failed",
            "/admin/types/songwriting/questions",
            "/admin/types",
            "/admin/people",
        ),
    ),
}
PLATFORM: dict[str | None, list[str]] = {
    OPERATOR: [
        "/",
        "/platform",
        "/platform/webhooks",
        "/platform/webhooks?outcome=applied&from=nonsense",
        "/platform/webhooks?q=nothing-like-it",
        "{event}",
        "{replay}",
        "/platform/schools",
        "/sign-out",
    ],
    None: ["/", "/sign-in", "/sign-up", "/platform/nowhere"],
}


def pages_of(visitor: Visitor) -> list[str]:
    """Return the routes of pages that are for these people and no others, those without parameters first."""
    found = [
        route.removeprefix("GET ")
        for route, described in ROUTES.items()
        if route.startswith("GET ") and is_page(route) and described.audience in visitor.audiences
    ]
    return sorted({*found, *visitor.besides} - NO_PAGES.keys(), key=lambda path: ("{" in path, path))


def route_of(address: str, routes: list[str]) -> str | None:
    """Return which of the routes an address belongs to; names before parameters."""
    path = urlsplit(address).path
    for route in sorted(routes, key=lambda route: route.count("{")):
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(route))
        if re.fullmatch(pattern, path):
            return route
    return None


def guesses(route: str, seen: dict[str, list[str]]) -> Iterator[str]:
    """Yield where a page without a link to it may be: below the pages it belongs to, or as it is written."""
    if "{" not in route:
        yield route
    if route == "/classes/{handle}":
        yield from (address.removeprefix("/teach") for address in seen.get("/teach/classes/{handle}", ()))
    if route == "/admin/people/bulk":
        for address in seen.get("/admin/people/{handle}", ()):
            yield f"{route}?do=deactivate&person={address.rpartition('/')[2]}"
    before, _, last = route.rpartition("/")
    if before and "{" not in last:
        yield from (f"{urlsplit(address).path}/{last}" for address in seen.get(before, ()))


def _resolved(page: Page, house: House, path: str) -> str:
    """Return the address of a page about some event, found by its link."""
    wanted = {
        "{event}": "a[href^='/platform/webhooks/msg_']",
        "{replay}": "main a[href*='/replay?message_ids=']",
    }
    if path not in wanted:
        return path
    if path == "{event}":
        page.goto(f"{house.origin(None)}/platform/webhooks")
    return str(page.locator(wanted[path]).first.get_attribute("href"))


COLOURS = ["color-contrast"]
#: The page wears the theme, and no colour is on its way any more.
SETTLED = """dark => document.documentElement.classList.contains('dark') === dark
  && !document.getAnimations().some(one => one instanceof CSSTransition && one.playState === 'running')"""


def findings(page: Page, rules: list[str] = RULES) -> list[str]:
    """Run axe in the page; returns one line per finding."""
    result: dict[str, Any] = page.evaluate(
        "([type, values]) => axe.run(document, {runOnly: {type, values}, resultTypes: ['violations']})",
        ["rule" if rules is COLOURS else "tag", rules],
    )
    return [
        f"{violation['id']}: {violation['help']}: {node['html'][:160]}"
        for violation in result["violations"]
        for node in violation["nodes"]
    ]


def examine(page: Page) -> list[str]:
    """Look at a page on a phone and on a desk, in both themes; colours are all that a theme changes."""
    problems = []
    backgrounds = set()
    for size, scheme, rules in (
        (PHONE, "light", RULES),
        (PHONE, "dark", COLOURS),
        (DESKTOP, "dark", RULES),
        (DESKTOP, "light", COLOURS),
    ):
        page.set_viewport_size({"width": size["width"], "height": size["height"]})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        page.wait_for_function(SETTLED, arg=scheme == "dark")
        where = f"{urlsplit(page.url).path} ({scheme}, {size['width']} px)"
        problems += [f"{where} {line}" for line in findings(page, rules)]
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > size["width"]:
            problems.append(f"{where} is {width} px wide")
        backgrounds.add((scheme, page.evaluate("getComputedStyle(document.body).backgroundColor")))
    if len(backgrounds) != 2 or len({colour for _, colour in backgrounds}) != 2:
        problems.append(f"{page.url} looks the same in both themes: {backgrounds}")
    return problems


def opened(visit: OpenContext, project: Path) -> Page:
    """Open a browser that has axe in every page."""
    context = visit(PHONE, bypass_csp=True)
    context.add_init_script(path=project / "static/vendor/axe/axe.min.js")
    return context.new_page()


def add_child(page: Page, origin: str) -> None:
    """Give Mia a daughter: nobody in the demo has children to answer for."""
    page.goto(f"{origin}/family")
    name = page.locator("main form input[name=given_name]")
    name.fill("Ada")
    name.press("Enter")
    page.wait_for_url("**/family")
    page.get_by_role("link", name="Ada").first.wait_for()


@pytest.mark.parametrize("who", list(VISITORS))
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    house: House, visit: OpenContext, project: Path, who: str
) -> None:
    """Each page is opened, measured and examined."""
    visitor, origin = VISITORS[who], house.origin()
    page = opened(visit, project)
    if visitor.name:
        sign_in(page, house, visitor.name, return_to="/join" if who == "guest" else "/")
    if who == "student":
        add_child(page, origin)
    routes = pages_of(visitor)
    seen: dict[str, list[str]] = {}
    problems: list[str] = []

    def look(address: str) -> list[str]:
        """Examine what is at an address, unless it leads to a page that was seen; return its links."""
        page.goto(origin + address)
        route = route_of(page.url, routes)
        if route in seen and address not in visitor.starts:
            return []
        problems.extend(examine(page))
        links = page.eval_on_selector_all("a[href]", "links => links.map(link => link.href)")
        mine = [link.removeprefix(origin) for link in links if link.startswith(f"{origin}/")]
        for link in mine:
            # More than one of a kind, for pages below that not every one of them has.
            belongs, path = route_of(link, routes), urlsplit(link).path
            if belongs is not None and path not in (known := seen_links.setdefault(belongs, [])):
                known.append(path)
        if route is not None:
            seen.setdefault(route, []).append(address)
        return mine

    visited: set[str] = set()
    seen_links: dict[str, list[str]] = {}
    queue = [*visitor.starts, *(route for route in routes if "{" not in route)]
    while queue:
        address = queue.pop(0)
        route = route_of(address, routes)
        if address not in visited and (address in visitor.starts or (route is not None and route not in seen)):
            visited.add(address)
            queue += [link for link in look(address) if route_of(link, routes) not in (None, *seen)]
    for route in routes:
        for address in islice(guesses(route, seen_links), MOST_GUESSES):
            if route not in seen:
                look(address)
    assert not problems, "\n".join(problems)
    never = set(routes) - seen.keys() - (NOT_IN_THE_DEMO.keys() - set(visitor.besides))
    assert not never, f"nothing leads to {sorted(never)}"


@pytest.mark.parametrize("who", list(PLATFORM), ids=lambda who: who or "visitor")
def test_axe_finds_nothing_on_the_platform(
    house: House, visit: OpenContext, project: Path, who: str | None
) -> None:
    """The bare domain, in words of its own."""
    page = opened(visit, project)
    if who:
        sign_in(page, house, who, slug=None)
    problems = []
    for path in PLATFORM[who]:
        page.goto(house.origin(None) + _resolved(page, house, path))
        problems += examine(page)
    assert not problems, "\n".join(problems)


def test_axe_finds_what_is_wrong_on_a_bad_page(house: House, visit: OpenContext, project: Path) -> None:
    """The control: the examination above can fail."""
    page = opened(visit, project)
    page.goto(house.origin())
    bad = '<img src="/static/img/favicon.svg"><button></button>'
    page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", bad)
    assert {line.partition(":")[0] for line in findings(page)} >= {"image-alt", "button-name"}
