"""Saliency against captum and a known derivative, RISE against its definition."""

import pytest
import torch
from captum.attr import Saliency
from human_alignment.common.cli import UserError
from human_alignment.heatmaps.attributions import Masking, rise, saliency
from human_alignment.networks import zoo
from torch import nn


class Corner(nn.Module):
    """Class 1 sees the upper left quarter of the picture, class 0 nothing."""

    def forward(self, x):
        seen = x[:, 0, : x.shape[2] // 2, : x.shape[3] // 2].mean(dim=(1, 2))
        return torch.stack([torch.zeros_like(seen), 4 * seen], dim=1)


def passed(model, images):
    """What an explainer takes of a pass: the network, its images, and their logits."""
    leaf = images.clone().requires_grad_()
    return model, leaf, model(leaf)


def test_saliency_is_the_absolute_gradient():
    seen = passed(Corner(), torch.ones(2, 3, 8, 8))
    found = saliency(*seen, torch.tensor([1, 0]), Masking())
    expected = torch.zeros(2, 8, 8)
    expected[0, :4, :4] = 4 / 16
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("name", ["micro_resnet50", "micro_convnext_tiny_dcls"])
def test_captum_gives_the_same_saliency(name):
    torch.manual_seed(0)
    model = zoo.prepare_for_inference(zoo.build(zoo.find(name)))
    images, targets = torch.randn(3, 3, 64, 64), torch.tensor([3, 0, 7])
    theirs = Saliency(model).attribute(images.clone().requires_grad_(), target=targets).amax(1)
    torch.testing.assert_close(saliency(*passed(model, images), targets, Masking()), theirs)


def test_rise_is_the_weighted_mean_of_the_masks():
    masking = Masking(masks=50, batch=16, seed=3)
    images = torch.rand(2, 3, 20, 20)
    masks = torch.cat(list(masking.draw(20)))
    assert masks.shape == (50, 1, 20, 20)
    found = rise(*passed(Corner(), images), torch.tensor([1, 0]), masking)
    for image, target, one in zip(images, (1, 0), found, strict=True):
        probability = torch.stack([Corner()(image * m[None]).softmax(1)[0, target] for m in masks])
        expected = (probability[:, None, None] * masks[:, 0]).sum(0) / (50 * 0.5)
        torch.testing.assert_close(one, expected)


def test_rise_finds_where_the_class_is():
    def model(x):  # sure of the class when it sees more than half of the corner
        return Corner()(x) * torch.tensor([1.0, 8.0]) - torch.tensor([0.0, 16.0])

    seen = passed(model, torch.ones(1, 3, 28, 28))
    (found,) = rise(*seen, torch.tensor([1]), Masking(batch=500))
    inside = found[:14, :14].mean()
    outside = torch.cat([found[:14, 18:].flatten(), found[18:].flatten()])
    assert inside > outside.mean() + 5 * outside.std()


def test_masks_follow_from_the_seed():
    one = torch.cat(list(Masking(masks=40, seed=1).draw(30)))
    assert torch.equal(one, torch.cat(list(Masking(masks=40, seed=1).draw(30))))
    assert not torch.equal(one, torch.cat(list(Masking(masks=40, seed=2).draw(30))))
    assert one.min() >= 0 and one.max() <= 1 and abs(one.mean() - 0.5) < 0.05


def test_masking_that_gives_nothing_is_refused():
    with pytest.raises(UserError, match="masks, cells and batch at least 1"):
        Masking(masks=0)
    with pytest.raises(UserError, match="keep between 0 and 1"):
        Masking(keep=1)
