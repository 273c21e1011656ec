"""Write saliency and RISE maps of one network for a random sample of the images of a data file.

These explainers cost a full backward pass or thousands of forward passes an image. Maps have the
size of the network's input. A run that was killed continues with the first image that is missing;
of small images and without RISE, with the first of ten images.
"""

import sys

import human_alignment.networks.startup  # noqa: F401 (before torch)
import torch
from human_alignment.common.cli import run
from human_alignment.common.layers import LAYERS
from human_alignment.data.data_file import DataFile
from human_alignment.heatmaps.arguments import add_explainers, extraction_parser, sorted_once
from human_alignment.heatmaps.attributions import ATTRIBUTIONS, Masking
from human_alignment.heatmaps.extraction import file_header
from human_alignment.heatmaps.heatmap_file import HeatmapWriter
from human_alignment.heatmaps.sampled_extraction import SampledExtraction, extract_sampled
from human_alignment.networks.devices import own_card
from human_alignment.networks.weights import load_weights

# Of small images, whose maps take less time than a pass and a file for each would; of large ones
# there is one a chunk, and memory does not grow.
PIXELS_A_CHUNK = 10 * 64 * 64


def main(argv: list[str] | None = None) -> None:
    """Parse, extract, report."""
    parser = extraction_parser(__doc__.split("\n")[0])
    add_explainers(parser, ATTRIBUTIONS)
    parser.add_argument("--images", type=int, default=100, help="how many; all if there are fewer")
    parser.add_argument("--seed", type=int, default=0, help="of the sample and of RISE's masks")
    parser.add_argument("--masks", type=int, default=4000, help="of RISE, per image")
    parser.add_argument("--batch-size", type=int, default=32, help="masked copies a forward pass")
    arguments = parser.parse_args(argv)
    settings = SampledExtraction(
        explainers=sorted_once(arguments.explainers),
        masking=Masking(arguments.masks, batch=arguments.batch_size, seed=arguments.seed),
        geometry=arguments.geometry,
        target=arguments.target,
        images=arguments.images,
        seed=arguments.seed,
        device=own_card(arguments.device),
    )
    torch.set_num_threads(arguments.threads)
    model, network, _ = load_weights(arguments.weights)
    with DataFile(arguments.data) as data:
        header = file_header(arguments.model, model, network, arguments.weights, data, settings)
        header |= {"seed": settings.seed}
        header |= {"masks": settings.masking.masks} if "rise" in settings.explainers else {}
        header |= {"layers": list(LAYERS), "norm": False}  # they look at the input: no layer
        quick = "rise" not in settings.explainers
        chunk = max(1, PIXELS_A_CHUNK // network.transform.crop**2) if quick else 1
        rows = 0, len(settings.sample(len(data)))
        writer = HeatmapWriter(arguments.output, header, rows, chunk)
        nonfinite = extract_sampled(model, network, data, writer, settings)
    writer.finish()
    for name in nonfinite:
        print(f"warning: image {name} has maps that are not finite", file=sys.stderr)


if __name__ == "__main__":
    run(main)
