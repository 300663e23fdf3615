"""When a lesson may start.

This room turns weekly hours, the rules of an appointment type and the time already blocked into the times a
student may choose, and it judges a chosen time by the same rules. `slots` is pure computation: it reads no
table, no clock and no setting. The room refuses to book anything; `bookings` does that, and the database has
the last word on overlaps.
"""
