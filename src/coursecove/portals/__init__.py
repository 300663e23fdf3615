"""Pages and forms for people: the school, its teachers, its students, the platform.

Refuses to hold rules: a page asks a room for a view and calls its verbs.
"""
