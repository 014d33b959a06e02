"""The default renderer: exact CPU ray casting with Lambert shading. It needs no OpenGL and draws many states at once.

What does not move is cast once. A frame then casts rays only inside the image rectangles of what moves, and 3 x 3 rays
only for pixels next to another geom, so that 64 x 64 pixels take some 1,500 rays instead of 37,000.

Letters: B state, R ray, G geom, M moving part, N = Y * X pixels, 9 sub-samples of a pixel.
`Batch.ray` is used because `mj_multiRay` culls by collision geoms and so misses the arm, which is only seen.
All arithmetic is elementwise: a frame has the same pixels whether it is drawn alone or among others.
"""

from typing import NamedTuple

import mujoco
import numpy as np
from mujoco.batch import Batch
from numpy.typing import NDArray

from envs import scene
from envs.scene import PushConfig

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]
Ints = NDArray[np.intp]

SUB = 3  # sub-samples per pixel and axis
CENTRE = SUB * SUB // 2
BLOB_RADIUS = 0.055  # m


class Part(NamedTuple):
    """Bounding sphere of something that moves: its centre is the position of `owner` plus `offset` (m)."""

    owner: int  # -1: the hand, else an object
    offset: tuple[float, float, float]
    radius: float
    joined: bool = False  # the part is the hull of this sphere and the one before


class Hits(NamedTuple):
    """What rays hit, (K,) each: seen (not hidden by the background), geom, and brightness (K,)."""

    seen: NDArray[np.bool_]
    geom: NDArray[np.int32]
    light: NDArray[np.float32]
    top: NDArray[np.bool_]


class RayRenderer:
    """Draws states of one preset. `render` keeps no state, but a `Batch` must not be shared between threads."""

    def __init__(self, config: PushConfig, model: mujoco.MjModel, max_rows: int) -> None:
        self.config, self.size = config, config.image_size
        camera, size = config.camera, config.image_size
        self.eye, self.axes = np.array(camera.position), camera.axes()
        self.focal, self.ticks = camera.focal(size), np.arange(size)
        self.light = np.array(scene.LIGHT_DIRECTION) / np.sqrt(np.square(scene.LIGHT_DIRECTION).sum())
        offsets = (np.arange(SUB) + 0.5) / SUB
        row, column, sub_row, sub_column = np.meshgrid(
            np.arange(size), np.arange(size), offsets, offsets, indexing="ij"
        )
        columns, rows = (column + sub_column).astype(np.float64), (row + sub_row).astype(np.float64)
        directions = camera.directions(columns, rows, size)
        self.directions = directions.reshape(size * size, SUB * SUB, 3)
        self.centre_directions = np.ascontiguousarray(self.directions[:, CENTRE])
        self.parts = _moving_parts(config)
        self.offsets = np.array([part.offset for part in self.parts])
        self.radius = np.array([part.radius for part in self.parts])
        self.owners = [part.owner for part in self.parts]
        self.ids = np.arange(max_rows, dtype=np.int32)
        self._cast_background(model)

    def render(self, batch: Batch, colours: NDArray[np.float32], hand_visible: bool) -> Bytes:
        """Return frames (B, Y, X, 3) uint8 of the first B states in `batch`; colours (B, G, 3) in [0, 1]."""
        num, pixels = len(colours), self.size * self.size
        hand, objects = hand_position(self.config, batch.state[:num]), object_position(self.config, batch.state[:num])
        image = np.repeat(self.background[None], num, axis=0).reshape(num * pixels, 3)
        shade = self._blob(image, hand) if self.config.blob > 0 and hand_visible else None
        groups = _groups(hand_visible)

        rows, where = np.divmod(np.flatnonzero(self._rectangles(hand, objects, hand_visible)), pixels)
        hits = self._cast(batch, num, rows, where, None, groups)
        flat = (rows * pixels + where)[hits.seen]
        geom = hits.geom[hits.seen]
        image[flat] = _to_bytes(colours[rows[hits.seen], geom] * hits.light[hits.seen, None])

        # Background 0, and two keys per geom: a box's lid and its side also meet in an edge.
        keys = np.zeros(num * pixels, dtype=np.int16)
        keys[flat] = 2 * geom + hits.top[hits.seen] + 1
        flat = np.flatnonzero(_edges(keys.reshape(num, self.size, self.size)))
        rows, where = np.divmod(flat, pixels)
        hits = self._cast(batch, num, rows, where, self.directions, groups)
        samples = self.sub_colour[where]
        if shade is not None:
            samples *= np.where(self.sub_floor[where], shade[flat, None], np.float32(1))[:, :, None]
        samples = samples.reshape(-1, 3)
        front = np.flatnonzero(hits.seen)
        samples[front] = colours[rows[front // (SUB * SUB)], hits.geom[front]] * hits.light[front, None]
        image[flat] = _to_bytes(samples.reshape(-1, SUB * SUB, 3).sum(axis=1) / np.float32(SUB * SUB))
        return image.reshape(num, self.size, self.size, 3)

    def _cast_background(self, model: mujoco.MjModel) -> None:
        groups = np.zeros(mujoco.mjNGROUP, dtype=np.uint8)
        groups[scene.STATIC] = 1
        rays = self.directions.reshape(-1, 3)
        distance, geom, normal = (a[0] for a in Batch(model, 1, 1).ray(self.eye, rays, geomgroup=groups, normal=True))
        light = self._brightness(normal)
        colour = model.geom_rgba[geom, :3].astype(np.float32) * light[:, None]
        shape = (self.size * self.size, SUB * SUB)
        self.sub_distance = np.where(geom >= 0, distance, np.inf).reshape(shape)
        self.sub_colour = np.where(geom[:, None] >= 0, colour, np.float32(0)).reshape(*shape, 3)
        self.sub_floor = (geom == model.geom("floor").id).reshape(shape)
        self.background_float = (self.sub_colour.sum(axis=1) / np.float32(SUB * SUB)).astype(np.float32)
        self.background = _to_bytes(self.background_float)
        self.floor_point = (self.eye + self.sub_distance[:, CENTRE, None] * self.centre_directions)[:, :2]

    def _cast(self, batch: Batch, num: int, rows: Ints, where: Ints, directions: Floats | None, groups: Bytes) -> Hits:
        """Cast rays through pixels `where` (K,) of states `rows` (K,): one each, or 9 given `directions`."""
        count = np.bincount(rows, minlength=num)
        most = max(1, int(count.max()))
        # One call wants equally many rays per state: short rows repeat pixel 0, and what that hits is dropped.
        slot = np.arange(len(rows)) + (np.arange(num) * most - (np.cumsum(count) - count))[rows]
        table = np.zeros(num * most, dtype=np.intp)
        table[slot] = where
        rays = (self.centre_directions if directions is None else directions)[table]
        found = batch.ray(
            self.eye,
            rays.reshape(num, -1, 3),
            geomgroup=groups,
            flg_static=False,
            ids=self.ids[:num],
            normal=True,
        )
        per_pixel = 1 if directions is None else SUB * SUB
        distance, geom, normal = (a.reshape(num * most, per_pixel, *a.shape[2:]) for a in found)
        if len(slot) < len(table):
            distance, geom, normal = distance[slot], geom[slot], normal[slot]
        limit = self.sub_distance[where, CENTRE, None] if directions is None else self.sub_distance[where]
        seen = (geom >= 0) & (distance < limit)
        return Hits(seen.ravel(), geom.ravel(), self._brightness(normal).ravel(), normal[..., 2].ravel() > 0.7)

    def _brightness(self, normal: Floats) -> NDArray[np.float32]:
        """Return Lambert's ambient + diffuse * cos for normals (..., 3): white light, so that grey stays grey."""
        cosine = normal[..., 0] * self.light[0] + normal[..., 1] * self.light[1] + normal[..., 2] * self.light[2]
        return (scene.AMBIENT + scene.DIFFUSE * np.maximum(cosine, 0.0)).astype(np.float32)

    def _rectangles(self, hand: Floats, objects: Floats, hand_visible: bool) -> NDArray[np.bool_]:
        """Return where something that moves may be seen, (B, Y, X)."""
        right, up, forward = self.axes
        num = len(self.parts) if hand_visible else self.config.num_objects  # objects come first
        radius, positions = self.radius[:num], np.concatenate([objects, hand[:, None]], axis=1)
        rel = positions[:, self.owners[:num]] + self.offsets[:num] - self.eye
        depth = np.maximum(_dot(rel, forward), radius + 0.05)
        # A sphere away from the optical axis is seen as an ellipse, hence 1.15; the rest is for neighbouring pixels.
        reach = 1.15 * self.focal * radius / (depth - radius) + 1.5
        x, y = self.size / 2 + self.focal * _dot(rel, right) / depth, self.size / 2 - self.focal * _dot(rel, up) / depth
        low, high = np.stack([x - reach, y - reach]) - 1, np.stack([x + reach, y + reach])
        if self.parts[num - 1].joined:
            low[..., -2], high[..., -2] = low[..., -2:].min(axis=-1), high[..., -2:].max(axis=-1)
            low, high = low[..., :-1], high[..., :-1]
        inside = (self.ticks > low[..., None]) & (self.ticks < high[..., None])  # (2, B, M, X or Y)
        mask = inside[1, :, 0, :, None] & inside[0, :, 0, None, :]
        for part in range(1, inside.shape[2]):
            mask |= inside[1, :, part, :, None] & inside[0, :, part, None, :]
        return mask

    def _blob(self, image: Bytes, hand: Floats) -> NDArray[np.float32]:
        """Darken the floor under the hands (B, 3) in the images (B * N, 3); return the factor per pixel (B * N,)."""
        dx = self.floor_point[:, 0] - hand[:, 0, None]
        dy = self.floor_point[:, 1] - hand[:, 1, None]
        fall = np.maximum(0.0, 1.0 - (dx * dx + dy * dy) / BLOB_RADIUS**2)
        fall *= self.sub_floor[:, CENTRE]
        factor = (1.0 - self.config.blob * fall * fall).astype(np.float32)
        rows, where = np.nonzero(fall)
        image[rows * len(self.background) + where] = _to_bytes(
            self.background_float[where] * factor[rows, where][:, None]
        )
        return factor.ravel()


def hand_position(config: PushConfig, states: Floats) -> Floats:
    """Return the hand's (x, y, height above its lowest position), (B, 3) m, from states (B, S)."""
    xyz = np.zeros((len(states), 3))
    size = 3 if config.hand == "gripper" else 2
    xyz[:, :size] = states[:, 1 : 1 + size]
    return xyz


def object_position(config: PushConfig, states: Floats) -> Floats:
    """Return the objects' centres of mass (B, O, 3) m from states (B, S)."""
    return np.array(_free_joints(config, states)[:, :, :3])


def place_object(config: PushConfig, state: Floats, index: int, xy: Floats) -> Floats:
    """Return the state (S,) with the centre of an object moved to xy (2,) m, turned and raised as it is."""
    moved = np.array(state)
    _free_joints(config, moved[None])[0, index, :2] = xy
    return moved


def _free_joints(config: PushConfig, states: Floats) -> Floats:
    """Return a view (B, O, 7) of the objects' positions and quaternions in states (B, S)."""
    start = 1 + (5 if config.hand == "gripper" else 2)
    return states[:, start : start + 7 * config.num_objects].reshape(len(states), config.num_objects, 7)


def _moving_parts(config: PushConfig) -> list[Part]:
    """Return spheres that contain everything that moves."""
    radius = float(np.hypot(config.object_radius, config.half_height))
    parts = [Part(i, (0.0, 0.0, 0.0), radius) for i in range(config.num_objects)]
    if config.hand == "finger":
        return [*parts, Part(-1, (0.0, 0.0, 0.035), 0.037)]
    palm, wrist, elbow = (0.0, 0.0, 0.045), (0.0, 0.0, 0.08), (0.0, 0.40, 0.45)
    return [*parts, Part(-1, palm, 0.063), Part(-1, wrist, 0.012), Part(-1, elbow, 0.012, joined=True)]


def _groups(hand_visible: bool) -> Bytes:
    groups = np.zeros(mujoco.mjNGROUP, dtype=np.uint8)
    groups[scene.OBJECT] = 1
    groups[scene.HAND] = hand_visible
    return groups


def _edges(keys: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Return which pixels (B, Y, X) have a neighbour with another key."""
    edge = np.zeros(keys.shape, dtype=bool)
    across, down = keys[:, :, 1:] != keys[:, :, :-1], keys[:, 1:] != keys[:, :-1]
    edge[:, :, 1:] |= across
    edge[:, :, :-1] |= across
    edge[:, 1:] |= down
    edge[:, :-1] |= down
    return edge


def _dot(a: Floats, b: Floats) -> Floats:
    return np.asarray(a[..., 0] * b[0] + a[..., 1] * b[1] + a[..., 2] * b[2])


def _to_bytes(colour: NDArray[np.float32]) -> Bytes:
    return (np.minimum(colour, np.float32(1)) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
