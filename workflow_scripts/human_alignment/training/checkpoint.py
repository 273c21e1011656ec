"""The state of a training on disk, so that an interrupted training can go on.

It holds no random states: every random number follows from the step (see batches.py).
"""

import glob
import hashlib
import json
import pickle
import signal
import time
import zipfile
from pathlib import Path

import torch

from ..common.cli import UserError
from ..common.files import remove_leftovers, written_whole

# What torch.load and the access to its result raise for a file that holds no state.
_DAMAGED = (RuntimeError, pickle.UnpicklingError, KeyError, TypeError, EOFError, zipfile.BadZipFile)
TRY_AGAIN = 75  # exit code of an interrupted training; EX_TEMPFAIL of sysexits.h


class Interruption:
    """True once SIGTERM or SIGUSR1 arrived, which schedulers send before they stop a job.

    >>> with Interruption() as interrupted:
    ...     for step in steps:
    ...         ...
    ...         if interrupted: ...
    """

    def __init__(self):
        self._seen = False

    def __enter__(self) -> "Interruption":
        self._before = {
            number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGUSR1)
        }
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, *_) -> None:
        self._seen = True

    def __bool__(self) -> bool:
        return self._seen


class TrainingState:
    """The file that holds the latest state of one training.

    It is a hidden file beside the training's weights, because Snakemake deletes the outputs of a
    job that failed. Its name and its content say which training it belongs to (network, recipe,
    data, seed): another training does not find it and does not overwrite it.
    """

    def __init__(self, output: Path | str, training: dict, minutes: float = 15.0):
        """The state of one training; reads and writes nothing yet.

        output: the weights file that the training will write.  training: what the training is,
        as plain values.  minutes: between two saves, see `due`.
        """
        self._identity = json.dumps(training, sort_keys=True)
        digest = hashlib.sha256(self._identity.encode()).hexdigest()[:10]
        output = Path(output)
        self._prefix = f".{output.stem}."
        self.path = output.with_name(f"{self._prefix}{digest}.checkpoint")
        self._every = 60 * minutes
        self._saved = time.monotonic()
        self._step: int | None = None  # of the state on disk, if this process knows it

    def due(self) -> bool:
        """Whether the time between two saves has passed."""
        return time.monotonic() - self._saved >= self._every

    def save(self, state: dict) -> None:
        """Write a state of tensors and plain values, whole or not at all.

        Raises OSError when the disk is full; the file saved before is then unchanged.
        """
        with written_whole(self.path) as partial, open(partial, "wb") as stream:
            try:
                torch.save({"training": self._identity, **state}, stream)
            except RuntimeError as error:  # torch wraps the disk's OSError in its own
                raise (error.__context__ or error) from None
        self._saved = time.monotonic()
        self._step = state.get("step")

    def load(self) -> dict | None:
        """The latest state, on the CPU; None when there is none.

        Only tensors and plain values are read, never code.
        Raises UserError when the file is damaged or belongs to another training.
        """
        if not self.path.exists():
            return None
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            identity = state.pop("training")
        except _DAMAGED as error:
            raise UserError(
                f"{self.path} does not hold the state of a training; delete it to start again"
            ) from error
        if identity != self._identity:
            raise UserError(f"{self.path} belongs to another training; delete it to start again")
        self._step = state.get("step")
        return state

    def kept(self, steps: int) -> str:
        """A line that says what is kept of a training of so many steps, and what to do."""
        if self._step is None:
            return "no state of the training is kept; make room and run again, from the beginning"
        return (
            f"{self.path} keeps the training after step {self._step} of {steps}; make room and run "
            "again to go on from there"
        )

    def others(self) -> list[Path]:
        """States that trainings of other settings left for the same output."""
        found = self.path.parent.glob(f"{glob.escape(self._prefix)}*.checkpoint")
        return sorted(path for path in found if path != self.path)

    def remove(self) -> None:
        """Delete the file, and what a kill left of it, when the training is complete."""
        self.path.unlink(missing_ok=True)
        remove_leftovers(self.path)
