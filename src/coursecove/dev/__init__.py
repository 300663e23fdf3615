"""What one machine needs to run CourseCove by itself: a database, a queue, a mailbox, a process supervisor.

Only the commands for development, the demo and the tests import this room; production refuses it: every service
here is reached through an address in the settings, and a real one takes its place there.
"""
