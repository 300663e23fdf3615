"""The embedded Valkey against the real program."""

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from coursecove.dev.daemons import AlreadyRunning, DaemonError, free_port, port_is_free
from coursecove.dev.valkey import EmbeddedValkey


def connect(server: EmbeddedValkey) -> "redis.Redis":
    return redis.Redis.from_url(server.url, decode_responses=True)


def test_a_second_start_has_the_same_address_and_what_was_to_persist(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path / "valkey", persist=True) as server:
        url = server.url
        with connect(server) as client:
            client.set("lesson", "piano")
    with EmbeddedValkey(tmp_path / "valkey", persist=True) as server, connect(server) as client:
        assert server.url == url
        assert client.get("lesson") == "piano"
    assert (tmp_path / "valkey" / "password").stat().st_mode & 0o777 == 0o600


def test_without_persist_a_second_start_is_empty(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as server, connect(server) as client:
        client.set("lesson", "piano")
    with EmbeddedValkey(tmp_path) as server, connect(server) as client:
        assert client.get("lesson") is None


def test_other_users_of_the_machine_are_kept_out(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as server:
        # Not the client library, which tries again and again.
        with socket.create_connection(("127.0.0.1", server.port)) as stranger:
            stranger.sendall(b"PING\r\n")
            assert stranger.recv(100).startswith(b"-NOAUTH")
        password = (tmp_path / "password").read_text().strip()
        assert password not in Path(f"/proc/{server.pid}/cmdline").read_text()
        with connect(server) as client:
            assert client.config_get("bind") == {"bind": "127.0.0.1"}


def test_a_second_start_beside_a_running_one_is_refused(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as server:
        with pytest.raises(AlreadyRunning, match="already running"):
            EmbeddedValkey(tmp_path).start()
        assert server.poll() is None


def test_a_taken_port_is_refused_when_asked_for_and_avoided_otherwise(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        (tmp_path / "port").write_text(f"{port}\n")
        with pytest.raises(DaemonError, match=f"port {port}"):
            EmbeddedValkey(tmp_path, port=port).start()
        with EmbeddedValkey(tmp_path) as server:
            assert server.port != port


def test_losing_the_race_for_a_port_is_made_good_with_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = free_port()
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        monkeypatch.setattr(EmbeddedValkey, "_ports", lambda _: iter([taken, free]))
        with EmbeddedValkey(tmp_path) as server:
            assert server.port == free


def test_killing_the_starter_ends_the_server(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from coursecove.dev.valkey import EmbeddedValkey\n"
        "server = EmbeddedValkey(Path(sys.argv[1])); server.start()\n"
        "print(server.port, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, tmp_path], stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout is not None
        port = int(starter.stdout.readline())
        assert not port_is_free(port)
        starter.kill()
    deadline = time.monotonic() + 5
    while not port_is_free(port) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert port_is_free(port)
