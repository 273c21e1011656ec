"""Turn a folder of pictures and human maps of one's own into a data file.

A picture's id is its path in the folder without the ending. Maps are files of the same names, an
HDF5 file, or are made of fixations. A picture with maps of several observers, named
<id>__<observer>, gives one record for each of them, or with --average one record of their mean.

Networks are shown a square: the whole picture squeezed, or with --crop its centre; the map is laid
on the same square. docs/data.md has a picture of both. What is left out, and how many maps are
zero everywhere, is said at the end.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from human_alignment.common.arguments import positive
from human_alignment.common.cli import UserError, progress, run
from human_alignment.data.classes import IMAGENET_CLASSES
from human_alignment.data.data_file import LARGEST, DataWriter, images_line
from human_alignment.data.fixations import Fixations
from human_alignment.data.outside_maps import Maps
from human_alignment.data.own_labels import Classes, read_class_names, read_labels
from human_alignment.data.own_maps import (
    FixationsOnPictures,
    Layout,
    MapsOnPictures,
    maps_by_picture,
    pictures_by_id,
)
from human_alignment.data.pictures import central_square, read_picture, squeezed_png

DESCRIPTION = "Pictures and human maps of one's own."
_NAMED = 5  # of what is missing


def parsed(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", required=True, type=Path, help="folder of pictures, any depth")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--maps",
        type=Path,
        help="human maps, any size, larger is more: a folder of <id>.png, .tif, .npy or .npz, or "
        "an HDF5 file with image_id and map",
    )
    source.add_argument(
        "--fixations",
        type=Path,
        help="instead of maps: a CSV file `file,x,y[,weight][,observer]`, or a folder of <id>.csv "
        "with `x,y[,weight]`; x and y in pixels of the picture, from its upper left corner",
    )
    parser.add_argument(
        "--sigma",
        type=float,
        default=0,
        help="standard deviation of a Gaussian blur: of fixations in pixels of the picture (it "
        "must be given), of maps in pixels of the map (default: none)",
    )
    parser.add_argument(
        "--labels",
        help="a CSV file `file,label` with names or numbers of classes, or `folders`: the folder "
        "of a picture is its label; without it only --target prediction can be explained",
    )
    parser.add_argument(
        "--class-names", type=Path, help="text file, a class a line, in the networks' order"
    )
    parser.add_argument(
        "--num-classes",
        type=positive,
        help="of the networks; default: as many as there are class names, or ImageNet's 1000",
    )
    parser.add_argument("--image-size", type=positive, default=224, help="default: %(default)s")
    parser.add_argument("--map-size", type=positive, default=64, help="default: %(default)s")
    parser.add_argument("--crop", action="store_true", help="show the centre, do not squeeze")
    parser.add_argument("--average", action="store_true", help="one mean map a picture")
    parser.add_argument(
        "--missing",
        choices=["stop", "skip"],
        default="stop",
        help="what to do about pictures without map or label and maps without picture; default: "
        "%(default)s",
    )
    parser.add_argument("--human-ceiling", type=float, help="above 0, at most 1; default: none")
    parser.add_argument("--output", required=True, type=Path, help="data file to write (.h5)")
    arguments = parser.parse_args(argv)
    check(arguments)
    return arguments


def check(arguments: argparse.Namespace) -> None:
    """Raise UserError for values that cannot go together or are out of range."""
    if not 0 <= arguments.sigma <= LARGEST:
        raise UserError(f"--sigma: {arguments.sigma:g}; allowed: a number from 0 to {LARGEST}")
    if arguments.fixations and arguments.sigma == 0:
        raise UserError(
            "--sigma is missing: each fixation becomes a Gaussian of this standard deviation in "
            "pixels of the picture; one degree of the visual field is usual"
        )
    if arguments.map_size > LARGEST:
        raise UserError(f"--map-size: {arguments.map_size}; allowed: {LARGEST} pixels at most")
    source = (arguments.maps or arguments.fixations).resolve()
    images = arguments.images.resolve()
    if source.is_dir() and (source.is_relative_to(images) or images.is_relative_to(source)):
        raise UserError(
            f"the pictures {arguments.images} and {arguments.maps or arguments.fixations} lie in "
            "each other, so that maps would be taken for pictures; move them apart"
        )


def listed(what: str, names: list[str]) -> str:
    """One line: what they lack, how many they are, and the first of them."""
    more = ", ..." if len(names) > _NAMED else ""
    return f"{what}: {len(names)}, {', '.join(names[:_NAMED])}{more}"


def faults(
    pictures: dict[str, Path], found: dict, strays: list[str], labels: dict[str, int] | None
) -> dict[str, list[str]]:
    """Names of what lacks its counterpart, by what they lack; labels None: pictures need none."""
    unlabelled = [one for one in found if labels is not None and one not in labels]
    every = {
        "without a map": [one for one in pictures if one not in found],
        "map without a picture": strays,
        "without a label": unlabelled,
    }
    return {what: names for what, names in every.items() if names}


def records(
    pictures: dict[str, Path],
    found: dict[str, list[str]],
    maps: MapsOnPictures | FixationsOnPictures,
    arguments: argparse.Namespace,
) -> Iterator[tuple[str, str, bytes, np.ndarray]]:
    """Id of the record, id of its picture, the square as PNG, and the map (size, size)."""
    for image_id, names in progress(found.items(), len(found), "pictures", "picture"):
        picture = read_picture(pictures[image_id])
        shape = picture.shape[:2]
        square = central_square(picture) if arguments.crop else picture
        image = squeezed_png(square, arguments.image_size)
        laid = {name: maps.laid(name, shape) for name in names}
        if arguments.average:
            laid = {image_id: np.mean([*laid.values()], axis=0, dtype=np.float64)}
        for name, one in laid.items():
            yield name, image_id, image, one


def main(argv: list[str] | None = None) -> None:
    """Parse, match pictures, maps and labels, write."""
    arguments = parsed(argv)
    names = read_class_names(arguments.class_names) if arguments.class_names else None
    count = arguments.num_classes or (len(names) if names else IMAGENET_CLASSES)
    pictures = pictures_by_id(arguments.images)
    labels = read_labels(arguments.labels, pictures, Classes(count, names))
    with ExitStack() as stack:
        layout, fixations = Layout(arguments.map_size, arguments.crop), None
        if arguments.fixations:
            fixations = Fixations(arguments.fixations)
            maps = FixationsOnPictures(fixations, layout, arguments.sigma)
        else:
            own = stack.enter_context(Maps(arguments.maps))
            maps = MapsOnPictures(own, layout, arguments.sigma)
        found, strays = maps_by_picture(pictures, maps.names)
        missing = faults(pictures, found, strays, labels)
        lines = [listed(what, those) for what, those in missing.items()]
        if not found or (missing and arguments.missing == "stop"):
            raise UserError(
                "pictures, maps and labels do not fit together:\n  "
                + "\n  ".join(lines)
                + "\n  A map has the name of its picture, <id> or <id>__<observer>"
                + ("; --missing skip leaves these out." if found else ".")
            )
        writer = stack.enter_context(
            DataWriter(
                arguments.output,
                dataset="folder",
                description=DESCRIPTION,
                num_classes=count,
                image_size=arguments.image_size,
                human_ceiling=arguments.human_ceiling,
                class_names=names,
            )
        )
        for what, those in missing.items():
            for name in those:
                writer.skip(name, what)
        kept = {one: own for one, own in found.items() if labels is None or one in labels}
        zeros = 0
        for name, image_id, image, human_map in records(pictures, kept, maps, arguments):
            label = None if labels is None else labels[image_id]
            writer.append(image, label, name, human_map)
            zeros += not human_map.any()
    print(images_line(arguments.output), file=sys.stderr)
    lines += [f"{zeros} maps are zero everywhere; they have no score"] if zeros else []
    if fixations and fixations.outside:
        lines.append(f"{fixations.outside} fixations lay outside of their pictures")
    for line in lines:
        print(f"warning: {line}", file=sys.stderr)


if __name__ == "__main__":
    run(main)
