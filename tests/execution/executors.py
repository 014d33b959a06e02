"""What tests of executors share: which are there, and quick endings."""

import contextlib
import importlib.util
import signal

import pytest

from vfplan.execution.executor import PACKAGES


def absent(name):
    package = PACKAGES.get(name)
    return bool(package) and importlib.util.find_spec(package) is None


def each(*names):
    """These executors, as parameters; those whose package is absent are skipped."""
    why = "pip install 'vfplan[{}]', or --target DIR and PYTHONPATH=DIR"
    return [pytest.param(name, marks=pytest.mark.skipif(absent(name), reason=why.format(name))) for name in names]


def cluster():
    """One of Ray for many runs, where there is Ray: it takes seconds to start."""
    if absent("ray"):
        return contextlib.nullcontext()
    from vfplan.execution.ray import _cluster

    return _cluster(2)


@contextlib.contextmanager
def quick():
    """Let submitit end its processes, which it does by Ctrl-C that tests in the background ignore, and not wait long
    for the result of one that left none.
    """
    with pytest.MonkeyPatch.context() as patch:
        if not absent("slurm"):
            import submitit

            patch.setattr(submitit.Job, "_results_timeout_s", 1)
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        yield
        signal.signal(signal.SIGINT, before)
