"""Packages that stand in for the extras and write down who imports them, in every process that is started."""

import os

EXTRAS = (
    *("av", "gym_pusht", "h5py", "huggingface_hub", "minari", "mkdocs", "pyarrow", "ray", "rerun"),
    *("stable_worldmodel", "submitit", "tensorboard", "trackio", "wandb"),
)
STAND_IN = """
import os, sys, traceback
where = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_stack() if "importlib" not in frame.filename]
with open(os.environ["IMPORTED"], "a") as file:
    file.write(f"{__name__} {sys.argv} {where}\\n")
raise ImportError(f"{__name__} is a stand-in")
"""


def environment(folder, root):
    """The environment variables of a process that sees the stand-ins, and the file that is written."""
    (folder / "extras").mkdir()
    for name in EXTRAS:
        (folder / "extras" / f"{name}.py").write_text(STAND_IN)
    path = os.pathsep.join(map(str, (folder / "extras", root)))
    imported = folder / "imported"
    imported.touch()
    return {**os.environ, "PYTHONPATH": path, "IMPORTED": str(imported)}, imported
