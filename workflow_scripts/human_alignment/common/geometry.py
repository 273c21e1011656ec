"""How an image is brought to a network's input size: the two geometries and their names.

`crop` is the network family's own resize and centre crop, as in the authors' code. With `full` the
network sees the whole image. `released` is the old word for `crop`; configs and files may hold it.
"""

GEOMETRIES = ("crop", "full")


def canonical(name: str) -> str:
    """The geometry's name today: `crop` for the old word `released`, any other name unchanged."""
    return "crop" if name == "released" else name
