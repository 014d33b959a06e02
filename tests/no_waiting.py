"""A guard that fails wherever the host would wait for an accelerator; works without one."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode

# Each makes the host wait: reading a number, a shape that depends on values, a copy from host memory.
WAITING = {
    "aten::_local_scalar_dense",
    "aten::item",
    "aten::is_nonzero",
    "aten::equal",
    "aten::nonzero",
    "aten::masked_select",
    "aten::_unique2",
    "aten::lift_fresh",
}


class NoWaiting(TorchDispatchMode):
    """Fails at every operation that would make the host wait for an accelerator."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func._schema.name
        if name in WAITING:
            raise AssertionError(f"{name} waits for the device")
        if name == "aten::index" and any(i is not None and i.dtype == torch.bool for i in args[1]):
            raise AssertionError("indexing by a mask waits for the device")
        if name in {"aten::_to_copy", "aten::copy_"} and "device" in (kwargs or {}):
            raise AssertionError(f"{name} changes device")
        return func(*args, **(kwargs or {}))
