"""What every page holds to: its policy, no caches, no way elsewhere, no field it did not ask for."""

from __future__ import annotations

import ast
import base64
import html
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from coursecove.app import create_app
from coursecove.config import Settings
from coursecove.dev.clerk.stand_in import ClerkStandIn
from coursecove.dev.postgres import EmbeddedPostgres
from coursecove.observability import SECRET_PATHS
from tests.conftest import ClientFor, form_token
from tests.factories.world import School, token_for
from tests.isolation.catalogue_rules import tenant_tables
from tests.isolation.databases import as_superuser
from tests.isolation.people import PEOPLE, is_page, things_of
from tests.isolation.routes import ROUTES, Things, filled
from tests.portals.admin_pages import fields as form_fields
from tests.portals.reading import a_later_day, fields_of, times_of
from tests.serving import free_port, serving

#: The two pages that mount Clerk's components, which write styles into the page.
MOUNTING = ("/sign-in", "/sign-up")


#: What is no page of ours but a document of its own, narrower still: in a sandbox no script runs.
_ALONE = {
    "GET /pictures/{digest}": {"default-src": ["'none'"], "sandbox": []},
    "GET /admin/school/texts/{kind}/{language}/preview": {
        "default-src": ["'none'"],
        # Mails carry their styles with them, and are looked at in a frame of the form.
        "style-src": ["'unsafe-inline'"],
        "img-src": ["'self'", "data:", "https:"],
        "form-action": ["'none'"],
        "frame-ancestors": ["'self'"],
        "sandbox": [],
    },
}
#: What a school's own website shows in a frame: nothing of a person, and no script or form but our own.
_FRAMED = {
    "default-src": ["'none'"],
    "base-uri": ["'none'"],
    "form-action": ["'self'"],
    "frame-ancestors": ["*"],
    "font-src": ["'self'"],
    "img-src": ["'self'", "data:", "https://img.clerk.com"],
    "connect-src": ["'self'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
}
_ALONE |= {"GET /embed": _FRAMED, "GET /embed/{slug}": _FRAMED}


@pytest.fixture(scope="module")
def things(settings: Settings, yoga: School) -> Things:
    return things_of(settings, yoga, teacher="jun@stillwater.example", student="sofia@example.com")


@pytest.fixture(scope="module")
def read(client: ClientFor, things: Things) -> list[tuple[str, str, httpx.Response]]:
    """Every page of a school as everybody gets it: who, route, answer."""
    found = []
    for role, email in PEOPLE.items():
        http = client("yoga", email, cookie=True)
        for route in sorted(ROUTES):
            if route.startswith("GET") and is_page(route):
                address, _ = filled(route.removeprefix("GET "), things)
                found.append((role, route, http.get(address)))
    return found


# The policy


def _directives(answer: httpx.Response) -> dict[str, list[str]]:
    (policy,) = answer.headers.get_list("content-security-policy")
    return {name: values.split() for name, _, values in (p.strip().partition(" ") for p in policy.split(";"))}


def test_every_page_runs_scripts_and_styles_from_files_only(
    read: list[tuple[str, str, httpx.Response]], settings: Settings
) -> None:
    mounted = alone = 0
    for role, route, answer in read:
        where = f"{role}: {route}"
        rules = _directives(answer)
        if _ALONE.get(route) and answer.status_code == 200:
            assert rules == _ALONE[route], where
            alone += 1
            continue
        clerk = settings.clerk_frontend_api
        mounting = route.removeprefix("GET ") in MOUNTING and answer.status_code == 200
        mounted += mounting
        assert rules["default-src"] == rules["base-uri"] == rules["frame-ancestors"] == ["'none'"], where
        assert rules["form-action"] == ["'self'", clerk], where
        challenge = ["https://challenges.cloudflare.com"] if mounting else []
        assert rules["script-src"] == ["'self'", clerk, *challenge], where
        # Source: Clerk's guide to the policy; its components bring styles of their own.
        assert rules["style-src"] == ["'self'", clerk, *(["'unsafe-inline'"] if mounting else [])], where
        assert "unsafe-eval" not in str(rules), where
        assert "'unsafe-inline'" not in str({name: rules[name] for name in rules if name != "style-src"}), where
    # Visitors get both; whoever is signed in is sent on.
    assert mounted == 2
    # Everybody sees pictures and what is framed elsewhere, admins the preview.
    assert alone == 3 * len(PEOPLE) + 1


INLINE = re.compile(
    r"<script(?![^>]*\bsrc=)[^>]*>|<style\b|<[a-z][^>]*\s(?:style|on[a-z]+)\s*=|javascript:", re.IGNORECASE
)


def test_no_page_needs_what_the_policy_forbids(read: list[tuple[str, str, httpx.Response]]) -> None:
    pages = [
        (f"{role}: {route}", answer.text)
        for role, route, answer in read
        if "<html" in answer.text and not (_ALONE.get(route) and answer.status_code == 200)
    ]
    assert len(pages) > 60
    for where, page in pages:
        # What people typed is text between tags and inside of quotes, where none of this is looked for.
        found = INLINE.search(re.sub(r'"[^"]*"', '""', page))
        assert found is None, f"{where}: {found}"
    for inline in ("<script>x</script>", '<p style="a">', "<a onclick=x>", "<style>", '<script type="module">'):
        assert INLINE.search(inline), inline


def test_nothing_of_a_school_stays_in_a_cache(read: list[tuple[str, str, httpx.Response]]) -> None:
    kept = set()
    for role, route, answer in read:
        if route == "GET /branding.css":
            # The school's colour, the same for everybody who asks this host.
            assert (answer.headers["cache-control"], answer.headers["vary"]) == ("public, max-age=60", "Host")
        elif route == "GET /pictures/{digest}":
            # A logo or a photo that everybody may see; another picture has another address.
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
            assert answer.headers["content-type"].startswith("image/"), role
            kept.add(answer.content)
        elif route == "GET /widget.js":
            # The same file for every website that names it.
            assert answer.headers["cache-control"] == "public, max-age=3600"
        elif route == "GET /feeds/{token}" and answer.status_code == 200:
            # A program keeps its own calendar and asks whether it still holds; nobody between may.
            assert answer.headers["cache-control"] == "private, no-cache"
            assert answer.headers["content-type"].startswith("text/calendar"), role
        else:
            assert answer.headers["cache-control"] == "no-store", f"{role}: {route}"
        secret = route.removeprefix("GET ").startswith(SECRET_PATHS)
        said = "no-referrer" if secret else "strict-origin-when-cross-origin"
        assert answer.headers["referrer-policy"] == said, f"{role}: {route}"
    # The same for visitors as for everybody, so no cache hands one person's to another; and no page is kept.
    assert len(kept) == 1


def test_a_picture_that_is_not_there_is_not_remembered(client: ClientFor) -> None:
    """It may be uploaded later, or be another school's."""
    missing = client("yoga").get(f"/pictures/{'0' * 32}")
    assert (missing.status_code, missing.headers["cache-control"]) == (404, "no-store")


# Reading


def _rows(postgres: EmbeddedPostgres, settings: Settings) -> dict[str, list[str]]:
    with as_superuser(postgres, settings) as connection:
        return {
            table: [row for (row,) in connection.execute(f"select t::text from {table} t order by 1")]
            for table in (*tenant_tables(connection), "organizations", "subdomains", "users")
        }


def test_reading_any_page_or_address_of_the_api_changes_no_row(
    client: ClientFor,
    read: list[tuple[str, str, httpx.Response]],
    things: Things,
    postgres: EmbeddedPostgres,
    settings: Settings,
) -> None:
    """Of every table; `read` came before, for the profiles that are made when somebody first looks."""
    before = _rows(postgres, settings)
    for email in PEOPLE.values():
        programs, pages = client("yoga", email), client("yoga", email, cookie=True)
        for route, described in ROUTES.items():
            if route.startswith("GET"):
                http = pages if is_page(route) else programs
                address, _ = filled(route.removeprefix("GET "), things)
                http.get(address, params=described.query(things) if described.query else None)
    assert _rows(postgres, settings) == before


# More fields than the form has


PROTECTED = {
    "organization_id": "00000000-0000-4000-8000-000000000000",
    "id": "00000000-0000-4000-8000-000000000001",
    "member_id": "00000000-0000-4000-8000-000000000001",
    "student_id": "00000000-0000-4000-8000-000000000001",
    "clerk_user_id": "user_2StudentMiaOkafor",
    "clerk_id": "org_2HarmonyMusicSchool",
    "role": "admin",
    "clerk_role": "org:admin",
    "role_override": "admin",
    "status": "cancelled",
    "cancelled_at": "2026-01-01T00:00:00Z",
    "confirmed_at": "2020-01-01T00:00:00Z",
    "archived_at": "2026-01-01T00:00:00Z",
    "removed_at": "2026-01-01T00:00:00Z",
    "price_cents": "0",
    "currency": "XXX",
    "slug": "hijacked",
    "version": "99",
    "revision": "99",
    "duration_minutes": "1",
}
#: form → what its page asks for and a person changes.
FORMS = {
    "/teach/profile": ("instructor", {"bio": "Breathes."}),
    "/admin/school": ("admin", {"currency": "CHF"}),
    "/admin/school/look": ("admin", {"accent_color": "#0f766f"}),
    "/admin/school/policies": ("admin", {"policy_text": "Bring a mat."}),
    "/admin/people/{handle}/profile": ("admin", {"bio": "Breathes out."}),
    "/admin/locations/{slug}": ("admin", {"directions": "Up the stairs."}),
    "/admin/types/{slug}": ("admin", {"description": "Slowly and well."}),
}


@pytest.mark.parametrize("form", list(FORMS))
def test_a_form_changes_what_it_asks_for_and_takes_no_other_field(
    client: ClientFor, things: Things, postgres: EmbeddedPostgres, settings: Settings, form: str
) -> None:
    role, changes = FORMS[form]
    path, _ = filled(form, things)
    http = client("yoga", PEOPLE[role], cookie=True)
    own = form_fields(http.get(path), path)
    assert set(changes) <= set(own)
    # With nothing changed first, so that what the form writes in any case is there already.
    assert http.post(path, data=own).status_code == 303
    before = _values(postgres, settings)
    more = {name: value for name, value in PROTECTED.items() if name not in own}
    assert len(more) > 12
    assert http.post(path, data={**own, **changes, **more}).status_code == 400
    assert _values(postgres, settings) == before
    assert http.post(path, data={**own, **changes}).status_code == 303
    after = _values(postgres, settings)
    differing = {key[2] for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    # The control: what was asked for did change. And nothing else.
    assert differing - {"updated_at"} == set(changes)


def _values(postgres: EmbeddedPostgres, settings: Settings) -> dict[tuple[str, str, str], Any]:
    """Return every value of every row as (table, row, column) → value; the audit trail left out."""
    found: dict[tuple[str, str, str], Any] = {}
    with as_superuser(postgres, settings) as connection:
        for table in (*tenant_tables(connection), "organizations"):
            # What follows from any change is not what the form asks for.
            if table in ("events", "deliveries", "school_editions"):
                continue
            for (row,) in connection.execute(f"select to_jsonb(t) from {table} t"):
                name = "|".join(str(row[part]) for part in sorted(row) if part.endswith("id"))
                found |= {(table, name, column): value for column, value in row.items()}
    return found


def test_booking_a_lesson_takes_neither_price_nor_person_from_the_form(
    client: ClientFor, things: Things, settings: Settings, yoga: School
) -> None:
    sofia = client("yoga", "sofia@example.com", cookie=True)
    pages = (
        sofia.get(f"/book/{things.type_slug}?with=anyone&day={a_later_day(weekday=day, weeks=week)}")
        for week in (2, 3)
        for day in range(1, 8)
    )
    time = next(found[0] for page in pages if (found := times_of(page)))
    booking_page = f"/book/{things.type_slug}"
    assert sofia.post(booking_page, data={**fields_of(time), **PROTECTED}).status_code == 400
    booked = sofia.post(booking_page, data=fields_of(time))
    assert booked.status_code == 303, booked.text[:500]
    reference = urlsplit(booked.headers["location"]).path.rpartition("/")[2]
    booking = next(
        item
        for item in client("yoga", "sofia@example.com").get("/api/v1/bookings?page_size=100").json()["items"]
        if item["reference"] == reference
    )
    assert booking["student"]["id"] == str(yoga.members["sofia@example.com"])
    assert booking["status"] == "confirmed"
    type_ = client("yoga").get(f"/api/v1/appointment-types/{booking['appointment_type']['id']}").json()
    assert type_["price_cents"]
    assert booking["price_cents"] == type_["price_cents"]


def test_joining_makes_a_student_whatever_the_form_says(
    client: ClientFor, settings: Settings, yoga: School
) -> None:
    tomas = client("yoga", "tomas@harmony.example", cookie=True)
    assert tomas.post("/join", data={"return_to": "/lessons", **PROTECTED}).status_code == 400
    assert _roles_of_tomas(settings, yoga) == []
    assert tomas.post("/join", data={"return_to": "/lessons"}).status_code == 303
    assert _roles_of_tomas(settings, yoga) == [("student",)]


def _roles_of_tomas(settings: Settings, yoga: School) -> list[tuple[Any, ...]]:
    with psycopg.connect(settings.database_platform_url) as connection:
        return connection.execute(
            "select role from members where organization_id = %s and email = 'tomas@harmony.example' "
            "and removed_at is null",
            [yoga.organization_id],
        ).fetchall()


# The way elsewhere


ELSEWHERE = (
    "https://evil.example",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    " //evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "evil.example",
    "@evil.example",
    "http:evil.example",
    "",
)


def _attributes(page: httpx.Response) -> list[str]:
    return [
        html.unescape(value) for value in re.findall(r'\b(?:href|action|data-[a-z-]+)="([^"]*)"', page.text)
    ]


@pytest.mark.parametrize("target", ELSEWHERE)
@pytest.mark.parametrize("path", ["/sign-in", "/sign-up", "/sign-out", "/join"])
def test_no_address_leads_from_the_doors_to_somewhere_else(client: ClientFor, path: str, target: str) -> None:
    for email in (None, "sofia@example.com", "mia@example.com"):
        http = client("yoga", email, cookie=True)
        # Names that Clerk's own pages know, once each: ours know one.
        for name in ("return_to", *(("redirect_url", "after_sign_in_url") if target == ELSEWHERE[0] else ())):
            answer = http.get(path, params={name: target})
            location = answer.headers.get("location", "/")
            assert location.startswith("/"), (email, name)
            assert not location.startswith(("//", "/\\")), (email, name)
            assert "evil" not in location, (email, name)
            if path != "/sign-out":
                assert not [value for value in _attributes(answer) if "evil" in value], (email, name)


def test_where_a_form_came_from_leads_nowhere_else_either(client: ClientFor) -> None:
    """The page that asks to sign in names the page one was on, by its path alone."""
    for referrer in (
        "https://evil.example//evil.example",
        "https://evil.example/\\evil.example",
        "//evil.example",
    ):
        visitor = client("yoga", cookie=True)
        answer = visitor.post("/teach/profile", data={"bio": "x"}, headers={"Referer": referrer})
        assert answer.status_code == 401
        assert not [value for value in _attributes(answer) if "evil" in value], referrer
        student = client("yoga", "jun@stillwater.example", cookie=True)
        del student.headers["x-csrf-token"]
        offered = student.post("/teach/profile", data={"bio": "x"}, headers={"Referer": referrer})
        assert offered.status_code == 403
        assert not [value for value in _attributes(offered) if "evil" in value], referrer


def test_the_way_back_is_kept_where_it_is_ours(client: ClientFor) -> None:
    """The control."""
    visitor, sofia = client("yoga", cookie=True), client("yoga", "sofia@example.com", cookie=True)
    assert "/lessons?show=past" in _attributes(
        visitor.get("/sign-in", params={"return_to": "/lessons?show=past"})
    )
    assert sofia.get("/sign-in", params={"return_to": "/lessons"}).headers["location"] == "/lessons"
    assert sofia.get("/join", params={"return_to": "/lessons"}).headers["location"] == "/lessons"


# Cookies of ours


@pytest.fixture(scope="module")
def over_https(settings: Settings, stand_in: ClerkStandIn) -> Iterator[Callable[..., httpx.Client]]:
    """`over_https(email, slug)`: a client of a process that people reach over https."""
    port = free_port()
    secure = replace(settings, public_scheme="https", public_port=None, port=port)
    with serving(create_app(secure), port) as address:

        def opened(email: str, slug: str = "yoga") -> httpx.Client:
            origin = secure.origin(slug)
            token = token_for(stand_in, secure, email, slug)
            headers = {
                "Host": origin.partition("://")[2],
                "Origin": origin,
                "Accept": "application/json",
                "x-csrf-token": form_token(secure, token, slug),
                "Cookie": f"__session={token}; __client_uat=1",
            }
            return httpx.Client(base_url=address, headers=headers, timeout=30, trust_env=False)

        yield opened


FLASH = base64.urlsafe_b64encode(b'{"kind":"info","text":"Send your password to evil.example"}').decode()


def test_a_cookie_tossed_from_a_sibling_is_not_looked_at(over_https: Callable[..., httpx.Client]) -> None:
    """A browser keeps a sibling subdomain from setting `__Host-` names, and from nothing else."""
    with over_https("mia@example.com", "musicschool") as http:
        own = http.headers["Cookie"]

        def page(cookie: str) -> str:
            # Without the forms' tokens, which differ from page to page.
            shown = http.get("/book/music-theory-online?with=anyone", headers={"Cookie": f"{own}; {cookie}"})
            return re.sub(r'name="_csrf" value="[^"]*"', "", shown.text)

        assert "evil.example" not in page(f"flash={FLASH}")
        assert page("tz=Asia/Kolkata") == page("tz=Pacific/Auckland")
        # The control: the names with the prefix are read.
        assert "evil.example" in page(f"__Host-flash={FLASH}")
        assert page("__Host-tz=Asia/Kolkata") != page("__Host-tz=Pacific/Auckland")


def test_what_we_set_is_for_this_host_over_https_and_out_of_reach_of_scripts(
    over_https: Callable[..., httpx.Client],
) -> None:
    with over_https("jun@stillwater.example") as http:
        saved = http.post(
            "/teach/profile", data={"bio": "x", "time_zone": "America/New_York", "meeting_url": ""}
        )
        shown = http.get(
            "/teach/profile", headers={"Cookie": f"{http.headers['Cookie']}; __Host-flash={FLASH}"}
        )
        lines = [*saved.headers.get_list("set-cookie"), *shown.headers.get_list("set-cookie")]
    # Said, and taken away once it was shown.
    assert len(lines) == 2
    assert "max-age=0" in lines[1].lower()
    for line in lines:
        parts = {part.strip().lower() for part in line.split(";")}
        assert line.startswith("__Host-flash=")
        # Without these a browser refuses the name.
        assert {"secure", "path=/"} <= parts
        assert {"httponly", "samesite=lax"} <= parts
        assert not [part for part in parts if part.startswith("domain")]


# Secrets


SECRET_WORDS = re.compile(r"token|secret|signature|proof|password|hmac", re.IGNORECASE)


#: A column that the database looks up: how far two digests agree says nothing about a secret.
_LOOKED_UP = {"CalendarFeed.token_digest == _digest(token)"}


def _early_comparisons(source: str) -> list[str]:
    """Return comparisons with == or != of what is named like a secret; those end at the first difference."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Compare) or not all(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
            continue
        sides = [node.left, *node.comparators]
        if any(isinstance(side, ast.Constant) for side in sides):
            continue
        if (
            any(SECRET_WORDS.search(ast.unparse(side)) for side in sides)
            and ast.unparse(node) not in _LOOKED_UP
        ):
            found.append(ast.unparse(node))
    return found


def test_secrets_are_compared_in_constant_time(project: Path) -> None:
    package = project / "src" / "coursecove"
    files = [path for path in package.rglob("*.py") if "dev" not in path.relative_to(package).parts]
    assert len(files) > 80
    early = {path.name: found for path in files if (found := _early_comparisons(path.read_text()))}
    assert early == {}
    assert "hmac.compare_digest" in (package / "portals" / "csrf.py").read_text()
    assert "hmac.compare_digest" in (package / "health.py").read_text()
    # The control.
    assert _early_comparisons("if sent == settings.metrics_token: pass")
    assert _early_comparisons("x = hmac.digest(a, b, c) != given")
    assert not _early_comparisons("x = kind == 'token'")
