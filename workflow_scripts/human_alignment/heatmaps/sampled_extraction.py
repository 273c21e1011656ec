"""Saliency and RISE maps of a random sample of a data file's images."""

import itertools
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ..common.cli import UserError, progress
from ..data.data_file import DataFile
from ..data.loading import load_batches
from ..networks.records import Network
from ..networks.zoo import prepare_for_inference
from .attributions import ATTRIBUTIONS, Masking
from .extraction import check_labels, check_names, prediction_columns
from .heatmap_file import HeatmapWriter


@dataclass(frozen=True)
class SampledExtraction:
    """Settings of an extraction from a sample of the images.

    explainers: names in ATTRIBUTIONS.  geometry, target: as in `extraction.Extraction`.
    images: size of the sample, all images if there are fewer.  seed: of the sample.
    masking: of RISE.
    """

    explainers: tuple[str, ...]
    masking: Masking
    geometry: str = "crop"
    target: str = "label"
    images: int = 100
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self):
        check_names(self.explainers, ATTRIBUTIONS, self.geometry, self.target)
        if self.images < 1:
            raise UserError(f"images: {self.images} is not positive")

    def sample(self, total: int) -> np.ndarray:
        """Rows of a data file of `total` images, drawn without replacement, sorted."""
        random = np.random.default_rng(self.seed)
        return np.sort(random.choice(total, min(self.images, total), replace=False))


def extract_sampled(
    model: nn.Module,
    network: Network,
    data: DataFile,
    writer: HeatmapWriter,
    settings: SampledExtraction,
) -> list[str]:
    """Write the maps of all sampled images that `writer` does not have yet.

    Returns the ids of the images whose maps are NaN.

    model: as loaded; it is baked and re-parameterised in place first.
    """
    check_labels(data, network, settings.target)
    model = prepare_for_inference(model).to(settings.device)
    rows = settings.sample(len(data))
    chunks = list(writer.missing())
    ranges = [(int(row), int(row) + 1) for chunk in chunks for row in rows[slice(*chunk)]]
    batches = load_batches(data, network.transform, settings.geometry, ranges)
    ids = np.char.encode(data.image_ids, "utf-8")
    nonfinite = []
    with progress(None, len(ranges), "attributions", "image") as bar:
        for first, last in chunks:
            chosen = rows[first:last]
            images = torch.cat([image for *_, image in itertools.islice(batches, last - first)])
            labels = data.labels[chosen]
            columns = _explain(model, images, labels, settings)
            columns |= {"image_id": ids[chosen], "label": labels, "row": chosen.astype(np.int32)}
            nonfinite += [data.image_ids[row] for row in chosen[columns["nonfinite"]]]
            writer.put(first, columns)
            bar.update(last - first)
    return nonfinite


def _explain(
    model: nn.Module, images: Tensor, labels: np.ndarray, settings: SampledExtraction
) -> dict[str, np.ndarray]:
    """Rows of the heatmap file by column; `nonfinite` marks an image without maps.

    images: (n, 3, h, w).  labels: (n,).
    """
    images = images.to(settings.device, memory_format=torch.channels_last).requires_grad_()
    logits = model(images)
    predict = settings.target == "prediction"
    targets = logits.argmax(1) if predict else torch.from_numpy(labels).long().to(logits.device)
    rows = prediction_columns(logits.detach(), targets)
    maps = {
        name: ATTRIBUTIONS[name](model, images, logits, targets, settings.masking)
        for name in settings.explainers
    }
    finite = torch.stack([values.isfinite().all(dim=(1, 2)) for values in maps.values()]).all(dim=0)
    rows |= {name: values.where(finite[:, None, None], torch.nan) for name, values in maps.items()}
    rows["nonfinite"] = ~finite
    return {name: values.cpu().numpy() for name, values in rows.items()}
