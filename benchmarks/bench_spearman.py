"""Speed of the rank correlation: pairs per second and core, side by side in one run.

    python benchmarks/bench_spearman.py --output spearman.csv

Pairs are a human map (64 x 64, empty in places, resized) and a heatmap as the study scores it:
smooth 7 x 7 values resized to 224 x 224 after the ReLU (`grad_cam`) or after the floor at 0.3
(`threshold_grad_cam`), or continuous noise without ties (`noise`); `tied` is the share of pixels
beyond a heatmap's distinct values. All methods take turns, repeat by repeat, on one thread; the
time is the process's own CPU time, its median over repeats. `argsort` and `torch_sort` only sort
the heatmap: no ranks, no ties, no correlation.
"""

import argparse
import csv
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # as Snakemake sets it; idle BLAS threads would be counted

import numpy as np
import torch
from scipy import ndimage, stats

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow_scripts"))

from human_alignment.common.cli import run
from human_alignment.common.files import written_whole
from human_alignment.data.resize import resize_bilinear
from human_alignment.scores.postprocess import postprocess
from human_alignment.scores.protocol import RELEASED
from human_alignment.scores.spearman import correlate, rank

SIZE = 224
REFERENCE = "scipy_spearmanr"


def make_maps(pairs: int, seed: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Human maps (n, p) and heatmaps by kind, (n, p) each, float32."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=(pairs, 64, 64)), (0, 6, 6))
    human = resize_bilinear(np.maximum(smooth, 0), SIZE, SIZE)
    raw = ndimage.gaussian_filter(rng.normal(size=(pairs, 7, 7)), (0, 1, 1))
    maps = {
        "grad_cam": postprocess(RELEASED, "grad_cam", np.maximum(raw, 0), SIZE),
        "threshold_grad_cam": postprocess(RELEASED, "threshold_grad_cam", raw, SIZE),
        "noise": rng.random((pairs, SIZE, SIZE), np.float32),
    }
    return human.reshape(pairs, -1), {kind: m.reshape(pairs, -1) for kind, m in maps.items()}


def methods(human: np.ndarray, heatmaps: np.ndarray) -> dict[str, Callable[[], np.ndarray]]:
    """Each method on all pairs; those that correlate return rho (n,)."""
    ranked = rank(human)
    tensors = torch.from_numpy(heatmaps)
    return {
        "ours_human_ranks_cached": lambda: correlate(ranked, heatmaps)[0],
        "ours_uncached": lambda: correlate(rank(human), heatmaps)[0],
        REFERENCE: lambda: np.array(
            [stats.spearmanr(*pair).statistic for pair in zip(human, heatmaps, strict=True)]
        ),
        "argsort": lambda: [np.argsort(heatmap) for heatmap in heatmaps],
        "torch_sort": lambda: [torch.sort(tensor) for tensor in tensors],
    }


def measure(calls: dict[str, Callable], repeats: int) -> dict[str, float]:
    """Median CPU seconds of each call, taking turns; one round to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats + 1):
        for name, call in calls.items():
            start = time.process_time()
            call()
            seconds[name].append(time.process_time() - start)
    return {name: float(np.median(found[1:])) for name, found in seconds.items()}


def rows(pairs: int, repeats: int, seed: int) -> list[dict]:
    """One row per kind of heatmap and method."""
    human, kinds = make_maps(pairs, seed)
    found = []
    for kind, heatmaps in kinds.items():
        calls = methods(human, heatmaps)
        seconds = measure(calls, repeats)
        reference = calls[REFERENCE]()
        tied = 1 - np.mean([len(np.unique(heatmap)) / len(heatmap) for heatmap in heatmaps])
        for name, call in calls.items():
            correlates = name not in ("argsort", "torch_sort")
            difference = np.abs(call() - reference).max() if correlates else None
            found.append(
                {
                    "heatmaps": kind,
                    "tied": round(float(tied), 2),
                    "method": name,
                    "pairs_per_second": round(pairs / seconds[name], 1),
                    "times_scipy": round(seconds[REFERENCE] / seconds[name], 2),
                    "max_difference_from_scipy": difference,
                }
            )
    return found


def main(argv: list[str] | None = None) -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, required=True, help="CSV file to write")
    parser.add_argument("--pairs", type=int, default=32, help="pairs per kind of heatmap")
    parser.add_argument("--repeats", type=int, default=9, help="repeats of which the median counts")
    parser.add_argument("--seed", type=int, default=0, help="of the synthetic maps")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    table = rows(arguments.pairs, arguments.repeats, arguments.seed)
    with written_whole(arguments.output) as partial, open(partial, "w", newline="") as stream:
        writer = csv.DictWriter(stream, table[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    print(arguments.output.read_text(), end="")


if __name__ == "__main__":
    run(main)
