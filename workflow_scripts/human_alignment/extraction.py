"""The heatmap engine: every explainer's raw maps for the price of one forward pass."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from .cli import UserError, progress
from .datasets import DataFile
from .explainers import EXPLAINERS, explain
from .features import differentiate_head
from .generic import channels_first
from .heatmaps import HeatmapWriter
from .loading import load_batches
from .zoo import ModelSpec, feature_layer, prepare_for_inference

GEOMETRIES = ("released", "full")
TARGETS = ("label", "prediction")
BATCHES_PER_CHUNK = 16


@dataclass(frozen=True)
class Extraction:
    """How maps are taken.

    explainers: names in EXPLAINERS.  geometry: `released` (the authors' resize and centre crop)
    or `full` (the network sees the whole image).  target: class that is explained, the image's
    `label` or the network's `prediction`.  workers: threads that decode images.
    """

    explainers: tuple[str, ...]
    geometry: str = "released"
    target: str = "label"
    batch_size: int = 32
    workers: int = 1
    device: str = "cpu"

    def __post_init__(self):
        for name in self.explainers:
            if name not in EXPLAINERS:
                raise UserError(f"unknown explainer {name!r}; known are {', '.join(EXPLAINERS)}")
        if self.geometry not in GEOMETRIES:
            raise UserError(f"geometry: {self.geometry!r} is not one of {', '.join(GEOMETRIES)}")
        if self.target not in TARGETS:
            raise UserError(f"target: {self.target!r} is not one of {', '.join(TARGETS)}")
        if self.batch_size < 1 or self.workers < 1:
            raise UserError("batch size and workers must be at least 1")


def _explain_batch(
    model: nn.Module, layer: nn.Module, inputs: torch.Tensor, labels: np.ndarray, how: Extraction
) -> dict[str, np.ndarray]:
    """One batch's rows of the heatmap file, as arrays by dataset name, and which are not finite."""
    inputs = inputs.to(how.device)
    label = torch.from_numpy(labels.astype(np.int64)).to(how.device)
    target = label if how.target == "label" else (lambda logits: logits.argmax(1))
    found = differentiate_head(model, layer, inputs, target, channels_first(model))
    if found.activation.ndim != 4:
        raise UserError(
            f"the last feature map has shape {tuple(found.activation.shape)}, expected (n, c, h, w)"
        )
    maps = explain(list(how.explainers), found.activation, found.gradient)
    chosen = found.logits.gather(1, found.target[:, None])
    finite = found.activation.flatten(1).isfinite().all(1) & found.gradient.flatten(
        1
    ).isfinite().all(1)
    for values in maps.values():
        values[~finite] = torch.nan
    rows = {
        **maps,
        "target": found.target.int(),
        "target_logit": chosen[:, 0],
        "target_rank": (found.logits > chosen).sum(1, dtype=torch.int32),
        "predicted": found.logits.argmax(1).int(),
        "nonfinite": ~finite,
    }
    return {name: values.cpu().numpy() for name, values in rows.items()}


def extract(
    model: nn.Module, spec: ModelSpec, data: DataFile, writer: HeatmapWriter, how: Extraction
) -> list[str]:
    """Write the maps of every image that `writer` still misses; return ids with NaN maps.

    model: as loaded; it is baked and re-parameterised in place first.
    """
    model = prepare_for_inference(model).to(how.device)
    layer = feature_layer(model, spec)
    chunks = list(writer.missing())
    begin = {stop: start for start, stop in chunks}
    size = how.batch_size
    batches = [(a, min(a + size, stop)) for start, stop in chunks for a in range(start, stop, size)]
    rows: list[dict[str, np.ndarray]] = []
    nonfinite: list[str] = []
    images = sum(stop - start for start, stop in chunks)
    with progress(None, images, "heatmaps", "image") as bar:
        for start, stop, inputs in load_batches(
            data, spec.transform, how.geometry, batches, how.workers
        ):
            row = _explain_batch(model, layer, inputs, data.labels[start:stop], how)
            row["image_id"] = np.array(data.image_ids[start:stop])
            row["label"] = data.labels[start:stop]
            nonfinite += [str(name) for name in row["image_id"][row["nonfinite"]]]
            rows.append(row)
            bar.update(stop - start)
            if stop in begin:
                joined = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
                writer.put(begin[stop], joined)
                rows = []
    return nonfinite
