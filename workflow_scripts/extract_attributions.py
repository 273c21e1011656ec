"""Write saliency and RISE maps of one network for a random sample of the images of a data file.

These explainers cost a full backward pass or thousands of forward passes an image. Maps have the
size of the network's input. A run that was killed continues with the first image that is missing.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import timm
import torch
from human_alignment.common.cli import UserError, progress, run
from human_alignment.common.files import sha256
from human_alignment.common.geometry import GEOMETRIES, canonical
from human_alignment.data.data_file import DataFile
from human_alignment.data.loading import load_batches
from human_alignment.heatmaps.attributions import ATTRIBUTIONS, Masking
from human_alignment.heatmaps.extraction import (
    TARGETS,
    check_labels,
    prediction_columns,
)
from human_alignment.heatmaps.heatmap_file import HeatmapWriter
from human_alignment.networks.weights import load_weights
from human_alignment.networks.zoo import count_parameters, prepare_for_inference


def attribute(model, image: torch.Tensor, label: int, arguments, masking: Masking) -> dict:
    """One image's row of the heatmap file; image (1, 3, h, w)."""
    with torch.no_grad():
        logits = model(image)
    target = logits.argmax(1) if arguments.target == "prediction" else torch.tensor([label])
    target = target.to(logits.device)
    row = prediction_columns(logits, target)
    for name in arguments.explainers:
        row[name] = ATTRIBUTIONS[name](model, image, int(target), masking)[None]
    finite = all(row[name].isfinite().all() for name in arguments.explainers)
    for name in arguments.explainers if not finite else []:
        row[name][:] = torch.nan
    row["nonfinite"] = torch.tensor([not finite])
    return {name: values.cpu().numpy() for name, values in row.items()}


def main(argv: list[str] | None = None) -> None:
    """Parse, draw the sample, attribute image by image."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="data file of a prepare_* script")
    parser.add_argument("--weights", required=True, help="weights file (.safetensors)")
    parser.add_argument("--output", required=True, help="heatmap file to write (.h5)")
    parser.add_argument("--explainers", nargs="+", required=True, choices=list(ATTRIBUTIONS))
    parser.add_argument("--images", type=int, default=100, help="how many; all if there are fewer")
    parser.add_argument("--seed", type=int, default=0, help="of the sample and of RISE's masks")
    parser.add_argument("--masks", type=int, default=4000, help="of RISE, per image")
    parser.add_argument("--geometry", type=canonical, default="crop", choices=GEOMETRIES)
    parser.add_argument("--target", default="label", choices=TARGETS)
    parser.add_argument("--model", help="name to record; default: the weights file's name")
    parser.add_argument("--batch-size", type=int, default=32, help="masked copies a forward pass")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args(argv)
    if arguments.images < 1:
        raise UserError(f"--images {arguments.images}: at least 1 is needed")
    masking = Masking(arguments.masks, batch=arguments.batch_size, seed=arguments.seed)
    torch.set_num_threads(arguments.threads)
    model, spec, _ = load_weights(arguments.weights)
    with DataFile(arguments.data) as data:
        check_labels(data, spec, arguments.target)
        random = np.random.default_rng(arguments.seed)
        count = min(arguments.images, len(data))
        rows = np.sort(random.choice(len(data), count, replace=False))
        header = {
            "model": arguments.model or Path(arguments.weights).stem,
            "parameters": count_parameters(model),
            "weights_digest": sha256(arguments.weights),
            "data_digest": data.digest,
            "geometry": arguments.geometry,
            "target": arguments.target,
            "explainers": arguments.explainers,
            "seed": arguments.seed,
            "masks": arguments.masks,
            "images": len(data),
            "versions": f"torch {torch.__version__}, timm {timm.__version__}",
        }
        writer = HeatmapWriter(arguments.output, header, (0, count), 1)
        model = prepare_for_inference(model).to(arguments.device)
        missing = [start for start, _ in writer.missing()]
        ranges = [(int(rows[i]), int(rows[i]) + 1) for i in missing]
        batches = load_batches(data, spec.transform, arguments.geometry, ranges)
        with progress(None, len(missing), "attributions", "image") as bar:
            for i, (start, stop, image) in zip(missing, batches, strict=True):
                image = image.to(arguments.device, memory_format=torch.channels_last)
                row = attribute(model, image, int(data.labels[start]), arguments, masking)
                row["image_id"] = np.char.encode(data.image_ids, "utf-8")[start:stop]
                row |= {"label": data.labels[start:stop], "row": rows[i : i + 1].astype(np.int32)}
                if row["nonfinite"].any():
                    name = data.image_ids[start]
                    print(f"warning: image {name} has maps that are not finite", file=sys.stderr)
                writer.put(i, row)
                bar.update()
    writer.finish()


if __name__ == "__main__":
    run(main)
