"""The rooms of the package, and which may import from which."""

import ast

import pytest

ROOMS = {  # what each room may import from, beside itself
    "common": set(),
    "data": {"common"},
    "networks": {"common", "data"},
    "training": {"common", "data", "networks"},
    "heatmaps": {"common", "data", "networks"},
    "scores": {"common", "data", "heatmaps"},
    "outcome": {"common", "data", "networks", "heatmaps", "scores"},
    "study": {"common"},
}
# Beside `common`, the study reads the records that a config holds, and names of timm's weights.
NAMED_IN_THE_CONFIG = (
    "networks.records",
    "networks.timm_weights",
    "training.recipe",
    "scores.protocol",
)
NO_TORCH = ("common", "scores", "study")


@pytest.fixture(scope="module")
def package(root):
    return root / "workflow_scripts" / "human_alignment"


def imports(path):
    """`room.module` of each of our own modules, and the names of others, that a module imports."""
    room = path.parent.name
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            inside = ([room] if node.level == 1 else []) + (node.module or "").split(".")
            inside = [part for part in inside if part]
            names = [alias.name for alias in node.names] if len(inside) == 1 else inside[1:2]
            yield from (f"human_alignment.{inside[0]}.{name}" for name in names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def test_every_module_stands_in_a_room(package):
    assert {path.name for path in package.iterdir() if path.name != "__pycache__"} == {
        "__init__.py",
        *ROOMS,
    }
    assert all(path.read_text() == "" for path in package.rglob("__init__.py"))


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_in_one_direction(package, room):
    for path in (package / room).glob("*.py"):
        for name in imports(path):
            where = name.removeprefix("human_alignment.")
            if where == name:
                assert not (room in NO_TORCH and name.split(".")[0] == "torch"), path
                assert name.split(".")[0] != "snakemake", path
            elif not (room == "study" and where.startswith(NAMED_IN_THE_CONFIG)):
                assert where.split(".")[0] in ROOMS[room] | {room}, f"{path} imports {name}"


def test_what_scores_import_knows_no_torch(package):
    """Neither do the modules of other rooms that scores import."""
    todo = list((package / "scores").glob("*.py"))
    for path in todo:
        for name in imports(path):
            assert name.split(".")[0] != "torch", path
            parts = name.split(".")
            if parts[0] == "human_alignment":
                file = package / parts[1] / f"{parts[2]}.py"
                todo += [file] if file not in todo else []
