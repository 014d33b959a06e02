"""Which number format `precision` means, and what is said where it is emulated."""

import pytest
import torch

from vfplan.models import precision
from vfplan.models.precision import network_dtype

CPU = torch.device("cpu")


@pytest.fixture
def native(request, monkeypatch):
    monkeypatch.setattr(precision, "has_native_bfloat16", lambda device: request.param)
    precision._warn_of_emulation.cache_clear()
    return request.param


@pytest.mark.parametrize("native", [False, True], indirect=True)
def test_auto_takes_bfloat16_only_where_it_is_native(native, capsys):
    assert network_dtype("auto", CPU) == (torch.bfloat16 if native else torch.float32)
    assert network_dtype("float32", CPU) == torch.float32
    assert not capsys.readouterr().err


@pytest.mark.parametrize("native", [False, True], indirect=True)
def test_emulated_bfloat16_is_said_once(native, capsys):
    assert network_dtype("bfloat16", CPU) == network_dtype("bfloat16", CPU) == torch.bfloat16
    assert len(capsys.readouterr().err.splitlines()) == (0 if native else 1)
