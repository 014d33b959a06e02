"""The one exception that a user, not a developer, is meant to read."""


class UserError(Exception):
    """Bad input: one line that names what was expected and what exists; commands exit with code 2."""
