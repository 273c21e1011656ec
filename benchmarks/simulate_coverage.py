"""How often the bootstrap interval of a mean score covers the true mean: a simulation.

    python benchmarks/simulate_coverage.py --output coverage.csv --figure coverage.png

Per-image correlations are drawn from three shapes with known means: `even` (a model that mostly
agrees with people), `mixed` (one image in five is missed altogether) and `rare` (strongly skewed:
5 % of the images are of the opposite sign). Two more hold images several times, 1 to 8 records
each, as ClickMe does: `repeated` averages the records of an image first, as the pipeline does, and
`records` takes each record for an image, to show what that costs. For each shape and number of
images: the share of simulated data sets whose interval holds the true mean, with its own 95 %
interval (Wilson).
"""

import argparse
import csv
import sys
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow_scripts"))

from human_alignment.common.cli import run
from human_alignment.common.files import written_whole
from human_alignment.scores.bootstrap import bootstrap_interval
from human_alignment.scores.image_means import image_means

matplotlib.use("Agg")
import matplotlib.pyplot as plt

LEVEL = 0.95
REQUIRED = 0.93
IMAGES = (10, 20, 50, 100, 300, 1000)


@dataclass(frozen=True)
class Shape:
    """A mixture of correlations tanh(normal), in the shares given.

    repeats: most records of an image; each image has 1 to that many.  noise: standard deviation
    that each record adds to its image.  averaged: whether records of an image are averaged first.
    """

    shares: tuple[float, ...]
    centres: tuple[float, ...]
    spread: float
    repeats: int = 1
    noise: float = 0
    averaged: bool = True

    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """What the bootstrap resamples, of `count` images."""
        images = rng.normal(rng.choice(self.centres, count, p=self.shares), self.spread)
        if self.repeats == 1:
            return np.tanh(images)
        groups = np.repeat(np.arange(count), rng.integers(1, self.repeats + 1, count))
        records = np.tanh(rng.normal(images[groups], self.noise))
        return image_means(records, groups) if self.averaged else records

    def mean(self) -> float:
        """The true mean, by quadrature."""
        spread = np.hypot(self.spread, self.noise)
        means = [stats.norm(centre, spread).expect(np.tanh) for centre in self.centres]
        return float(np.dot(self.shares, means))


SHAPES = {
    "even": Shape((1.0,), (0.7,), 0.4),
    "mixed": Shape((0.8, 0.2), (0.9, 0.0), 0.3),
    "rare": Shape((0.95, 0.05), (1.2, -0.8), 0.2),
    "repeated": Shape((1.0,), (0.7,), 0.4, repeats=8, noise=0.3),
    "records": Shape((1.0,), (0.7,), 0.4, repeats=8, noise=0.3, averaged=False),
}


def coverage(shape: Shape, images: int, simulations: int, resamples: int, seed: int) -> dict:
    """Share of simulated data sets whose interval holds the true mean, and its mean width."""
    rng = np.random.default_rng([seed, images])
    ends = np.array(
        [
            bootstrap_interval(shape.draw(rng, images), LEVEL, resamples, seed + number)
            for number in range(simulations)
        ]
    )
    hits = int(np.sum((ends[:, 0] <= shape.mean()) & (shape.mean() <= ends[:, 1])))
    error = stats.binomtest(hits, simulations).proportion_ci(method="wilson")
    return {
        "images": images,
        "coverage": hits / simulations,
        "coverage_low": round(error.low, 4),
        "coverage_high": round(error.high, 4),
        "mean_width": round(float(np.mean(ends[:, 1] - ends[:, 0])), 4),
        "simulations": simulations,
    }


def draw_figure(table: list[dict], path: Path) -> None:
    """Coverage against number of images, a line per shape."""
    figure, axes = plt.subplots(figsize=(6.2, 3.4), layout="constrained")
    for offset, name in zip((0.92, 0.96, 1, 1.04, 1.08), SHAPES, strict=True):
        found = [row for row in table if row["shape"] == name]
        x = np.array([row["images"] for row in found]) * offset
        y = np.array([row["coverage"] for row in found])
        low, high = (
            np.array([row[end] for row in found]) for end in ("coverage_low", "coverage_high")
        )
        axes.errorbar(x, y, (y - low, high - y), marker="o", capsize=2, lw=1.2, label=name)
    axes.axhline(LEVEL, color="0.4", lw=1, label=f"nominal, {LEVEL:.0%}")
    axes.axhline(REQUIRED, color="0.4", lw=1, ls=":", label=f"required, {REQUIRED:.0%}")
    axes.set(xscale="log", xlabel="images", ylabel="intervals that hold the true mean")
    axes.set_xticks(IMAGES, [str(images) for images in IMAGES])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1, 0))
    figure.legend(fontsize="small", loc="outside right upper")
    with written_whole(path) as partial:
        figure.savefig(partial, dpi=160)
    plt.close(figure)


def simulate(simulations: int, resamples: int, seed: int) -> list[dict]:
    """One row per shape and number of images."""
    cases: list[tuple[str, int]] = [(name, images) for name in SHAPES for images in IMAGES]
    return [
        {"shape": name, **coverage(SHAPES[name], images, simulations, resamples, seed)}
        for name, images in cases
    ]


def main(argv: list[str] | None = None) -> None:
    """Simulate, write the table and the figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, required=True, help="CSV file to write")
    parser.add_argument("--figure", type=Path, required=True, help="PNG or PDF file to write")
    parser.add_argument("--simulations", type=int, default=2000, help="data sets per case")
    parser.add_argument("--resamples", type=int, default=1000, help="bootstrap resamples")
    parser.add_argument("--seed", type=int, default=0, help="of data and resamples")
    arguments = parser.parse_args(argv)
    table = simulate(arguments.simulations, arguments.resamples, arguments.seed)
    with written_whole(arguments.output) as partial, open(partial, "w", newline="") as stream:
        writer = csv.DictWriter(stream, table[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    draw_figure(table, arguments.figure)
    print(arguments.output.read_text(), end="")


if __name__ == "__main__":
    run(main)
