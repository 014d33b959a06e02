"""Data-dependent initialisation of every activation normalisation in a model, as one explicit step."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from vfplan.flows.actnorm import ActNorm


def initialise_actnorms(run: Callable[[], object], modules: Iterable[nn.Module]) -> int:
    """Initialise every `ActNorm` inside `modules` that is not yet, from the activations that reach it during `run`.

    A layer sees its input after all earlier layers have been initialised, because each takes its turn just before its
    own forward pass (Salimans and Kingma, 2016, section 3). One that is reached several times keeps the first, so
    `run` is best a single pass over one large batch: 100 frames or more, dequantised, since a channel that is constant
    where pixels stand still would get a scale of 1e6. If all layers are initialised, as in a loaded checkpoint, `run`
    is not called.

    Args:
        run: a forward pass of the model, without arguments; it runs without gradients.
        modules: where to look for layers, at any depth.

    Returns:
        The number of layers initialised.

    Raises:
        RuntimeError: if `run` did not reach all of them.
    """
    inside = (layer for module in modules for layer in module.modules())
    layers = {layer for layer in inside if isinstance(layer, ActNorm) and not layer.initialised}
    if not layers:
        return 0
    hooks = [layer.register_forward_pre_hook(_initialise) for layer in layers]
    try:
        with torch.no_grad():
            run()
    finally:
        for hook in hooks:
            hook.remove()
    missed = sum(not layer.initialised for layer in layers)
    if missed:
        raise RuntimeError(f"the forward pass expects to reach all {len(layers)} ActNorm layers; {missed} were not")
    return len(layers)


def _initialise(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    assert isinstance(layer, ActNorm)
    layer.initialise(*inputs)


def start_at_zero(*layers: nn.Module) -> None:
    """Let layers give zero until they have learned something."""
    for layer in layers:
        for parameter in layer.parameters():
            nn.init.zeros_(parameter)
