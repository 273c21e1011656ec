"""Labels and class names that users bring."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..common.cli import UserError
from ..common.records import close_name
from .classes import IMAGENET_CLASSES, imagenet_synsets
from .csv_columns import read_columns, without_ending
from .data_file import check_class_names

FOLDERS = "folders"  # in place of a CSV file: the sub-folder of a picture is its label


def read_class_names(path: Path | str) -> list[str]:
    """Names of classes 0, 1, ...: the lines of a text file (UTF-8).

    Raises UserError that names the file when it cannot be read, and for a name that is empty or
    stands twice.
    """
    try:
        names = [line.strip() for line in Path(path).read_text("utf-8-sig").splitlines()]
        if not names:
            raise UserError("it is empty")
        check_class_names(names, len(names))
    except (OSError, UnicodeDecodeError, UserError) as error:
        raise UserError(
            f"the class names {path} cannot be used ({error}); allowed: text in UTF-8, a class a "
            "line, in the order of the networks' classes"
        ) from error
    return names


class Classes:
    """The classes that labels name.

    count: how many.  names: of them, or None; a thousand without names are ImageNet's, whose names
    are then those of WordNet, such as n01440764.
    """

    def __init__(self, count: int, names: Sequence[str] | None):
        self.count = count
        known = names or (imagenet_synsets() if count == IMAGENET_CLASSES else [])
        self._numbers = {name: number for number, name in enumerate(known)}

    def number(self, label: str, where: str) -> int:
        """The class that a label says: by its name, or else by its number from 0 on.

        where: begins the message of the UserError about a label that is neither.
        """
        if label in self._numbers:
            return self._numbers[label]
        if label.isascii() and label.isdigit() and int(label) < self.count:
            return int(label)
        named = "a class name, or " if self._numbers else ""
        hint = "" if self._numbers else "; for names give the class names"
        close = "" if label.isdigit() else close_name(label, self._numbers)
        raise UserError(
            f"{where} the label {label!r} is no class{close}; allowed: {named}a whole number from "
            f"0 to {self.count - 1}{hint}"
        )


def read_labels(
    source: str | None, pictures: Mapping[str, Path], classes: Classes
) -> dict[str, int] | None:
    """The class of each picture that has a label, by the picture's id; None without a source.

    source: a CSV file with the columns `file,label`, or `folders`: a picture's label then is the
    name of the folder that holds it.  pictures: files by id.

    Raises UserError that names the file and the line, or the picture, whose label is no class, and
    a picture with two labels.
    """
    if source is None:
        return None
    if source == FOLDERS:
        return {
            image_id: classes.number(image_id.split("/")[-2], f"{path}:")
            for image_id, path in pictures.items()
            if "/" in image_id
        }
    columns, found = read_columns(source, ("file", "label")), {}
    for row, (file, label) in enumerate(zip(columns["file"], columns["label"], strict=True)):
        where, image_id = f"{source}, line {row + 2}:", without_ending(file)
        number = classes.number(label.strip(), where)
        if found.setdefault(image_id, number) != number:
            raise UserError(f"{where} {file!r} has another label above; keep one of them")
    return {image_id: found[image_id] for image_id in pictures if image_id in found}
