"""The networks against the reports, layer by layer."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from dlcv.data.latents import normal
from dlcv.engine.averaging import EMA
from dlcv.engine.weights import count_parameters
from dlcv.gan import config
from dlcv.gan.networks import ARCHITECTURES, LATENT, SIZE, build
from dlcv.gan.train import description

# As reports 000, 001, 002 and 004 print them.
PARAMETERS = {
    "dcgan": (3_576_704, 2_765_568),
    "dcgan-k5": (5_142_083, 4_316_545),
    "sngan": (3_576_704, 2_765_568),
    "wgan-gp": (18_855_040, 2_878_464),
}

pytestmark = pytest.mark.slow


UP = "convT {} {} 4x4 stride 2 padding 1"
UP5 = "convT {} {} 5x5 stride 2 padding 2+1"
DOWN = "conv {} {} 4x4 stride 2 padding 1"
DOWN5 = "conv {} {} 5x5 stride 2 padding 2 bias"

DCGAN_G = ["convT 100 512 4x4 stride 1 padding 0", "batch 512", "relu"]
DCGAN_G += [UP.format(512, 256), "batch 256", "relu", UP.format(256, 128), "batch 128", "relu"]
DCGAN_G += [UP.format(128, 64), "batch 64", "relu", UP.format(64, 3), "tanh"]
DCGAN_D = [DOWN.format(3, 64), "leaky 0.2", DOWN.format(64, 128), "batch 128", "leaky 0.2"]
DCGAN_D += [DOWN.format(128, 256), "batch 256", "leaky 0.2", DOWN.format(256, 512), "batch 512", "leaky 0.2"]
DCGAN_D += ["conv 512 1 4x4 stride 1 padding 0"]

K5_G = ["linear 100 8192", "batch 8192", "relu", UP5.format(512, 256), "batch 256", "relu"]
K5_G += [UP5.format(256, 128), "batch 128", "relu", UP5.format(128, 64), "batch 64", "relu"]
K5_G += [UP5.format(64, 3) + " bias", "tanh"]
K5_D = [DOWN5.format(3, 64), "leaky 0.2", DOWN5.format(64, 128), "batch 128", "leaky 0.2"]
K5_D += [DOWN5.format(128, 256), "batch 256", "leaky 0.2", DOWN5.format(256, 512), "batch 512", "leaky 0.2"]
K5_D += ["conv 512 1 4x4 stride 1 padding 0 bias"]

WGAN_G = ["convT 100 1024 4x4 stride 1 padding 0", "batch 1024", "relu", UP5.format(1024, 512), "batch 512", "relu"]
WGAN_G += [UP5.format(512, 256), "batch 256", "relu", UP5.format(256, 128), "batch 128", "relu"]
WGAN_G += [UP5.format(128, 3), "tanh"]
WGAN_D = [DOWN.format(3, 64), "leaky 0.2", DOWN.format(64, 128), "layer (128, 16, 16)", "leaky 0.2"]
WGAN_D += [DOWN.format(128, 256), "layer (256, 8, 8)", "leaky 0.2"]
WGAN_D += [DOWN.format(256, 512), "layer (512, 4, 4)", "leaky 0.2", "conv 512 1 4x4 stride 1 padding 0"]

PRINTS = {
    "dcgan": (DCGAN_G, DCGAN_D),
    "dcgan-k5": (K5_G, K5_D),
    "sngan": (DCGAN_G, DCGAN_D),
    "wgan-gp": (WGAN_G, WGAN_D),
}


def describe(network: nn.Module) -> list[str]:
    """The layers as the reports name them, without those that only reshape."""
    lines = []
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            kind = "convT" if isinstance(module, nn.ConvTranspose2d) else "conv"
            (kernel, other), (stride, _), (padding, _) = module.kernel_size, module.stride, module.padding
            line = f"{kind} {module.in_channels} {module.out_channels} {kernel}x{other} stride {stride}"
            line += f" padding {padding}" + ("+1" if module.output_padding[0] else "")
            lines.append(line + ("" if module.bias is None else " bias"))
        elif isinstance(module, nn.Linear):
            lines.append(
                f"linear {module.in_features} {module.out_features}" + ("" if module.bias is None else " bias")
            )
        elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            assert module.affine and module.track_running_stats
            lines.append(f"batch {module.num_features}")
        elif isinstance(module, nn.LayerNorm):
            assert module.elementwise_affine
            lines.append(f"layer {module.normalized_shape}")
        elif isinstance(module, nn.LeakyReLU):
            lines.append(f"leaky {module.negative_slope}")
        elif isinstance(module, (nn.ReLU, nn.Tanh)):
            lines.append(type(module).__name__.lower())
        elif not isinstance(module, parametrize.ParametrizationList):
            assert not list(module.parameters(recurse=False)), f"{module} is in no print"
    return lines


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_layer_is_the_printed_one(architecture: str) -> None:
    generator, discriminator = build(architecture, 1, 1, init_std=0.02)
    assert (count_parameters(generator), count_parameters(discriminator)) == PARAMETERS[architecture]
    assert (describe(generator), describe(discriminator)) == PRINTS[architecture]
    convolutions = [module for module in discriminator.modules() if isinstance(module, nn.Conv2d)]
    normalised = [parametrize.is_parametrized(module, "weight") for module in convolutions]
    assert normalised == [architecture in ("sngan", "wgan-gp")] * 5
    assert not any(parametrize.is_parametrized(module) for module in generator.modules())


def test_every_architecture_is_one_of_a_report() -> None:
    assert set(ARCHITECTURES) == set(PARAMETERS) == set(PRINTS)
    assert config.SIZE == SIZE


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_parameters_at_width_1_are_counted_without_random_numbers(architecture: str) -> None:
    narrow = build(architecture, 1 / 32, 1 / 16, init_std=0.02)
    state = torch.get_rng_state()
    described = description(architecture, *narrow)
    assert torch.equal(torch.get_rng_state(), state)
    for name, network, whole in zip(("generator", "discriminator"), narrow, PARAMETERS[architecture], strict=True):
        assert described[name]["parameters_at_width_1"] == whole
        assert described[name]["parameters"] == count_parameters(network) < whole


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_shapes_ranges_and_one_logit_for_each_image(architecture: str) -> None:
    torch.manual_seed(0)
    generator, discriminator = build(architecture, 1 / 32, 1 / 16, init_std=1.0)
    images = generator(torch.randn(3, 100))
    assert images.shape == (3, 3, 64, 64)
    assert -1 <= images.min() < -0.5 and 0.5 < images.max() <= 1
    assert discriminator(images).shape == (3,)
    # The Sigmoid is in the loss: outputs leave [0, 1].
    logits = discriminator.eval()(1000 * torch.randn(64, 3, 64, 64))
    assert logits.min() < 0 and logits.abs().max() > 1


def test_only_the_critic_keeps_the_images_of_a_batch_apart() -> None:
    """A gradient penalty needs the gradient of each image alone; BatchNorm would mix them."""
    torch.manual_seed(0)
    images = torch.randn(4, 3, 64, 64)
    apart = {}
    for model in ("dcgan", "wgan-gp"):
        _, discriminator = build(model, 1 / 32, 1 / 32, init_std=0.5)
        discriminator(images)
        with torch.no_grad():
            whole, part = discriminator(images), discriminator(images[:2])
        apart[model] = torch.allclose(whole[:2], part, rtol=0.05)
    assert apart == {"dcgan": False, "wgan-gp": True}


def test_initial_weights_have_the_standard_deviation_of_init_std() -> None:
    torch.manual_seed(0)
    for network in build("dcgan-k5", 0.25, 0.25, init_std=0.2):
        for module in network.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
                assert module.weight.std().item() == pytest.approx(0.2, rel=0.1)
                assert module.weight.mean().abs() < 0.03
                assert module.bias is None or not module.bias.any()
            elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                assert 0.85 < module.weight.mean() < 1.15 and 0.1 < module.weight.std() < 0.3
                assert not module.bias.any()


def top(weight: Tensor) -> float:
    return float(torch.linalg.matrix_norm(weight.flatten(1), 2))


@pytest.mark.parametrize("model", ["sngan", "wgan-gp"])
def test_after_fifty_forward_passes_every_spectral_norm_is_one(model: str) -> None:
    torch.manual_seed(0)
    _, discriminator = build(model, 1 / 8, 1 / 8, init_std=0.5)
    images = torch.randn(2, 3, 64, 64)
    convolutions = [module for module in discriminator.modules() if isinstance(module, nn.Conv2d)]
    with torch.no_grad():
        for _ in range(50):
            discriminator(images)
        discriminator.eval()
        assert [top(module.weight) for module in convolutions] == pytest.approx([1.0] * 5, abs=0.01)
        # Each is its original weight divided by its largest singular value.
        for module in convolutions:
            original = module.parametrizations.weight.original  # type: ignore[union-attr]
            assert torch.allclose(module.weight, original / top(original), rtol=0.02, atol=1e-6)


@pytest.mark.parametrize("model", ["sngan", "wgan-gp"])
def test_an_average_copies_the_buffers_and_averages_the_parameters(model: str) -> None:
    """The unit vectors of spectral norm are copied, as BatchNorm's statistics are."""
    torch.manual_seed(0)
    for network, example in zip(
        build(model, 1 / 32, 1 / 32, 0.02), (torch.randn(4, 100), torch.randn(4, 3, 64, 64)), strict=True
    ):
        first = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
        average = EMA(network, decay=0.5)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(torch.randn_like(parameter))
            network(example)  # changes running statistics and singular vectors
        average.update(network, step=1000)
        buffers = dict(average.network.named_buffers())
        assert buffers or model == "wgan-gp"
        for name, buffer in network.named_buffers():
            assert torch.equal(buffers[name], buffer), name
            if name.endswith("._u"):
                assert buffer.norm().item() == pytest.approx(1, abs=1e-5)
        for name, parameter in average.network.named_parameters():
            now = dict(network.named_parameters())[name]
            assert torch.allclose(parameter, (first[name] + now) / 2, atol=1e-6), name


def test_the_first_latents_of_a_seed_do_not_depend_on_how_many_there_are() -> None:
    many = normal(500, (LATENT,), seed=3)
    assert many.shape == (500, 100)
    for count in (1, 2, 15, 16, 17, 100):  # randn uses another order from 16 values on
        assert torch.equal(normal(count, (LATENT,), seed=3), many[:count])
    assert not torch.equal(normal(1, (LATENT,), seed=4), many[:1])
    assert abs(many.mean()) < 0.02 and abs(many.std() - 1) < 0.02
    assert len(many.unique(dim=0)) == 500


def test_latents_do_not_change_the_random_numbers_of_a_training() -> None:
    state = torch.get_rng_state()
    normal(3, (LATENT,), seed=0)
    assert torch.equal(torch.get_rng_state(), state)
