"""The two doors into Postgres, and the one place where a transaction ends.

``session.py`` holds the unit of work, ``rls.py`` the policies every tenant
table gets, ``base.py`` the declarative base.  No other room opens a connection
or calls ``commit``.
"""
