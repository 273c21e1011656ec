"""Readable names of classes."""

IMAGENET_CLASSES = 1000


def class_names(count: int) -> list[str]:
    """Names of `count` classes with their indices. A thousand classes are ImageNet-1k's."""
    if count != IMAGENET_CLASSES:
        return [f"class {index}" for index in range(count)]
    from timm.data import ImageNetInfo  # seconds to import, and only ImageNet's names need it

    info = ImageNetInfo()
    names = (info.index_to_description(index).split(",")[0] for index in range(count))
    return [f"{name} ({index})" for index, name in enumerate(names)]
