"""Command: what an environment has and lacks of what vfplan needs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vfplan.checks import MOST_SEED, require_ranges, within
from vfplan.cli.config import command
from vfplan.errors import UserError
from vfplan.sections import environments

if TYPE_CHECKING:
    from envs.base import EnvConfig, Finding

HELP = """
Run a few episodes of an environment and say what it has and lacks: actions, frames, seeds, ends, info, speed, tasks;
and what to do about it. Writes nothing. Exits with 0 if the environment can be used, with 1 if not.

examples:
  python -m vfplan.check env=gym env.id=Pusher-v5
  python -m vfplan.check env=gym env.id=my_module:MyEnv-v0 env.length=50
  python -m vfplan.check env=push_bair
"""

UNUSABLE = 1
"""The exit code where something is lacking."""


@dataclass(frozen=True, kw_only=True)
class CheckConfig:
    """Configuration of `vfplan.check`; the comments in `configs/check.yaml` say what each key is."""

    env: EnvConfig
    seed: int = within(0, 0, MOST_SEED)

    def __post_init__(self) -> None:
        require_ranges(self)


def check(config: CheckConfig) -> None:
    """Print the findings, and what comes next. Raises UserError where there is no such environment."""
    import envs
    from envs import probe

    world = envs.world(config.env)
    try:
        findings = probe.findings(world, config.seed)
    except ValueError as error:
        raise UserError(" ".join(str(error).split())) from error
    print("\n".join([world.arguments, *(line for finding in findings for line in _lines(finding))]))
    lacking = [finding.subject for finding in findings if finding.needed]
    if lacking:
        print(f"cannot be used yet: mend {', '.join(lacking)}, then check again")
        sys.exit(UNUSABLE)
    print(f"can be used\nnext: python -m vfplan.collect {world.arguments} out=data/{config.env.name}")


def _lines(finding: Finding) -> Iterator[str]:
    mark = "lacks" if finding.needed else "note" if finding.fix else "has"
    yield f"  {mark:<6}{finding.subject:<12}{finding.found}"
    if finding.needed:
        yield f"{'':<20}needed: {finding.needed}"
    if finding.fix:
        yield f"{'':<20}fix: {finding.fix}"


main = command(check, CheckConfig, name="check", help=HELP, sections={"env": environments})

if __name__ == "__main__":
    main()
