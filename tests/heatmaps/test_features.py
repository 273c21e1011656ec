import pytest
import torch
from human_alignment.heatmaps.features import differentiate_head
from human_alignment.networks import zoo
from torch import nn


class Toy(nn.Module):
    """A body, a feature map, and a head with a known derivative: global mean, then linear."""

    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(3, 4, 3, padding=1)
        self.head = nn.Linear(4, 5)

    def forward(self, x):
        return self.head(self.body(x).mean(dim=(2, 3)))


@pytest.fixture
def toy():
    torch.manual_seed(0)
    return Toy().eval().requires_grad_(False)


def test_gradient_equals_the_known_derivative(toy):
    x, target = torch.randn(2, 3, 6, 7), torch.tensor([1, 3])
    found = differentiate_head(toy, toy.body, x, target)
    expected = toy.head.weight[target][:, :, None, None].expand(2, 4, 6, 7) / 42
    torch.testing.assert_close(found.gradient, expected)
    torch.testing.assert_close(found.activation, toy.body(x))
    torch.testing.assert_close(found.logits, toy(x))


def test_target_may_be_the_prediction(toy):
    x = torch.randn(4, 3, 6, 6)
    found = differentiate_head(toy, toy.body, x, lambda logits: logits.argmax(1))
    assert torch.equal(found.target, toy(x).argmax(1))


def test_nothing_is_left_behind(toy):
    differentiate_head(toy, toy.body, torch.randn(1, 3, 6, 6), torch.tensor([0]))
    assert torch.is_grad_enabled()
    assert not toy.body._forward_hooks
    assert all(p.grad is None for p in toy.parameters())


def test_hooks_and_grad_mode_are_restored_after_an_error(toy):
    with pytest.raises(IndexError), torch.no_grad():
        differentiate_head(toy, toy.body, torch.randn(1, 3, 6, 6), lambda _: [][0])
    assert not toy.body._forward_hooks
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("name", ["resnet50", "convnext_tiny_dcls", "caformer_s18", "fastvit_sa24"])
def test_head_gradient_equals_full_backpropagation(name):
    spec = zoo.find(f"micro_{name}")
    torch.manual_seed(0)
    model = zoo.prepare_for_inference(zoo.build(spec))
    layer = zoo.feature_layer(model, spec)
    x, target = torch.randn(2, 3, 64, 64), torch.tensor([2, 7])
    found = differentiate_head(model, layer, x, target)
    kept = []
    hook = layer.register_forward_hook(lambda _m, _i, output: kept.append(output))
    logits = model(x.requires_grad_())
    hook.remove()
    chosen = logits.gather(1, target[:, None]).sum()
    (expected,) = torch.autograd.grad(chosen, kept[0])
    torch.testing.assert_close(found.gradient, expected)
    torch.testing.assert_close(found.logits, logits.detach())
