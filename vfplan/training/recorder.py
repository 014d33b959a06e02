"""What a training run leaves behind: metrics, pictures, a resumable state, a shareable checkpoint."""

from __future__ import annotations

import errno
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from vfplan.data.mixture import Mixture
from vfplan.data.store import EpisodeStore
from vfplan.models.checkpoint import WEIGHTS, write_checkpoint
from vfplan.output.folder import RunDir, provenance, settings_of
from vfplan.output.progress import Bar
from vfplan.training import loggers
from vfplan.training.learner import Learner
from vfplan.training.resuming import STATE
from vfplan.training.snapshots import FOLDER, Snapshots
from vfplan.training.validator import Validator

if TYPE_CHECKING:
    from vfplan.training.settings import TrainConfig


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Recorder:
    """Writes into the folder of a run, after each step what is due."""

    def __init__(self, run: RunDir, config: TrainConfig, learner: Learner, validator: Validator, data: Mixture) -> None:
        self.run = run
        self.config = config
        self.learner = learner
        self.validator = validator
        self.data = data
        self.snapshots = Snapshots(run.path, config.keep)
        self.said: set[str] = set()
        """Damages of the data that were said."""
        self.validated: tuple[int, float | None] = (-1, None)
        self.loggers = loggers.opened(config.loggers, run)
        self.started, self.first = time.monotonic(), learner.steps_done
        # Of the code that runs, also if the checkout moves on meanwhile.
        self.provenance = provenance()

    def after_step(self, metrics: dict[str, Any], bar: Bar) -> None:
        """Log, validate and save as often as the configuration asks for, and at the last step.

        Raises:
            OSError: on a full disk, unless training is to continue without what did not fit, and at the last step.
        """
        try:
            self._after_step(metrics, bar)
        except OSError as error:
            error.filename = error.filename or str(self.run.path)
            last = self.learner.steps_done == self.config.learning.steps
            if last or self.config.on_disk_full == "stop" or error.errno not in FULL:
                raise
            bar.write(f"warning: step {self.learner.steps_done}: {error.strerror}; going on (on_disk_full=continue)")

    def _after_step(self, metrics: dict[str, Any], bar: Bar) -> None:
        config, step = self.config, self.learner.steps_done
        last = step == config.learning.steps
        for damage in set(self.data.damaged()) - self.said:
            self.said.add(damage)
            self.run.append_metrics({"step": step, "damaged": damage, "damaged_shards": len(self.said)})
            bar.write(f"warning: {damage}; its episodes are left out (on_corrupt=skip)")
        if "skipped" in metrics:
            self.run.append_metrics({"step": step, **metrics})
            bar.write(f"step {step} skipped: {metrics['skipped']} (episodes in metrics.jsonl)")
        elif step % config.log_every == 0:
            speed = (step - self.first) / (time.monotonic() - self.started)
            self._log({**metrics, "steps_per_second": speed})
            bar.set_postfix_str("{}: {:.3f}".format(*next(iter(metrics.items()))))
        if step % config.validate_every == 0 or last:
            report = self.validator.report(self.learner.averaged)
            self.validated = (step, report.get("bits_per_dim"))
            self._log({f"validation/{key}": value for key, value in report.items()})
            self.run.write_bytes("validation.png", self.validator.picture(self.learner.averaged))
            bar.write(f"step {step}: " + ", ".join(f"{key} {value:.4f}" for key, value in report.items()))
        if step % config.save_every == 0 or last:
            self.save()

    def save(self) -> None:
        """Publish state and weights of this step together."""
        self.run.file(FOLDER).mkdir(exist_ok=True)
        step, score = self.validated
        self.snapshots.publish(self.learner.steps_done, self._write, score if step == self.learner.steps_done else None)

    def _write(self, folder: Path) -> dict[str, str]:
        _save(self.learner.state_dict(), folder / STATE)
        training = {
            "steps": self.learner.steps_done,
            "seconds": round(self.learner.seconds),
            "validation_episodes": self.config.validation_episodes,
            "data": _summary(self.data.first),
            "stores": [
                {"path": str(store.path), "share": share, **_summary(store)}
                for store, share in zip(self.data.stores, self.data.shares, strict=True)
            ],
            "learning": settings_of(self.config.learning),
            **self.provenance,
        }
        sha256 = write_checkpoint(
            folder,
            self.learner.averaged,
            environment=self.data.first.meta.description,
            training=training,
            dtype=torch.bfloat16 if self.config.weights == "bfloat16" else torch.float32,
        )
        return {WEIGHTS: sha256}

    def close(self) -> None:
        """Let the loggers write what waits, however the training ends."""
        for logger in self.loggers:
            logger.close()

    def farewell(self) -> None:
        """Say what was written and how it is tested."""
        folder, store = self.run.path, self.data.first
        print(f"wrote {folder / 'checkpoint'}, {folder / 'metrics.jsonl'} and {folder / 'validation.png'}")
        print(f"next: python -m vfplan.evaluate checkpoint={folder / 'checkpoint'} data={store.path}")

    def _log(self, values: dict[str, float]) -> None:
        step = self.learner.steps_done
        self.run.append_metrics({"step": step, **values})
        for logger in self.loggers:
            logger.log(step, values)


def _save(state: dict[str, Any], path: Path) -> None:
    try:
        with path.open("wb") as file:
            torch.save(state, file)
    except RuntimeError as error:
        # The archive's complaint hides the operating system's.
        if isinstance(error.__context__, OSError):
            raise error.__context__ from error
        raise


def _summary(store: EpisodeStore) -> dict[str, Any]:
    """What a checkpoint says of a store."""
    meta = store.meta
    return {
        "episodes": meta.episodes,
        "length": meta.length,
        "policy": meta.policy,
        "seed": meta.seed,
        "digest": store.digest,
    }
