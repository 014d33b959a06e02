"""Every command of the page on data runs, in its order."""

import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "data.md"
SMALL = {"episodes=60": "episodes=6", "episodes=40": "episodes=5", "shard_episodes=16": "shard_episodes=3"}
ABOUT_FILES = {"collect": ["env.image_size=16", "env.length=6", "workers=1"]}


@pytest.mark.parametrize("library", ["h5py", "pyarrow", "av"])
def test_the_libraries_of_the_page_are_named_in_the_project(library):
    assert f'"{library}>=' in (PAGE.parents[1] / "pyproject.toml").read_text()


def test_the_commands_of_the_page_run(tmp_path, monkeypatch, capsys):
    for library in ("h5py", "pyarrow", "av"):
        pytest.importorskip(library, reason="the extras hdf5, lerobot")
    monkeypatch.chdir(tmp_path)
    lines = "".join(re.findall(r"```bash\n(.*?)```", PAGE.read_text(), re.DOTALL)).splitlines()
    assert len(lines) == 13
    for line in lines:
        _, _, module, *words = shlex.split(line)
        name = module.removeprefix("vfplan.")
        main = import_module("vfplan.data.__main__" if name == "data" else module).main
        main([SMALL.get(word, word) for word in words] + ABOUT_FILES.get(name, []))
    said = re.findall(r"SHA-256 +(\w{64})", capsys.readouterr().out)
    assert len(said) == 2 and said[0] == said[1]
    made = {"a", "b", "ab", "ab-train", "ab-held-out", "back", "a.h5", "a.hdf5", "minari", "a-lerobot", "a-video"}
    assert {path.name for path in (tmp_path / "data").iterdir()} == made
