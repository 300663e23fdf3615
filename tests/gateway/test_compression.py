"""Text goes out as gzip to whoever accepts it, and says the same."""

from __future__ import annotations

import gzip

import httpx
import pytest

from coursecove import compression
from tests.conftest import ClientFor


def _raw(http: httpx.Client, path: str, **headers: str) -> tuple[httpx.Response, bytes]:
    """Return an answer and its body as it came over the wire."""
    with http.stream("GET", path, headers={"Accept-Encoding": "identity", **headers}) as answer:
        return answer, b"".join(answer.iter_raw())


@pytest.mark.parametrize("path", ["/", "/static/css/app.css", "/api/v1/appointment-types"])
def test_text_is_packed_for_whoever_accepts_it_and_says_the_same(client: ClientFor, path: str) -> None:
    http = client("musicschool")
    plain, body = _raw(http, path)
    packed, small = _raw(http, path, **{"Accept-Encoding": "br, gzip;q=0.8"})
    assert plain.status_code == packed.status_code == 200
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) == len(small) < len(body) / 2
    assert "Accept-Encoding" in packed.headers["vary"]
    unpacked = gzip.decompress(small)
    # The token of the page's forms differs from one drawing to the next, and nothing else.
    assert len(unpacked) == len(body)
    assert unpacked[:200] == body[:200]
    if path != "/":
        assert unpacked == body


@pytest.mark.parametrize("accepted", ["identity", "gzip;q=0", "gzip; q=0.0", "br"])
def test_whoever_does_not_accept_it_gets_it_plain(client: ClientFor, accepted: str) -> None:
    answer, _ = _raw(client("musicschool"), "/", **{"Accept-Encoding": accepted})
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize("path", ["/health/live", "/static/vendor/inter/inter-latin-400-700.woff2"])
def test_what_is_short_or_packed_already_stays_as_it_is(client: ClientFor, path: str) -> None:
    answer, body = _raw(client("musicschool"), path, **{"Accept-Encoding": "gzip"})
    assert answer.status_code == 200
    assert "content-encoding" not in answer.headers
    assert len(body) == int(answer.headers["content-length"])


def test_the_headers_alone_are_those_of_the_plain_answer(client: ClientFor) -> None:
    answer = client("musicschool").head("/static/css/app.css", headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 200
    assert "content-encoding" not in answer.headers


def test_a_part_of_a_file_is_cut_from_the_file(client: ClientFor) -> None:
    headers = {"Accept-Encoding": "gzip", "Range": "bytes=0-99"}
    answer, _ = _raw(client("musicschool"), "/static/css/app.css", **headers)
    assert "content-encoding" not in answer.headers


def test_files_that_are_kept_packed_are_bounded_in_number() -> None:
    assert 0 < compression.REMEMBERED <= 1000
