"""A limit on the size of files: writing beyond it fails as on a full disk, with an OSError."""

import contextlib
import resource
from collections.abc import Iterator


@contextlib.contextmanager
def full_disk(space: int = 1000) -> Iterator[None]:
    """Let no file of this process grow beyond `space` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (space, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
