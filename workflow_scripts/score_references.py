"""Score maps that no network made, against the human maps of a data file.

A centred Gaussian, the mean human map of other images, edges and contrast of the image, and maps of
other people's models say what a network's score is worth. Writes every record's rho with --rho,
and with --output and --summary what summarise_references.py makes of it.
"""

import argparse
import sys
from contextlib import ExitStack

from human_alignment.common.cli import UserError, run
from human_alignment.common.files import write_json
from human_alignment.data.data_file import DataFile
from human_alignment.data.outside_maps import OutsideMaps, maps_argument
from human_alignment.heatmaps.heatmap_file import HeatmapFile
from human_alignment.scores.bootstrap import STATISTICS_FLAG
from human_alignment.scores.protocol import PROTOCOL_HELP, protocol_argument
from human_alignment.scores.reference_file import References, ReferenceSource, write_references
from human_alignment.scores.reference_scoring import (
    NAMES,
    OTHER_IMAGE,
    score_other_image,
    score_references,
)
from human_alignment.scores.reference_summary import COLUMNS, reference_rows, summarise_references
from human_alignment.scores.score_rows import write_rows
from human_alignment.scores.scoring import EXPLAINERS_FLAG


def main(argv: list[str] | None = None) -> None:
    """Parse, score, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="data file with human maps")
    parser.add_argument("--heatmaps", help="of one network, scored on other images too (.h5)")
    parser.add_argument("--explainers", **EXPLAINERS_FLAG)
    parser.add_argument(
        "--maps",
        nargs="+",
        type=maps_argument,
        default=[],
        metavar="NAME=PATH",
        help="maps of other models: a folder of <image_id>.png, .tif, .npy, .npz, or an HDF5 file",
    )
    parser.add_argument(
        "--protocol", type=protocol_argument, default="released", help=PROTOCOL_HELP
    )
    parser.add_argument("--folds", type=int, default=5, help="of the choice of the centre's shape")
    parser.add_argument("--seed", type=int, default=0, help="of folds and of pairs of images")
    parser.add_argument("--statistics", **STATISTICS_FLAG)
    parser.add_argument("--rho", help="rho of every record to write (.h5)")
    parser.add_argument("--output", help="table to write (.csv)")
    parser.add_argument("--summary", help="summary to write (.json)")
    arguments = parser.parse_args(argv)
    _check(arguments)
    protocol, seed = arguments.protocol, arguments.seed
    with DataFile(arguments.data) as data, ExitStack() as stack:
        outside = [
            stack.enter_context(OutsideMaps(name, path, data.image_ids))
            for name, path in arguments.maps
        ]
        for one in outside:
            if one.unmatched:
                print(
                    f"{one.unmatched} maps in {one.path} are of no image of {data.path}",
                    file=sys.stderr,
                )
        of_networks = {}
        if arguments.heatmaps:
            heatmaps = stack.enter_context(HeatmapFile(arguments.heatmaps))
            of_networks = score_other_image(
                data, heatmaps, heatmaps.chosen(arguments.explainers), protocol, seed
            )
        found = score_references(data, protocol, outside, arguments.folds, seed)
        scores = found.scores | {f"{OTHER_IMAGE}:{key}": one for key, one in of_networks.items()}
        source = ReferenceSource(
            data_digest=data.digest,
            image_size=data.image_size,
            human_ceiling=data.human_ceiling,
            references=list(scores),
            protocol=protocol,
            ratios=found.chosen,
        )
    references = References(source, scores, found.ratio, found.groups, found.agreement)
    if arguments.rho:
        write_references(arguments.rho, references)
    summary = summarise_references(references, **arguments.statistics)
    if arguments.output:
        write_rows(arguments.output, COLUMNS, reference_rows(summary))
    if arguments.summary:
        write_json(arguments.summary, summary)


def _check(arguments: argparse.Namespace) -> None:
    """Raise UserError on numbers out of range, on names that cannot stand in the table, and where
    nothing is to be written.
    """
    if not (arguments.rho or arguments.output or arguments.summary):
        raise UserError("nothing is to be written; give --rho, --output or --summary")
    if arguments.folds < 2 or arguments.seed < 0:
        raise UserError(
            f"--folds is {arguments.folds} and --seed {arguments.seed}; allowed: 2 or more folds, "
            "a seed of 0 or more"
        )
    names = [name for name, _ in arguments.maps]
    if taken := [name for name in names if name in NAMES or names.count(name) > 1]:
        raise UserError(
            f"--maps: the name {taken[0]!r} is given twice, or is that of a reference that is "
            f"always there ({', '.join(NAMES)}); choose another"
        )


if __name__ == "__main__":
    run(main)
