"""The one named world of the tests, made the way the demo makes it."""
