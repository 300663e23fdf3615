"""People in the admin portal: finding, inviting, roles, and what instructors teach and when."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import httpx
import psycopg
import pytest

from coursecove import clock
from coursecove.app import create_app
from coursecove.config import Settings
from coursecove.dev.clerk.stand_in import ClerkStandIn
from coursecove.portals import csrf
from coursecove.tenants.handles import handle_of
from tests.conftest import ClientFor, form_token
from tests.factories.world import School, token_for
from tests.portals.admin_pages import fields, fill_in, href_of, message_at, send
from tests.portals.reading import buttons, links, text_of
from tests.serving import free_port, serving


@pytest.fixture(scope="module")
def clara(client: ClientFor) -> httpx.Client:
    return client("musicschool", "clara@harmony.example", cookie=True)


@pytest.fixture(scope="module")
def noor(client: ClientFor) -> httpx.Client:
    return client("yoga", "noor@stillwater.example", cookie=True)


def person(client: httpx.Client, name: str) -> str:
    return href_of(client.get("/admin/people", params={"q": name}), name)


def save_although(client: httpx.Client, path: str, asked: httpx.Response) -> httpx.Response:
    """Answer the question about lessons that are booked: save it all the same."""
    assert asked.status_code in (200, 409), text_of(asked)
    assert "They stay booked unless you cancel them." in text_of(asked)
    return send(client, path, fields(asked, path), confirmed=buttons(asked, "confirmed"))


def test_people_are_found_by_name_address_and_role(clara: httpx.Client) -> None:
    everybody = text_of(clara.get("/admin/people"))
    assert all(name in everybody for name in ("Clara Weiss", "Ida Berg", "Mia Okafor", "leo@example.com"))
    assert "Noor Haddad" not in everybody
    by_name = text_of(clara.get("/admin/people?q=berg"))
    assert "Ida Berg" in by_name
    assert "Mia Okafor" not in by_name
    assert "Leo Lindqvist" in text_of(clara.get("/admin/people?q=leo@example"))
    instructors = text_of(clara.get("/admin/people?role=instructor"))
    assert "Tomás Rey" in instructors
    assert "Mia Okafor" not in instructors
    assert "Nobody found" in text_of(clara.get("/admin/people?role=admin&q=mia"))


def test_long_lists_of_people_have_pages_that_keep_the_filters(
    clara: httpx.Client, settings: Settings, musicschool: School
) -> None:
    with psycopg.connect(settings.database_platform_url) as connection:
        for number in range(60):
            connection.execute(
                "insert into members (organization_id, id, clerk_user_id, clerk_membership_id, given_name, "
                "family_name, clerk_role, version) values (%s, gen_random_uuid(), %s, %s, %s, %s, %s, 1)",
                [
                    musicschool.organization_id,
                    f"user_extra_{number}",
                    f"mem_extra_{number}",
                    "Pupil",
                    f"Number{number:02}",
                    "student",
                ],
            )
    first = clara.get("/admin/people?role=student&q=pupil")
    assert "1 to 25 of 60" in text_of(first)
    second = clara.get(href_of(first, "Next"))
    assert "26 to 50 of 60" in text_of(second)
    third = clara.get(href_of(second, "Next"))
    assert "51 to 60 of 60" in text_of(third)
    assert "Next" not in text_of(third)
    too_far = clara.get("/admin/people?role=student&q=pupil&page=9")
    assert too_far.headers["location"] == "/admin/people?role=student&q=pupil&page=3"


def test_the_address_of_a_person_survives_another_name_and_tells_no_id(
    clara: httpx.Client, musicschool: School
) -> None:
    mia = person(clara, "Mia Okafor")
    code = mia.rpartition("-")[2]
    assert mia == f"/admin/people/{handle_of(musicschool.members['mia@example.com'], 'Mia Okafor')}"
    assert code not in str(musicschool.members["mia@example.com"])
    assert "Mia Okafor" in text_of(clara.get(f"/admin/people/mia-lindqvist-{code}"))
    # Somebody without a name is not shown by their address where histories and logs keep it.
    assert handle_of(musicschool.members["mia@example.com"], "mia@example.com") == f"person-{code}"


def test_a_role_is_changed_after_a_question(clara: httpx.Client, client: ClientFor) -> None:
    leo = person(clara, "Leo Lindqvist")
    page = clara.get(leo)
    assert links(page, "/hours$") == []
    asked = clara.get(f"{leo}/role", params=fields(page, f"{leo}/role") | {"role": ["instructor"]})
    assert fields(asked, f"{leo}/role")["role"] == ["instructor"]
    answer = send(clara, f"{leo}/role", fields(asked, f"{leo}/role"))
    assert answer.headers["location"] == leo
    assert links(clara.get(leo), "/hours$") == [f"{leo}/hours"]
    assert client("musicschool", "leo@example.com", cookie=True).get("/teach").status_code == 200
    assert send(clara, f"{leo}/role", role="student").status_code == 303
    assert clara.get(f"{leo}/hours").status_code == 404


def test_taking_an_instructors_role_says_which_lessons_stay(clara: httpx.Client) -> None:
    ida = person(clara, "Ida Berg")
    assert "They still teach" in text_of(clara.get(f"{ida}/role?role=student"))
    assert "They still teach" not in text_of(clara.get(f"{ida}/role?role=admin"))


@pytest.mark.parametrize("role", ["", "owner", "Admin"])
def test_a_role_that_does_not_exist_is_refused_in_words(clara: httpx.Client, role: str) -> None:
    mia = person(clara, "Mia Okafor")
    answer = send(clara, f"{mia}/role", role=role)
    assert answer.status_code == 422
    assert message_at(answer, "role") == "Choose a role."


def test_the_last_admin_stays_one_and_reads_why(clara: httpx.Client) -> None:
    own = person(clara, "Clara Weiss")
    assert "This is you" in text_of(clara.get(f"{own}/role?role=student"))
    answer = send(clara, f"{own}/role", role="student")
    assert answer.status_code == 409
    assert "Clara Weiss is the only admin. Make somebody else an admin first." in text_of(answer)
    assert clara.get("/admin").status_code == 200


def test_an_admin_who_steps_down_is_led_out_of_the_portal(noor: httpx.Client, client: ClientFor) -> None:
    jun, own = person(noor, "Jun Tanaka"), person(noor, "Noor Haddad")
    assert send(noor, f"{jun}/role", role="admin").status_code == 303
    answer = send(noor, f"{own}/role", role="instructor")
    assert answer.headers["location"] == "/"
    assert noor.get("/admin").status_code == 403
    new_admin = client("yoga", "jun@stillwater.example", cookie=True)
    assert send(new_admin, f"{own}/role", role="admin").status_code == 303
    assert noor.get("/admin").status_code == 200


def test_an_invitation_goes_to_the_identity_provider_with_the_way_back(
    clara: httpx.Client, stand_in: ClerkStandIn, settings: Settings
) -> None:
    answer = fill_in(clara, "/admin/people/invite", emails="nora@example.com", role="instructor")
    assert answer.headers["location"] == "/admin/people?status=invited"
    made = [i for i in stand_in.store.state.invitations.values() if i.email == "nora@example.com"]
    assert [(i.role, i.status, i.redirect_url) for i in made] == [
        ("org:instructor", "pending", f"{settings.origin('musicschool')}/sign-up")
    ]


@pytest.mark.parametrize(
    ("emails", "role", "field", "message"),
    [
        ("", "student", "emails", "Enter an e-mail address such as mia@example.com."),
        ("mia", "student", "emails", "Enter an e-mail address such as mia@example.com."),
        ("mia okafor@example.com", "student", "emails", "These are no e-mail addresses: “mia”"),
        ("m\x00a@example.com", "student", "emails", "Enter an e-mail address such as mia@example.com."),
        ("mia@example..com", "student", "emails", "Enter an e-mail address such as mia@example.com."),
        ("<mia@example.com", "student", "emails", "Enter an e-mail address such as mia@example.com."),
        (
            ",".join(f"p{n}@example.com" for n in range(51)),
            "student",
            "emails",
            "At most 50 addresses at once, please.",
        ),
        ("new@example.com", "owner", "role", "Choose a role."),
        ("mia@example.com", "student", "emails", "mia@example.com already belongs to this school."),
    ],
)
def test_an_invitation_that_cannot_be_sent_says_why(
    clara: httpx.Client, emails: str, role: str, field: str, message: str
) -> None:
    answer = send(clara, "/admin/people/invite", emails=emails, role=role)
    assert answer.status_code == 422
    assert message_at(answer, field) == message
    assert fields(answer, "/admin/people/invite")["emails"] == [emails]


def test_inviting_twice_says_so(clara: httpx.Client) -> None:
    assert fill_in(clara, "/admin/people/invite", emails="twice@example.com").status_code == 303
    again = fill_in(clara, "/admin/people/invite", emails="twice@example.com")
    assert again.status_code == 422
    assert message_at(again, "emails") == "twice@example.com is already invited."


def test_without_the_identity_provider_the_form_says_so_and_keeps_what_was_typed(
    settings: Settings, stand_in: ClerkStandIn
) -> None:
    port = free_port()
    away = replace(
        settings,
        clerk_api_url=f"http://127.0.0.1:{free_port()}/v1",
        clerk_jwt_key=stand_in.public_key_pem,
        port=port,
        public_port=port,
    )
    origin = away.origin("musicschool")
    bearer = token_for(stand_in, away, "clara@harmony.example", "musicschool")
    headers = {
        "Host": origin.partition("://")[2],
        "Origin": origin,
        "Cookie": f"__session={bearer}; __client_uat=1",
        "Accept": "text/html",
        csrf.HEADER: form_token(away, bearer, "musicschool"),
    }
    with (
        serving(create_app(away), port) as address,
        httpx.Client(base_url=address, headers=headers, trust_env=False, timeout=30) as client,
    ):
        answer = send(client, "/admin/people/invite", emails="later@example.com", role="admin")
    assert answer.status_code == 503
    assert "could not be sent just now" in text_of(answer)
    assert fields(answer, "/admin/people/invite") == {"emails": ["later@example.com"], "role": ["admin"]}


def test_an_admin_edits_what_students_see_of_an_instructor(clara: httpx.Client) -> None:
    path = f"{person(clara, 'Ida Berg')}/profile"
    answer = fill_in(
        clara,
        path,
        bio="Plays and teaches.\nPatiently.",
        meeting_url="https://meet.example.com/other",
        time_zone="Europe/Vienna",
        languages=["de", "", "en"],
        day_limit="6",
        week_limit="",
    )
    assert answer.headers["location"] == path
    stored = fields(clara.get(path), path)
    del stored["drawn_from"]
    assert stored == {
        "bio": ["Plays and teaches.\nPatiently."],
        "meeting_url": ["https://meet.example.com/other"],
        "time_zone": ["Europe/Vienna"],
        "languages": ["de", "en", "", ""],
        "day_limit": ["6"],
        "week_limit": [""],
    }
    assert "in Vienna time" in text_of(clara.get(path.replace("profile", "hours")))


@pytest.mark.parametrize(
    ("field", "typed", "message"),
    [
        ("bio", "x" * 2001, "At most 2000 characters, please."),
        ("bio", "a\x00b", "Remove the characters that cannot be shown."),
        ("meeting_url", "http://meet.example.com", "A meeting link starts with https://."),
        ("meeting_url", "javascript:alert(1)", "A meeting link starts with https://."),
        ("time_zone", "Vienna", "Choose a time zone such as Europe/Berlin."),
        ("day_limit", "0", "A number from 1 to 100, please."),
        ("day_limit", "many", "Enter a whole number."),
        ("week_limit", "501", "A number from 1 to 500, please."),
    ],
)
def test_a_wrong_value_of_a_profile_is_said_beside_its_field(
    clara: httpx.Client, field: str, typed: str, message: str
) -> None:
    path = f"{person(clara, 'Tomás Rey')}/profile"
    before = fields(clara.get(path), path)
    answer = send(clara, path, before, **{field: typed})
    assert answer.status_code == 422
    assert message_at(answer, field) == message
    assert fields(answer, path)[field] == [typed]
    assert fields(clara.get(path), path) == before


def test_what_an_instructor_teaches_is_what_students_can_book_with_them(
    clara: httpx.Client, client: ClientFor
) -> None:
    path = f"{person(clara, 'Tomás Rey')}/qualifications"
    assert fields(clara.get(path), path)["appointment_type_ids"] == [
        "piano-lesson",
        "guitar-lesson",
        "music-theory-online",
    ]
    asked = send(clara, path, appointment_type_ids=["guitar-lesson", "violin-lesson"])
    assert save_although(clara, path, asked).status_code == 303
    visitor = client("musicschool", cookie=True)
    assert "Tomás Rey" in text_of(visitor.get("/book/violin-lesson"))
    assert "Tomás Rey" not in text_of(visitor.get("/book/piano-lesson"))
    assert save_although(clara, path, send(clara, path)).status_code == 303
    assert "appointment_type_ids" not in fields(clara.get(path), path)


def test_a_lesson_that_is_not_offered_any_more_cannot_be_taught(clara: httpx.Client) -> None:
    path = f"{person(clara, 'Ida Berg')}/qualifications"
    before = fields(clara.get(path), path)
    answer = send(clara, path, appointment_type_ids=["private-yoga-session", "violin-lesson"])
    assert answer.status_code == 422
    assert "not offered any more" in (message_at(answer, "appointment_type_ids") or "")
    assert fields(answer, path)["appointment_type_ids"] == ["violin-lesson"]
    assert fields(clara.get(path), path) == before


def test_an_admin_sets_an_instructors_week(clara: httpx.Client) -> None:
    path = f"{person(clara, 'Tomás Rey')}/hours"
    # Adding a row saves nothing.
    added = send(clara, path, fields(clara.get(path), path), add="1")
    assert added.status_code == 200
    assert "Not saved yet" in text_of(added)
    week = {"starts-1": ["10:00", "14:00"], "ends-1": ["12:00", "00:00"], "place-1": ["studio-linden", ""]}
    assert save_although(clara, path, send(clara, path, week)).headers["location"] == path
    stored = fields(clara.get(path), path)
    assert [stored[name][:2] for name in week] == list(week.values())
    assert stored["starts-2"] == [""]


def test_wrong_hours_are_said_at_their_day_and_nothing_typed_is_lost(clara: httpx.Client) -> None:
    path = f"{person(clara, 'Ida Berg')}/hours"
    before = fields(clara.get(path), path)
    week = {"starts-3": ["10:00", "11:00"], "ends-3": ["12:00", "13:00"], "place-3": ["", ""]}
    answer = send(clara, path, week)
    assert answer.status_code == 422
    assert "overlap" in (message_at(answer, "wednesday") or text_of(answer))
    assert fields(answer, path)["starts-3"][:2] == ["10:00", "11:00"]
    assert fields(clara.get(path), path) == before


def test_an_admin_begins_to_teach_on_their_own_pages(clara: httpx.Client, client: ClientFor) -> None:
    own = person(clara, "Clara Weiss")
    assert "does not teach yet" in text_of(clara.get(f"{own}/profile"))
    assert send(clara, f"{own}/qualifications", appointment_type_ids=["violin-lesson"]).status_code == 303
    assert "does not teach yet" not in text_of(clara.get(f"{own}/profile"))
    assert "Clara Weiss" in text_of(client("musicschool", cookie=True).get("/book/violin-lesson"))


def test_somebody_is_shut_out_and_let_in_again(clara: httpx.Client, client: ClientFor) -> None:
    mia = person(clara, "Mia Okafor")
    as_mia = client("musicschool", "mia@example.com", cookie=True)
    assert as_mia.get("/lessons").status_code == 200
    asked = clara.get(f"{mia}/deactivation")
    assert "Lessons ahead stay on the calendar" in text_of(asked)
    assert "Lessons they still take" in text_of(asked)
    done = send(clara, f"{mia}/deactivation")
    assert done.headers["location"] == mia
    # The sentence that says so carries the way back.
    flash = {"Cookie": f"{clara.headers['Cookie']}; {done.headers['set-cookie'].split(';')[0]}"}
    assert f'action="{mia}/reactivation"' in clara.get("/admin/people", headers=flash).text
    # Out at once, with the token they have; in the list of those who are, and no other.
    assert as_mia.get("/lessons").status_code in (303, 403)
    assert "Mia Okafor" not in text_of(clara.get("/admin/people"))
    assert "Mia Okafor" in text_of(clara.get("/admin/people?status=deactivated"))
    assert send(clara, f"{mia}/deactivation").status_code == 303
    assert send(clara, f"{mia}/reactivation").headers["location"] == mia
    assert as_mia.get("/lessons").status_code == 200


def test_nobody_shuts_themselves_out(clara: httpx.Client) -> None:
    own = person(clara, "Clara Weiss")
    refused = send(clara, f"{own}/deactivation")
    assert refused.status_code == 409
    assert "You cannot deactivate yourself." in text_of(refused)
    assert clara.get("/admin").status_code == 200


def test_one_thing_is_done_to_several_people_or_to_nobody(clara: httpx.Client) -> None:
    found = clara.get("/admin/people", params={"q": "pupil"})
    handles = [href.rpartition("/")[2] for href in links(found, "^/admin/people/pupil-")][:3]
    assert len(handles) == 3
    asked = clara.get("/admin/people/bulk", params={"person": handles, "do": "role"})
    assert asked.status_code == 200
    values = fields(asked, "/admin/people/bulk")
    assert values["person"] == handles
    wrong = send(clara, "/admin/people/bulk", values)
    assert wrong.status_code == 422
    assert message_at(wrong, "role") == "Choose a role."
    assert fields(wrong, "/admin/people/bulk")["person"] == handles
    assert send(clara, "/admin/people/bulk", values, role="instructor").status_code == 303
    assert "3 people" in text_of(clara.get("/admin/people?role=instructor&q=pupil"))
    # One of them cannot be: then nobody is.
    own = person(clara, "Clara Weiss").rpartition("/")[2]
    refused = send(clara, "/admin/people/bulk", do=["deactivate"], person=[*handles, own])
    assert refused.status_code == 409
    assert "You cannot deactivate yourself." in text_of(refused)
    assert "Pupil" not in text_of(clara.get("/admin/people?status=deactivated"))
    assert send(clara, "/admin/people/bulk", do=["deactivate"], person=handles).status_code == 303
    assert "3 people" in text_of(clara.get("/admin/people?status=deactivated&q=pupil"))
    assert send(clara, "/admin/people/bulk", do=["reactivate"], person=handles).status_code == 303
    assert "Nobody is deactivated" in text_of(clara.get("/admin/people?status=deactivated"))


def test_the_api_shuts_out_and_lets_in(client: ClientFor, musicschool: School) -> None:
    http = client("musicschool", "clara@harmony.example")
    path = f"/api/v1/members/{musicschool.members['leo@example.com']}"
    out = http.patch(path, json={"deactivated": True})
    assert out.status_code == 200
    assert out.json()["deactivated_at"]
    found = http.get("/api/v1/members", params={"status": "deactivated"}).json()["items"]
    assert [one["email"] for one in found] == ["leo@example.com"]
    back = http.patch(path, json={"deactivated": False})
    assert (back.status_code, back.json()["deactivated_at"], back.json()["role"]) == (200, None, "student")


def test_a_last_day_says_which_lessons_are_beyond_it_before_and_after(
    clara: httpx.Client, client: ClientFor
) -> None:
    path = f"{person(clara, 'Ida Berg')}/qualifications"
    before = fields(clara.get(path), path)
    assert "Booked beyond" not in text_of(clara.get(path))
    lessons = clara.get("/admin/bookings", params={"q": "ida violin"})
    assert links(lessons, "^/admin/bookings/[0-9A-Z]{4}-"), "no violin lesson ahead"
    yesterday = (clock.now() - timedelta(days=1)).date().isoformat()
    typed = {**before, "until-violin-lesson": [yesterday]}
    asked = send(clara, path, typed)
    assert asked.status_code == 409
    assert "Violin lesson" in text_of(asked).partition("Nothing is saved yet.")[2].partition("Save anyway")[0]
    assert fields(asked, path)["until-violin-lesson"] == [yesterday]
    assert save_although(clara, path, asked).status_code == 303
    page = clara.get(path)
    said = text_of(page).partition("Booked beyond what Ida Berg may teach")[2].partition("May teach")[0]
    assert "Violin lesson" in said
    assert "Piano lesson" not in said
    assert "Lapsed" in text_of(page)
    assert "Ida Berg" not in text_of(client("musicschool", cookie=True).get("/book/violin-lesson"))
    # Later again: nothing is beyond, so nothing is asked.
    later = {**fields(page, path), "until-violin-lesson": ["2199-01-01"]}
    assert send(clara, path, later).status_code == 303
    assert "Booked beyond" not in text_of(clara.get(path))


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("soon", "Enter a day such as 2027-06-30."),
        ("1999-01-01", "Choose a day of this century."),
        ("2200-01-01", "Choose a day of this century."),
    ],
)
def test_a_wrong_last_day_is_said_beside_it(clara: httpx.Client, typed: str, message: str) -> None:
    path = f"{person(clara, 'Ida Berg')}/qualifications"
    before = fields(clara.get(path), path)
    refused = send(clara, path, {**before, "until-piano-lesson": [typed]})
    assert refused.status_code == 422
    assert message_at(refused, "until-piano-lesson") == message
    assert fields(refused, path)["until-piano-lesson"] == [typed]
    assert fields(clara.get(path), path) == before
