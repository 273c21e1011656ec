"""Time and memory of scoring a study: 16 networks, two explainers, two protocols.

    python benchmarks/bench_scores.py --output scores.csv

Makes a data file of smooth human maps and, per network, a heatmap file of each geometry with 7 x 7
maps, in a temporary folder; then runs score_alignment.py as the pipeline does, `--jobs` processes
side by side, under `released` and under `paper`. Then one network alone on 500 and on four times as
many images: the peak resident set grows by their ids and scores only, not by their maps.
"""

import argparse
import csv
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from measured import measured
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow_scripts"))

import score_alignment
from human_alignment.common.cli import run
from human_alignment.common.files import written_whole
from human_alignment.data.data_file import DataFile, DataWriter
from human_alignment.data.digits import encode
from human_alignment.heatmaps.heatmap_file import HeatmapWriter

EXPLAINERS = ["grad_cam", "threshold_grad_cam"]
GEOMETRY = {"released": "crop", "paper": "full"}  # of each protocol


def make_data(path: Path, images: int, random: np.random.Generator) -> None:
    """Human maps as of blurred clicks; the pictures themselves are not looked at."""
    picture = encode(np.zeros((8, 8, 3), np.uint8))
    attributes = dict(dataset="bench", description="", num_classes=1000, image_size=224)
    with DataWriter(path, **attributes) as writer:
        for i in range(images):
            human = ndimage.gaussian_filter(random.normal(size=(64, 64)), 6)
            writer.append(picture, i % 1000, f"{i:06d}", np.maximum(human, 0).astype(np.float32))


def make_heatmaps(
    path: Path,
    data: DataFile,
    geometry: str,
    random: np.random.Generator,
    explainers: list[str] = EXPLAINERS,
) -> None:
    """A heatmap file as extract_heatmaps.py leaves it."""
    count = len(data)
    header = {
        "model": path.stem, "dcls": False, "parameters": 1, "weights_digest": "",
        "data_digest": data.digest,
        "geometry": geometry, "target": "label", "explainers": explainers, "images": count,
        "versions": "",
    }  # fmt: skip
    maps = ndimage.gaussian_filter(random.normal(size=(len(explainers), count, 7, 7)), (0, 0, 1, 1))
    columns = {"label": data.labels, "predicted": data.labels, "nonfinite": np.zeros(count, bool)}
    columns |= {"target": data.labels, "target_rank": 0 * data.labels}
    columns["target_logit"] = np.zeros(count, np.float32)
    columns["image_id"] = np.char.encode(data.image_ids, "utf-8")
    writer = HeatmapWriter(path, header, (0, count), count)
    named = dict(zip(explainers, np.maximum(maps, 0).astype(np.float32), strict=True))
    writer.put(0, columns | named)
    writer.finish()


def score(data: Path, heatmaps: Path, protocol: str) -> tuple[float, float]:
    """Run the script; its processor seconds, and its peak resident set in MiB."""
    flags = {"--data": data, "--heatmaps": heatmaps, "--protocol": protocol}
    flags["--output"] = heatmaps.with_suffix(f".{protocol}.parquet")
    return measured(score_alignment.__file__, *(part for flag in flags.items() for part in flag))


def main(argv: list[str] | None = None) -> None:
    """Make the study, score it, print and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", type=int, default=16)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--output", required=True, help="table to write (.csv)")
    arguments = parser.parse_args(argv)
    random = np.random.default_rng(0)
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_data(folder / "data.h5", arguments.images, random)
        jobs = []
        with DataFile(folder / "data.h5") as data:
            for protocol, geometry in GEOMETRY.items():
                for i in range(arguments.models):
                    path = folder / f"{geometry}{i}.h5"
                    make_heatmaps(path, data, geometry, random)
                    jobs.append((folder / "data.h5", path, protocol))
        start = time.perf_counter()
        with ThreadPoolExecutor(arguments.jobs) as pool:
            costs = list(pool.map(lambda job: score(*job), jobs))
        found["seconds"] = time.perf_counter() - start
        found["cpu_seconds"] = sum(seconds for seconds, _ in costs)
        for images in (500, 2000):
            make_data(folder / f"{images}.data.h5", images, random)
            with DataFile(folder / f"{images}.data.h5") as data:
                make_heatmaps(folder / f"{images}.h5", data, "crop", random)
            _, peak = score(folder / f"{images}.data.h5", folder / f"{images}.h5", "released")
            found[f"peak_mib_{images}_images"] = peak
    row = {"models": arguments.models, "images": arguments.images, "jobs": arguments.jobs, **found}
    print("\n".join(f"{name:>24} {value:.1f}" for name, value in row.items()))
    with written_whole(arguments.output) as partial, open(partial, "w", newline="") as stream:
        writer = csv.DictWriter(stream, row)
        writer.writeheader()
        writer.writerow(row)


if __name__ == "__main__":
    run(main)
