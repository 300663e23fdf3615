"""A mail server that delivers nothing: every message stays on this machine, to be read in the browser.

`MailServer` takes messages by real SMTP and keeps each as an .eml file; `Mailbox` reads them. What one says was
written by others: nothing of it ever becomes a path, and no message can make reading fail.
"""

import contextlib
import mimetypes
import re
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message as ParsedMessage
from email.utils import getaddresses, parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import msgspec
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from coursecove.dev.daemons import LOOPBACK, DaemonError, StateFolder, free_port, port_is_free

MAX_MESSAGES = 500
MAX_MESSAGE_BYTES = 10 * 1024 * 1024
_MAX_PARTS = 200
_MAX_HEADER = 10_000
# Our own names: nanoseconds since 1970, then chance. They sort by arrival.
_ID = re.compile(r"[0-9]{20}-[0-9a-f]{16}")
_START_ATTEMPTS = 5


class MessageNotFound(LookupError):
    """There is no such message or attachment (any more: only the newest 500 are kept)."""


class Attachment(msgspec.Struct, frozen=True):
    """A file that came with a message; `name` is unique within it and safe to show and to save under."""

    name: str
    content_type: str
    size: int


class Message(msgspec.Struct, frozen=True):
    """A message as people read it.

    `sent_at` is aware UTC; without a usable Date it is when the message arrived. `html` is what the sender
    wrote: show it in a sandbox only. `to` are bare addresses, the names left out; when the message names
    nobody, those it was delivered to.
    """

    id: str
    to: tuple[str, ...]
    sender: str = msgspec.field(name="from")
    subject: str
    sent_at: datetime
    text: str | None
    html: str | None
    attachments: tuple[Attachment, ...]


class Mailbox:
    """The messages in a directory; nobody needs to be delivering at the moment."""

    def __init__(self, directory: Path) -> None:
        self._directory = Path(directory)

    def messages(self, *, limit: int = MAX_MESSAGES) -> list[Message]:
        """Give the newest messages, the newest first."""
        found = []
        for message_id in self._ids()[:limit]:
            # It may just have had to make room for a newer one.
            with contextlib.suppress(MessageNotFound):
                found.append(self.get(message_id))
        return found

    def get(self, message_id: str) -> Message:
        """Give one message. Raises MessageNotFound."""
        return _read(message_id, self.source(message_id))[0]

    def attachment(self, message_id: str, name: str) -> bytes:
        """Give the content of an attachment, by the name `get` gave it. Raises MessageNotFound."""
        contents = _read(message_id, self.source(message_id))[1]
        if name not in contents:
            raise MessageNotFound(name)
        return contents[name]

    def source(self, message_id: str) -> bytes:
        """Give the message as it came, headers and all. Raises MessageNotFound."""
        if not _ID.fullmatch(message_id):
            raise MessageNotFound(message_id)
        try:
            return (self._directory / f"{message_id}.eml").read_bytes()
        except FileNotFoundError as error:
            raise MessageNotFound(message_id) from error

    def clear(self) -> None:
        """Throw every message away."""
        self._drop(self._ids())

    def keep(self, content: bytes) -> str:
        """Store a message, the oldest making room; gives its id."""
        message_id = f"{time.time_ns():020d}-{secrets.token_hex(8)}"
        part = self._directory / f"{message_id}.part"
        part.write_bytes(content)
        part.chmod(0o600)
        # Whoever lists the directory meanwhile sees the whole message or none.
        part.rename(part.with_suffix(".eml"))
        self._drop(self._ids()[MAX_MESSAGES:])
        return message_id

    def _ids(self) -> list[str]:
        names = (path.stem for path in self._directory.glob("*.eml"))
        return sorted((name for name in names if _ID.fullmatch(name)), reverse=True)

    def _drop(self, message_ids: list[str]) -> None:
        for message_id in message_ids:
            (self._directory / f"{message_id}.eml").unlink(missing_ok=True)


class MailServer:
    """SMTP on 127.0.0.1, without TLS or password; accepts every sender and recipient and keeps the messages.

    Runs in a thread of this process. `start` raises DaemonError when `port` was asked for and is taken.
    Messages over 10 MiB are refused with 552, as the protocol has it.
    """

    name: ClassVar[str] = "mail"

    def __init__(self, directory: Path, *, port: int | None = None) -> None:
        self._folder = StateFolder(directory)
        self._wanted_port = port
        self._controller: Controller | None = None

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1; known while it runs."""
        if self._controller is None:
            raise DaemonError("The mail server has not been started.")
        return int(self._controller.port)

    @property
    def url(self) -> str:
        """The address for `SMTP_URL`."""
        return f"smtp://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Return once it takes mail. Starting a running one does nothing."""
        if self._controller is not None:
            return
        self._folder.open(mode=0o700)
        if self._wanted_port is not None and not port_is_free(self._wanted_port):
            raise DaemonError(
                f"The mail server cannot use port {self._wanted_port}: another program listens there."
            )
        for attempt in range(1, _START_ATTEMPTS + 1):
            controller = Controller(
                _Keeper(Mailbox(self._folder.path)),
                hostname=LOOPBACK,
                port=self._wanted_port or free_port(),
                # Not this machine's name, which would need a look-up.
                server_hostname="mail.coursecove.localhost",
                data_size_limit=MAX_MESSAGE_BYTES,
                enable_SMTPUTF8=True,
            )
            try:
                controller.start()
            except OSError as error:
                if self._wanted_port is not None or attempt == _START_ATTEMPTS:
                    raise DaemonError(f"The mail server cannot use port {controller.port}: {error}.") from error
                continue
            self._controller = controller
            return

    def stop(self) -> None:
        """Stop taking mail; the messages stay."""
        controller, self._controller = self._controller, None
        if controller is not None:
            controller.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Keeper:
    """What aiosmtpd calls for each message."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.original_content or b""
        # As a mail server does on delivery; a blind copy is named nowhere else.
        delivered = "".join(f"Delivered-To: {address}\r\n" for address in envelope.rcpt_tos)
        message_id = self._mailbox.keep(delivered.encode(errors="replace") + content)
        return f"250 OK, kept as {message_id}"


def _read(message_id: str, source: bytes) -> tuple[Message, dict[str, bytes]]:
    """Take a message apart: what is shown of it and what is attached to it."""
    try:
        return _take_apart(message_id, source)
    # The parser of the standard library fails in many ways (recursion among them) on a message made for that.
    except Exception:
        shown = Message(
            id=message_id,
            to=(),
            sender="",
            subject="(This message cannot be read)",
            sent_at=_arrived_at(message_id),
            text=_clean(source[:10_000].decode(errors="replace")),
            html=None,
            attachments=(),
        )
        return shown, {}


def _take_apart(message_id: str, source: bytes) -> tuple[Message, dict[str, bytes]]:
    parsed = message_from_bytes(source)
    bodies: dict[str, str] = {}
    contents: dict[str, bytes] = {}
    attachments = []
    for part in _leaves(parsed):
        content = part.get_payload(decode=True)
        if not isinstance(content, bytes):
            continue
        kind = part.get_content_type()
        file_name = _decoded(part.get_filename() or "")
        attached = bool(file_name) or part.get_content_disposition() == "attachment"
        if kind in ("text/plain", "text/html") and not attached and kind not in bodies:
            bodies[kind] = _text_of(content, str(part.get_content_charset() or "utf-8"))
            continue
        name = _unique_name(file_name, kind, taken=contents)
        contents[name] = content
        attachments.append(Attachment(name=name, content_type=kind, size=len(content)))
    shown = Message(
        id=message_id,
        to=_addresses(parsed, "to") or _addresses(parsed, "delivered-to"),
        sender=_header(parsed, "from"),
        subject=_header(parsed, "subject"),
        sent_at=_sent_at(parsed) or _arrived_at(message_id),
        text=bodies.get("text/plain"),
        html=bodies.get("text/html"),
        attachments=tuple(attachments),
    )
    return shown, contents


def _leaves(parsed: "ParsedMessage[Any, Any]") -> Iterator["ParsedMessage[Any, Any]"]:
    for count, part in enumerate(parsed.walk()):
        if count >= _MAX_PARTS:
            return
        if not part.is_multipart():
            yield part


def _headers(parsed: "ParsedMessage[Any, Any]", name: str) -> list[str]:
    # The raw ones: reading them by name turns letters that were sent as plain UTF-8 into question marks.
    return [_decoded(str(value)) for key, value in parsed.raw_items() if key.lower() == name]


def _header(parsed: "ParsedMessage[Any, Any]", name: str) -> str:
    return next(iter(_headers(parsed, name)), "")


def _addresses(parsed: "ParsedMessage[Any, Any]", name: str) -> tuple[str, ...]:
    return tuple(address for _, address in getaddresses(_headers(parsed, name)) if address)


def _decoded(value: str) -> str:
    """Give a header's value as people read it, on one line."""
    # Longer than any honest one, and short enough that taking it apart stays quick.
    value = value[:_MAX_HEADER].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    with contextlib.suppress(MessageError, LookupError, ValueError):
        value = str(make_header(decode_header(value)))
    return " ".join(_clean(value).split())


def _clean(text: str) -> str:
    """Replace what no page or database takes: half a surrogate pair, NUL."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def _text_of(content: bytes, charset: str) -> str:
    try:
        text = content.decode(charset, "replace")
    except (LookupError, ValueError):
        text = content.decode("utf-8", "replace")
    return _clean(text).replace("\r\n", "\n")


def _unique_name(wanted: str, kind: str, *, taken: dict[str, bytes]) -> str:
    """Make an attachment's name harmless: no folders, no control characters, not hidden, not too long."""
    plain = re.sub(r"[\x00-\x1f\x7f]", "", re.split(r"[/\\]", wanted)[-1]).strip().lstrip(".")
    if not plain:
        plain = "attachment" + (mimetypes.guess_extension(kind) or "")
    stem, dot, ending = plain.rpartition(".")
    stem, ending = (stem[:100], (dot + ending)[:20]) if stem else (plain[:100], "")
    name, number = stem + ending, 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}{ending}"
    return name


def _sent_at(parsed: "ParsedMessage[Any, Any]") -> datetime | None:
    try:
        sent_at = parsedate_to_datetime(_header(parsed, "date"))
        return sent_at.replace(tzinfo=UTC) if sent_at.tzinfo is None else sent_at.astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def _arrived_at(message_id: str) -> datetime:
    return datetime.fromtimestamp(int(message_id.partition("-")[0]) / 1e9, UTC)
