"""Readable names of classes, and the groups that ImageNet's fall into."""

IMAGENET_CLASSES = 1000
DOGS, ANIMALS = range(151, 269), range(398)
SUPERCLASSES = ("dogs", "other animals", "everything else")


def class_names(count: int) -> list[str]:
    """Names of `count` classes with their indices. A thousand classes are ImageNet-1k's."""
    if count != IMAGENET_CLASSES:
        return [f"class {index}" for index in range(count)]
    from timm.data import ImageNetInfo  # seconds to import, and only ImageNet's names need it

    info = ImageNetInfo()
    names = (info.index_to_description(index).split(",")[0] for index in range(count))
    return [f"{name} ({index})" for index, name in enumerate(names)]


def superclasses(count: int) -> list[int] | None:
    """The place in SUPERCLASSES of each of `count` classes; None if they are not ImageNet's.

    ImageNet's are in the order of ILSVRC2012: animals come first, from tench (0) to puffer (397),
    and among them the breeds of the domestic dog, from Chihuahua (151) to Mexican hairless (268).
    Wolves, wild dogs and foxes, which follow, are other animals.
    """
    if count != IMAGENET_CLASSES:
        return None
    return [0 if index in DOGS else 1 if index in ANIMALS else 2 for index in range(count)]
