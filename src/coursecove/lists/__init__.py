"""Lists taken in from files: people, appointment types, hours.

Refuses to hold rules: a row is what its form would send, done by the same verbs.
"""
