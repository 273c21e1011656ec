"""What the classes of a network are called."""

from timm.data import ImageNetInfo

IMAGENET_CLASSES = 1000


def class_names(count: int) -> list[str]:
    """Names of a network's classes with their indices: ImageNet-1k's if it has as many."""
    if count != IMAGENET_CLASSES:
        return [f"class {index}" for index in range(count)]
    info = ImageNetInfo()
    return [f"{info.index_to_description(index)} ({index})" for index in range(count)]
