"""How tables mark what is measured on few images."""

from .markup import Block
from .table1 import FEW_IMAGES

MARK = "†"


def marked(number: str, images: float) -> str:
    """A number, with a mark if it is from few images."""
    return number + MARK if images < FEW_IMAGES else number


def remarks(blocks: list[Block]) -> list[str]:
    """The remark that explains the mark; none where no cell has it."""
    cells = (cell for block in blocks for row in block.rows for cell in row)
    return (
        [f"{MARK}: from fewer than {FEW_IMAGES} images."] if any(MARK in c for c in cells) else []
    )
