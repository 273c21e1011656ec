"""Every writer on a full disk: one error that names the file, nothing half written is left."""

import numpy as np
import pandas as pd
import pytest
import torch
from full_disk import full_disk
from human_alignment.common.files import write_json, written_whole
from human_alignment.common.hdf5 import new_hdf5
from human_alignment.data.data_file import DataWriter
from human_alignment.data.digits import encode
from human_alignment.data.download import fetch
from human_alignment.heatmaps.heatmap_file import HeatmapWriter
from human_alignment.networks import zoo
from human_alignment.networks.weights import save_weights
from human_alignment.outcome.style import empty_figure, save
from human_alignment.scores.score_rows import Rows, write_parquet, write_rows
from human_alignment.training.checkpoint import TrainingState
from human_alignment.training.curve import Curve
from misbehaving_server import MisbehavingServer, Reply

NOISE = np.random.default_rng(0).random((40, 40, 3))


def weights(path):
    network = zoo.find("micro_resnet50")
    save_weights(path, zoo.build(network), network)


def state(path):
    TrainingState(path, {}).save({"step": 1, "weights": torch.ones(5000)})


def curve(path):
    written = Curve(1)
    for step in range(100):
        written.add(0.5, 3, 8)
        written.write_row(step, 0.1, 0.1, None)
    written.write(path)


def data_file(path):
    about = dict(dataset="x", description="x", num_classes=2, image_size=40)
    with DataWriter(path, **about) as writer:
        writer.append(encode((255 * NOISE).astype(np.uint8)), 1, "one")


def heatmaps(path):
    arrays = {"grad_cam": NOISE.astype(np.float32), "nonfinite": np.zeros(40, bool)}
    HeatmapWriter(path, {}, (0, 40), 40).put(0, arrays)


def joined_heatmaps(path):
    with new_hdf5(path) as file:
        for i in range(20):
            file[f"maps{i}"] = NOISE


def table(path):
    with written_whole(path) as partial:
        pd.DataFrame(NOISE[0]).to_csv(partial, index=False)


def page(path):
    with written_whole(path) as partial:
        partial.write_text("<p>" * 1000, encoding="utf-8")


def download(path):
    with MisbehavingServer(Reply(bytes(5000))) as server:
        fetch(server.url, path, pause=0.01)


def copied(path):
    source = path.parent.parent / "source"
    source.write_bytes(bytes(900))
    with open(source, "ab") as stream:
        stream.truncate(900)
    with full_disk(500):
        fetch(str(source), path)


def scores(path):
    rho = np.random.default_rng(0).random(2000)
    names, numbers = np.full(2000, "a"), np.arange(2000)
    write_parquet(path, Rows(names, numbers, names, rho, np.full(2000, "ok"), numbers, numbers))


WRITERS = {
    "a.safetensors": weights,
    "b.safetensors": state,
    "curve.csv": curve,
    "data.h5": data_file,
    "heatmaps.h5": heatmaps,
    "joined.h5": joined_heatmaps,
    "scores.parquet": scores,
    "scores.csv": lambda path: write_rows(path, ["rho"], NOISE[0]),
    "table.csv": table,
    "summary.json": lambda path: write_json(path, list(NOISE[0, :, 0]) * 9),
    "page.html": page,
    "figure.png": lambda path: save(empty_figure("nothing to draw", ""), [path]),
    "figure.pdf": lambda path: save(empty_figure("nothing to draw", ""), [path]),
    "figure.svg": lambda path: save(empty_figure("nothing to draw", ""), [path]),
    "checkpoint": download,
    "shard.tfrecords": copied,
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_gives_one_line_that_names_the_file(name, tmp_path, script_error):
    path = tmp_path / "results" / name
    path.parent.mkdir()

    def write():
        with full_disk():
            WRITERS[name](path)

    message = script_error(write)
    assert message.startswith("error: ") and message.count("\n") == 1, message
    assert str(tmp_path / "results") in message and path.stem in message
    assert "File too large" in message or "disk or the quota is full" in message
    left = [file.name for file in path.parent.rglob("*") if file.is_file()]
    assert set(left) <= {"header.json", ".checkpoint.partial", ".checkpoint.partial.json"}


@pytest.fixture
def script_error(capsys):
    """What a script prints that ends with an error."""
    from human_alignment.common.cli import run

    def printed(main):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run(main)
        assert ended.value.code == 1
        lines = capsys.readouterr().err.replace("\r", "\n").splitlines()
        # The bar of a download comes before the error.
        return "".join(f"{line}\n" for line in lines if line and "B/s]" not in line)

    return printed
