"""Without the Hub's client, its names are refused in one line, and nothing else misses it."""

import sys

import pytest

from vfplan.errors import UserError
from vfplan.models.checkpoint import load_checkpoint, shipped_checkpoint
from vfplan.models.sharing import push_to_hub


def test_the_pip_command_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match=r"the Hub needs huggingface_hub.*: pip install 'vfplan\[hub\]'"):
        load_checkpoint("hub:someone/a-model@main")
    with pytest.raises(UserError, match=r"pip install 'vfplan\[hub\]'"):
        push_to_hub(shipped_checkpoint("push"), "someone/a-model")
    load_checkpoint("push")
