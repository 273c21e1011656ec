"""Top-1 and top-5 accuracy on a data file or an image folder, with timm's metric."""

import sys
from collections.abc import Iterator

import numpy as np
import torch
from timm.utils import AverageMeter, accuracy
from torch import Tensor, nn

from ..common.cli import UserError, progress
from ..data.data_file import DataFile
from ..data.folders import ImageFolder, read_pixels
from ..data.images import network_input
from ..data.input_transform import InputTransform
from ..data.loading import load_batches, work_ahead
from .records import Network
from .zoo import count_parameters, prepare_for_inference


@torch.inference_mode()
def evaluate(
    model: nn.Module,
    spec: Network,
    images: DataFile | ImageFolder,
    batch_size: int = 32,
    workers: int = 1,
    device: str = "cpu",
) -> dict:
    """Accuracies in percent, number of images, and the network's learnt parameters.

    Images that cannot be read are left out, counted and named on stderr.
    Raises UserError when the classes are not as many as the network's, or no image can be read.
    """
    if images.num_classes != spec.num_classes:
        raise UserError(
            f"the images have {images.num_classes} classes, the network {spec.num_classes}; a "
            "folder needs one sub-folder with images for each class"
        )
    parameters = count_parameters(model)
    model = prepare_for_inference(model).to(device)
    top1, top5 = AverageMeter(), AverageMeter()
    unreadable: list[str] = []
    load = _load_folder if isinstance(images, ImageFolder) else _load_file
    with progress(None, len(images), "top-1", "image") as bar:
        for inputs, labels, failed in load(images, spec.transform, batch_size, workers, device):
            unreadable += failed
            if len(labels):
                logits = model(inputs.to(device))
                first, fifth = accuracy(logits, labels.to(device), topk=(1, 5))
                top1.update(first.item(), len(labels))
                top5.update(fifth.item(), len(labels))
            bar.update(len(labels) + len(failed))
    if unreadable:
        listed = ", ".join(unreadable[:10])
        print(f"warning: {len(unreadable)} images cannot be read: {listed}", file=sys.stderr)
    if not top1.count:
        raise UserError("none of the images can be read")
    return {"top1": top1.avg, "top5": top5.avg, "n": top1.count, "parameters": parameters}


# Inputs (n, 3, h, w), their labels (n,), and the paths of images that cannot be read.
Batches = Iterator[tuple[Tensor, Tensor, list[str]]]


def _load_file(
    data: DataFile, transform: InputTransform, size: int, workers: int, device: str
) -> Batches:
    ranges = [(start, min(start + size, len(data))) for start in range(0, len(data), size)]
    for start, stop, inputs in load_batches(data, transform, "crop", ranges, workers, device):
        yield inputs, torch.from_numpy(data.labels[start:stop]).long(), []


def _load_folder(
    folder: ImageFolder, transform: InputTransform, size: int, workers: int, device: str
) -> Batches:
    def one(sample: tuple[str, int]) -> np.ndarray | None:
        pixels = read_pixels(sample[0])
        return None if pixels is None else network_input(pixels, transform, "crop")

    parts = [folder.samples[start : start + size] for start in range(0, len(folder), size)]
    for part, found in zip(parts, work_ahead(one, parts, workers, device), strict=True):
        pairs = list(zip(part, found, strict=True))
        failed = [path for (path, _), pixels in pairs if pixels is None]
        labels = [label for (_, label), pixels in pairs if pixels is not None]
        inputs = [torch.from_numpy(pixels) for pixels in found if pixels is not None]
        yield torch.stack(inputs) if inputs else torch.empty(0), torch.tensor(labels), failed
