"""The images of a folder with a sub-folder per class: the same files that are loaded, digested."""

import os

import pytest
from human_alignment.common.class_folders import images_digest
from human_alignment.data.folders import ImageFolder


def digest(root):
    images_digest.cache_clear()
    return images_digest(str(root))


@pytest.fixture
def folder(tmp_path):
    """Two classes; files that are images by their names, and others."""
    for label, names in {"a": ["1.jpg", "2.JPEG"], "b": ["3.png", "deep/4.jpg"]}.items():
        for name in names:
            path = tmp_path / "images" / label / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"12")
    return tmp_path / "images"


@pytest.mark.parametrize(
    "name",
    ["a/5.jpg", "a/.6.jpg", "a/7.txt", "a/.jpg", "a/..jpg", "a/8.webp", "b/deep/9.Png", "c/1.jpeg"]
    + ["a/10.jpg.txt", "a/jpg", "val/11.png", "0.jpg"],
)
def test_a_file_counts_if_the_loader_reads_it(folder, name):
    before, loaded = digest(folder), len(ImageFolder(folder))
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"123")
    assert (digest(folder) != before) == (len(ImageFolder(folder)) == loaded + 1)


def test_names_and_sizes_count_and_times_do_not(folder, tmp_path):
    before = digest(folder)
    for path in folder.rglob("*"):
        os.utime(path, (1, 1))
    assert digest(folder) == before
    assert digest(folder.rename(tmp_path / "moved")) == before
    image = tmp_path / "moved" / "a" / "1.jpg"
    image.write_bytes(b"123")
    larger = digest(tmp_path / "moved")
    image.rename(image.with_name("0.jpg"))
    assert len({before, larger, digest(tmp_path / "moved")}) == 3


def test_links_are_followed_and_a_broken_one_counts(folder, tmp_path):
    before = digest(folder)
    target = tmp_path / "target.bin"
    (folder / "a" / "linked.jpg").symlink_to(target)
    broken = digest(folder)
    target.write_bytes(b"1")
    assert len({before, broken, digest(folder)}) == 3


def test_a_folder_is_read_once_in_a_process(folder):
    before = digest(folder)
    (folder / "a" / "1.jpg").unlink()
    assert images_digest(str(folder)) == before != digest(folder)
