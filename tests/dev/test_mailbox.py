"""The local mail server by real SMTP, and reading what people with bad intentions send."""

import smtplib
import socket
from datetime import UTC, datetime, timedelta, timezone
from email.message import EmailMessage
from pathlib import Path

import msgspec
import pytest

from coursecove.dev import mailbox
from coursecove.dev.daemons import DaemonError
from coursecove.dev.mailbox import Mailbox, MailServer, MessageNotFound


def confirmation() -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Harmony Music School <lessons@harmony.example>"
    message["To"] = "Mia Okafor <mia@example.com>, leo@example.com"
    message["Subject"] = "Your piano lesson with Tomás – Tuesday"
    message["Date"] = datetime(2026, 3, 3, 15, 30, tzinfo=timezone(timedelta(hours=1)))
    message.set_content("See you on Tuesday.\n")
    message.add_alternative("<p>See you on <b>Tuesday</b>.</p>\n", subtype="html")
    message.add_attachment(b"BEGIN:VCALENDAR", maintype="text", subtype="calendar", filename="lesson.ics")
    return message


def send(server: MailServer, message: EmailMessage | bytes, *, to: str = "mia@example.com") -> None:
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        if isinstance(message, bytes):
            client.sendmail("lessons@harmony.example", [to], message)
        else:
            client.send_message(message)


def test_a_message_sent_by_smtp_is_read_as_it_was_written(tmp_path: Path) -> None:
    with MailServer(tmp_path / "mail") as server:
        assert server.url == f"smtp://127.0.0.1:{server.port}"
        send(server, confirmation())
    (message,) = Mailbox(tmp_path / "mail").messages()
    assert message.to == ("mia@example.com", "leo@example.com")
    assert message.sender == "Harmony Music School <lessons@harmony.example>"
    assert message.subject == "Your piano lesson with Tomás – Tuesday"
    assert message.sent_at == datetime(2026, 3, 3, 14, 30, tzinfo=UTC)
    assert message.sent_at.utcoffset() == timedelta(0)
    assert message.text == "See you on Tuesday.\n"
    assert message.html == "<p>See you on <b>Tuesday</b>.</p>\n"
    assert msgspec.to_builtins(message.attachments) == (
        {"name": "lesson.ics", "content_type": "text/calendar", "size": 15},
    )
    assert Mailbox(tmp_path / "mail").attachment(message.id, "lesson.ics") == b"BEGIN:VCALENDAR"
    assert msgspec.json.decode(msgspec.json.encode(message))["from"] == message.sender
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "mail").glob("*.eml"))


def test_the_newest_message_comes_first_and_a_blind_copy_shows_its_recipient(tmp_path: Path) -> None:
    with MailServer(tmp_path) as server:
        for subject in ("first", "second", "third"):
            send(server, f"Subject: {subject}\r\n\r\nhello".encode(), to=f"{subject}@example.com")
    box = Mailbox(tmp_path)
    assert [message.subject for message in box.messages()] == ["third", "second", "first"]
    assert [message.to for message in box.messages(limit=1)] == [("third@example.com",)]
    assert box.get(box.messages()[2].id).subject == "first"
    box.clear()
    assert box.messages() == []


def test_only_the_newest_messages_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mailbox.MAX_MESSAGES == 500
    monkeypatch.setattr(mailbox, "MAX_MESSAGES", 3)
    box = Mailbox(tmp_path)
    ids = [box.keep(b"Subject: %d\n\n" % number) for number in range(5)]
    assert [message.id for message in box.messages()] == list(reversed(ids[2:]))
    assert len(list(tmp_path.iterdir())) == 3
    with pytest.raises(MessageNotFound):
        box.get(ids[0])


@pytest.mark.parametrize(
    "name", ["../secret", "..", "", "/etc/passwd", "secret", "x\0y", "0" * 20 + "-" + "a" * 16 + "\n"]
)
def test_only_our_own_ids_reach_the_file_system(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.eml").write_text("Subject: not a message of ours\n\n")
    (tmp_path / "mail").mkdir()
    for directory in (tmp_path, tmp_path / "mail"):
        with pytest.raises(MessageNotFound):
            Mailbox(directory).get(name)
        with pytest.raises(MessageNotFound):
            Mailbox(directory).attachment(name, "x")
        assert Mailbox(directory).messages() == []


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/", "attachment.pdf"),
        (".bashrc", "bashrc"),
        ("a\tb.pdf", "a b.pdf"),
        ("x" * 300 + ".pdf", "x" * 100 + ".pdf"),
    ],
)
def test_an_attachments_name_is_made_harmless(tmp_path: Path, sent: str, shown: str) -> None:
    message = EmailMessage()
    message.set_content("see attached")
    for content in (b"one", b"two"):
        message.add_attachment(content, maintype="application", subtype="pdf", filename=sent)
    box = Mailbox(tmp_path)
    message_id = box.keep(message.as_bytes())
    first, second = box.get(message_id).attachments
    assert first.name == shown
    assert second.name != first.name
    assert [box.attachment(message_id, each.name) for each in (first, second)] == [b"one", b"two"]
    with pytest.raises(MessageNotFound):
        box.attachment(message_id, sent + "?")


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"\xff\xfe\x00\x01" * 50,
        b"Subject: =?no-such-charset?q?=ff?=\nFrom: =?utf-8?b?////?=\nDate: Thu, 99 Foo 99999 99:99 +9999\n\nx",
        b"Subject: \xe4\xf6\xfc\nTo: <<<>>>,,;\n\n\x00\xff",
        b"Content-Type: text/plain; charset=hex\n\n4141",
        b'Content-Type: text/plain; charset="\xff"\nContent-Transfer-Encoding: base64\n\n!!!!',
        b"Content-Type: text/html; charset=utf-7\n\n+2AA-",
        b"Content-Type: multipart/mixed\n\nno boundary",
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(3000)),
        b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 5000 + b"--b--\n",
        b"To: " + b"(" * 50_000 + b"\n\n",
        b"Content-Type: application/octet-stream; name*0*=a; name*1=b; name*=''%ff\n\nx",
    ],
)
def test_no_message_makes_reading_fail(tmp_path: Path, source: bytes) -> None:
    box = Mailbox(tmp_path)
    message_id = box.keep(source)
    (message,) = box.messages()
    assert message.id == message_id
    assert message.sent_at.tzinfo is UTC
    # What no page could show would fail here.
    assert b"\\u0000" not in msgspec.json.encode(message)
    assert len(message.attachments) <= 200
    for each in message.attachments[:3]:
        assert len(box.attachment(message_id, each.name)) == each.size


def test_letters_sent_as_plain_utf8_are_shown(tmp_path: Path) -> None:
    box = Mailbox(tmp_path)
    message = box.get(box.keep("Subject: Übung für Tomás\nTo: zoë@example.com\n\nGrüße".encode()))
    assert (message.subject, message.to, message.text) == ("Übung für Tomás", ("zoë@example.com",), "Grüße")


def test_a_message_that_is_too_large_is_refused_and_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "MAX_MESSAGE_BYTES", 2_000)
    with MailServer(tmp_path) as server:
        with pytest.raises(smtplib.SMTPException, match="552"):
            send(server, b"Subject: large\r\n\r\n" + b"x" * 70 * 50)
        send(server, b"Subject: small\r\n\r\n")
    assert [message.subject for message in Mailbox(tmp_path).messages()] == ["small"]


def test_a_taken_port_is_refused_when_asked_for(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(DaemonError, match=f"port {port}"):
            MailServer(tmp_path, port=port).start()


def test_a_stopped_server_takes_no_more_mail(tmp_path: Path) -> None:
    server = MailServer(tmp_path)
    server.start()
    port = server.port
    server.stop()
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
