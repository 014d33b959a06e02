"""Everything that `vfplan.doctor` looks at, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from vfplan.control.settings import PlanConfig
from vfplan.device import set_threads
from vfplan.errors import said
from vfplan.studies.doctor import installed, machine
from vfplan.studies.doctor.finding import Finding
from vfplan.studies.doctor.settings import DoctorConfig

SELF_TEST = ("env=push", "tasks=dev", "num_tasks=1", "control.steps=4", "run_dir=unused")


def run(config: DoctorConfig, configure: Callable[[Sequence[str]], PlanConfig]) -> bool:
    """Print a line per finding, and what to do; whether all is well."""
    set_threads(config.threads)
    wrong = []
    for finding in _findings(config, configure):
        print(finding.line(), flush=True)
        wrong += [finding] if finding.fix else []
    print("all is well" if not wrong else "what to do:")
    for finding in wrong:
        print(f"    {finding.subject}: {finding.fix}")
    if not wrong:
        print("next: python -m vfplan.plan env=push")
    return not wrong


def _findings(config: DoctorConfig, configure: Callable[[Sequence[str]], PlanConfig]) -> Iterator[Finding]:
    yield installed.python()
    yield from installed.packages()
    yield installed.extras()
    yield installed.plug_ins()
    yield machine.cores()
    yield machine.memory()
    yield machine.disk()
    device = machine.device(config.device)
    yield device
    if not device.fix:
        try:
            from vfplan.studies.doctor.self_test import self_test

            yield from self_test(configure([*SELF_TEST, f"device={config.device}"]))
        except ImportError as error:
            yield Finding("self-test", said(error), f"let {error.name or 'it'} be imported")
        except Exception as error:  # whatever goes wrong here is what this command is there to say
            yield Finding("self-test", f"{type(error).__name__}: {said(error)}", "please report it with this output")
