"""The one exception that a user, not a developer, is meant to read."""

LONGEST = 200


class UserError(Exception):
    """Bad input: one line that names what was expected and what exists; commands exit with code 2."""


class BadSourceError(UserError):
    """Data of somebody else's that are not what they should be: what was made of them so far is worth nothing."""


def said(error: BaseException | str) -> str:
    """What somebody else's code or file says, in one line of a length that can be read."""
    text = " ".join(str(error).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
