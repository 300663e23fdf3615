"""Organizations, their members and roles, and the way from a host name to one of them.

Refuses an organization from anything but the Host header, and a person from
anything but a verified token *and* a current membership.
"""
