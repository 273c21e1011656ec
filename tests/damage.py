"""Damage to files at random; a reader may tell it, or read what was written."""

import contextlib
import json
import resource
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
from human_alignment.common.cli import UserError
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

GIGABYTE = 1 << 30
COUNTS: Counter = Counter()  # outcomes by kind of damage, for whoever wants to print them

# Without a seed of its own, every run tries the same examples.
repeatable = settings(
    derandomize=True,
    deadline=10_000,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

# Values that no field of these files may have, or only few.
JUNK = [None, True, -1, 0, 3, 10**9, 10**30, 0.5, -2.5, float("inf"), float("nan"), "", "junk",
        "\0", "x" * 5000, [], [1], ["a"], [[]], {}, {"a": 1}]  # fmt: skip


@contextlib.contextmanager
def one_gigabyte() -> Iterator[None]:
    """At most a gigabyte more of address space than before; what asks for more gets an error."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    limit = pages * resource.getpagesize() + GIGABYTE
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


ANY = object()  # as expected result: any, as of a file that somebody changed and sealed again


def told_or_same(kind: str, read: Callable[[], object], expected: object) -> None:
    """Read a damaged file. Only a short UserError or what the sound file gave may come out.

    kind: of damage, for COUNTS. Any other exception goes through and fails the test.
    """
    with one_gigabyte():
        try:
            found = read()
        except UserError as error:
            text = str(error)
            assert len(text) < 3000 and text.count("\n") < 15, "no message of one screen"
            assert "allocate" not in text, "the damage was noticed by the lack of memory"
            COUNTS[kind, "clear error"] += 1
            return
    if expected is ANY:
        COUNTS[kind, "read"] += 1
        return
    assert same(found, expected), f"another result: {found} instead of {expected}"
    COUNTS[kind, "same result"] += 1


def same(one: object, two: object) -> bool:
    """Equality of nested containers and arrays, of their types too; NaN equals itself."""
    if type(one) is not type(two):
        return False
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same(one[key], two[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, np.ndarray):
        return one.dtype == two.dtype and one.tobytes() == two.tobytes()
    return one == two or (one != one and two != two)


@st.composite
def bytes_damaged(draw, content: bytes) -> bytes:
    """A file with bytes changed, cut off, put in or taken out."""
    how = draw(st.sampled_from(["change", "cut", "insert", "remove", "zero"]))
    place = draw(st.integers(0, len(content) - 1))
    if how == "cut":
        return content[:place]
    if how == "insert":
        return content[:place] + draw(st.binary(min_size=1, max_size=64)) + content[place:]
    length = draw(st.integers(1, 64 if how == "change" else 4096))
    if how == "remove":
        return content[:place] + content[place + length :]
    found = bytearray(content)
    places = [place, *draw(st.lists(st.integers(0, len(content) - 1), max_size=3))]
    for one in places if how == "change" else []:
        found[one] ^= draw(st.integers(1, 255))
    if how == "zero":
        found[place : place + length] = bytes(len(found[place : place + length]))
    return bytes(found)


DTYPES = ["u1", "i1", "i2", "i4", "i8", "u8", "f2", "f4", "f8", ">i4", "S3", "c8", "bool"]


def _retyped(draw, values: np.ndarray) -> np.ndarray:
    kind = draw(st.sampled_from(DTYPES))
    try:
        with np.errstate(all="ignore"):
            return values.astype(kind)
    except (ValueError, TypeError):
        return np.zeros(values.shape, kind)


def _reshaped(draw, values: np.ndarray) -> np.ndarray:
    how = draw(st.sampled_from(["shorter", "longer", "flat", "deeper", "empty", "scalar", "wider"]))
    changed = {
        "shorter": lambda: values[: len(values) // 2],
        "longer": lambda: np.concatenate([values, values[:1]]),
        "flat": lambda: values.reshape(len(values), -1)[:, 0],
        "deeper": lambda: values[..., None],
        "empty": lambda: values[:0],
        "scalar": lambda: values.reshape(-1)[0],
        "wider": lambda: np.concatenate([values, values], axis=-1),
    }
    return changed[how]()


def _revalued(draw, values: np.ndarray) -> np.ndarray:
    how = draw(st.sampled_from(["reversed", "first", "zero", "extreme"]))
    changed = values.copy()
    if how == "reversed":
        return values[::-1].copy()
    if how == "zero":
        changed[:] = np.zeros(1, values.dtype)[0] if values.dtype != object else "x"
        return changed
    row = draw(st.integers(0, len(values) - 1))
    if values.dtype.kind == "f":
        changed[row] = draw(st.sampled_from([np.nan, np.inf, -1.0, 1e30]))
    elif values.dtype.kind in "iu":
        limits = np.iinfo(values.dtype)
        changed[row] = draw(st.sampled_from([limits.min, limits.max, 0, 1]))
    else:
        changed[row] = "other"
    return changed


@st.composite
def hdf5_damage(draw, names: list[str], attributes: list[str]) -> tuple[str, Callable]:
    """A change of one dataset or attribute of an HDF5 file: its kind, and what makes it."""
    if draw(st.booleans()):
        name, value = draw(st.sampled_from(attributes)), draw(st.sampled_from([*JUNK, "gone"]))
        return f"attribute {name}", lambda file: set_attribute(file, name, value)
    name = draw(st.sampled_from(names))
    how = draw(
        st.sampled_from(["gone", "group", "retyped", "reshaped", "revalued", "vast", "zipped"])
    )
    data = draw(st.data())

    def change(file: h5py.File) -> None:
        values = file[name].asstr()[:] if file[name].dtype == object else file[name][:]
        options = {"dtype": file[name].dtype} if values.dtype == object else {}
        del file[name]
        if how == "group":
            file.create_group(name)
        elif how == "vast":  # a petabyte that no chunk stands for
            shape = (1 << 40, *values.shape[1:])
            file.create_dataset(name, shape, values.dtype if not options else options["dtype"],
                                chunks=(16, *values.shape[1:]))  # fmt: skip
        elif how == "zipped":
            file.create_dataset(name, data=values, compression="gzip", **options)
        elif how in ("retyped", "reshaped", "revalued"):
            if how == "retyped" and options:
                values, options = np.arange(len(values)), {}
            else:
                values = globals()[f"_{how}"](data.draw, values)
            file.create_dataset(name, data=values, **options)

    return f"dataset {how}", change


def replaced(name: str, function: Callable) -> Callable[[h5py.File], None]:
    """A change of one dataset's values in a file, by a function of them."""

    def act(file: h5py.File) -> None:
        values = function(file[name][:])
        del file[name]
        file[name] = values

    return act


def set_attribute(file: h5py.File, name: str, value: object) -> None:
    """Change or delete an attribute, or what the JSON in the attribute `about` holds."""
    if "about" in file.attrs:
        about = json.loads(file.attrs["about"])
        about.pop(name, None)
        about |= {} if value == "gone" else {name: value}
        file.attrs["about"] = np.bytes_(json.dumps(about).encode())
    elif value == "gone":
        del file.attrs[name]
    else:
        with contextlib.suppress(TypeError, ValueError, OverflowError):  # HDF5 cannot hold it
            file.attrs[name] = h5py.Empty("f4") if value is None else value
