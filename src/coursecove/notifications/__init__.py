"""Mail about bookings: who gets it, what it says, that it went.

Refuses to decide anything about a booking; it reacts to facts.
"""
