"""The catalogue's list, its previews and its questions, as an admin works with them."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from coursecove.config import Settings
from tests.conftest import ClientFor
from tests.counting import statements
from tests.factories.world import ENTER, School
from tests.portals.admin_pages import fields, fill_in, follow, href_of, message_at, send, undo
from tests.portals.reading import RAW_ID, hidden_fields, links, text_of, times_of
from tests.portals.stale_forms import assert_careful, changes_shown, save_after

TYPES = "/admin/types"
NEW = "/admin/types/new"


@pytest.fixture(scope="module")
def clara(client: ClientFor) -> httpx.Client:
    return client("musicschool", "clara@harmony.example", cookie=True)


@pytest.fixture(scope="module")
def mia(client: ClientFor) -> httpx.Client:
    return client("musicschool", "mia@example.com", cookie=True)


def listed(page: httpx.Response) -> list[str]:
    """Return the types of a list by their slug, in order."""
    found = [urlsplit(href).path.rpartition("/")[2] for href in links(page, r"^/admin/types/[a-z0-9-]+$")]
    return [slug for slug in dict.fromkeys(found) if slug != "new"]


def make(client: httpx.Client, name: str, **changes: object) -> str:
    """Create a type by its form; return its slug."""
    values = {"location_mode": "online", "duration_minutes": "30", "name": name, **changes}
    answer = fill_in(client, NEW, **values)  # type: ignore[arg-type]
    assert answer.status_code == 303, text_of(answer)
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def test_the_list_can_be_narrowed_and_sorted_by_its_address(clara: httpx.Client) -> None:
    assert listed(clara.get(TYPES))[:4] == [
        "piano-lesson",
        "violin-lesson",
        "guitar-lesson",
        "music-theory-online",
    ]
    assert listed(clara.get(f"{TYPES}?q=VIO")) == ["violin-lesson"]
    assert listed(clara.get(f"{TYPES}?location=studio-linden")) == ["piano-lesson", "violin-lesson"]
    handle = next(v for v in _options(clara.get(TYPES), "instructor") if v.startswith("tomas-rey"))
    assert "violin-lesson" not in listed(clara.get(f"{TYPES}?instructor={handle}"))
    assert listed(clara.get(f"{TYPES}?kind=class")) == []
    assert "Nothing found" in text_of(clara.get(f"{TYPES}?kind=class"))
    by_price = listed(clara.get(f"{TYPES}?sort=price"))
    assert by_price[0] == "guitar-lesson"
    assert listed(clara.get(f"{TYPES}?sort=-price")) == by_price[::-1]
    # What means nothing narrows nothing, and no list is empty for it.
    assert listed(clara.get(f"{TYPES}?kind=ballet&sort=colour&page=seven")) == listed(clara.get(TYPES))


def _options(page: httpx.Response, name: str) -> list[str]:
    select = page.text.partition(f'name="{name}"')[2].partition("</select>")[0]
    return re.findall(r'<option value="([^"]+)"', select)


def test_a_sorted_or_narrowed_list_is_not_moved_about(clara: httpx.Client) -> None:
    """Up and down would go past what is not shown."""
    assert "Move Piano lesson down" in text_of(clara.get(TYPES))
    for query in ("?sort=name", "?q=lesson", "?location=studio-linden", "?show=archived"):
        assert "Move Piano lesson" not in text_of(clara.get(TYPES + query)), query


def test_a_type_moves_past_its_neighbour_and_students_see_it_there(
    clara: httpx.Client, client: ClientFor
) -> None:
    before = listed(clara.get(TYPES))
    assert send(clara, f"{TYPES}/{before[1]}/move", to="up").status_code == 303
    assert listed(clara.get(TYPES)) == [before[1], before[0], *before[2:]]
    cards = links(client("musicschool", cookie=True).get("/"), r"^/book/[a-z-]+$")
    assert cards.index(f"/book/{before[1]}") < cards.index(f"/book/{before[0]}")
    # At the end nothing happens, and it is said.
    stayed = follow(clara, send(clara, f"{TYPES}/{before[1]}/move", to="up"))
    assert "stays where it is" in text_of(stayed)
    send(clara, f"{TYPES}/{before[1]}/move", to="down")
    assert listed(clara.get(TYPES)) == before


def test_several_are_archived_at_once_and_taken_back_with_one_press(clara: httpx.Client) -> None:
    slugs = [make(clara, name) for name in ("Bulk one", "Bulk two")]
    answer = send(clara, f"{TYPES}/bulk", action="archive", types=slugs)
    page = follow(clara, answer)
    assert "2 lessons are archived." in text_of(page)
    assert not set(slugs) & set(listed(page))
    assert undo(clara, page).status_code == 303
    assert set(slugs) <= set(listed(clara.get(TYPES)))
    assert send(clara, f"{TYPES}/bulk", action="unpublish", types=slugs).status_code == 303
    assert set(slugs) <= set(listed(clara.get(f"{TYPES}?show=drafts")))


def test_nothing_is_done_with_several_unless_all_of_it_can_be(clara: httpx.Client) -> None:
    fine = make(clara, "Ready to go", published="no")
    nowhere = make(clara, "Without a place", location_mode="in_person", published="no")
    answer = send(clara, f"{TYPES}/bulk", show="drafts", action="publish", types=[fine, nowhere])
    assert answer.status_code == 422
    assert "Without a place: Choose where this lesson takes place" in text_of(answer)
    # What was ticked is ticked still.
    assert len(re.findall(r'name="types"[^>]*checked', answer.text)) == 2
    assert {fine, nowhere} <= set(listed(clara.get(f"{TYPES}?show=drafts")))
    for values, words in (
        ({"action": "archive"}, "Choose at least one of them first."),
        ({"action": "explode", "types": [fine]}, "Choose what is to be done with them."),
    ):
        refused = send(clara, f"{TYPES}/bulk", show="drafts", **values)
        assert (refused.status_code, words in text_of(refused)) == (422, True)


def test_an_archived_type_comes_back_from_the_toast(clara: httpx.Client, mia: httpx.Client) -> None:
    slug = make(clara, "Only for now")
    page = follow(clara, send(clara, f"{TYPES}/{slug}/archive"))
    assert mia.get(f"/book/{slug}").status_code == 404
    assert undo(clara, page).status_code == 303
    assert mia.get(f"/book/{slug}").status_code == 200


def test_a_copy_is_a_draft_with_the_same_rules_and_questions(clara: httpx.Client) -> None:
    slug = make(clara, "Original", price_cents="12", day_limit="2", further_durations_minutes="60")
    send(clara, f"{TYPES}/{slug}/questions/new", {"kind": "short_text", "label": "Since when?"})
    answer = send(clara, f"{TYPES}/{slug}/duplicate")
    copy, page = answer.headers["location"], follow(clara, answer)
    assert "This is a copy of Original, still a draft." in text_of(page)
    shown, original = fields(page, copy), fields(clara.get(f"{TYPES}/{slug}"), f"{TYPES}/{slug}")
    assert shown["name"] == ["Copy of Original"]
    assert shown["published"] == ["no"]
    for name in ("price_cents", "day_limit", "further_durations_minutes", "duration_minutes"):
        assert shown[name] == original[name] != [""], name
    assert "Since when?" in text_of(clara.get(f"{copy}/questions"))


@pytest.mark.parametrize("name", ["New", "Bulk", "new!"])
def test_no_name_hides_a_page_of_the_portal(clara: httpx.Client, name: str) -> None:
    """Seen to fail while the address of a type called “New” was the one of the empty form."""
    assert fill_in(clara, NEW, name=name, location_mode="online", duration_minutes="30").status_code == 303
    assert "New appointment type" in text_of(clara.get(NEW))
    slugs = [slug for slug in listed(clara.get(TYPES)) if slug.startswith(("new-", "bulk-"))]
    page = clara.get(f"{TYPES}/{slugs[-1]}")
    assert fields(page, f"{TYPES}/{slugs[-1]}")["name"] == [name]


def test_every_rule_of_a_type_is_kept_as_it_was_typed(clara: httpx.Client) -> None:
    typed = {
        "kind": "private",
        "further_durations_minutes": "45, 60",
        "bookable_from": "2027-01-11",
        "bookable_until": "2027-03-26",
        "most_reschedules": "1",
        "requires_approval": "on",
        "approve_within_minutes": "3",
        "approve_within_minutes_unit": "hours",
        "reschedule_notice_minutes": "2",
        "reschedule_notice_minutes_unit": "days",
        "day_limit": "4",
        "week_limit": "12",
        "student_day_limit": "1",
        "student_week_limit": "2",
        "visibility": "members",
    }
    slug = make(clara, "Every rule", **typed)
    stored = fields(clara.get(f"{TYPES}/{slug}"), f"{TYPES}/{slug}")
    assert {name: stored[name] for name in typed} == {name: [value] for name, value in typed.items()}


def test_a_class_has_seats_and_one_length(clara: httpx.Client) -> None:
    refused = fill_in(clara, NEW, name="Choir", kind="class", location_mode="online", capacity="1")
    assert message_at(refused, "capacity") == "Say how many students can take part: 2 or more."
    assert (
        message_at(fill_in(clara, NEW, name="Choir", kind="class", capacity=""), "capacity")
        == "This is needed."
    )
    # What the page hides for a class is not read, so that nobody is refused for what they cannot see.
    slug = make(clara, "Choir", kind="class", capacity="12", further_durations_minutes="60")
    assert "Class for 12" in text_of(clara.get(f"{TYPES}?q=choir"))
    stored = fields(clara.get(f"{TYPES}/{slug}"), f"{TYPES}/{slug}")
    assert (stored["kind"], stored["further_durations_minutes"]) == (["class"], [""])


def test_two_who_change_a_type_at_once_lose_nothing(clara: httpx.Client) -> None:
    slug = make(clara, "Shared type", minimum_notice_minutes="3", minimum_notice_minutes_unit="hours")
    path = f"{TYPES}/{slug}"
    assert_careful(clara, path, "description", theirs="By her.", mine="By me.")
    refused = save_after(
        clara,
        path,
        theirs={"minimum_notice_minutes": ["2"], "minimum_notice_minutes_unit": ["days"]},
        mine={"price_cents": ["20"]},
    )
    assert refused.status_code == 409
    assert any("3 hours → 2 days" in line for line in changes_shown(refused)), changes_shown(refused)
    shown = fields(refused, path)
    assert (shown["price_cents"], shown["minimum_notice_minutes_unit"]) == (["20"], ["days"])


def test_the_preview_is_the_very_page_of_a_student(clara: httpx.Client, mia: httpx.Client) -> None:
    preview = clara.get(href_of(clara.get(f"{TYPES}/piano-lesson"), "See it as a student"))
    assert "This is a preview" in text_of(preview)
    assert "On the front page" in text_of(preview)
    theirs = mia.get("/book/piano-lesson")
    assert _flow(theirs), "the student's page has no flow to compare with"
    assert _flow(preview) == _flow(theirs)
    times = times_of(preview)
    assert times
    assert all(href.startswith(f"{TYPES}/piano-lesson/preview?") for href in times)
    last = clara.get(times[-1])
    assert "In the preview nothing can be booked." in text_of(last)
    content = last.text.partition("<main")[2]
    assert 'method="post"' not in content.partition("</main>")[0]
    assert hidden_fields(last)


def _flow(page: httpx.Response) -> str:
    """Return what is said in the steps of a booking page, leaving out who reads it."""
    inside = page.text.partition('id="flow"')[2].partition("</main>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", inside).split())


def test_drafts_and_members_only_types_can_be_previewed_before_anybody_sees_them(
    clara: httpx.Client, client: ClientFor
) -> None:
    slug = make(clara, "Not yet", published="no", visibility="members")
    assert "Not yet" in text_of(clara.get(f"{TYPES}/{slug}/preview"))
    visitor = client("musicschool", cookie=True)
    assert visitor.get(f"/book/{slug}").status_code == 404
    assert visitor.get(f"{TYPES}/{slug}/preview").status_code == 303


def test_a_type_shared_by_link_shows_its_link_and_can_have_another(
    clara: httpx.Client, client: ClientFor
) -> None:
    slug = make(clara, "By link", visibility="link")
    page = clara.get(f"{TYPES}/{slug}")
    visitor = client("musicschool", cookie=True)

    def link(page: httpx.Response) -> str:
        found = re.search(rf"/book/{slug}\?key=[\w-]+", page.text)
        assert found
        return found[0]

    old = link(page)
    assert visitor.get(old).status_code == 200
    assert "By link" not in text_of(visitor.get("/"))
    asked = clara.get(f"{TYPES}/{slug}/link")
    assert "Renew the link?" in text_of(asked)
    assert send(clara, f"{TYPES}/{slug}/link").status_code == 303
    new = link(clara.get(f"{TYPES}/{slug}"))
    assert new != old
    assert (visitor.get(old).status_code, visitor.get(new).status_code) == (404, 200)
    # One that everybody sees has none.
    assert clara.get(f"{TYPES}/piano-lesson/link").status_code == 409


class TestQuestions:
    """What students are asked, edited beside the type."""

    def test_a_question_is_asked_edited_moved_and_asked_no_longer(
        self, clara: httpx.Client, mia: httpx.Client
    ) -> None:
        base = f"{TYPES}/piano-lesson/questions"
        assert "Nothing is asked yet" in text_of(clara.get(base))
        for label in ("Your level", "Your piano"):
            new = {"kind": "choice", "label": label, "options": "Some\nNone", "required": "on"}
            assert send(clara, f"{base}/new", new).headers["location"] == base
        page = clara.get(base)
        assert not RAW_ID.search(page.text)
        first, second = [h for h in links(page, rf"^{base}/your-") if not h.endswith("/archive")][::2][:2]
        confirm = mia.get(times_of(mia.get("/book/piano-lesson"))[-1])
        assert "Your level" in text_of(confirm)
        assert fill_in(clara, first, label="How far are you?").status_code == 303
        send(clara, f"{second}/move", to="up")
        asked = text_of(clara.get(base))
        assert asked.index("Your piano") < asked.index("How far are you?")
        send(clara, f"{second}/archive")
        assert "No longer asked" in text_of(clara.get(base))
        assert "Your piano" not in text_of(mia.get(times_of(mia.get("/book/piano-lesson"))[-1]))
        send(clara, f"{second}/restore")
        assert "No longer asked" not in text_of(clara.get(base))
        for href in (first, second):
            send(clara, f"{href}/archive")

    @pytest.mark.parametrize(
        ("field", "typed", "message"),
        [
            ("label", "", "This is needed."),
            ("label", "x" * 201, "At most 200 characters, please."),
            ("hint", "x" * 301, "At most 300 characters, please."),
            ("kind", "riddle", "Choose a kind of answer."),
            ("options", "Only one", "Give at least two answers to choose from."),
            ("options", "Twice\nTwice", "Name every answer once."),
        ],
    )
    def test_a_wrong_question_is_told_beside_its_field_and_nothing_typed_is_lost(
        self, clara: httpx.Client, field: str, typed: str, message: str
    ) -> None:
        path = f"{TYPES}/violin-lesson/questions/new"
        values = {"kind": "choice", "label": "Which?", "hint": "Typed here.", "options": "A\nB", field: typed}
        answer = send(clara, path, values)
        assert answer.status_code == 422
        assert message_at(answer, field) == message
        shown = fields(answer, path)
        if field != "kind":
            assert shown[field] == [typed]
        if field != "hint":
            assert shown["hint"] == ["Typed here."]
        assert "Nothing is asked yet" in text_of(clara.get(f"{TYPES}/violin-lesson/questions"))

    def test_two_who_change_a_question_at_once_lose_nothing(self, clara: httpx.Client) -> None:
        base = f"{TYPES}/guitar-lesson/questions"
        send(clara, f"{base}/new", {"kind": "short_text", "label": "Which guitar?"})
        href = links(clara.get(base), rf"^{base}/which-guitar-")[0]
        assert_careful(clara, href, "hint", theirs="Theirs.", mine="Mine.")


def test_a_list_of_five_thousand_takes_as_many_reads_and_shows_a_page(
    clara: httpx.Client, settings: Settings, musicschool: School
) -> None:
    """The list, its filters and the form of one type; seen to fail with a read for each row."""
    paths = (TYPES, f"{TYPES}?q=lesson&sort=price", f"{TYPES}?page=3", "/admin/locations", "/admin")
    few = {path: _reads(clara, path) for path in paths}
    with psycopg.connect(settings.database_url) as connection:
        connection.execute(ENTER, [str(musicschool.organization_id)])
        connection.execute(
            "insert into appointment_types (organization_id, slug, name, color, duration_minutes, "
            "minimum_notice_minutes, horizon_days, cancellation_notice_minutes, location_mode, position, "
            "published_at) select %s, 'many-' || n, 'Lesson ' || n, '#4f46e5', 30, 0, 60, 0, 'online', n, "
            "now() from generate_series(1, 5000) n",
            [musicschool.organization_id],
        )
        connection.execute(
            "insert into locations (organization_id, slug, name, time_zone) "
            "select %s, 'place-' || n, 'Place ' || n, 'Europe/Berlin' from generate_series(1, 5000) n",
            [musicschool.organization_id],
        )
    # What nobody is qualified for needs no read of people: fewer is fine, more is not.
    assert all(_reads(clara, path) <= few[path] for path in paths)
    page = clara.get(f"{TYPES}?page=3")
    assert len(listed(page)) == 50
    assert "101 to 150 of" in text_of(page)
    assert "101 to 150 of" in text_of(clara.get("/admin/locations?page=3"))


def _reads(client: httpx.Client, path: str) -> int:
    client.get(path)
    with statements() as sent:
        assert client.get(path).status_code == 200
    # Which school a host belongs to is remembered for a while only, whatever stands on the page.
    found = [one for one in sent if "from subdomains" not in one and "set_config(" not in one]
    assert found
    return len(found)
