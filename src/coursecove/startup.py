"""A quick start: the garbage collector waits until everything that stays has been made.

Importing and building the application makes a few hundred thousand objects that live as long as the process.
The collector looks through them again and again while they are made, a fifth of the whole start, and finds
nothing.
"""

from __future__ import annotations

import gc


def begin() -> None:
    """Leave the collector out of the start; for commands that stay, before their imports."""
    gc.disable()


def finish() -> None:
    """Take it in again, and keep it from what is there now: that stays.  Nothing, where nobody began."""
    if gc.isenabled():
        return
    gc.freeze()
    gc.enable()
