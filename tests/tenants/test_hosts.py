"""From the value of a Host header to a school's name; never an exception, whatever it holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursecove.config import Settings, load_settings
from coursecove.tenants.hosts import BadHost, Bare, Elsewhere, HostReader, School
from tests.test_config import COMPLETE


def _settings(**changes: str) -> Settings:
    return load_settings(COMPLETE | changes)


READER = HostReader(_settings())


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        (b"coursecove.com", Bare()),
        (b"COURSECOVE.COM.:443", Bare()),
        (b"yoga.coursecove.com", School("yoga")),
        (b"Yoga.coursecove.com:8443", School("yoga")),
        (b"a-1.coursecove.com", School("a-1")),
        (b"a" * 63 + b".coursecove.com", School("a" * 63)),
        (b"a" * 64 + b".coursecove.com", Elsewhere()),
        (b"-a.coursecove.com", Elsewhere()),
        (b"a-.coursecove.com", Elsewhere()),
        (b"a.b.coursecove.com", Elsewhere()),
        (b"xcoursecove.com", Elsewhere()),
        (b".coursecove.com", Elsewhere()),
        (b"coursecove.com.evil.example", Elsewhere()),
        (b"[::1]", Elsewhere()),
        (b"", BadHost.MALFORMED),
        (b".", BadHost.MALFORMED),
        (b":80", BadHost.MALFORMED),
        (b"yoga.coursecove.com:http", BadHost.MALFORMED),
        (b"yoga.coursecove.com:80:80", BadHost.MALFORMED),
        (b"yoga.coursecove.com\t", BadHost.MALFORMED),
        (b"user@yoga.coursecove.com", BadHost.MALFORMED),
        ("yóga.coursecove.com".encode(), BadHost.MALFORMED),
    ],
)
def test_a_value_has_one_meaning(value: bytes, meaning: object) -> None:
    assert READER.parse(value) == meaning


@given(st.binary(max_size=300))
def test_no_value_is_a_defect_and_a_school_is_always_a_plain_label(value: bytes) -> None:
    found = READER.parse(value)
    if isinstance(found, School):
        assert found.slug == found.slug.lower()
        assert found.slug.replace("-", "a").isalnum()
        assert value.lower().startswith(found.slug.encode() + b".coursecove.com")


def test_an_unreadable_peer_is_no_proxy() -> None:
    """A server behind a unix socket names no peer; then nobody is believed."""
    reader = HostReader(_settings(TRUSTED_PROXIES="127.0.0.1"))
    headers = [(b"host", b"yoga.coursecove.com"), (b"x-forwarded-host", b"other.coursecove.com")]
    for client in (None, ("", 0), ("unix:", 0), ("127.0.0.2", 1)):
        assert reader.read({"client": client, "headers": headers}) == School("yoga")
    assert reader.read({"client": ("127.0.0.1", 1), "headers": headers}) == School("other")
