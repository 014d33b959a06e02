"""Files of other projects, written with h5py as their own code writes them."""

import io
import json

import h5py
import numpy as np
from PIL import Image

LENGTHS = (5, 3, 4)
"""Actions of the episodes."""


def frames(index, count, size=(12, 12)):
    return np.random.default_rng(index).integers(256, size=(count, *size, 3), dtype=np.uint8)


def actions(index, count, width=2):
    return np.random.default_rng(100 + index).uniform(-1, 1, (count, width)).astype(np.float32)


def swm(path, lengths=LENGTHS):
    """As stable-worldmodel's `HDF5Writer`: columns that grow, in chunks of one row."""
    with h5py.File(path, "w", libver="latest") as file:
        counts = np.array(lengths) + 1
        rows = int(counts.sum())
        for name, step in {"pixels": frames(0, 1), "action": actions(0, 1), "proprio": np.zeros((1, 7))}.items():
            shape = (rows, *step.shape[1:])
            file.create_dataset(name, shape, step.dtype, maxshape=(None, *shape[1:]), chunks=(1, *shape[1:]))
        offsets = np.cumsum(counts) - counts
        for index, (first, count) in enumerate(zip(offsets, counts, strict=True)):
            file["pixels"][first : first + count] = frames(index, count)
            file["action"][first : first + count - 1] = actions(index, count - 1)
            file["action"][first + count - 1] = np.nan
        file["proprio"][:] = 1.0
        file.create_dataset("ep_len", data=counts.astype(np.int32), maxshape=(None,))
        file.create_dataset("ep_offset", data=offsets.astype(np.int64), maxshape=(None,))


def robomimic(path, *, after=True, numbers=(0, 2, 10), lengths=LENGTHS):
    """As the files that robomimic's users download; some have no `next_obs`."""
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs["env_args"] = json.dumps({"env_name": "Lift", "env_type": 1, "env_kwargs": {}})
        data.attrs["total"] = sum(lengths)
        for index, (number, count) in enumerate(zip(numbers, lengths, strict=True)):
            demo = data.create_group(f"demo_{number}")
            demo.attrs["num_samples"] = count
            demo["actions"], seen = actions(index, count).astype(np.float64), frames(index, count + 1)
            demo["obs/agentview_image"], demo["obs/robot0_eef_pos"] = seen[:-1], np.zeros((count, 3))
            if after:
                demo["next_obs/agentview_image"] = seen[1:]
        file["mask/train"] = np.array([b"demo_0"])


def encoded(frame, form="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, form)
    return np.frombuffer(buffer.getvalue(), np.uint8)


def robonet(folder, *, size=(12, 12), lengths=LENGTHS, colours="RGB", form="PNG", width=4, reach=1.0):
    """A file for each trajectory; PNG where the test wants the very pixels, JPEG as they are."""
    folder.mkdir(exist_ok=True)
    for index, count in enumerate(lengths):
        with h5py.File(folder / f"traj{index}.hdf5", "w") as file:
            file["file_version"] = "0.1.0"
            env = file.create_group("env")
            env.attrs["n_cams"], env.attrs["cam_encoding"] = 1, "jpeg"
            env["state"] = np.zeros((count + 1, 5))
            for step, frame in enumerate(frames(index, count + 1, size)):
                image = env.create_dataset(f"cam0_video/frame{step}", data=encoded(frame, form))
                image.attrs["shape"], image.attrs["image_format"] = frame.shape, colours
            file["policy/actions"] = reach * actions(index, count, width).astype(np.float64)
            file.create_group("misc")
            file.create_group("metadata").attrs["robot"] = "sawyer"
    return folder
