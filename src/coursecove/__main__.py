"""``python -m coursecove``."""

from coursecove.cli import main

main()
