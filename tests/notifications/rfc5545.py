"""A reader of iCalendar written from RFC 5545 alone, for a second opinion on what we write.

It knows nothing of any library: it takes bytes apart by the grammar of section
3.1 and complains about whatever does not fit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

# 3.1: name *(";" param) ":" value; a parameter's value is quoted or free of ; : and ,.
_NAME = r"[A-Za-z0-9-]+"
_PARAMETER = (
    rf';{_NAME}=(?:"[^"\x00-\x08\x0a-\x1f\x7f]*"|[^";:,\x00-\x08\x0a-\x1f\x7f]*)' r"(?:,(?:[^\";:,]*))*"
)
_LINE = re.compile(rf"(?P<name>{_NAME})(?P<parameters>(?:{_PARAMETER})*):(?P<value>.*)\Z", re.S)
# 3.3.11: a backslash, a semicolon or a comma only escaped; \n for a line break; no other escape.
_TEXT = re.compile(r"(?:[^\\;,\x00-\x08\x0a-\x1f\x7f]|\\[\\;,nN])*\Z")
_TEXTS = {"SUMMARY", "DESCRIPTION", "LOCATION", "UID", "X-WR-CALNAME", "NAME", "PRODID"}
_UTC = re.compile(r"\d{8}T\d{6}Z\Z")


@dataclass
class Component:
    """A component with its properties by name, and those inside it."""

    name: str
    properties: dict[str, list[str]] = field(default_factory=dict)
    inside: list[Component] = field(default_factory=list)

    def one(self, name: str) -> str:
        [value] = self.properties[name]
        return unescaped(value) if name in _TEXTS else value


def read(content: bytes) -> Component:
    """Return the calendar; raises AssertionError with what does not fit the standard."""
    assert content.endswith(b"\r\n"), "the last line ends with CRLF"
    physical = content[:-2].split(b"\r\n")
    for line in physical:
        assert not re.search(rb"[\r\n]", line), f"a lone CR or LF in {line!r}"
        assert len(line) <= 75, f"{len(line)} octets before the line break: {line!r}"
        # A fold inside a character would make neither half UTF-8.
        line.decode("utf-8")
    unfolded = b"\r\n".join(physical).replace(b"\r\n ", b"").replace(b"\r\n\t", b"").decode()
    stack: list[Component] = []
    done: Component | None = None
    for logical in unfolded.split("\r\n"):
        assert done is None, f"something after the end: {logical!r}"
        found = _LINE.match(logical)
        assert found, f"no content line: {logical!r}"
        name, value = found["name"].upper(), found["value"]
        if name == "BEGIN":
            stack.append(Component(value))
        elif name == "END":
            ended = stack.pop()
            assert ended.name == value, f"{ended.name} ends as {value}"
            if stack:
                stack[-1].inside.append(ended)
            else:
                done = ended
        else:
            if name in _TEXTS:
                assert _TEXT.match(value), f"unescaped text: {logical!r}"
            stack[-1].properties.setdefault(name, []).append(value)
    assert done is not None, "BEGIN without END"
    _check(done)
    return done


def _check(calendar: Component) -> None:
    assert calendar.name == "VCALENDAR"
    assert calendar.one("VERSION") == "2.0"
    assert calendar.one("PRODID")
    seen: set[str] = set()
    for event in calendar.inside:
        assert event.name == "VEVENT"
        for name in ("UID", "DTSTAMP", "DTSTART", "DTEND"):
            assert len(event.properties.get(name, [])) == 1, f"{name} once in an event"
        for name in ("DTSTAMP", "DTSTART", "DTEND"):
            assert _UTC.match(event.one(name)), f"{name} in UTC"
        assert event.one("DTSTART") < event.one("DTEND")
        for name in ("SUMMARY", "DESCRIPTION", "LOCATION", "STATUS", "SEQUENCE", "URL"):
            assert len(event.properties.get(name, [])) <= 1, f"{name} at most once"
        assert event.properties.get("STATUS", ["CONFIRMED"])[0] in ("TENTATIVE", "CONFIRMED", "CANCELLED")
        assert event.one("UID") not in seen, "an UID is there once"
        seen.add(event.one("UID"))


def unescaped(text: str) -> str:
    """Return TEXT as it was meant."""
    return re.sub(r"\\([\\;,nN])", lambda m: "\n" if m[1] in "nN" else m[1], text)
