"""Invertible layers and nothing else; `forward` is always data -> noise."""

from vfplan.flows.bijection import Bijection, Chain
from vfplan.flows.conv1x1 import Conv1x1
from vfplan.flows.coupling import AffineCoupling
from vfplan.flows.haar import Haar
from vfplan.flows.level import HaarLevel, Level, TopLevel

__all__ = ["AffineCoupling", "Bijection", "Chain", "Conv1x1", "Haar", "HaarLevel", "Level", "TopLevel"]
