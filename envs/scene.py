"""What a pushing scene is made of: presets, per-episode scene parameters, and the MJCF text. It simulates nothing.

A scene is a 40 cm bin with a hand and some objects, all primitives. What varies from episode to episode (shape, size,
colour, density and friction of each object) is a float64 vector, the scene parameters (P,), so that a saved state can
carry its scene. Every scene of one preset has the same number of bodies, joints and geoms.
"""

import colorsys
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from envs.base import EnvConfig, within
from envs.camera import Camera
from envs.shapes import SHAPES, compound

Floats = NDArray[np.float64]

ACTIONS = ("dx", "dy", "lift", "close")
PARAMETERS_PER_OBJECT = 9  # shape index, size x y z (m), red, green, blue, density (kg/m3), sliding friction

# Geom groups: the renderers show or hide things by group.
STATIC, OBJECT, HAND, UNUSED = 0, 1, 2, 5

BIN_HALF = 0.20  # m, interior
FINGER_RADIUS = 0.020  # m

# Everything but the objects is exactly grey, so that colour alone says what can be moved.
FLOOR_GREY, WALL_GREY, HAND_GREY, ARM_GREY, ROOF_GREY = 0.80, 0.50, 0.13, 0.30, 0.62
ROOF_HEIGHT = 0.08  # m, above the fingertip's 6.5 cm, so that the hand passes beneath
LIGHT_DIRECTION = (0.25, -0.35, 0.90)  # towards the light
AMBIENT, DIFFUSE = 0.42, 0.58

STEEP = Camera((0.0, -0.15, 0.71), (0.0, -0.004, 0.0), 37.0)  # little hides behind the hand
SLANTED = Camera((0.0, -0.30, 0.66), (0.0, -0.005, 0.0), 36.0)  # between STEEP and the BAIR robot pushing data's


@dataclass(frozen=True)
class PushConfig(EnvConfig):
    """All that distinguishes one pushing environment from another. Lengths in m, durations in s, forces in N."""

    name: str = "push"
    num_objects: int = within(1, 1, 6)
    shapes: tuple[str, ...] = ("box",)
    half_size: tuple[float, float] = (0.03, 0.03)
    half_height: float = 0.024
    hue: tuple[float, float] = (0.0, 0.0)
    density: tuple[float, float] = (300.0, 300.0)
    friction: tuple[float, float] = (0.6, 0.6)
    wind: float = 0.0
    hand: str = "finger"
    blob: float = 0.0
    roof: float | None = within(None, 0.001, 2 * BIN_HALF - 0.001)
    """Width (m, along x) of a strip across the bin that hides what is beneath; None for none."""
    camera: Camera = STEEP
    render: str = "ray"
    action_scale: float = 0.05
    hand_limit: float = 0.18
    lift_height: float = 0.08
    substeps: int = 40
    timestep: float = 0.005
    ramp: float = 0.7
    hold: dict[str, float] | None = within(None, -1, 1)
    """Action components that plans keep at a value unless the planner is told otherwise."""

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = [shape for shape in self.shapes if shape not in SHAPES]
        if unknown or not self.shapes:
            raise ValueError(f"shapes must be a non-empty tuple out of {', '.join(SHAPES)}; got {self.shapes}")
        if self.hand not in ("finger", "gripper"):
            raise ValueError(f"hand must be 'finger' or 'gripper'; got {self.hand!r}")
        if self.render not in ("ray", "gl"):
            raise ValueError(f"render must be 'ray' or 'gl'; got {self.render!r}")
        if self.roof is not None and self.hand != "finger":
            raise ValueError("a roof is too low for the gripper and its arm; it needs hand='finger'")
        for name, value in (self.hold or {}).items():
            if name not in ACTIONS or not -1 <= value <= 1:
                raise ValueError(f"hold keeps {', '.join(ACTIONS)} at values in [-1, 1]; got {name}={value}")

    @property
    def step_seconds(self) -> float:
        """Duration of one action."""
        return self.substeps * self.timestep

    @property
    def action_names(self) -> tuple[str, ...]:
        """What the components of an action are called."""
        return ACTIONS

    @property
    def switches(self) -> tuple[str, ...]:
        """The action components of which only the sign counts: on above 0, else off."""
        return ("lift", "close") if self.hand == "gripper" else ()

    @property
    def num_parameters(self) -> int:
        """Length P of the scene parameters."""
        return PARAMETERS_PER_OBJECT * self.num_objects

    @property
    def geoms_per_object(self) -> int:
        """Two where a shape of two bars may occur; other shapes then carry an invisible second geom."""
        return 1 if set(self.shapes) <= {"box", "cylinder"} else 2

    @property
    def object_radius(self) -> float:
        """Largest distance (m) of an object's outline from its centre, seen from above."""
        return max(self.half_size) * 2**0.5


PRESETS = {
    "push": PushConfig(),
    "push_bair": PushConfig(
        name="push_bair",
        num_objects=3,
        shapes=SHAPES,
        half_size=(0.032, 0.042),
        hue=(0.0, 1.0),
        hand="gripper",
        blob=0.35,
        camera=SLANTED,
        hold={"lift": -1.0, "close": 1.0},
    ),
}
PRESETS["push_slip"] = replace(PRESETS["push"], name="push_slip", density=(150.0, 600.0), friction=(0.18, 1.08))
PRESETS["push_wind"] = replace(PRESETS["push"], name="push_wind", wind=0.1)
PRESETS["push_occluded"] = replace(PRESETS["push"], name="push_occluded", roof=0.12)
PRESETS["push_clutter"] = replace(
    PRESETS["push"],
    name="push_clutter",
    num_objects=5,
    shapes=("box", "cylinder", "cross"),
    half_size=(0.022, 0.028),
    hue=(0.0, 1.0),
)


def sample_parameters(config: PushConfig, rng: np.random.Generator) -> Floats:
    """Draw the scene parameters (P,) of one episode; hues of one scene are spread apart."""
    rows = np.empty((config.num_objects, PARAMETERS_PER_OBJECT))
    start, span = rng.uniform(*config.hue), config.hue[1] - config.hue[0]
    for i, row in enumerate(rows):
        hue = (start + span * (i + rng.uniform(-0.2, 0.2)) / config.num_objects) % 1.0
        row[0] = SHAPES.index(config.shapes[rng.integers(len(config.shapes))])
        row[1:4] = rng.uniform(*config.half_size), rng.uniform(*config.half_size), config.half_height
        row[4:7] = colorsys.hsv_to_rgb(hue, 0.9, 0.92)
        row[7:9] = rng.uniform(*config.density), rng.uniform(*config.friction)
    return rows.reshape(-1)


def hand_radius(config: PushConfig) -> float:
    """Return the largest distance (m) of what touches objects from the hand's centre, seen from above."""
    return FINGER_RADIUS if config.hand == "finger" else 0.045


def object_names(config: PushConfig) -> list[str]:
    """Return the objects' body names, in the order of every array over objects."""
    return [f"object{i}" for i in range(config.num_objects)]


def mjcf(config: PushConfig, parameters: Floats) -> str:
    """Return the MJCF text of the scene with these parameters (P,)."""
    rows = np.asarray(parameters, dtype=np.float64).reshape(config.num_objects, PARAMETERS_PER_OBJECT)
    objects = "\n".join(_object(config, i, row) for i, row in enumerate(rows))
    return f"""<mujoco model="{config.name}">
  <compiler autolimits="true"/>
  <!-- A sparse Jacobian is slower for so few bodies, and MuJoCo 4.0.0 solves it wrongly. -->
  <option timestep="{config.timestep}" integrator="implicitfast" jacobian="dense" iterations="20" ls_iterations="20"/>
  <visual>
    <global offwidth="{2 * config.image_size}" offheight="{2 * config.image_size}"/>
    <quality offsamples="0" shadowsize="0"/> <map znear="0.05"/>
    <headlight ambient="{AMBIENT} {AMBIENT} {AMBIENT}" diffuse="0 0 0" specular="0 0 0"/>
  </visual>
  <statistic extent="0.6"/>
  <default>
    <geom condim="3" friction="0.6 0.005 0.0001" solref="0.01 1" density="300"/>
    <default class="wall"> <geom type="box" {_grey(WALL_GREY)} group="{STATIC}"/> </default>
    <default class="hand"> <geom {_grey(HAND_GREY)} group="{HAND}"/> </default>
    <default class="servo"> <joint type="slide" armature="0.1" damping="1"/>
      <position kp="3000" dampratio="1" forcerange="-40 40"/> </default>
    <default class="jaw"> <joint type="slide" armature="0.02" damping="1"/>
      <position kp="800" dampratio="1" forcerange="-6 6"/> </default>
  </default>
  <worldbody>
    {_camera(config.camera)}
    <light directional="true" dir="{_text(-np.array(LIGHT_DIRECTION))}" ambient="0 0 0" specular="0 0 0"
           diffuse="{DIFFUSE} {DIFFUSE} {DIFFUSE}" castshadow="false"/>
{_bin()}{_roof(config)}
{_gripper() if config.hand == "gripper" else _finger()}
{objects}
  </worldbody>
{_actuators(config)}
</mujoco>
"""


def _bin() -> str:
    half, thick, height = BIN_HALF, 0.012, 0.02
    offset, length = half + thick, half + 2 * thick
    sides = {
        "left": (-offset, 0, thick, length),
        "right": (offset, 0, thick, length),
        "near": (0, -offset, half, thick),
        "far": (0, offset, half, thick),
    }
    walls = "\n".join(
        f'    <geom name="wall_{name}" class="wall" pos="{x} {y} {height}" size="{sx} {sy} {height}"/>'
        for name, (x, y, sx, sy) in sides.items()
    )
    return f'    <geom name="floor" type="plane" size="2 2 1" {_grey(FLOOR_GREY)} group="{STATIC}"/>\n{walls}'


def _roof(config: PushConfig) -> str:
    """A strip that lies across the bin over its middle; it is only seen, for nothing can reach it."""
    if config.roof is None:
        return ""
    size = f"{config.roof / 2!r} {BIN_HALF + 0.024!r} 0.004"
    return (
        f'\n    <geom name="roof" type="box" pos="0 0 {ROOF_HEIGHT}" size="{size}" {_grey(ROOF_GREY)}'
        f' group="{STATIC}" contype="0" conaffinity="0"/>'
    )


def _finger() -> str:
    return f"""    <body name="hand" gravcomp="1">
      <joint name="hand_x" class="servo" axis="1 0 0"/> <joint name="hand_y" class="servo" axis="0 1 0"/>
      <geom name="finger" class="hand" type="cylinder" pos="0 0 0.035" size="{FINGER_RADIUS} 0.03" mass="0.8"/>
    </body>"""


def _gripper() -> str:
    jaws = "\n".join(
        f"""      <body name="jaw_{side}" gravcomp="1" pos="{sign * 0.009} 0 0">
        <joint name="jaw_{side}" class="jaw" axis="{sign} 0 0"/>
        <geom name="jaw_{side}" class="hand" type="box" pos="0 0 0.026" size="0.012 0.016 0.022" mass="0.05"/>
      </body>"""
        for side, sign in (("left", -1), ("right", 1))
    )
    return f"""    <body name="hand" gravcomp="1">
      <joint name="hand_x" class="servo" axis="1 0 0"/> <joint name="hand_y" class="servo" axis="0 1 0"/>
      <joint name="hand_z" class="servo" axis="0 0 1"/>
      <geom name="palm" class="hand" type="box" pos="0 0 0.062" size="0.036 0.012 0.012" mass="0.7"/>
      <geom name="arm" class="hand" type="capsule" fromto="0 0 0.08 0 0.40 0.45" size="0.012" mass="0.1"
            contype="0" conaffinity="0" {_grey(ARM_GREY)}/>
{jaws}
    </body>"""


def _actuators(config: PushConfig) -> str:
    servos = ["hand_x", "hand_y"] + (["hand_z"] if config.hand == "gripper" else [])
    jaws = ["jaw_left", "jaw_right"] if config.hand == "gripper" else []
    lines = [f'    <position name="{name}" joint="{name}" class="servo"/>' for name in servos]
    lines += [f'    <position name="{name}" joint="{name}" class="jaw"/>' for name in jaws]
    return "  <actuator>\n" + "\n".join(lines) + "\n  </actuator>"


def _object(config: PushConfig, index: int, row: Floats) -> str:
    shape, density = SHAPES[int(row[0])], float(row[7])
    x, y, z = (float(v) for v in row[1:4])
    common = f'rgba="{_text(row[4:7])} 1" density="{density!r}" friction="{float(row[8])!r} 0.005 0.0001"'
    common += f' priority="1" group="{OBJECT}"'
    # contype 2 meets no conaffinity, but counts for the bounding volumes: all scenes then have one memory layout.
    unused = f'<geom type="sphere" size="0.001" contype="2" conaffinity="0" mass="0" group="{UNUSED}"/>'
    first, second = f'<geom name="object{index}"', unused if config.geoms_per_object == 2 else ""
    if shape == "cylinder":
        first = f'{first} type="cylinder" size="{x!r} {z!r}" {common}/>'
    elif shape == "box":
        first = f'{first} type="box" size="{x!r} {y!r} {z!r}" {common}/>'
    else:
        whole = compound(shape, x, y, z, density)
        inertial = f'<inertial pos="0 0 0" mass="{whole.mass!r}" diaginertia="{_text(whole.inertia)}"/> '
        first, second = (
            f'<geom name="object{index}{suffix}" type="box" pos="{_text((*bar.centre, 0))}"'
            f' quat="{_text((np.cos(bar.yaw / 2), 0, 0, np.sin(bar.yaw / 2)))}"'
            f' size="{_text((*bar.half, z))}" {common}/>'
            for bar, suffix in zip(whole.bars, ("", "_second"), strict=True)
        )
        first = inertial + first
    return f'    <body name="object{index}" pos="0 0 {z!r}"> <freejoint/> {first} {second} </body>'


def _camera(camera: Camera) -> str:
    right, up, _ = camera.axes()
    return (
        f'<camera name="camera" pos="{_text(camera.position)}" xyaxes="{_text(right)} {_text(up)}"'
        f' fovy="{camera.fovy_degrees}"/>'
    )


def _grey(level: float) -> str:
    return f'rgba="{level} {level} {level} 1"'


def _text(values: object) -> str:
    return " ".join(repr(float(v)) for v in np.asarray(values))
