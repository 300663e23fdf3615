"""CourseCove: many schools on one roof, each behind its own door.

The package is a set of rooms; ``docs/architecture.md`` is their map.  Imports
go downward only, from ``app``/``worker``/``cli`` to ``config``.
"""
