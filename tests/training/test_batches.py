"""Batches follow from seed and position alone, whoever draws them and wherever they begin."""

import itertools
import random

import numpy as np
import pytest
import torch
from human_alignment.common.cli import UserError
from human_alignment.data.data_file import DataFile, DataWriter
from human_alignment.data.folders import ImageFolder
from human_alignment.networks import zoo
from human_alignment.training.batches import FileBatches, Order, Share, seed_all, start
from human_alignment.training.folder_batches import FolderBatches
from human_alignment.training.recipe import Recipe
from PIL import Image
from small_training import SHORT, write_folder
from timm.data import auto_augment

TRANSFORM = zoo.find("micro_resnet50").transform
STRONG = {"steps": 6, "batch_size": 8, "auto_augment": "rand-m9-mstd0.5-inc1"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("folder") / "train")


def drawn(batches, share, steps=range(4)):
    """Images and labels of some steps, in one tensor each."""
    images, labels = zip(*batches.pieces(steps, share), strict=True)
    return torch.cat(images), torch.cat(labels)


def of_folder(folder, recipe, seed=0, workers=0):
    return FolderBatches(ImageFolder(folder), Recipe.from_dict(recipe), TRANSFORM, seed, workers)


def of_file(digits, recipe, seed=0):
    with DataFile(digits) as data:
        return FileBatches(data, Recipe.from_dict(recipe), TRANSFORM, seed)


@pytest.fixture(params=["file", "folder"])
def make(request, digits_to_train, folder):
    """Batches of either kind for a device_batch and a seed."""
    if request.param == "file":
        return lambda seed=0: of_file(digits_to_train, SHORT, seed)
    return lambda seed=0: of_folder(folder, STRONG, seed)


def test_pieces_and_ranks_draw_the_same_images(make):
    whole = drawn(make(), Share.of(Recipe(steps=6, batch_size=8)), range(1))
    for device_batch, ranks in ((4, 1), (4, 2), (2, 2)):
        recipe = Recipe(steps=6, batch_size=8, device_batch=device_batch)
        shares = [Share.of(recipe, rank, ranks) for rank in range(ranks)]
        parts = [drawn(make(), share, range(1)) for share in shares]
        assert all(len(images) == 8 // ranks for images, _ in parts)
        for which in (0, 1):
            assert torch.cat([part[which] for part in parts]).equal(whole[which])


def test_any_step_can_be_the_first(make):
    share = Share.of(Recipe(steps=6, batch_size=8))
    later = list(make().pieces(range(0, 6), share))[4:]
    begun = list(make().pieces(range(4, 6), share))
    for (a, la), (b, lb) in zip(later, begun, strict=True):
        assert a.equal(b) and la.equal(lb)


def test_seeds_differ_and_repeat(make):
    share = Share.of(Recipe(steps=6, batch_size=8))
    one, same, other = (drawn(make(seed), share, range(2))[0] for seed in (0, 0, 1))
    assert one.equal(same) and not one.equal(other)


def test_loader_processes_change_nothing(folder):
    share = Share.of(Recipe(steps=6, batch_size=8))
    alone, helped = (drawn(of_folder(folder, STRONG, workers=n), share) for n in (0, 2))
    assert alone[0].equal(helped[0]) and alone[1].equal(helped[1])
    assert alone[0].shape == (32, 3, 64, 64) and alone[0].dtype == torch.uint8


def test_every_epoch_shows_every_image_in_a_new_order():
    order = Order(10, seed=3)
    epochs = [[order[p] for p in range(10 * e, 10 * e + 10)] for e in range(3)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert [order[p] for p in range(10)] == epochs[0]  # asked again after others


def test_repeated_augmentation_shows_fewer_images_more_often():
    order = Order(12, seed=3, repeats=3)
    epoch = [order[p] for p in range(12)]
    assert len(set(epoch)) == 4
    assert all(len(set(epoch[i : i + 3])) == 1 for i in range(0, 12, 3))


def test_repeats_are_augmented_anew(folder):
    recipe = STRONG | {"repeats": 2}
    images, labels = drawn(of_folder(folder, recipe), Share.of(Recipe.from_dict(recipe)))
    assert labels[0] == labels[1] and not images[0].equal(images[1])


@pytest.mark.parametrize(
    "settings, ranks, message",
    [
        ({"batch_size": 8}, 3, "batch of 8 images cannot be divided among 3 ranks; change"),
        ({"batch_size": 8, "device_batch": 3}, 1, "among 1 ranks with a device_batch of 3"),
        ({"batch_size": 8, "device_batch": 8}, 2, "among 2 ranks with a device_batch of 8"),
        ({"batch_size": 2}, 4, "batch of 2 images cannot be divided among 4 ranks"),
        ({"batch_size": 6, "mixup": 0.8}, 2, "even device_batch; it is 3"),
    ],
)
def test_batches_that_do_not_divide(settings, ranks, message):
    with pytest.raises(UserError, match=message):
        Share.of(Recipe(steps=1, **settings), 0, ranks)


def test_windows_hold_the_object():
    draw = np.random.default_rng(0)
    for low, high in [(0, 22), (30, 62), (42, 64), (10, 40)]:
        starts = {start(low, high, 32, 64, draw) for _ in range(200)}
        assert all(0 <= s <= low and high <= s + 32 <= 64 for s in starts)


def test_an_object_larger_than_its_window_is_cut_around_its_middle():
    assert start(10, 50, 32, 64, np.random.default_rng(0)) == 14


def test_normalisation_and_erasing(folder):
    images = torch.full((4, 3, 64, 64), 255, dtype=torch.uint8)
    white = of_folder(folder, STRONG).finish(images)
    expected = (1 - torch.tensor(TRANSFORM.mean)) / torch.tensor(TRANSFORM.std)
    torch.testing.assert_close(white[:, :, 0, 0], expected.expand(4, 3))
    erasing = of_folder(folder, STRONG | {"random_erasing": 0.99})
    seed_all(0, 1)
    once = erasing.finish(images)
    share = (once != white).float().mean()
    assert 0.02 < share < 0.5
    seed_all(0, 1)
    assert erasing.finish(images).equal(once)


def test_seeding_reaches_all_generators():
    def draw():
        return random.random(), np.random.rand(), torch.rand(1).item()

    seed_all(1, 2)
    one = draw()
    seed_all(1, 2)
    assert draw() == one
    seed_all(2, 1)
    assert not set(draw()) & set(one)


def test_unreadable_images_are_named_and_replaced(tmp_path, capsys):
    folder = write_folder(tmp_path / "train")
    (folder / "class1" / "3.jpg").write_bytes(b"\xff\xd8 no image")
    batches = of_folder(folder, STRONG | {"max_unreadable": 0.05})
    images, labels = drawn(batches, Share.of(Recipe(steps=6, batch_size=8)), range(6))
    assert len(images) == 48 and images.float().flatten(1).std(1).min() > 1
    said = capsys.readouterr().err
    assert said.count("class1/3.jpg cannot be read") == 1


def test_too_many_unreadable_images_stop_the_training(tmp_path):
    folder = write_folder(tmp_path / "train", each=4)
    for path in itertools.islice(sorted(folder.glob("class1/*")), 2):
        path.write_bytes(b"")
    batches = of_folder(folder, STRONG | {"max_unreadable": 0.1})
    message = r"2 of 12 images cannot be read, among them .*class1/0.png; .* allows 1"
    with pytest.raises(UserError, match=message):
        drawn(batches, Share.of(Recipe(steps=6, batch_size=8)), range(6))


def test_a_folder_of_nothing_readable_is_said_by_the_main_process(tmp_path):
    folder = write_folder(tmp_path / "train", each=4)
    for path in folder.glob("*/*"):
        path.write_bytes(b"")
    with pytest.raises(UserError, match=r"^\d+ of 12 images cannot be read"):
        drawn(of_folder(folder, STRONG, workers=1), Share.of(Recipe(steps=6, batch_size=8)))


def test_a_shift_beyond_the_image(digits_to_train):
    recipe = Recipe(steps=6, batch_size=8, shift=64)
    with (
        DataFile(digits_to_train) as data,
        pytest.raises(UserError, match="shift is 64; the images of digits allow .* side, 64"),
    ):
        FileBatches(data, recipe, zoo.find("micro_resnet50").transform, 0)


def test_the_strongest_posterising_is_black_and_does_not_end_the_training():
    image = Image.effect_noise((8, 8), 50).convert("RGB")
    operation = auto_augment.AugmentOp("PosterizeIncreasing", prob=1.0, magnitude=10)
    assert np.asarray(operation(image)).max() == 0
    weaker = np.asarray(auto_augment.AugmentOp("PosterizeIncreasing", 1.0, 9)(image))
    assert set(np.unique(weaker)) == {0, 128}


def test_windows_need_boxes(tmp_path, digits_to_train):
    about = dict(dataset="x", description="x", num_classes=10, image_size=64)
    with DataFile(digits_to_train) as data, DataWriter(tmp_path / "x.h5", **about) as writer:
        writer.append(data.images(0, 1)[0], label=0, image_id="a")
    with pytest.raises(UserError, match="windows but the data has no boxes"):
        of_file(tmp_path / "x.h5", SHORT)
