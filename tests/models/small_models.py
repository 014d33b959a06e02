"""A small model of every kind, its weights not at rest: what starts at zero would depend on nothing."""

from dataclasses import replace

import torch

from envs.push import PushEnv
from examples.own_model import Shift, ShiftConfig
from tests.models.literature.pixel_models import multiscale, vpn
from vfplan.models.literature import svg, svg_prime
from vfplan.models.literature.ddpae import Ddpae, DdpaeConfig
from vfplan.models.literature.drnet import Drnet, DrnetConfig
from vfplan.models.literature.encodedec import Encodedec, EncodedecConfig
from vfplan.models.literature.p2p import P2PConfig, PointToPoint
from vfplan.models.literature.savp import Savp, SavpConfig
from vfplan.models.literature.savp_vae import SavpVae, SavpVaeConfig
from vfplan.models.literature.sv2p import Sv2p, Sv2pConfig
from vfplan.models.literature.svg import SvgConfig
from vfplan.models.literature.svg_prime import SvgPrimeConfig
from vfplan.models.literature.vgan import Vgan, VganConfig
from vfplan.models.literature.vrnn import Vrnn, VrnnConfig
from vfplan.models.oracle import SimulatorOracle
from vfplan.models.parts.pyramid import PyramidConfig
from vfplan.models.still import StillModel
from vfplan.models.videoflow import architecture_2019
from vfplan.models.videoflow.architecture import PriorConfig, VideoFlowConfig, assemble
from vfplan.models.videoflow.architecture_2019 import VideoFlow2019Config

PYRAMID = PyramidConfig(widths=(4, 8, 8))


def shaken(config, assemble, std=0.02):
    torch.manual_seed(0)
    model = assemble(config)
    for parameter in model.parameters():
        parameter.data += std * torch.randn_like(parameter)
    return model.eval()


def vectors(config, assemble):
    return shaken(replace(config, pyramid=PYRAMID, code=8, latent=2, hidden=8), assemble)


def videoflow():
    priors = (PriorConfig((4,), (1,), "copy"), PriorConfig((4,), (1,)), PriorConfig((4, 8), (1, 1), "copy", 3))
    return shaken(VideoFlowConfig(past_frames=2, flow_width=4, condition_dim=8, priors=priors), assemble, 0.05)


def videoflow_2019():
    sizes = {"num_levels": 2, "flow_steps": 1, "coupling_width": 4, "prior_depth": 1, "prior_width": 4}
    return shaken(VideoFlow2019Config(past_frames=2, dilations=(1,), **sizes), architecture_2019.assemble, 0.05)


def svg_lp():
    return vectors(SvgConfig(skips="last"), svg.assemble)


def svg_fp():
    return vectors(SvgConfig(name="svg_fp", prior="fixed", emission="copy"), svg.assemble)


def svg_prime_model():
    pyramid = replace(SvgPrimeConfig().pyramid, widths=(4, 8, 8))
    config = SvgPrimeConfig(emission="laplace", pyramid=pyramid, code=8, latent=2, hidden=8)
    return shaken(config, svg_prime.assemble)


def p2p():
    return vectors(P2PConfig(), PointToPoint)


def warping(make=Sv2p, config=Sv2pConfig, **settings):
    return shaken(config(width=2, transformations=3, **settings), make)


def sv2p():
    return warping()


def sv2p_per_step():
    return warping(latent="per_step", motion="dna", emission="copy")


def cdna():
    return warping(name="cdna", latent="none", emission="laplace")


def savp_vae():
    return warping(SavpVae, SavpVaeConfig, encoder=2, latent=2)


def savp_vae_learned():
    return warping(SavpVae, SavpVaeConfig, encoder=2, latent=2, prior="learned", emission="copy")


def savp():
    return warping(Savp, SavpConfig, encoder=2, latent=2, judge=(4, 8), judge_strides=(1, 2))


def vrnn():
    return shaken(VrnnConfig(widths=(8, 8, 16), latent=(2, 0, 3)), Vrnn)


def encodedec():
    return shaken(EncodedecConfig(widths=(4, 8, 8), latent=6, field=8), Encodedec)


def ddpae():
    sizes = {"code": 8, "hidden": 8, "content": 4, "picture_side": 8}
    pyramids = {"pyramid": PyramidConfig(widths=(4, 8)), "picture": PyramidConfig(widths=(4,))}
    return shaken(DdpaeConfig(**pyramids, **sizes), Ddpae)


def drnet():
    torch.manual_seed(0)
    return Drnet(DrnetConfig(pyramid=PYRAMID, content=8, pose=4, hidden=8, layers=1)).eval()


def vgan():
    torch.manual_seed(0)
    return Vgan(VganConfig(pyramid=PYRAMID, code=8, latent=4, hidden=8, judge=(4, 8))).eval()


def oracle():
    return SimulatorOracle(PushEnv().config)


def still():
    return StillModel(4)


def shift():
    torch.manual_seed(0)
    return Shift(ShiftConfig(past_frames=2)).eval()


UNSCORED = (Drnet, Savp, Vgan)
"""Learned, but without a likelihood."""

MODELS = [
    *(videoflow, videoflow_2019, multiscale, vpn, svg_lp, svg_fp, svg_prime_model, p2p),
    *(sv2p, sv2p_per_step, cdna, savp_vae, savp_vae_learned, savp, vrnn, encodedec, ddpae, drnet, vgan),
    *(oracle, still, shift),
]
