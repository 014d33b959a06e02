"""Plan with the checkpoint that ships: one task of the benchmark.

python -m examples.plan_in_ten_lines                    # what follows changes settings, as in env=push_bair
"""

import sys

from vfplan.control.session import ClosedLoop
from vfplan.plan import main

loop = ClosedLoop(main.configuration(["env=push", "num_tasks=1", *sys.argv[1:]]))
happened = loop.run(range(1), imagine=True)
(outcome,) = loop.tasks.outcomes(happened.frames, happened.infos)
print(outcome.line())
print("frames", happened.frames.shape, "actions", happened.actions.shape, "imagined", happened.imagined.shape)
