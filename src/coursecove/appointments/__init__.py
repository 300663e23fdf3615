"""What a school offers: appointment types, locations, and who is qualified for what.

Refuses to know about the time of day (scheduling) or about students (bookings).
"""
