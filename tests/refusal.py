"""What every command does with a mistake of its user's."""

import pytest


def refused(capsys, main, arguments, *, begun=False):
    """What the one line says with which a command refuses its arguments; nothing else may stand on stderr.

    With `begun` the work may have begun, and its progress bar stand there too.
    """
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 1 and (begun or errors == lines), lines
    return errors[0].removeprefix("error: ")
