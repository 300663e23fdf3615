"""The inbox: signed events from outside, durable before they are answered.

Knows that an event came and what became of it; what it means is the business
of the rooms that register handlers.  Refuses anything unsigned.
"""
