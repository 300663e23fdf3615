"""A school's own words in its mails: where they stand, what may stand in braces, and what never changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from coursecove.errors import Invalid, NotFound
from coursecove.notifications import mail_texts
from coursecove.notifications.mail_texts import MailTextUpdate, MailTextView, MailWords, filled
from tests.bookings.desk import CLARA, IDA, MIA, Desk, berlin
from tests.notifications.post import Mail, Mailroom, PostOffice


@pytest.fixture(autouse=True)
def _said_by_nobody(desk: Desk) -> Iterator[None]:
    """CourseCove's words again after every test."""
    yield
    for kind in mail_texts.KINDS:
        for language in ("en", "de"):
            _reset(desk, kind, language)


def _reset(desk: Desk, kind: str, language: str = "en") -> MailTextView:
    return desk.own(CLARA, lambda session, by: mail_texts.reset_mail_text(session, kind, language, by=by))


def text_of(mail: Mail) -> str:
    """What a reader of plain text sees."""
    return str(mail.part("text/plain").get_content()).replace("\r\n", "\n")


def _say(desk: Desk, kind: str = "confirmation", language: str = "en", **words: str) -> MailTextView:
    changes = MailTextUpdate(**words)
    return desk.own(
        CLARA, lambda session, by: mail_texts.change_mail_text(session, kind, language, changes, by=by)
    )


def test_a_school_says_it_in_its_own_words_and_the_facts_stay(
    desk: Desk, mailroom: Mailroom, office: PostOffice
) -> None:
    _say(
        desk,
        subject="See you, {student}!",
        opening="Dear {student},\n\n{ instructor } waits for you on {when} at {where}.",
        closing="Bring your <instrument>.\nHarmony",
    )
    booking = desk.book(MIA, "Violin lesson", berlin(4, 14))
    mailroom.send_all(booking.id)
    mail = office.to(MIA)
    assert mail.message["Subject"] == "See you, Mia Okafor!"
    html, text = mail.part("text/html").get_content(), text_of(mail)
    when = "Tuesday 4 March 2031, 14:00–14:45 Berlin time (UTC+1)"
    said = (
        f"Dear Mia Okafor,\n\nIda Berg waits for you on {when} at Studio Linden, Lindenstraße 14, 10969 Berlin."
    )
    assert said in text
    assert "Bring your <instrument>.\nHarmony" in text
    assert text.index(said) < text.index(booking.reference) < text.index("Bring your")
    assert "You are booked for" not in text + html
    assert "Bring your &lt;instrument&gt;.<br>Harmony" in html
    assert "<instrument>" not in html
    # What has to be known stands below them, whatever they say.
    for fact in (when, "Studio Linden", booking.reference, "€48"):
        assert fact in text
        assert fact in html
    # Colleagues read CourseCove's words.
    to_ida = office.to(IDA)
    assert to_ida.message["Subject"].startswith("New lesson: Violin lesson with Mia Okafor")
    assert "Bring your" not in to_ida.part("text/plain").get_content()


def test_words_hold_for_their_kind_and_language_alone(
    desk: Desk, mailroom: Mailroom, office: PostOffice
) -> None:
    _say(desk, "cancellation", opening="What a pity.")
    _say(desk, "confirmation", "de", opening="Wie schön.")
    booking = desk.book(MIA, "Violin lesson", berlin(5, 14))
    mailroom.send_all(booking.id)
    text = text_of(office.to(MIA))
    assert "You are booked for" in text
    assert "pity" not in text
    assert "schön" not in text


def test_empty_fields_say_what_coursecove_says(desk: Desk, mailroom: Mailroom, office: PostOffice) -> None:
    _say(desk, closing="Until then!")
    booking = desk.book(MIA, "Violin lesson", berlin(6, 14))
    mailroom.send_all(booking.id)
    mail = office.to(MIA)
    assert mail.message["Subject"] == "Confirmed: Violin lesson, Thu 6 Mar, 14:00"
    text = text_of(mail)
    assert "You are booked for" in text
    assert "Until then!" in text


@pytest.mark.parametrize(
    ("field", "text", "named"),
    [
        ("opening", "Dear {name}", "{name}"),
        ("subject", "{student.email}", "{student.email}"),
        ("closing", "{}", "{}"),
        ("opening", "{student!r}", "{student!r}"),
        ("opening", "{{student}} {organization[secret]}", "{organization[secret]}"),
        ("closing", "a\x00b", "characters"),
    ],
)
def test_what_is_no_placeholder_is_refused_beside_its_field(
    desk: Desk, field: str, text: str, named: str
) -> None:
    with pytest.raises(Invalid) as refused:
        _say(desk, **{field: text})
    assert list(refused.value.fields) == [field]
    assert named in refused.value.fields[field]


def test_a_name_that_looks_like_a_placeholder_is_a_name() -> None:
    """Filled twice, the student would read the reference of the lesson; seen with a second pass."""
    values = {
        "student": "{reference} {{when}}\r\nBcc: all@example.com",
        "reference": "K7QF-2M9X",
        "when": "now",
    }
    words = filled(MailWords("Hi {student}", "{student}", "{unknown}"), values)
    assert words.subject == "Hi {reference} {{when}} Bcc: all@example.com"
    assert words.opening == values["student"]
    assert words.closing == "{unknown}"


def test_words_are_tidied_reset_and_written_into_the_log(desk: Desk) -> None:
    changed = _say(desk, subject="  Hello\n {lesson} ", opening="One\r\n\r\nTwo \n", closing="Bye")
    assert changed.words == MailWords("Hello {lesson}", "One\n\nTwo", "Bye")
    # What is not named stays.
    assert _say(desk, closing="").words == MailWords("Hello {lesson}", "One\n\nTwo", "")
    subject_id: Any = desk.run(_subject_id)
    facts = desk.facts(subject_id, "mail_text.changed")
    assert facts[-1] == {"kind": "confirmation", "language": "en", "closing": {"from": "Bye", "to": ""}}
    before = len(facts)
    _say(desk, closing="")
    assert len(desk.facts(subject_id, "mail_text.changed")) == before
    resets = len(desk.facts(subject_id, "mail_text.reset"))
    assert _say(desk, subject="", opening="").updated_at is None
    assert _reset(desk, "confirmation").updated_at is None
    assert len(desk.facts(subject_id, "mail_text.reset")) == resets + 1
    assert desk.rows("select 1 from mail_texts where kind = 'confirmation' and locale = 'en'") == []


async def _subject_id(session: Any) -> Any:
    return mail_texts.subject_of(session, "confirmation", "en")[1]


@pytest.mark.parametrize(("kind", "language"), [("gossip", "en"), ("confirmation", "tlh")])
def test_other_kinds_and_languages_do_not_exist(desk: Desk, kind: str, language: str) -> None:
    with pytest.raises(NotFound):
        _say(desk, kind, language, opening="Hello")
