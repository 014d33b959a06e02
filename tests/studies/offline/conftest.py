"""Small worlds whose truth is known, and models of them: one that knows the distribution, one that knows the future."""

import math

import numpy as np
import pytest
import torch

from vfplan.data.episode import Episode
from vfplan.data.records import StoreMeta
from vfplan.data.store import EpisodeStore
from vfplan.data.writing import prepare_store, write_manifest, write_shard
from vfplan.models.base import LogProb
from vfplan.models.rows import Rows
from vfplan.models.videoflow.architecture import PriorConfig, VideoFlowConfig, assemble
from vfplan.pixels import frames_from_unit, unit_from_frames
from vfplan.studies.offline.settings import Settings
from vfplan.studies.offline.trial import HeldOut, Trial

PAST = 2
MEAN, STD = 0.5, 20 / 256  # of the pixels of the Gaussian world, in units of the full scale
FLOOR_TO_PIXEL = [[100.0, 4.0, 16.0], [0.0, -96.0, 17.0], [0.0, 0.3, 1.0]]
PARALLAX = 1.07  # the coloured top of the object is nearer to the camera than the floor
QUICK = Settings(
    sample_episodes=0, rollout_samples=3, temperatures=(0.0, 0.5, 1.0), temperature_episodes=2, temperature_samples=2,
    detection_steps=3, long_episodes=2, long_steps=12, batch=4,
)  # fmt: skip


def write_store(path, frames, *, actions=4, object_xy=None, description=None):
    """A store of frames (N, T + 1, Y, X, 3) uint8; poses (N, T + 1, O, 2), none by default."""
    count, length = frames.shape[0], frames.shape[1] - 1
    meta = StoreMeta(
        version=1, env="push", episodes=count, shard_episodes=count, length=length, seed=0, policy="any",
        description={"name": "push", **(description or {})}, versions={},
    )  # fmt: skip
    rng = np.random.default_rng(0)
    poses = np.zeros((count, length + 1, 0, 2)) if object_xy is None else object_xy
    hand = 3 if object_xy is not None else 0
    episodes = [
        Episode(
            frames=frames[i],
            actions=rng.uniform(-1, 1, (length, actions)).astype(np.float32),
            hand=np.zeros((length + 1, hand), np.float32),
            object_xy=poses[i].astype(np.float32),
            policy="any",
        )
        for i in range(count)
    ]
    records = prepare_store(path, meta)
    write_manifest(path, [*records, write_shard(path, 0, 0, episodes)])
    return EpisodeStore.open(path)


def trial(model, store, settings=QUICK):
    """A trial of the model on all episodes of the store."""
    held_out = HeldOut(store, range(len(store)), model.action_dim, torch.device("cpu"), store.meta.length)
    return Trial(model, held_out, settings)


def arena(count=6, length=9, hidden=()):
    """Frames and poses of a red blob that drifts over a grey floor; at the steps `hidden` a hand covers it."""
    rng = np.random.default_rng(1)
    start, velocity = rng.uniform(-0.06, 0.06, (2, count, 1, 2))
    steps = np.arange(length + 1)[:, None]
    xy = start + velocity * steps / length + 0.02 * np.sin(steps + np.arange(count)[:, None, None])
    seen = np.concatenate([PARALLAX * xy, np.ones_like(xy[..., :1])], axis=-1) @ np.array(FLOOR_TO_PIXEL).T
    centre = seen[..., :2] / seen[..., 2:]
    grid = np.arange(32) + 0.5
    squared = (grid[:, None] - centre[..., 1, None, None]) ** 2 + (grid - centre[..., 0, None, None]) ** 2
    share = np.exp(-squared / 8)[..., None]
    share[:, list(hidden)] = 0
    frames = (1 - share) * np.array([200, 200, 200]) + share * np.array([230, 30, 30])
    return frames.round().astype(np.uint8), xy[:, :, None]


@pytest.fixture(scope="session")
def arena_store(tmp_path_factory):
    frames, xy = arena()
    return write_store(
        tmp_path_factory.mktemp("arena") / "store", frames, object_xy=xy, description={"floor_to_pixel": FLOOR_TO_PIXEL}
    )


def gaussian_store(path, count=10, length=6, size=12, **options):
    """Frames in which every pixel is drawn anew from one Gaussian at every step."""
    rng = torch.Generator().manual_seed(0)
    frames = frames_from_unit(MEAN + STD * torch.randn(count, length + 1, size, size, 3, generator=rng))
    return write_store(path, frames.numpy(), **options)


class GaussianWorld:
    """Draws the pixels of `gaussian_store`, their standard deviation times `width`; full images only."""

    past_frames, reads_simulator, bound = PAST, False, "dequantised"

    def __init__(self, width=1.0, *, action_dim=4, size=12):
        self.width, self.action_dim, self.size = width, action_dim, size

    def encode(self, context):
        assert context.actions.shape == (len(context.frames), PAST - 1, self.action_dim)
        return Rows(torch.zeros(len(context.frames)))

    def sample_noise(self, rows, steps, rng, *, downscale=1):
        if downscale != 1:
            raise ValueError(f"downscale must be 1; got {downscale}")
        shape = (rows, steps, 3, self.size, self.size)
        return Rows(torch.zeros(shape) if rng is None else torch.randn(shape, generator=rng))

    def rollout(self, state, actions, noise, *, downscale=1):
        assert actions.shape == (len(state.values), noise.values.shape[1], self.action_dim)
        return Rows(MEAN + self.width * STD * noise.values)

    def decode(self, rollout, steps=None):
        return rollout.values.clamp(0, 1)

    def log_prob(self, context, actions, frames, rng):
        std = self.width * STD
        away = (unit_from_frames(frames) - MEAN) / std
        nats = (-0.5 * away.square() - math.log(std * math.sqrt(2 * math.pi) * 256)).sum(dim=(2, 3, 4))
        return LogProb(nats, nats[..., None])


class Replay:
    """Knows every episode: imagines what happened after the context, and finds nothing else likely."""

    past_frames, action_dim, reads_simulator, bound = PAST, 4, False, "dequantised"

    def __init__(self, store):
        episodes = np.stack([store.episode(index).frames for index in range(len(store))])
        self.frames = torch.from_numpy(episodes).permute(0, 1, 4, 2, 3).contiguous()

    def encode(self, context):
        return Rows(torch.tensor([self._find(known) for known in context.frames]))

    def sample_noise(self, rows, steps, rng, *, downscale=1):
        if downscale != 1:
            raise ValueError(f"downscale must be 1; got {downscale}")
        return Rows(torch.zeros(rows))

    def rollout(self, state, actions, noise, *, downscale=1):
        after = state.values[:, 1, None] + torch.arange(actions.shape[1])
        episode = state.values[:, 0, None].expand_as(after)
        return Rows(self.frames[episode, after.clamp_max(self.frames.shape[1] - 1)])

    def decode(self, rollout, steps=None):
        return unit_from_frames(rollout.values)

    def log_prob(self, context, actions, frames, rng):
        following = self.rollout(self.encode(context), actions, None).values
        nats = -1000.0 * (following != frames).flatten(2).any(dim=2)
        return LogProb(nats, nats[..., None])

    def _find(self, known):
        for start in range(self.frames.shape[1] - PAST + 1):
            same = (self.frames[:, start : start + PAST] == known).flatten(1).all(dim=1)
            if same.any():
                return int(same.nonzero()[0]), start + PAST
        raise AssertionError("a context that is in no episode")


def tiny_videoflow(size=32, action_dim=4):
    """A VideoFlow with random parameters."""
    torch.manual_seed(0)
    priors = (PriorConfig((4,), (1,), "copy"), PriorConfig((4,), (1,)), PriorConfig((4, 8), (1, 1), "copy", 2, 1))
    config = VideoFlowConfig(
        image_size=size, action_dim=action_dim, past_frames=PAST, flow_width=4, condition_dim=8, priors=priors
    )
    model = assemble(config)
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return model.eval()
