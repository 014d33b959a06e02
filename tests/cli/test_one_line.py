"""What a command ends with when the machine has not what it needs."""

import numpy as np
import pytest
import torch

from vfplan.cli.one_line import one_line_errors


def numpy_asks():
    np.empty(10**17)


def torch_asks():
    torch.empty(10**16)


@pytest.mark.parametrize("ask", [numpy_asks, torch_asks])
def test_too_little_memory_is_one_line(ask, capsys):
    with pytest.raises(SystemExit) as ended, one_line_errors(full=False):
        ask()
    said = capsys.readouterr().err
    assert ended.value.code == 2 and len(said.splitlines()) == 1
    assert said.startswith("error: not enough memory (") and said.endswith("smaller settings need less\n")


def test_other_runtime_errors_keep_their_traceback():
    with pytest.raises(RuntimeError, match="mat1 and mat2"), one_line_errors(full=False):
        torch.zeros(2, 3) @ torch.zeros(2, 3)
