"""Draw where DCLS kernels have learned to put their elements, per network and stage."""

import argparse
from pathlib import Path

import human_alignment.networks.startup  # noqa: F401 (before torch)
from human_alignment.common.cli import run
from human_alignment.common.paths import Run
from human_alignment.networks.positions import map_sizes, read_positions
from human_alignment.networks.weights import read_spec
from human_alignment.outcome.preference import Preference, add_label_flag
from human_alignment.outcome.style import save
from human_alignment.outcome.training_figures import learned_positions
from human_alignment.scores.pairs import Pair, place


def main(argv: list[str] | None = None) -> None:
    """Parse, read, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", nargs="*", type=Path, help="<network>/<run>.safetensors")
    add_label_flag(parser)
    parser.add_argument("--note", default="", help="a sentence to put small below the figure")
    parser.add_argument("--output", nargs="+", type=Path, required=True, help="figure: .png .pdf")
    arguments = parser.parse_args(argv)
    files = {}
    for path in sorted(arguments.weights, key=lambda path: place(Run.of(path).model)):
        spec, _ = read_spec(path)
        if spec.dcls:
            files[Pair(None, Run.of(path).model)] = spec.dcls.kernel_size, path
    shown, others = Preference(arguments.label).rows(list(files), "the files of their weights")
    networks = {pair.dcls: (files[pair][0], read_positions(files[pair][1])) for pair in shown}
    maps = {pair.dcls: map_sizes(files[pair][1]) for pair in shown}
    save(learned_positions(networks, arguments.note, others, maps), arguments.output)


if __name__ == "__main__":
    run(main)
