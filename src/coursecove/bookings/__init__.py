"""Sessions and bookings: the promise that nobody is booked twice.

Refuses to offer a time it would not accept, and to send anything to anybody.
"""
