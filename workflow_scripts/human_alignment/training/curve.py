"""The learning curve of a training: a row of averages every few steps, written as CSV."""

import csv
import io
import time
from pathlib import Path

from ..common.files import written_whole


class Curve:
    """The rows so far, and sums over the steps since the last row."""

    def __init__(self, every: int):
        """every: steps between two rows."""
        self.rows: list[dict] = []
        self._every = every
        self._sums = {"steps": 0, "images": 0, "loss": 0.0, "hits": 0.0, "seconds": 0.0}
        self._before = 0.0  # seconds of all rows so far
        self._began = time.perf_counter()

    def add(self, loss: float, hits: float, images: int) -> None:
        """Count one step: its mean loss, its images and how many were classified correctly."""
        for name, value in dict(steps=1, images=images, loss=loss, hits=hits).items():
            self._sums[name] += value
        now = time.perf_counter()
        self._sums["seconds"] += now - self._began
        self._began = now

    def due(self, last: bool) -> bool:
        """Whether a row is to be written now; `last` at the end of the training."""
        return last or self._sums["steps"] == self._every

    def write_row(self, step: int, epoch: float, rate: float, spread: float | None) -> str:
        """Append a row, and return it as a line of text."""
        sums = self._sums
        self._before += sums["seconds"]
        row = {
            "step": step,
            "loss": round(sums["loss"] / sums["steps"], 6),
            "train_top1": round(100 * sums["hits"] / sums["images"], 3),
            "learning_rate": rate,
            "position_spread": spread,
            "seconds": round(self._before, 2),
            "epoch": round(epoch, 4),
            "images_per_second": round(sums["images"] / sums["seconds"], 2),
        }
        self.rows.append(row)
        self._sums = dict.fromkeys(sums, 0.0)
        return (
            f"step {step} (epoch {epoch:.2f}): loss {row['loss']:.4f}, top-1 "
            f"{row['train_top1']:.1f} %, learning rate {rate:.3g}, "
            f"{row['images_per_second']:.4g} images/s, {self._before:.0f} s"
        )

    def state(self) -> dict:
        """What `restore` needs to go on, as plain values."""
        return {"rows": self.rows, "sums": self._sums, "before": self._before}

    def restore(self, state: dict) -> None:
        """Go on where `state` was taken; the time between does not count."""
        self.rows, self._sums, self._before = state["rows"], state["sums"], state["before"]
        self._began = time.perf_counter()

    def write(self, path: Path | str) -> None:
        """Write all rows as CSV."""
        text = io.StringIO()
        writer = csv.DictWriter(text, self.rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        with written_whole(path) as partial:
            partial.write_text(text.getvalue())
