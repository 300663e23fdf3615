"""How long a test waits for something that is promised in seconds."""

import os


def patience(seconds: float) -> float:
    """Give `seconds` stretched by how busy the machine is, at least twice.

    What hangs is still found. What only shares its processor with a dozen others is not taken for it.
    """
    return seconds * max(2.0, os.getloadavg()[0] / (os.cpu_count() or 1) * 2)
