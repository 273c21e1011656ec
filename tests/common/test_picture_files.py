"""Pictures and other files of a folder, and digests of what is in them."""

import pytest
from human_alignment.common.class_folders import images_digest
from human_alignment.common.cli import UserError
from human_alignment.common.files import content_digest, sha256
from human_alignment.common.picture_files import ENDINGS, files_below


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "pictures"
    for name in ("b.PNG", "a/2.tif", "a/1.webp", "a/notes.txt", ".b.png", ".hidden/3.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"12")
    return root


def test_files_at_any_depth_by_their_endings(folder, tmp_path):
    def found():
        return [path.relative_to(folder).as_posix() for path in files_below(folder, ENDINGS)]

    assert found() == ["a/1.webp", "a/2.tif", "b.PNG"]
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "4.jpg").touch()
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    assert found() == ["a/1.webp", "a/2.tif", "b.PNG", "linked/4.jpg"]
    with pytest.raises(UserError, match="b.PNG is not a folder"):
        files_below(folder / "b.PNG", ENDINGS)


def test_the_digest_of_a_folder_is_of_names_and_content(folder):
    assert content_digest(folder / "b.PNG") == sha256(folder / "b.PNG")
    seen = [content_digest(folder)]
    (folder / ".b.png").write_bytes(b"34")
    (folder / ".hidden/3.png").write_bytes(b"34")
    assert content_digest(folder) == seen[0]
    (folder / "a/notes.txt").write_bytes(b"34")
    seen.append(content_digest(folder))
    (folder / "a/1.webp").rename(folder / "a/3.webp")
    seen.append(content_digest(folder))
    (folder / "a").rename(folder / "c")
    seen.append(content_digest(folder))
    assert len(set(seen)) == 4


def test_pictures_of_all_endings_count_where_they_are_asked_for(folder):
    def digests():
        images_digest.cache_clear()
        return images_digest(str(folder)), images_digest(str(folder), ENDINGS)

    (few, every) = digests()
    (folder / "a/1.webp").write_bytes(b"123")
    assert digests()[0] == few and digests()[1] != every
