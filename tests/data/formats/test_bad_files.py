"""HDF5 that means harm, or is broken: one line that says where, and no memory taken for what is only declared."""

import tracemalloc

import numpy as np
import pytest

from tests.data.formats import files
from tests.refusal import refused
from vfplan.data import formats
from vfplan.data.__main__ import main
from vfplan.data.formats.base import ReadConfig
from vfplan.errors import BadSourceError

h5py = pytest.importorskip("h5py", reason="pip install 'vfplan[hdf5]'")


def replace(file, name, **how):
    """Put another data set in the place of one."""
    value = file[name][:]
    del file[name]
    return file.create_dataset(name, **{"data": value, **how})


def external_link(file):
    del file["pixels"]
    file["pixels"] = h5py.ExternalLink("secret.h5", "/pixels")


def soft_link(file):
    file.move("pixels", "real")
    file["pixels"] = h5py.SoftLink("/real")


def external_storage(file):
    shape = file["pixels"].shape
    replace(file, "pixels", data=None, shape=shape, dtype="u1", external=[("secret.raw", 0, h5py.h5f.UNLIMITED)])


def virtual(file):
    layout = h5py.VirtualLayout(file["pixels"].shape, "u1")
    layout[:] = h5py.VirtualSource("secret.h5", "pixels", file["pixels"].shape)
    del file["pixels"]
    file.create_virtual_dataset("pixels", layout)


def objects(file):
    del file["action"]
    file.create_dataset("action", (15, 2), h5py.string_dtype())


def compound(file):
    replace(file, "action", data=np.zeros((15, 2), [("a", "f4")]))


def float_frames(file):
    replace(file, "pixels", data=file["pixels"][:] / 255)


def dots(file):
    file.create_dataset("..", data=[1])


def fewer_actions(file):
    replace(file, "action", data=file["action"][:-1])


def count_too_high(file):
    file["ep_len"][2] = 6


def count_negative(file):
    file["ep_len"][0] = -1


def counts_overflow(file):
    replace(file, "ep_offset", data=np.array([0, 6, 2**63 - 2]))


def all_from_the_start(file):
    file["ep_len"][:], file["ep_offset"][:] = 15, 0


def one_frame(file):
    file["ep_len"][0] = 1


def no_episodes(file):
    for name in ("ep_len", "ep_offset"):
        replace(file, name, data=np.zeros(0, np.int64))


def declared_only(file):
    replace(file, "pixels", data=None, shape=(2**20, 64, 64, 3), dtype="u1", chunks=(1, 64, 64, 3))


def bomb(file):
    replace(file, "pixels", data=None, shape=(2**20, 64, 64, 3), dtype="u1", chunks=(4096, 64, 64, 3), compression=9)
    file["pixels"][:4096] = 0


def other_filter(file):
    replace(file, "action", scaleoffset=3, chunks=(1, 2))


def not_finite(file):
    file["action"][0] = np.inf


def empty(file):
    del file["pixels"]
    file["pixels"] = h5py.Empty("u1")


def a_group(file):
    del file["pixels"]
    file.create_group("pixels")


def grey(file):
    replace(file, "pixels", data=file["pixels"][..., :1])


HARM = {
    external_link: "pixels is a link to elsewhere, which is not followed",
    soft_link: "pixels is a link to elsewhere, which is not followed",
    external_storage: "pixels is stored in another file",
    virtual: "pixels is stored in another file",
    objects: "action is of type object, expected floats",
    compound: "action is of type",
    float_frames: "pixels is of type float64, expected uint8",
    dots: "expected letters, digits and _ in names, found '..'",
    fewer_actions: "columns of different lengths",
    count_too_high: "episode 2 is 6 rows from 10 on",
    count_negative: "episode 0 is -1 rows",
    counts_overflow: "episode 2 is 5 rows from 9223372036854775806 on",
    all_from_the_start: "all, together 45 rows, but there are 15",
    one_frame: "an episode of 1 frames; expected at least 2",
    no_episodes: "ep_len has 0 entries",
    declared_only: "pixels declares 12884901888 bytes, but at most 0 are stored",
    bomb: "pixels declares 12884901888 bytes, but at most",
    other_filter: "action is packed by filter 6; expected gzip, lzf or none",
    not_finite: "actions that are not finite numbers",
    empty: "pixels is no array",
    a_group: "pixels is no array",
    grey: "expected frames of (height, width, 3), found (12, 12, 1)",
}


@pytest.mark.parametrize("harm", HARM, ids=lambda harm: harm.__name__)
def test_harm_is_one_line_and_no_memory(harm, tmp_path):
    files.swm(tmp_path / "a.h5")
    np.zeros(10**6, np.uint8).tofile(tmp_path / "secret.raw")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        harm(file)
    tracemalloc.start()
    with pytest.raises(BadSourceError) as error:
        formats.read("swm", tmp_path / "a.h5", ReadConfig())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert HARM[harm] in str(error.value) and "\n" not in str(error.value) and len(str(error.value)) < 500
    assert peak < 20e6


def wrong_count(data):
    data["demo_2"].attrs["num_samples"] = 4


def missing_row(data):
    replace(data, "demo_2/obs/agentview_image", data=data["demo_2/obs/agentview_image"][1:])


def other_name(data):
    data.move("demo_2", "demo_x")


def linked_demo(data):
    del data["demo_2"]
    data["demo_2"] = h5py.SoftLink("/data/demo_0")


def other_sizes(data):
    for part in ("obs", "next_obs"):
        replace(data, f"demo_2/{part}/agentview_image", data=np.zeros((3, 8, 8, 3), np.uint8))


def other_width(data):
    replace(data, "demo_2/actions", data=np.zeros((3, 5)))


ROBOMIMIC = {
    wrong_count: "num_samples is 4, but there are 3 actions",
    missing_row: "obs/agentview_image has 2 rows for 3 actions",
    other_name: "expected demo_0, demo_1, ... in data, found demo_x",
    linked_demo: "demo_2 is a link to elsewhere",
    other_sizes: "frames of 2 sizes; give image_size=",
    other_width: "actions of 5 components, expected 2",
}


@pytest.mark.parametrize("harm", ROBOMIMIC, ids=lambda harm: harm.__name__)
def test_what_does_not_fit_in_robomimic(harm, tmp_path):
    files.robomimic(tmp_path / "a.hdf5")
    with h5py.File(tmp_path / "a.hdf5", "a") as file:
        harm(file["data"])
    with pytest.raises(BadSourceError) as error:
        formats.read("robomimic", tmp_path / "a.hdf5", ReadConfig())
    assert ROBOMIMIC[harm] in str(error.value)


def test_an_image_larger_than_it_says_is_not_unpacked(tmp_path):
    """A PNG of 4,000 x 4,000 equal pixels has 47 kB, and would take 48 MB."""
    folder = files.robonet(tmp_path / "a")
    with h5py.File(folder / "traj0.hdf5", "a") as file:
        image = replace(file, "env/cam0_video/frame2", data=files.encoded(np.zeros((4000, 4000, 3), np.uint8)))
        image.attrs["shape"], image.attrs["image_format"] = (12, 12, 3), "RGB"
    source = formats.read("robonet", folder, ReadConfig())
    tracemalloc.start()
    with pytest.raises(BadSourceError, match=r"frame2 is an image of \(4000, 4000, 3\), expected \(12, 12, 3\)"):
        list(source.episodes(range(1)))
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


@pytest.mark.parametrize("when", ["at first", "in the middle"])
def test_the_command_leaves_nothing_of_bad_data(when, tmp_path, capsys):
    folder = files.robonet(tmp_path / "a")
    with h5py.File(folder / "traj2.hdf5", "a") as file:
        if when == "at first":
            del file["policy"]
        else:  # images are unpacked only when they are needed
            file["env/cam0_video/frame3"][:] = 0
    given = ["import", "format=robonet", f"source={folder}", f"out={tmp_path / 'new' / 'store'}", "workers=1"]
    message = refused(capsys, main, [*given, "shard_episodes=1"], begun=True)
    assert "traj2.hdf5" in message
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
