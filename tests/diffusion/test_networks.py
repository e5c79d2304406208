"""The conditional networks: the layers that the reports print, image sizes, and images without a class."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch import nn

from dlcv.diffusion.networks.build import ARCHITECTURES, build
from dlcv.diffusion.networks.conditioning import NONE, one_hot
from dlcv.diffusion.networks.interface import describe
from dlcv.engine.weights import count_parameters
from tests.diffusion.conftest import MODELS, digit_network, digit_settings

pytestmark = pytest.mark.slow  # whole trainings, samplings or evaluations

THREE = ["context-unet", "attention-unet", "residual-unet"]
PARAMETERS = {"context-unet": 26_320_387, "attention-unet": 23_335_299, "residual-unet": 33_293_187}

# The number of layers of each kind with parameters in the prints of reports 000 (and 003), 001 and 004. "3x3 256 512"
# is a convolution with this kernel from 256 to 512 channels; T is a transposed one; "/2" is the stride.
PRINTS = {
    "context-unet": {
        "batch 256": 12, "batch 512": 2, "group 8 256": 1, "group 8 512": 1,
        "3x3 3 256": 1, "3x3 256 256": 11, "3x3 256 512": 1, "3x3 512 512": 1, "3x3 512 256": 1, "3x3 256 3": 1,
        "T7x7/7 512 512": 1, "T2x2/2 1024 256": 1, "T2x2/2 512 256": 1,
        "linear 1 256": 1, "linear 1 512": 1, "linear 10 256": 1, "linear 10 512": 1, "linear 256 256": 2,
        "linear 512 512": 2,
    },
    "attention-unet": {
        "3x3 3 64 no bias": 1, "3x3 64 64 no bias": 4, "3x3 64 128 no bias": 1, "3x3 128 128 no bias": 5,
        "3x3 128 256 no bias": 1, "3x3 256 256 no bias": 8, "3x3 256 512 no bias": 1, "3x3 512 512 no bias": 5,
        "3x3 512 256 no bias": 2, "3x3 256 128 no bias": 2, "3x3 128 64 no bias": 2, "1x1 64 3": 1,
        "group 1 64": 7, "group 1 128": 8, "group 1 256": 11, "group 1 512": 6,
        "layer (64,)": 4, "layer (128,)": 4, "layer (256,)": 4, "table 10 256": 1,
        # The output layers of the attention blocks are among them.
        "linear 64 64": 6, "linear 128 128": 6, "linear 256 256": 8, "linear 256 128": 2, "linear 256 64": 2,
    },
    "residual-unet": {
        "3x3 3 128": 1, "3x3 128 128": 7, "3x3 128 256": 1, "3x3 256 256": 19, "3x3 256 128": 2, "3x3 128 3": 1,
        "3x3 384 256": 1, "3x3 384 128": 1, "3x3 512 256": 5, "1x1 128 128": 8, "1x1 128 256": 1, "1x1 256 128": 2,
        "1x1 256 256": 20, "1x1 384 128": 1, "1x1 384 256": 1, "1x1 512 256": 5, "3x3/2 128 128": 1,
        "5x5/2 128 128": 1, "3x3/2 256 256": 1, "5x5/2 256 256": 1, "T5x5/2 256 256": 2,
        "group 32 128": 11, "group 32 256": 24, "group 32 384": 2, "group 32 512": 5,
        "table 200 128": 1, "table 11 128": 1, "linear 128 512": 2, "linear 512 512": 2, "linear 512 128": 10,
        "linear 512 256": 24,
    },
}  # fmt: skip


def named(module: nn.Module) -> str | None:
    """The key of a layer in `PRINTS`; None for a module without parameters of its own."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        (kernel, other), (stride, _) = module.kernel_size, module.stride
        name = f"{kernel}x{other}" + (f"/{stride}" if stride > 1 else "")
        name = f"{'T' if isinstance(module, nn.ConvTranspose2d) else ''}{name} {module.in_channels}"
        return f"{name} {module.out_channels}{' no bias' if module.bias is None else ''}"
    if isinstance(module, nn.Linear):
        assert module.bias is not None
        return f"linear {module.in_features} {module.out_features}"
    if isinstance(module, nn.GroupNorm):
        assert module.eps == 1e-5 and module.affine
        return f"group {module.num_groups} {module.num_channels}"
    if isinstance(module, nn.BatchNorm2d):
        return f"batch {module.num_features}"
    if isinstance(module, nn.LayerNorm):
        return f"layer {module.normalized_shape}"
    if isinstance(module, nn.Embedding):
        return f"table {module.num_embeddings} {module.embedding_dim}"
    # The first three layers of an attention block are parameters of the block, as in the print.
    assert isinstance(module, nn.MultiheadAttention) or not list(module.parameters(recurse=False)), module
    return None


@pytest.mark.parametrize("model", THREE)
def test_at_width_1_every_layer_is_a_printed_one(model: str) -> None:
    settings = digit_settings(model, width=1.0, dropout=0.15 if model == "residual-unet" else 0.0)
    with torch.device("meta"):
        made = build(settings, MODELS[model][1])
    assert count_parameters(made) == PARAMETERS[model]
    assert Counter(name for module in made.modules() if (name := named(module))) == PRINTS[model]
    dropouts = [module.p for module in made.modules() if isinstance(module, nn.Dropout)]
    assert dropouts == [0.15] * 17 if model == "residual-unet" else not dropouts


def test_report_003_has_the_network_of_report_000() -> None:
    first, second = digit_network("context-unet"), digit_network("context-unet-t1000")
    assert {name: value.shape for name, value in first.state_dict().items()} == {
        name: value.shape for name, value in second.state_dict().items()
    }
    # The time is a fraction of T: 1 at the last step of both.
    second.load_state_dict(first.state_dict())
    x, label = torch.randn(1, 3, 28, 28), torch.tensor([3])
    with torch.no_grad():
        assert torch.equal(first(x, torch.tensor([399]), label), second(x, torch.tensor([999]), label))


@pytest.mark.parametrize("conditioning", ["printed", "adaptive"])
@pytest.mark.parametrize("patch", [1, 2])
@pytest.mark.parametrize("model", THREE)
def test_any_size_of_image_goes_through(model: str, patch: int, conditioning: str) -> None:
    made = digit_network(model, patch=patch, conditioning=conditioning)
    t, labels = torch.tensor([0, MODELS[model][1] - 1]), torch.tensor([9, NONE])
    for height, width in ((28, 28), (21, 21), (32, 19)):
        with torch.no_grad():
            out = made(torch.randn(2, 3, height, width), t, labels)
        assert out.shape == (2, 3, height, width) and out.isfinite().all()
    layers: list[dict[str, Any]] = describe(made, 28)
    assert sum(layer["parameters"] for layer in layers) == count_parameters(made)
    skips = [(layers[layer["skip"]], layer) for layer in layers if layer["skip"] is not None]
    assert len(skips) == {"context-unet": 3, "attention-unet": 3, "residual-unet": 9}[model]
    # The size of a skipped output is that of the part's output, or half of it where the part upsamples.
    for before, after in skips:
        sides = [int(layer["output"].split(" x ")[1]) for layer in (before, after)]
        assert sides[1] in (sides[0], 2 * sides[0])


def test_at_28_pixels_the_sizes_are_the_reports() -> None:
    def sides(model: str) -> list[int]:
        outputs = [str(layer["output"]) for layer in describe(digit_network(model), 28)]
        return [int(output.split(" x ")[1]) for output in outputs if " x " in output]

    assert sides("context-unet") == [28, 14, 7, 1, 7, 14, 28, 28]
    # Three halvings: 28 is padded to 32.
    assert sides("attention-unet") == [32, 16, 16, 8, 8, 4, 4, 4, 4, 4, 8, 8, 16, 16, 32, 32, 32]
    assert sorted(set(sides("residual-unet"))) == [7, 14, 28]


@pytest.mark.parametrize("conditioning", ["printed", "adaptive"])
@pytest.mark.parametrize("model", MODELS)
def test_class_and_time_change_the_output_and_the_batch_does_not(model: str, conditioning: str) -> None:
    made = digit_network(model, conditioning=conditioning)
    x, t = torch.randn(3, 3, 28, 28), torch.tensor([5, 5, 100])
    with torch.no_grad():
        whole = made(x, t, torch.tensor([1, NONE, 7]))
        for index, label in enumerate((1, NONE, 7)):
            alone = made(x[index : index + 1], t[index : index + 1], torch.tensor([label]))
            assert torch.allclose(whole[index], alone[0], atol=1e-5)
        same = x[:1].repeat(3, 1, 1, 1)
        outputs = made(same, torch.tensor([5, 5, 5]), torch.tensor([0, 1, NONE]))
        later = made(same, torch.tensor([150] * 3), torch.tensor([0, 1, NONE]))
    assert (outputs[0] - outputs[1]).abs().max() > 1e-5 and (outputs[0] - outputs[2]).abs().max() > 1e-5
    assert (outputs - later).abs().amax((1, 2, 3)).min() > 1e-5


def test_the_absent_class_is_zeros_instead_of_one_hot() -> None:
    """Reports 000 and 003. The reference turns kept labels into minus one-hot; here they are one-hot."""
    assert torch.equal(one_hot(torch.tensor([2, NONE])), torch.stack([torch.eye(10)[2], torch.zeros(10)]))


def test_the_absent_class_adds_nothing_to_the_time() -> None:
    """Report 001: without a class the condition is the time alone, whatever the table holds."""
    made = digit_network("attention-unet")
    table: Any = made.inner.label_emb
    x, t, none = torch.randn(1, 3, 28, 28), torch.tensor([7]), torch.tensor([NONE])
    with torch.no_grad():
        before = made(x, t, none)
        table.weight.fill_(3.0)
        assert torch.equal(made(x, t, none), before)
        table.weight.zero_()
        assert torch.equal(made(x, t, torch.tensor([4])), before)


def test_the_absent_class_is_entry_0_which_stays_zero() -> None:
    """Report 004: classes are counted from 1; the zero entry still passes the linear layers after the table."""
    made = digit_network("residual-unet").train()
    table: Any = made.inner.cond_embedding[0]  # type: ignore[index]
    assert not table.weight[0].any() and table.weight[1:].any(dim=1).all()
    optimizer = torch.optim.SGD(made.parameters(), lr=1.0)
    made(torch.randn(3, 3, 28, 28), torch.tensor([1, 2, 3]), torch.tensor([NONE, 0, 9])).square().sum().backward()
    assert not table.weight.grad[0].any()
    assert [bool(table.weight.grad[entry].any()) for entry in (1, 2, 10)] == [True, False, True]
    optimizer.step()
    assert not table.weight[0].any()


def test_the_table_of_times_starts_as_sines_and_cosines_and_is_trained() -> None:
    made = digit_network("residual-unet")
    table: Any = made.inner.time_embedding[0]  # type: ignore[index]
    assert table.weight.requires_grad and table.weight.shape == (200, 4)
    assert torch.equal(table.weight[0], torch.tensor([0.0, 0.0, 1.0, 1.0]))


def test_adaptive_networks_have_no_batch_norm() -> None:
    for model in THREE:
        made = digit_network(model, conditioning="adaptive")
        names = [type(module).__name__ for module in made.modules()]
        assert "BatchNorm2d" not in names and names.count("Modulation") > 5 and names.count("Condition") == 1
    assert "BatchNorm2d" in [type(module).__name__ for module in digit_network("context-unet").modules()]


def test_every_architecture_is_in_the_tests() -> None:
    assert set(THREE) == set(ARCHITECTURES) == {architecture for architecture, _, _ in MODELS.values()}
