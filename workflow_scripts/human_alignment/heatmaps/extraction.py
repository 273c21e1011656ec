"""The heatmap engine: every explainer's raw maps for the price of one forward pass."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import timm
import torch
from torch import nn

from ..common.cli import UserError, progress
from ..common.files import sha256
from ..common.geometry import GEOMETRIES
from ..common.layers import BEFORE_NORM, LAYERS
from ..data.data_file import UNKNOWN, DataFile
from ..data.loading import load_batches
from ..networks.generic import channels_first
from ..networks.records import Network
from ..networks.zoo import count_parameters, feature_layer, prepare_for_inference
from .explainers import EXPLAINERS, explain
from .features import differentiate_head
from .heatmap_file import HeatmapWriter, dataset

TARGETS = ("label", "prediction")
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
BATCHES_PER_CHUNK = 16


@dataclass(frozen=True)
class Extraction:
    """Settings of an extraction.

    explainers: names in EXPLAINERS.  geometry: see common/geometry.py.
    target: which class is explained, the image's `label` or the network's `prediction`.
    layers: whose maps are wanted (common/layers.py); both come from the same forward pass.
    precision: of the body; the head is always float32.
    compiled: the body goes through torch.compile, which needs a C++ compiler on the machine.
    workers: threads that decode images.
    """

    explainers: tuple[str, ...]
    geometry: str = "crop"
    target: str = "label"
    layers: tuple[str, ...] = (BEFORE_NORM,)
    precision: str = "float32"
    compiled: bool = False
    batch_size: int = 32
    workers: int = 1
    device: str = "cpu"

    def __post_init__(self):
        check_names(self.explainers, EXPLAINERS, self.geometry, self.target)
        for layer in self.layers:
            check_word("layer", layer, LAYERS)
        check_word("precision", self.precision, PRECISIONS)
        if self.batch_size < 1 or self.workers < 1:
            raise UserError("batch size and workers must be at least 1")


def check_word(what: str, word: str, known: Iterable[str]) -> None:
    """Raise UserError, which names the known words, when `word` is none of them."""
    if word not in known:
        raise UserError(f"{what} {word!r} is not known; allowed: {', '.join(known)}")


def check_names(
    explainers: Iterable[str], known: Iterable[str], geometry: str, target: str
) -> None:
    """Raise UserError at the first unknown word; the message names the known ones."""
    for name in explainers:
        check_word("explainer", name, known)
    check_word("geometry", geometry, GEOMETRIES)
    check_word("target", target, TARGETS)


def file_header(
    name: str | None,
    model: nn.Module,
    network: Network,
    weights: Path | str,
    data: DataFile,
    settings,
) -> dict:
    """Attributes that all heatmap files have.

    name: of the model; None takes the weights file's.  model: as loaded, not yet baked.
    network: its record in the weights.  settings: an `Extraction` or a `SampledExtraction`.
    """
    return {
        "model": name or Path(weights).stem,
        "dcls": network.dcls is not None,
        "parameters": count_parameters(model),
        "weights_digest": sha256(weights),
        "data_digest": data.digest,
        "geometry": settings.geometry,
        "crops": network.transform.crops,
        "target": settings.target,
        "explainers": list(settings.explainers),
        "images": len(data),
        "versions": f"torch {torch.__version__}, timm {timm.__version__}",
    }


def shard_rows(images: int, batch_size: int, shard: int, shards: int) -> tuple[int, int]:
    """First and last row (exclusive) of the data file that shard `shard` of `shards` covers.

    Shards consist of whole batches, so that every image is in the same batch, with the same
    arithmetic, as in one job. Raises UserError unless 0 <= shard < shards, and when there
    are more shards than batches.
    """
    batches = -(-images // batch_size)
    if not 0 <= shard < shards:
        raise UserError(f"shard {shard} of {shards}: shards count from 0 to {shards - 1}")
    if shards > batches:
        raise UserError(
            f"{images} images are {batches} batches of {batch_size}, too few for {shards} shards; "
            "lower extract.shards or extract.batch_size"
        )
    first, stop = (part * batches // shards * batch_size for part in (shard, shard + 1))
    return first, min(stop, images)


def compile_body(model: nn.Module, layer: nn.Module) -> None:
    """Compile, in place, the modules that run before the end of `layer`, with frozen weights.

    The head stays as it is: autograd goes through it.
    """
    torch._dynamo.config.recompile_limit = 256  # blocks of one class count as one; 8 is too few
    for child in layer.children() if model is layer else model.children():
        if model is not layer and any(module is layer for module in child.modules()):
            compile_body(child, layer)
            return
        child.compile(options={"freezing": True})


def _explain_batch(
    model: nn.Module,
    layer: nn.Module,
    inputs: torch.Tensor,
    labels: np.ndarray,
    settings: Extraction,
    norm: nn.Module | None,
) -> dict[str, np.ndarray]:
    """One batch's columns of the heatmap file by name; `nonfinite` marks images without maps."""
    label = torch.from_numpy(labels.astype(np.int64)).to(settings.device)
    found = differentiate_head(
        model,
        layer,
        inputs.to(settings.device, memory_format=torch.channels_last),
        label if settings.target == "label" else (lambda logits: logits.argmax(1)),
        channels_first(model),
        PRECISIONS[settings.precision],
        norm,
    )
    if found.activation.ndim != 4:
        raise UserError(
            f"the last feature map has shape {tuple(found.activation.shape)}, expected (n, c, h, w)"
        )
    maps = {}
    finite = torch.ones(len(inputs), dtype=torch.bool, device=found.activation.device)
    for layer_name in settings.layers if norm is not None else (BEFORE_NORM,):
        pair = found.at(layer_name)
        for name, values in explain(list(settings.explainers), *pair).items():
            maps[dataset(name, layer_name)] = values
        for values in pair:
            finite &= values.flatten(1).isfinite().all(1)
    for values in maps.values():
        values[~finite] = torch.nan
    rows = {**maps, **prediction_columns(found.logits, found.target), "nonfinite": ~finite}
    return {name: values.cpu().numpy() for name, values in rows.items()}


def prediction_columns(logits: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
    """Columns of the heatmap file beside the maps. logits: (n, classes).  target: (n,)."""
    chosen = logits.gather(1, target[:, None])
    return {
        "target": target.int(),
        "target_logit": chosen[:, 0],
        "target_rank": (logits > chosen).sum(1, dtype=torch.int32),
        "predicted": logits.argmax(1).int(),
    }


def check_labels(data: DataFile, network: Network, target: str) -> None:
    """Raise UserError when the labels are to be explained and there are none, or the data file has
    images of classes that the network does not know.
    """
    if target == "label" and (data.labels == UNKNOWN).any():
        raise UserError(
            f"the images of {data.path} have no labels; explain what networks predict: "
            "--target prediction, in a config `protocol: {target: prediction}`"
        )
    if target == "label" and int(data.labels.max(initial=0)) >= network.num_classes:
        raise UserError(
            f"{data.path} has images of class {int(data.labels.max())}, the network knows "
            f"{network.num_classes} classes (0 to {network.num_classes - 1}); take a network of "
            "that data, or --target prediction"
        )


def extract(
    model: nn.Module,
    network: Network,
    data: DataFile,
    writer: HeatmapWriter,
    settings: Extraction,
    norm: nn.Module | None = None,
) -> list[str]:
    """Write the maps of all images that `writer` does not have yet.

    Returns the ids of the images whose maps are NaN.

    model: as loaded; it is baked and re-parameterised in place first.
    norm: the model's `zoo.pooled_norm`; without it the two layers are one, and are stored once.
    """
    check_labels(data, network, settings.target)
    model = prepare_for_inference(model).to(settings.device)
    layer = feature_layer(model, network)
    if settings.compiled:
        compile_body(model, layer)
    ids = np.char.encode(data.image_ids, "utf-8")  # of one length, whichever rows a shard has
    chunks = list(writer.missing())
    begin = {stop: start for start, stop in chunks}
    size = settings.batch_size
    batches = [(a, min(a + size, stop)) for start, stop in chunks for a in range(start, stop, size)]
    rows: list[dict[str, np.ndarray]] = []
    nonfinite: list[str] = []
    with progress(None, sum(b - a for a, b in chunks), "heatmaps", "image") as bar:
        for start, stop, inputs in load_batches(
            data, network.transform, settings.geometry, batches, settings.workers, settings.device
        ):
            labels = data.labels[start:stop]
            row = _explain_batch(model, layer, inputs, labels, settings, norm)
            row |= {"image_id": ids[start:stop], "label": labels}
            nonfinite += [name.decode() for name in row["image_id"][row["nonfinite"]]]
            rows.append(row)
            bar.update(stop - start)
            if stop in begin:
                joined = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
                writer.put(begin[stop], joined)
                rows = []
    return nonfinite
