"""Saliency and RISE maps of a random sample of a data file's images, one image after the other."""

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
    places = [place for chunk in chunks for place in range(*chunk)]
    ranges = [(int(rows[place]), int(rows[place]) + 1) for place in places]
    batches = load_batches(data, network.transform, settings.geometry, ranges)
    ids = np.char.encode(data.image_ids, "utf-8")
    nonfinite = []
    with progress(None, len(places), "attributions", "image") as bar:
        for first, last in chunks:
            images = []
            for place, (start, stop, image) in zip(range(first, last), batches, strict=False):
                image = image.to(settings.device, memory_format=torch.channels_last)
                columns = _explain_image(model, image, int(data.labels[start]), settings)
                columns |= {"image_id": ids[start:stop], "label": data.labels[start:stop]}
                columns["row"] = rows[place : place + 1].astype(np.int32)
                nonfinite += [data.image_ids[start]] if columns["nonfinite"].any() else []
                images.append(columns)
                bar.update()
            joined = {name: np.concatenate([one[name] for one in images]) for name in images[0]}
            writer.put(first, joined)
    return nonfinite


def _explain_image(
    model: nn.Module, image: Tensor, label: int, settings: SampledExtraction
) -> dict[str, np.ndarray]:
    """One image's row of the heatmap file by column; `nonfinite` marks an image without maps.

    image: (1, 3, h, w).
    """
    with torch.no_grad():
        logits = model(image)
    target = logits.argmax(1) if settings.target == "prediction" else torch.tensor([label])
    target = target.to(logits.device)
    row = prediction_columns(logits, target)
    for name in settings.explainers:
        row[name] = ATTRIBUTIONS[name](model, image, int(target), settings.masking)[None]
    finite = all(row[name].isfinite().all() for name in settings.explainers)
    for name in settings.explainers if not finite else ():
        row[name][:] = torch.nan
    row["nonfinite"] = torch.tensor([not finite])
    return {name: values.cpu().numpy() for name, values in row.items()}
