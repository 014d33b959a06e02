"""Numbers that change while a model is trained."""

from __future__ import annotations

import math


def ramp(step: float, steps: float) -> float:
    """From 0 at step 0, and before it, to 1 at `steps` and after it; if there are none, at once."""
    return min(1.0, max(0.0, step / steps)) if steps > 0 else float(step >= 0)


def truth_share(step: int, decay: int) -> float:
    """How likely scheduled sampling shows the true frame: k / (k + exp(step / k)) (Bengio et al., 2015); 1 for k = 0.

    It passes 1/2 at k ln k steps.
    """
    if decay == 0:
        return 1.0
    # exp(step / k) overflows; the same divided by it does not.
    return decay * math.exp(-step / decay) / (decay * math.exp(-step / decay) + 1)
