import io
import json
import re

import h5py
import numpy as np
import pytest
from damage import set_attribute
from human_alignment.common.cli import UserError
from human_alignment.data.data_file import UNKNOWN, DataFile, DataWriter
from PIL import Image
from small_images import small_image

ATTRIBUTES = dict(dataset="toy", description="A toy.", num_classes=3, image_size=8)


def write(path, count, first=0, maps=True):
    with DataWriter(path, **ATTRIBUTES) as writer:
        for i in range(first, first + count):
            human = np.full((4, 4), i, np.float32) if maps else None
            writer.append(small_image(i), i % 3, f"image-{i}", human, box=(0, 1, 2, i % 9))
    return path


def test_what_was_written_is_read_back_across_buffers(tmp_path):
    path = write(tmp_path / "a.h5", 600)
    expected = [small_image(i) for i in range(600)]
    with DataFile(path) as data:
        assert len(data) == 600
        assert data.images(0, 600) == expected
        assert data.images(254, 259) == expected[254:259]
        np.testing.assert_array_equal(data.human_maps(255, 258)[:, 0, 0], [255, 256, 257])
        assert data.labels.tolist() == [i % 3 for i in range(600)]
        assert data.boxes()[5].tolist() == [0, 1, 2, 5]
        assert data.index("image-300") == 300
        assert (data.dataset, data.num_classes, data.image_size) == ("toy", 3, 8)


def test_digest_depends_on_content_only(tmp_path):
    digests = {DataFile(write(tmp_path / f"{n}.h5", 20)).digest for n in "ab"}
    assert len(digests) == 1
    assert DataFile(write(tmp_path / "c.h5", 20, first=1)).digest not in digests
    assert DataFile(write(tmp_path / "d.h5", 20, maps=False)).digest not in digests


def with_ceiling(path, ceiling):
    with DataWriter(path, **ATTRIBUTES, human_ceiling=ceiling) as writer:
        writer.append(small_image(), 0, "a")
    return DataFile(path)


def test_the_human_ceiling_is_kept_and_no_part_of_the_digest(tmp_path):
    known, unknown = (with_ceiling(tmp_path / f"{x}.h5", x) for x in (0.65753, None))
    assert known.human_ceiling == 0.65753 and type(known.human_ceiling) is float
    assert with_ceiling(tmp_path / "one.h5", 1).human_ceiling == 1
    assert unknown.human_ceiling is None
    with h5py.File(tmp_path / "None.h5") as file:
        assert "human_ceiling" not in json.loads(file.attrs["about"])
    assert known.digest == unknown.digest


def named(path, names, count=3):
    about = ATTRIBUTES | {"num_classes": count}
    with DataWriter(path, **about, class_names=names) as writer:
        writer.append(small_image(), 0, "a")
    return DataFile(path)


def test_class_names_are_kept_and_no_part_of_the_digest(tmp_path):
    known, unknown = (named(tmp_path / f"{n}.h5", n) for n in (["é", "b c", "d"], None))
    assert known.class_names == ["é", "b c", "d"] and unknown.class_names is None
    assert known.digest == unknown.digest
    many = [f"{number:0100d}" for number in range(1000)]  # more than HDF5 keeps in a file's header
    assert named(tmp_path / "many.h5", many, 1000).class_names == many


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "b"], "there are 2 class names for 3 classes; give one each"),
        (["a", "", "b"], "the name of class 1 is ''; allowed: text, not empty"),
        (["a", "b", "a"], "two classes have the name 'a'; give each its own"),
    ],
)
def test_class_names_that_are_none_are_refused(tmp_path, names, message):
    with pytest.raises(UserError, match=message):
        named(tmp_path / "a.h5", names)
    named(tmp_path / "b.h5", ["x", "y", "z"]).__exit__()
    with h5py.File(tmp_path / "b.h5", "r+") as file:
        set_attribute(file, "class_names", names)
    with pytest.raises(UserError, match=message):
        DataFile(tmp_path / "b.h5")


@pytest.mark.parametrize("ceiling", [0, -0.5, 1.01, float("nan"), float("inf")])
def test_a_human_ceiling_out_of_range_is_refused(tmp_path, ceiling):
    message = f"human ceiling {ceiling:g} .* above 0 and at most 1"
    with pytest.raises(UserError, match=message):
        with_ceiling(tmp_path / "a.h5", ceiling)
    assert list(tmp_path.iterdir()) == []
    path = write(tmp_path / "b.h5", 3)
    with h5py.File(path, "a") as file:
        set_attribute(file, "human_ceiling", ceiling)
    with pytest.raises(UserError, match="b.h5 .*human_ceiling is .* above 0 and at most 1"):
        DataFile(path)


def test_skipped_records_are_listed(tmp_path):
    with DataWriter(tmp_path / "a.h5", **ATTRIBUTES) as writer:
        writer.append(small_image(), 0, "a")
        writer.skip("shard 3, record 7", "CRC mismatch")
    assert DataFile(tmp_path / "a.h5").skipped == [
        {"record": "shard 3, record 7", "reason": "CRC mismatch"}
    ]


def test_an_error_while_writing_leaves_no_file(tmp_path):
    with pytest.raises(RuntimeError), DataWriter(tmp_path / "a.h5", **ATTRIBUTES) as writer:
        writer.append(small_image(), 0, "a")
        raise RuntimeError("stop")
    assert list(tmp_path.iterdir()) == []


def test_an_error_keeps_the_older_file(tmp_path):
    path = write(tmp_path / "a.h5", 3)
    with pytest.raises(RuntimeError), DataWriter(path, **ATTRIBUTES):
        raise RuntimeError("stop")
    assert len(DataFile(path)) == 3


def test_no_records_is_an_error_and_no_file(tmp_path):
    with pytest.raises(UserError, match="empty"), DataWriter(tmp_path / "a.h5", **ATTRIBUTES):
        pass
    assert list(tmp_path.iterdir()) == []


def sound(**changed):
    """A record with everything, and what is wrong with it."""
    record = dict(image=small_image(), label=2, image_id="a", human_map=np.ones((4, 4)))
    return record | {"box": (0, 1, 2, 3)} | changed


def with_map(value):
    return np.where(np.eye(4), value, 1.0)


@pytest.mark.parametrize(
    "wrong, message",
    [
        (dict(image=b""), "image 'a': its 0 bytes cannot be decoded"),
        (dict(image=b"<html>not found</html>"), "image 'a': its 22 bytes cannot be decoded"),
        (dict(image=b"\xff\xd8\xff\xe0 cut"), "image 'a': its 8 bytes cannot be decoded"),
        (dict(image=small_image()[:20]), "image 'a': its 20 bytes cannot be decoded"),
        (dict(image=small_image()[:-30]), "bytes cannot be decoded"),
        (dict(image=small_image(1, "JPEG", 8)[:-30]), "bytes cannot be decoded"),
        (dict(image=np.zeros((8, 8, 3), np.uint8)), "image 'a': it is given as ndarray"),
        (dict(image="a.png"), "image 'a': it is given as str"),
        (dict(label=3), "image 'a': its label is 3; allowed: a whole number from 0 to 2"),
        (dict(label=-1), "image 'a': its label is -1; allowed"),
        (dict(label=1.0), "image 'a': its label is 1.0; allowed"),
        (dict(label=True), "image 'a': its label is True; allowed"),
        (dict(label="1"), "image 'a': its label is '1'; allowed"),
        (dict(image_id=""), "image id '' of record 1"),
        (dict(image_id=7), "image id 7 of record 1"),
        (dict(image_id=b"a"), "image id b'a' of record 1"),
        (dict(image_id="a\0b"), r"image id 'a\x00b' of record 1"),
        (dict(image_id="a\udcffb"), r"image id 'a\udcffb' of record 1"),
        (dict(human_map=with_map(np.nan)), "image 'a': its human map holds nan"),
        (dict(human_map=with_map(np.inf)), "image 'a': its human map holds inf"),
        (dict(human_map=with_map(-np.inf)), "image 'a': its human map holds -inf"),
        (dict(human_map=with_map(-0.5)), "image 'a': its human map holds -0.5"),
        (dict(human_map=np.ones((4, 4, 3))), "image 'a': its human map is (4, 4, 3)"),
        (dict(human_map=np.ones(16)), "image 'a': its human map is (16,)"),
        (dict(human_map=np.ones((0, 4))), "image 'a': its human map is (0, 4)"),
        (dict(human_map=[[1, 2], [3]]), "image 'a': its human map is not made of numbers"),
        (dict(human_map=[["low", "high"]]), "image 'a': its human map is not made of numbers"),
        (dict(box=(0, 1, 2)), "image 'a': its box is (0, 1, 2); allowed: four whole numbers"),
        (dict(box=(0, 1, 2, 3, 4)), "image 'a': its box is (0, 1, 2, 3, 4); allowed"),
        (dict(box=(0, 1, 2, 0.5)), "image 'a': its box is (0, 1, 2, 0.5); allowed"),
        (dict(box=(0, 1, 2, 40_000)), "image 'a': its box is (0, 1, 2, 40000); allowed"),
        (dict(box=((0, 1), (2, 3))), "image 'a': its box is ((0, 1), (2, 3)); allowed"),
        (dict(box=((0, 1), 2, 3)), "image 'a': its box is ((0, 1), 2, 3); allowed"),
        (dict(box="none"), "image 'a': its box is 'none'; allowed"),
    ],
)  # fmt: skip
def test_a_record_that_cannot_be_meant_is_named_and_leaves_no_file(tmp_path, wrong, message):
    with (
        pytest.raises(UserError, match=re.escape(message)),
        DataWriter(tmp_path / "a.h5", **ATTRIBUTES) as writer,
    ):
        writer.append(**sound(**wrong))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("before", [1, 256, 300])  # 256 records are a whole buffer
@pytest.mark.parametrize(
    "wrong, message",
    [
        (dict(image_id="image-0"), "image id 'image-0' stands twice"),
        (dict(human_map=None), "image 'a': it has no human map, images before it have one"),
        (dict(label=None), "image 'a': it has no label, images before it have one"),
        (dict(box=None), "image 'a': it has no box, images before it have one"),
        (dict(human_map=np.ones((4, 5))), "image 'a': its human map is (4, 5), those before"),
    ],
)  # fmt: skip
def test_a_record_that_does_not_go_with_those_before_is_named(tmp_path, before, wrong, message):
    with (
        pytest.raises(UserError, match=re.escape(message)),
        DataWriter(tmp_path / "a.h5", **ATTRIBUTES) as writer,
    ):
        for i in range(before):
            writer.append(**sound(image_id=f"image-{i}"))
        writer.append(**sound(**wrong))


@pytest.mark.parametrize("field, name", [("human_map", "human map"), ("box", "box")])
def test_a_field_that_only_later_records_have_is_named(tmp_path, field, name):
    message = f"image 'a': it has a {name}, images before it have none"
    with (
        pytest.raises(UserError, match=message),
        DataWriter(tmp_path / "a.h5", **ATTRIBUTES) as writer,
    ):
        writer.append(**sound(image_id="first") | {field: None})
        writer.append(**sound())


def test_a_refused_record_can_be_left_out(tmp_path):
    with DataWriter(tmp_path / "a.h5", **ATTRIBUTES) as writer:
        with pytest.raises(UserError):
            writer.append(**sound(image_id="bad", human_map=np.ones((9, 9, 9))))
        writer.skip("bad", "three channels")
        writer.append(**sound(image_id="bad", human_map=np.ones((2, 3))))
    with DataFile(tmp_path / "a.h5") as data:
        assert (data.image_ids, len(data.skipped)) == (["bad"], 1)
        assert data.human_maps(0, 1).shape == (1, 2, 3)


def test_numbers_and_text_of_numpy(tmp_path):
    box = np.array([0, 1, 2, 3])
    with DataWriter(tmp_path / "a.h5", **ATTRIBUTES) as writer:
        writer.append(**sound(label=np.int64(2), image_id=np.str_("é"), box=box))
        writer.append(**sound(image=small_image(1, "JPEG")))
    with DataFile(tmp_path / "a.h5") as data:
        assert data.labels.tolist() == [2, 2] and data.image_ids == ["é", "a"]


def test_images_without_labels(tmp_path):
    with DataWriter(tmp_path / "a.h5", **ATTRIBUTES) as writer:
        writer.append(**sound(label=None))
    assert DataFile(tmp_path / "a.h5").labels.tolist() == [UNKNOWN]


@pytest.mark.parametrize("name", ["num_classes", "image_size"])
@pytest.mark.parametrize("value", [0, -1, 2.0, "8", None, True])
def test_attributes_are_checked_at_construction(tmp_path, name, value):
    with pytest.raises(UserError, match=f"{name} is .*; allowed: a whole number, 1 or more"):
        DataWriter(tmp_path / "a.h5", **{**ATTRIBUTES, name: value})


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_file_cut_short_is_refused(tmp_path, share):
    whole = write(tmp_path / "a.h5", 300).read_bytes()
    cut = tmp_path / "cut.h5"
    cut.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(UserError, match="not a complete data file"):
        DataFile(cut)


def test_missing_file_unknown_id_and_absent_maps(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        DataFile(tmp_path / "none.h5")
    data = DataFile(write(tmp_path / "a.h5", 3, maps=False))
    with pytest.raises(UserError, match="no image with id 'x'"):
        data.index("x")
    with pytest.raises(UserError, match="no human maps"):
        data.human_maps(0, 1)


def test_records_with_equal_pixels_are_of_one_image(tmp_path):
    pictures = [small_image(1), small_image(2), small_image(1, side=3), small_image(1)]
    again = io.BytesIO()
    Image.open(io.BytesIO(pictures[1])).save(again, "PNG", compress_level=0)  # another file of it
    pictures.append(again.getvalue())
    assert pictures[4] != pictures[1]
    with DataWriter(tmp_path / "a.h5", **ATTRIBUTES) as writer:
        for number, picture in enumerate(pictures):
            writer.append(picture, 0, f"{number}")
    with DataWriter(tmp_path / "b.h5", **ATTRIBUTES) as writer:
        writer.append(small_image(9), 0, "x")
        writer.append(small_image(1), 0, "y")
    with DataFile(tmp_path / "a.h5") as data, DataFile(tmp_path / "b.h5") as other:
        assert data.groups.tolist() == [0, 1, 2, 0, 1]
        assert other.groups.tolist() == [0, 1]
        assert (data.shared_with(other), other.shared_with(data)) == (2, 1)


def test_a_changed_pixel_digest_is_refused(tmp_path):
    with DataWriter(tmp_path / "a.h5", **ATTRIBUTES) as writer:
        writer.append(small_image(1), 0, "a")
        writer.append(small_image(2), 0, "b")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["pixel_digest"][1] = file["pixel_digest"][0]
    with pytest.raises(UserError, match="the digest differs"):
        DataFile(tmp_path / "a.h5")
