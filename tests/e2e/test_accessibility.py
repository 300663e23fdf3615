"""Every page, in both sizes and themes, under axe: no findings at WCAG 2.2 AA."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.e2e.conftest import DESKTOP, PHONE, House, OpenContext, sign_in

pytestmark = pytest.mark.browser

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OPERATOR = "Olivia Park"
PAGES: dict[str | None, list[str]] = {
    None: [
        "/",
        "/?with=ida-berg&kind=class&place=@online",
        "/sign-in",
        "/sign-up",
        "/book/piano-lesson",
        "/book/piano-lesson?with=ida-berg",
        "/book/choir-evening",
        "/book/piano-at-your-home",
        "/embed",
        "/embed/piano-lesson",
        "/nowhere",
    ],
    "Mia Okafor": [
        "/",
        "/book/piano-lesson?with=ida-berg&at=evening",
        "/lessons",
        "/lessons?show=past",
        "/lessons/calendar",
        "/settings",
        "/family",
        "/sign-out",
    ],
    "Ida Berg": [
        "/teach",
        "/teach/week",
        "/teach/classes",
        "/teach/types",
        "/teach/hours",
        "/teach/hours/dates",
        "/teach/sick",
        "/teach/profile",
        "/teach/calendar",
    ],
    "Clara Weiss": [
        "/admin",
        "/admin/bookings",
        "/admin/bookings/new",
        "/admin/calendar",
        "/admin/calendar?view=day",
        "/admin/calendar?view=month",
        "/admin/classes",
        "/admin/classes/new",
        "/admin/types",
        "/admin/types/new",
        "/admin/types/piano-lesson",
        "/admin/types/piano-lesson/preview",
        "/admin/types/piano-lesson/archive",
        "/admin/types/songwriting/questions",
        "/admin/types/songwriting/questions/new",
        "/admin/locations",
        "/admin/locations/new",
        "/admin/locations/studio-linden",
        "/admin/locations/studio-linden/rooms",
        "/admin/locations/studio-linden/hours",
        "/admin/locations/studio-linden/calendar",
        "/admin/travel",
        "/admin/travel/new",
        "/admin/closures",
        "/admin/closures/new",
        "/admin/people",
        "/admin/people?status=invited",
        "/admin/people/invite",
        "/admin/school",
        "/admin/school/look",
        "/admin/school/policies",
        "/admin/school/texts",
        "/admin/school/website",
        "/admin/school/texts/confirmation/en",
        "/admin/exports",
        "/admin/imports",
        "/admin/imports/people",
        "/admin/activity",
        "/admin/mail",
        "/admin/mail?status=failed",
    ],
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
    "visitor of the platform": ["/", "/sign-in", "/sign-up", "/platform/nowhere"],
}
#: Who is on the bare domain.
ON_THE_PLATFORM = (OPERATOR, "visitor of the platform")


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


def findings(page: Page, project: Path) -> list[str]:
    """Run axe in the page; returns one line per finding."""
    axe = (project / "static/vendor/axe/axe.min.js").read_text()
    page.evaluate(axe)
    result: dict[str, Any] = page.evaluate(
        "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}, resultTypes: ['violations']})",
        RULES,
    )
    return [
        f"{violation['id']}: {violation['help']}: {node['html'][:160]}"
        for violation in result["violations"]
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("who", list(PAGES), ids=lambda who: who or "visitor")
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    house: House, visit: OpenContext, project: Path, who: str | None, size: dict[str, int], scheme: str
) -> None:
    """Each page is opened, measured and examined."""
    page = visit(size, color_scheme=scheme, bypass_csp=True).new_page()
    slug = None if who in ON_THE_PLATFORM else "musicschool"
    if who and not who.startswith("visitor"):
        sign_in(page, house, who, slug=slug)
    problems = []
    for path in PAGES[who]:
        page.goto(house.origin(slug) + _resolved(page, house, path))
        page.wait_for_load_state("networkidle")
        problems += [f"{path} {line}" for line in findings(page, project)]
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > size["width"]:
            problems.append(f"{path} is {width} px wide on a screen of {size['width']} px")
    assert not problems, "\n".join(problems)


def test_axe_finds_what_is_wrong_on_a_bad_page(house: House, visit: OpenContext, project: Path) -> None:
    """The control: the examination above can fail."""
    page = visit(bypass_csp=True).new_page()
    page.goto(house.origin())
    bad = '<img src="/static/img/favicon.svg"><button></button>'
    page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", bad)
    assert {line.partition(":")[0] for line in findings(page, project)} >= {"image-alt", "button-name"}
