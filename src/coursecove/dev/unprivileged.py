"""Postgres refuses to run as root: then it runs as `nobody`, whose reach is settled here.

Nothing is opened up for that user. A parent folder keeps its permissions; what nobody cannot reach is kept in a
folder of root's below a shared place instead. Every such folder is checked before use: a real folder, root's
own, writable by root alone.
"""

import contextlib
import hashlib
import os
import pwd
import re
import secrets
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_NAME = re.compile(r"coursecove-[0-9a-f]{16}")
# Where data that nobody must reach may be kept; the first that works, the lasting one first.
_LASTING_PLACES = (Path("/var/lib"), Path("/var/tmp"))  # noqa: S108 - `is_ours_alone` guards it


class Unreachable(Exception):
    """No shared place could be used; the message says what was tried."""


@dataclass(frozen=True)
class Account:
    """Whom a server runs as; None means as ourselves."""

    uid: int | None = None
    gid: int | None = None

    @property
    def groups(self) -> Sequence[int] | None:
        """The supplementary groups to run with: none of root's."""
        return None if self.uid is None else []

    @property
    def owner(self) -> int:
        """The uid that owns what the server writes."""
        return os.geteuid() if self.uid is None else self.uid

    def can(self, *argv: str) -> bool:
        """Tell whether a command succeeds when this account runs it; by trying, which is always right."""
        try:
            done = subprocess.run(
                argv,
                user=self.uid,
                group=self.gid,
                extra_groups=self.groups,
                cwd="/",
                env={"PATH": os.defpath},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=10,
                check=False,
            )
        except (OSError, subprocess.SubprocessError):
            return False
        return done.returncode == 0

    def can_enter(self, folder: Path) -> bool:
        """Tell whether this account can go into a folder."""
        return self.uid is None or self.can("/bin/sh", "-c", 'cd -- "$1"', "sh", str(folder))


def server_account() -> Account:
    """Give the account a server that refuses root runs as."""
    if os.geteuid() != 0:
        return Account()
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return Account(65534, 65534)
    return Account(nobody.pw_uid, nobody.pw_gid)


def is_ours_alone(folder: Path) -> bool:
    """Tell whether this is a real folder (no link) which only this user can write to, rename or replace."""
    try:
        found, above = folder.lstat(), folder.parent.stat()
    except OSError:
        return False
    kept = bool(above.st_mode & stat.S_ISVTX) or not above.st_mode & 0o022
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022 and kept


class PlaceElsewhere:
    """A folder elsewhere for the data of a home that `nobody` cannot reach.

    The home keeps a pointer to it, the place keeps the home's path. So the data survive a restart, move along
    with a home that is renamed, are not shared with a copy of the home, and go when the home was deleted.
    """

    def __init__(self, home: Path, account: Account, *, lasting: bool = True) -> None:
        self._home = home
        # What need not last belongs where the system tidies up after those who could not.
        self._places = _LASTING_PLACES if lasting else (Path(tempfile.gettempdir()), *_LASTING_PLACES)
        self._account = account
        self._pointer = home / "location"

    def find(self) -> Path | None:
        """Give the place of this home's data, when they were put elsewhere and are still there."""
        place = self._pointed_at(self._pointer)
        if place is None or not is_ours_alone(place):
            return None
        lives_at = self._home_of(place)
        if lives_at != self._home:
            if lives_at is not None and self._pointed_at(lives_at / "location") == place:
                # This home is a copy of one that is still there and still uses the place.
                return None
            self._write(place / "home", str(self._home))
        return place

    def find_leftover(self) -> Path | None:
        """Give the place of an earlier home at this very path, which was deleted since."""
        for parent in self._places:
            place = parent / self._name()
            lives_here = is_ours_alone(place) and self._home_of(place) == self._home
            if lives_here and self._pointed_at(self._pointer) != place:
                return place
        return None

    def make(self) -> Path:
        """Make a place and point to it. Raises Unreachable."""
        for parent in self._places:
            for name in (self._name(), f"coursecove-{secrets.token_hex(8)}"):
                place = parent / name
                try:
                    place.mkdir(mode=0o700)
                    place.chmod(0o711)
                except OSError:
                    continue
                if is_ours_alone(place) and self._account.can_enter(place):
                    self._write(place / "home", str(self._home))
                    self._write(self._pointer, str(place))
                    return place
                place.rmdir()
        tried = " or ".join(map(str, self._places))
        raise Unreachable(f"the user nobody cannot enter {self._home}, and no folder could be made in {tried}")

    def remove(self) -> None:
        """Delete the place and the pointer to it."""
        place = self.find()
        if place is not None:
            shutil.rmtree(place)
        self._pointer.unlink(missing_ok=True)

    def _name(self) -> str:
        return f"coursecove-{hashlib.sha256(os.fsencode(self._home)).hexdigest()[:16]}"

    @staticmethod
    def _home_of(place: Path) -> Path | None:
        try:
            return Path((place / "home").read_text().rstrip("\n"))
        except (OSError, UnicodeError):
            return None

    @staticmethod
    def _pointed_at(pointer: Path) -> Path | None:
        try:
            place = Path(pointer.read_text().rstrip("\n"))
        except (OSError, UnicodeError):
            return None
        known = (Path(tempfile.gettempdir()), *_LASTING_PLACES)
        return place if place.parent in known and _NAME.fullmatch(place.name) else None

    @staticmethod
    def _write(path: Path, text: str) -> None:
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{text}\n")


def share_programs(sources: Sequence[Path], *, root: Path, probe: Path, account: Account) -> Path:
    """Copy programs to a temporary place `account` can execute from; gives the folder that stands for `root`.

    `sources` lie below `root` and keep their layout; `probe`, a program relative to `root`, must run there. A
    complete copy of the same files is used again, whichever installation made it. Raises Unreachable.
    """
    wanted = _listing(sources, root)
    digest = hashlib.sha256(repr(wanted).encode() + hashlib.sha256((root / probe).read_bytes()).digest())
    tried = []
    for parent in dict.fromkeys((Path(tempfile.gettempdir()), *_LASTING_PLACES)):
        place = parent / f"coursecove-programs-{digest.hexdigest()[:16]}"
        tried.append(str(parent))
        with contextlib.suppress(OSError):
            if not (is_ours_alone(place) and _listing([place], place) == wanted):
                _copy_whole(sources, root, place)
        # Another start may have put it there first, and the place may be mounted without the right to execute.
        if (
            is_ours_alone(place)
            and _listing([place], place) == wanted
            and account.can(str(place / probe), "--version")
        ):
            return place
    raise Unreachable(f"the user nobody cannot run {root / probe}, nor a copy in {' or '.join(tried)}")


def _listing(folders: Sequence[Path], root: Path) -> list[tuple[str, int]]:
    return sorted(
        (path.relative_to(root).as_posix(), path.stat().st_size)
        for folder in folders
        for path in ([folder] if folder.is_file() else folder.rglob("*"))
        if path.is_file()
    )


def _copy_whole(sources: Sequence[Path], root: Path, place: Path) -> None:
    """Put a complete copy at `place` in one step: whoever looks there meanwhile sees all of it or nothing."""
    part = Path(tempfile.mkdtemp(prefix=f"{place.name}.", dir=place.parent))
    try:
        for source in sources:
            target = part / source.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target)
            else:
                shutil.copy2(source, target)
        for path in (part, *part.rglob("*")):
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        if is_ours_alone(place):
            # Something that tidies up temporary folders has taken parts of it.
            shutil.rmtree(place)
        part.rename(place)
    finally:
        shutil.rmtree(part, ignore_errors=True)
