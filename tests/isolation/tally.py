"""Counts for `make isolation`: what the matrices compared, as lines of JSON, when somebody asks for them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

#: The folder to write to; the test processes of one run share it.
VARIABLE = "ISOLATION_COUNTS"


def count(what: str, **facts: Any) -> None:
    """Write down that `what` was looked at, with what came of it; does nothing unless a folder is named."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        return
    with (Path(folder) / f"{os.getpid()}.jsonl").open("a") as lines:
        lines.write(json.dumps({"what": what, **facts}) + "\n")


def counted(folder: Path) -> list[dict[str, Any]]:
    """Return everything that was written down in a folder."""
    return [
        json.loads(line) for file in sorted(folder.glob("*.jsonl")) for line in file.read_text().splitlines()
    ]
