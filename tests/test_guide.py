"""What the guide shows in Python runs, and gives what its comments say."""

import re
from pathlib import Path

import torch

GUIDE = Path(__file__).parents[1] / "docs" / "guide.md"


def test_python_of_the_guide_runs():
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    found = {}
    with torch.no_grad():
        exec(compile(code.replace("torch.set_grad_enabled(False)", ""), str(GUIDE), "exec"), found)
    assert found["plan"].shape == (1, 8, 4) and found["plan"].abs().max() <= 1
    assert found["futures"].shape == (5, 8, 3, 64, 64)
    assert found["futures"].min() >= 0 and found["futures"].max() <= 1
    assert not torch.equal(found["futures"][0], found["futures"][1])
    bits = -found["nats"] / found["frames"].numel() / torch.tensor(2.0).log()
    assert found["nats"].shape == (1, 1) and 0 < bits < 2
