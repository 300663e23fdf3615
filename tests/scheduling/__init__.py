"""Hours, exceptions, and the slot engine."""
