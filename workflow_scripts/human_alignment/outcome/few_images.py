"""How tables mark what is measured on few images."""

from .markup import Block

FEW_IMAGES = 100  # a number from fewer is marked
MARK = "†"
REMARK = f"{MARK}: from fewer than {FEW_IMAGES} images."


def marked(number: str, images: float) -> str:
    """A number, with a mark if it is from few images."""
    return number + MARK if images < FEW_IMAGES else number


def remarks(blocks: list[Block]) -> list[str]:
    """The remark that explains the mark; none where no cell has it."""
    return [REMARK] if any(MARK in str(block.rows) for block in blocks) else []
