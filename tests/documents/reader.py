"""A reader who runs the commands of the documents, made small, in folders that have what each of them reads."""

import contextlib
import re
import shutil
from pathlib import Path

import torch

from tests.data import records
from tests.data.formats import files
from tests.documents.shown import ROOT, main_of

READ = re.compile(r"(?<![\w/])(?:data|runs|robonet|vfplan)/[\w.-]+|\w+\.hdf5")
WRITTEN = ("out=", "run_dir=")

EVALUATED = (
    *("episodes=3", "likelihood_steps=2", "sample_episodes=2", "rollout_samples=2", "temperature_episodes=2"),
    *("temperature_samples=2", "detection_steps=2", "long_episodes=2", "long_steps=31"),
)
TRAINED = ("learning.steps=2", "learning.warmup=1", "validation_episodes=1", "precision=float32")
SMALL = {
    "audit": ["num_tasks=1", "num_states=2", "control.steps=4", "planner.samples=8", "planner.elites=2"],
    "benchmark": ["num_tasks=2", "steps=2", "workers=1"],
    "collect": ["episodes=4", "shard_episodes=2", "workers=1"],
    "compare": [
        *("models=[svg_lp]", "threads=1", f"train='{' '.join(TRAINED)}'", f"evaluate='{' '.join(EVALUATED)}'"),
        *("plan='num_tasks=1 control.steps=2 planner.samples=4 planner.elites=2'", "seconds=0"),
    ],
    "evaluate": [*EVALUATED],
    "generate": ["episodes=4"],
    "monitor": [
        *("planner.samples=4", "planner.elites=2", "planner.iterations=1", "control.steps=2", "episodes=1"),
        *("calibration_episodes=20", "fault_from=1", "fault_to=1"),
    ],
    "plan": ["num_tasks=1", "control.steps=2"],
    "predictability": ["episodes=24", "steps=4"],
    "speed": ["rows=2", "steps=1", "repeats=1"],
    "train": [*TRAINED],
}
SMALL_2019 = ["model.flow_steps=1", "model.coupling_width=8", "model.prior_width=8", "learning.batch=[2]"]
WHERE = {
    "policy=planner": ["episodes=2", 'settings="planner.samples=4 planner.elites=2 planner.iterations=1"'],
    "model=videoflow_2019": SMALL_2019,
    "model=videoflow_2019_small": SMALL_2019,
    "model=videoflow_bair": [
        "model.priors=[{widths:[4],blocks:[1]},{widths:[4],blocks:[1]},{widths:[4,8],blocks:[1,1]}]",
        *("learning.batch=[2,4,8]", "model.flow_width=8"),
    ],
    "reactions=[replan]": ["faults=[blank]"],
}
"""What makes those small that say this."""

UNSAID = {
    "data/push": ("vfplan.collect", "env=push", "out=data/push"),
    "data/push_bair": ("vfplan.collect", "env=push_bair", "out=data/push_bair"),
    "data/bair-train": ("vfplan.convert", "source=softmotion30_44k", "shard_episodes=2", "out=data/bair-train"),
    "data/bair-test": ("vfplan.convert", "source=softmotion30_44k", "split=test", "out=data/bair-test"),
    "data/lift": ("vfplan.data", "import", "format=robomimic", "source=lift.hdf5", "image_size=64", "out=data/lift"),
    "data/a.h5": ("vfplan.data", "export", "data=data/a", "format=swm"),
    "runs/evaluate": (
        "vfplan.evaluate",
        "checkpoint=runs/push/checkpoint",
        "data=data/push-heldout",
        "run_dir=runs/evaluate",
    ),
    "runs/plan": ("vfplan.plan", "checkpoint=runs/push/checkpoint", "run_dir=runs/plan"),
    "runs/monitor": ("vfplan.monitor", "faults=[]", "run_dir=runs/monitor"),
}
"""What makes a folder that the documents say in words, or by a default, how to make; or more quickly than they do."""


def small(command):
    """The words of a command, and after them those that make it small."""
    module, *words = command
    name = module.removeprefix("vfplan.")
    device = ["device=cpu"] if name in SMALL else []
    more = [override for said, overrides in WHERE.items() if said in words for override in overrides]
    return module, *words, *SMALL.get(name, []), *device, *more


def read(words):
    """The folders and files that a command is given."""
    return {found for word in words if not word.startswith(WRITTEN) for found in READ.findall(word)}


def written(words):
    """The folders and files that a command is told to write."""
    return [word.partition("=")[2] for word in words if word.startswith(WRITTEN)]


class Reader:
    """Runs commands, and keeps what they make for those that read it.

    Args:
        folder: for what is kept.
        commands: all that the documents show.
    """

    def __init__(self, folder, commands):
        self.folder = Path(folder)
        self.makers = {path: command for command in commands for path in written(command)} | UNSAID

    def run(self, command, place):
        """Run a command in the folder `place`, made small."""
        module, *words = small(command)
        for path in read(words):
            self.give(path, place)
        main, words = main_of(module, words)
        threads = torch.get_num_threads()
        try:
            with contextlib.chdir(place):
                main(words)
        finally:
            torch.set_num_threads(threads)

    def give(self, path, place):
        """Copy what is read into `place`; where it was not made yet, make it."""
        if path.startswith("vfplan/"):
            if not (place / "vfplan").exists():
                (place / "vfplan").symlink_to(ROOT / "vfplan")
        elif not (place / path).exists():
            source = self.folder / path.replace("/", "-") / path
            if not source.exists():
                self.make(path, self.folder / path.replace("/", "-"))
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if source.is_dir() else shutil.copy)(source, place / path)

    def make(self, path, place):
        """Make what is read, in a folder of its own."""
        place.mkdir()
        if path == "lift.hdf5":
            files.robomimic(place / path, lengths=(12, 9, 10))
        elif path.startswith("robonet/"):
            (place / path).parent.mkdir()
            files.robonet(place / path, width=5, reach=0.1)
        else:
            command = self.makers[path]
            if "source=softmotion30_44k" in command:
                softmotion(place)
            self.run(command, place)


def softmotion(place):
    """A folder as the archive of the BAIR data set unpacks to, with four records of each split."""
    for split, first in (("train", 0), ("test", 4)):
        folder = place / "softmotion30_44k" / split
        folder.mkdir(parents=True)
        values = [records.bair_features(records.trajectory(index)) for index in range(first, first + 4)]
        framed = b"".join(records.framed(records.example(features)) for features in values)
        (folder / f"traj_{first}_to_{first + 3}.tfrecords").write_bytes(framed)
