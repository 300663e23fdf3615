"""The lines of several commands on one terminal."""

import contextlib
import os
import subprocess
import threading
from typing import IO, TextIO

_COLOURS = (36, 33, 35, 32, 34, 31)
_LINE_BYTES = 64 * 1024


class Output:
    """Lines from several sources on one stream, each whole, each with the name of its source."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._colours: dict[str, int] = {}
        self.last_line = ""
        plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb" or not stream.isatty()
        self._coloured = not plain

    def line(self, text: str, *, source: str | None = None) -> None:
        """Write one line. A reader that went away (`| head`) is no error: the commands must not stall on it."""
        with self._lock, contextlib.suppress(OSError, ValueError):
            self.last_line = text
            self._stream.write(f"{self._prefix(source)}{text}\n")
            self._stream.flush()

    def _prefix(self, source: str | None) -> str:
        if source is None:
            return ""
        colour = self._colours.setdefault(source, _COLOURS[len(self._colours) % len(_COLOURS)])
        name = f"{source:<9}|"
        return f"\x1b[{colour}m{name}\x1b[0m " if self._coloured else f"{name} "


class Child:
    """A command of the supervisor: one process group, its output read to the end by a thread."""

    def __init__(self, name: str, process: "subprocess.Popen[bytes]", output: Output) -> None:
        self.name = name
        self.process = process
        self._output = output
        self._reader = threading.Thread(target=self._read, name=f"output of {name}", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        stream: IO[bytes] | None = self.process.stdout
        with contextlib.suppress(OSError, ValueError):
            while stream is not None and (raw := stream.readline(_LINE_BYTES)):
                self._output.line(raw.decode(errors="replace").rstrip("\r\n"), source=self.name)

    def finish_output(self) -> None:
        """Wait until the last words are written; not for long, a stray process may hold the pipe."""
        self._reader.join(0.5)
