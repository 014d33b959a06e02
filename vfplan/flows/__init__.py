"""Invertible layers, and the networks inside them; `forward` of a layer is always data -> noise."""

from vfplan.flows.actnorm import ActNorm
from vfplan.flows.bijection import Bijection, Chain
from vfplan.flows.conv1x1 import Conv1x1
from vfplan.flows.coupling import AffineCoupling
from vfplan.flows.glow import GlowLevel, GlowStep
from vfplan.flows.glow_coupling import AdditiveCoupling, SigmoidCoupling
from vfplan.flows.haar import Haar
from vfplan.flows.initialisation import initialise_actnorms
from vfplan.flows.level import HaarLevel, Level, TopLevel
from vfplan.flows.squeeze import Squeeze

__all__ = [
    "ActNorm",
    "AdditiveCoupling",
    "AffineCoupling",
    "Bijection",
    "Chain",
    "Conv1x1",
    "GlowLevel",
    "GlowStep",
    "Haar",
    "HaarLevel",
    "Level",
    "SigmoidCoupling",
    "Squeeze",
    "TopLevel",
    "initialise_actnorms",
]
