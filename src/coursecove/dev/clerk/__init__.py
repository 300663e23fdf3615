"""A stand-in for Clerk that speaks its protocol on this machine: no account, no internet, no special case.

One port answers as Clerk's Frontend API (for the browser, as ``clerk.<base domain>``), as its Backend API
(for the server, as ``127.0.0.1``) and shows a console at ``/`` where people sign up, schools are founded and
roles change.  Every change is followed by the Svix-signed webhook Clerk would send, so that the product
learns of it the way it does in production.

Its sign-in asks for no password: whoever can reach it is whoever they say.  It therefore refuses to run when
``APP_ENV=production`` and never answers to a ``sk_live_`` key.

- :mod:`~coursecove.dev.clerk.world` is the demo world, as data.
- :mod:`~coursecove.dev.clerk.stand_in` holds the state and the verbs that change it.
- :mod:`~coursecove.dev.clerk.app` serves it.
- :mod:`~coursecove.dev.clerk.session_tokens` mints tokens, for the stand-in, for tests and for developers.
"""
