"""Images a second that extraction could do with a body that costs nothing.

    python benchmarks/bench_loading.py --output loading.csv

A card waits where it is faster than what surrounds it: reading, decoding, resizing, explaining and
writing. Here the network is one average over patches of 32 x 32 pixels and a linear classifier, so
that the rest is all there is. Rows: the loader alone (`load`) and the whole extraction of all eight
explainers (`extract`), by number of threads; medians of rounds in which all take turns. Pictures
are JPEGs of 256 x 256 pixels, as ClickMe's are, and networks see 224 of them.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections import OrderedDict
from pathlib import Path

import numpy as np
import simplejpeg
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow_scripts"))

from human_alignment.common.cli import run
from human_alignment.data.data_file import DataFile, DataWriter
from human_alignment.data.loading import load_batches
from human_alignment.heatmaps.explainers import EXPLAINERS
from human_alignment.heatmaps.extraction import BATCHES_PER_CHUNK, Extraction, extract, file_header
from human_alignment.heatmaps.heatmap_file import HeatmapWriter
from human_alignment.networks import zoo
from human_alignment.scores.score_rows import write_rows

CLASSES = 1000
CHANNELS = 3


def write_data(path: Path, images: int) -> None:
    """Pictures with some detail, of labels and human maps that nothing here reads."""
    random = np.random.default_rng(0)
    attributes = dict(dataset="noise", description="", num_classes=CLASSES, image_size=224)
    with DataWriter(path, **attributes) as writer:
        for place in range(images):
            coarse = random.integers(0, 256, (64, 64, 3), dtype=np.uint8)
            picture = simplejpeg.encode_jpeg(coarse.repeat(4, 0).repeat(4, 1))
            writer.append(picture, place % CLASSES, f"{place:05d}", np.ones((64, 64), np.float32))


def free_network() -> nn.Module:
    """A network without a body: patches' means, their mean, and a linear classifier."""
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(CHANNELS, CLASSES))
    return nn.Sequential(OrderedDict(stages=nn.AvgPool2d(32), head=head))


def load(data: DataFile, threads: int, batch: int, device: str) -> None:
    """The loader alone."""
    transform = zoo.find("convnext_tiny").transform
    ranges = [(start, min(start + batch, len(data))) for start in range(0, len(data), batch)]
    for _ in load_batches(data, transform, "crop", ranges, threads, device):
        pass


def extract_all(data: DataFile, threads: int, batch: int, device: str, folder: Path) -> None:
    """The extraction as extract_heatmaps.py does it, once the weights are there."""
    network, weights = zoo.find("convnext_tiny"), folder / "weights"
    weights.touch()
    settings = Extraction(tuple(EXPLAINERS), batch_size=batch, workers=threads, device=device)
    model = free_network()
    header = file_header("free", model, network, weights, data, settings)
    chunk = batch * BATCHES_PER_CHUNK
    writer = HeatmapWriter(folder / "maps.h5", header, (0, len(data)), chunk)
    extract(model, network, data, writer, settings)
    writer.finish()


def main() -> None:
    """Let all take turns, print and write the rates."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=1024)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, os.cpu_count() or 1])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--output", required=True, help="rates to write (.csv)")
    arguments = parser.parse_args()
    seconds: dict[tuple[str, int], list[float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_data(folder / "data.h5", arguments.images)
        common = arguments.batch, arguments.device
        with DataFile(folder / "data.h5") as data:
            for _ in range(arguments.rounds):
                for threads in arguments.threads:
                    torch.set_num_threads(threads)
                    jobs = {
                        "load": lambda n=threads: load(data, n, *common),
                        "extract": lambda n=threads: extract_all(data, n, *common, folder),
                    }
                    for name, job in jobs.items():
                        start = time.perf_counter()
                        job()
                        took = time.perf_counter() - start
                        seconds.setdefault((name, threads), []).append(took)
    rows = [
        (name, threads, arguments.device, f"{arguments.images / statistics.median(taken):.0f}")
        for (name, threads), taken in seconds.items()
    ]
    for name, threads, device, rate in rows:
        print(f"{name:8} {threads:2} threads, {device}: {rate} images/s")
    write_rows(arguments.output, ("what", "threads", "device", "images_per_second"), rows)


if __name__ == "__main__":
    run(main)
