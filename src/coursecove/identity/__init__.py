"""Who is asking: Clerk's session tokens, the handshake that renews them, and Clerk's Backend API.

The room answers one question, "which Clerk user and session is behind this
request", from the cookie or the Authorization header alone.  It refuses to
answer the next one, "what may they do here": roles and membership are decided
by ``tenants`` from our own tables, and the organization named in a token is
never taken as proof of anything.

- :mod:`~coursecove.identity.tokens` verifies one token.
- :mod:`~coursecove.identity.jwks` keeps the keys it is verified with.
- :mod:`~coursecove.identity.authentication` decides over one request.
- :mod:`~coursecove.identity.handshake` reads what comes back from a handshake.
- :mod:`~coursecove.identity.api` calls Clerk's Backend API.

Nothing here writes to the database and nothing here knows whether Clerk or
its local stand-in is at the other end.
"""
