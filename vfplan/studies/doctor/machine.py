"""Processor, memory, disk and device."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import torch

from vfplan.device import resolve_device
from vfplan.errors import UserError
from vfplan.models.precision import has_native_bfloat16
from vfplan.studies.doctor.finding import Finding

GIB = 2**30
LEAST_MEMORY, LEAST_DISK = 2 * GIB, 2 * GIB
"""For a training of the default model, and for a store of 10,000 episodes with a run."""


def cores() -> Finding:
    """How many there are for this process, and how many threads torch takes."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads, told = torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS")
    why = f" (OMP_NUM_THREADS={told})" if told else ""
    fix = f"unset OMP_NUM_THREADS: {threads} of {count} cores are used" if told and threads < count else ""
    return Finding("cores", f"{count}, torch uses {threads}{why}", fix)


def memory() -> Finding:
    """How much is free, where the system says so."""
    info = Path("/proc/meminfo")
    if not info.is_file():
        return Finding("memory", "the system does not say how much is free")
    lines = dict(line.split(":") for line in info.read_text().splitlines())
    free = int(lines["MemAvailable"].split()[0]) * 1024
    fix = f"close what else runs: training the default model takes up to {LEAST_MEMORY / GIB:.0f} GiB"
    return Finding("memory", f"{free / GIB:.1f} GiB free", fix if free < LEAST_MEMORY else "")


def disk() -> Finding:
    """Where data and runs go by default."""
    here = Path.cwd()
    try:
        with tempfile.TemporaryFile(dir=here):
            free = shutil.disk_usage(here).free
    except OSError as error:
        return Finding("disk", f"{here}: {error.strerror}", "go to a folder that can be written to")
    fix = f"make room, or give out= and run_dir= elsewhere: data and runs take {LEAST_DISK / GIB:.0f} GiB"
    return Finding("disk", f"{free / GIB:.1f} GiB free in {here}", fix if free < LEAST_DISK else "")


def device(name: str) -> Finding:
    """What models run on, and in what numbers plans are made there."""
    try:
        chosen = resolve_device(name)
    except UserError as error:
        return Finding("device", str(error), "device=cpu, or a driver and a build of torch that fit the GPU")
    called = torch.cuda.get_device_name(chosen) if chosen.type == "cuda" else "cpu"
    numbers = "bfloat16" if has_native_bfloat16(chosen) else "float32 (no bfloat16 of its own)"
    return Finding("device", f"{called}; plans are made in {numbers}")
