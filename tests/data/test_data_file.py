import h5py
import numpy as np
import pytest
from human_alignment.common.cli import UserError
from human_alignment.data.data_file import DataFile, DataWriter

ATTRIBUTES = dict(dataset="toy", description="A toy.", num_classes=3, image_size=8)


def write(path, count, first=0, maps=True):
    rng = np.random.default_rng(0)
    with DataWriter(path, **ATTRIBUTES) as writer:
        for i in range(first, first + count):
            image = bytes(rng.integers(0, 256, 5 + i % 7, dtype=np.uint8))
            human = np.full((4, 4), i, np.float32) if maps else None
            writer.append(image, i % 3, f"image-{i}", human, box=(0, 1, 2, i % 9))
    return path


def test_what_was_written_is_read_back_across_buffers(tmp_path):
    path = write(tmp_path / "a.h5", 600)
    rng = np.random.default_rng(0)
    expected = [bytes(rng.integers(0, 256, 5 + i % 7, dtype=np.uint8)) for i in range(600)]
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
        writer.append(b"x", 0, "a")
    return DataFile(path)


def test_the_human_ceiling_is_kept_and_no_part_of_the_digest(tmp_path):
    known, unknown = (with_ceiling(tmp_path / f"{x}.h5", x) for x in (0.65753, None))
    assert known.human_ceiling == 0.65753 and type(known.human_ceiling) is float
    assert with_ceiling(tmp_path / "one.h5", 1).human_ceiling == 1
    assert unknown.human_ceiling is None
    with h5py.File(tmp_path / "None.h5") as file:
        assert "human_ceiling" not in file.attrs
    assert known.digest == unknown.digest


@pytest.mark.parametrize("ceiling", [0, -0.5, 1.01, float("nan"), float("inf")])
def test_a_human_ceiling_out_of_range_is_refused(tmp_path, ceiling):
    message = f"human ceiling {ceiling:g} .* above 0 and at most 1"
    with pytest.raises(UserError, match=message):
        with_ceiling(tmp_path / "a.h5", ceiling)
    assert list(tmp_path.iterdir()) == []
    path = write(tmp_path / "b.h5", 3)
    with h5py.File(path, "a") as file:
        file.attrs["human_ceiling"] = ceiling
    with pytest.raises(UserError, match=f"b.h5 .*{message}"):
        DataFile(path)


def test_skipped_records_are_listed(tmp_path):
    with DataWriter(tmp_path / "a.h5", **ATTRIBUTES) as writer:
        writer.append(b"x", 0, "a")
        writer.skip("shard 3, record 7", "CRC mismatch")
    assert DataFile(tmp_path / "a.h5").skipped == [
        {"record": "shard 3, record 7", "reason": "CRC mismatch"}
    ]


def test_an_error_while_writing_leaves_no_file(tmp_path):
    with pytest.raises(RuntimeError), DataWriter(tmp_path / "a.h5", **ATTRIBUTES) as writer:
        writer.append(b"x", 0, "a")
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


def test_records_must_have_the_same_fields(tmp_path):
    with (
        pytest.raises(ValueError, match="differ"),
        DataWriter(tmp_path / "a.h5", **ATTRIBUTES) as writer,
    ):
        writer.append(b"x", 0, "a", np.zeros((4, 4)))
        writer.append(b"x", 0, "b")


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
