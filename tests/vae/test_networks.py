"""The network against report 002, and the outputs of encoder and decoder."""

from __future__ import annotations

import re

import pytest
import torch

from dlcv.data.latents import normal
from dlcv.engine.weights import count_parameters
from dlcv.vae import config
from dlcv.vae.networks import LOG_VARIANCE, SIZE, Autoencoder, reparameterise
from dlcv.vae.train import description
from tests.vae.conftest import LATENT, NARROW, network

# The blocks that report 002 prints.
ENCODER = [(3, 32), (32, 64), (64, 128), (128, 256), (256, 512)]
DECODER = [(512, 256), (256, 128), (128, 64), (64, 32), (32, 32)]
NORM = "BatchNorm2d({}, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)"


def printed() -> str:
    lines = ["(encoder): Sequential("]
    for index, (inputs, outputs) in enumerate(ENCODER):
        convolution = f"Conv2d({inputs}, {outputs}, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1))"
        lines += [f"({index}): Sequential(", f"(0): {convolution}", f"(1): {NORM.format(outputs)}"]
        lines += ["(2): LeakyReLU(negative_slope=0.01)", ")"]
    lines += [")", "(fc_mu): Linear(in_features=2048, out_features=512, bias=True)"]
    lines += ["(fc_var): Linear(in_features=2048, out_features=512, bias=True)"]
    lines += ["(decode_input): Linear(in_features=512, out_features=2048, bias=True)", "(decoder): Sequential("]
    for index, (inputs, outputs) in enumerate(DECODER):
        shape = "kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), output_padding=(1, 1)"
        lines += [f"({index}): Sequential(", f"(0): ConvTranspose2d({inputs}, {outputs}, {shape})"]
        lines += [f"(1): {NORM.format(outputs)}", "(2): LeakyReLU(negative_slope=0.01)", ")"]
    lines += [")", "(final_layer): Sequential("]
    lines += ["(0): Conv2d(32, 3, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))", "(1): Tanh()", ")"]
    return "\n".join(lines)


def test_it_is_the_printed_network() -> None:
    made = Autoencoder()
    # Newer versions of torch print one more argument of BatchNorm.
    lines = [line.strip().replace("affine=True, bias=True,", "affine=True,") for line in str(made).splitlines()]
    assert "\n".join(lines[1:-1]) == printed()
    assert count_parameters(made) == 6_297_699 and config.SIZE == SIZE


@pytest.mark.parametrize(("width", "latent"), [(1.0, 512), (0.5, 512), (NARROW, 7)])
def test_width_scales_the_channels_and_latent_the_code(width: float, latent: int) -> None:
    made = Autoencoder(width, latent)
    widths = [int(n) for n in re.findall(r"BatchNorm2d\((\d+)", str(made.encoder))]
    assert widths == [round(count * width) for _, count in ENCODER]
    images, noise = torch.rand(2, 3, 64, 64) * 2 - 1, torch.randn(2, latent)
    reconstructions, mean, log_variance = made(images, noise)
    assert reconstructions.shape == images.shape and mean.shape == log_variance.shape == (2, latent)
    assert reconstructions.abs().max() <= 1


def test_the_latent_is_mean_plus_std_times_noise() -> None:
    mean, log_variance = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, 2 * 1.0986123]])
    assert torch.allclose(reparameterise(mean, log_variance, torch.tensor([[1.0, -1.0]])), torch.tensor([[2.0, -5.0]]))
    assert torch.equal(reparameterise(mean, log_variance, torch.zeros(1, 2)), mean)
    made, images = network(), torch.rand(3, 3, 64, 64) * 2 - 1
    noise = torch.randn(3, LATENT)
    with torch.no_grad():
        mean, log_variance = made.encode(images)
        assert torch.equal(made(images, noise)[0], made.decode(reparameterise(mean, log_variance, noise)))
        assert not torch.equal(made(images, noise)[0], made.decode(mean))


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("extreme", [1e4, -1e4, float("inf")])
def test_the_log_variance_stays_finite(extreme: float, precision: torch.dtype) -> None:
    made = network()
    with torch.no_grad():
        made.fc_var.bias.fill_(extreme)
        with torch.autocast("cpu", precision, enabled=precision != torch.float32):
            images, mean, log_variance = made(torch.zeros(2, 3, 64, 64), torch.randn(2, LATENT))
    low, high = LOG_VARIANCE
    assert log_variance.min() >= low and log_variance.max() <= high
    assert mean.dtype == log_variance.dtype == torch.float32
    assert images.isfinite().all() and torch.tensor(high / 2).exp() ** 2 < torch.finfo(torch.float16).max


def test_the_description_has_every_parameter_once() -> None:
    for made in (Autoencoder(), network()):
        norms = {name: buffer.clone() for name, buffer in made.named_buffers()}
        parts = description(made)
        assert sum(part["parameters"] for part in parts.values()) == count_parameters(made)
        assert all(torch.equal(buffer, norms[name]) for name, buffer in made.named_buffers())
    parts = description(Autoencoder())
    names = [[row["layer"] for row in parts[name]["layers"]] for name in ("encoder", "decoder")]
    assert names[0] == ["Conv2d 3x3", "BatchNorm2d", "LeakyReLU"] * 5 + ["Linear"] * 2
    assert names[1] == ["Linear", *["ConvTranspose2d 3x3", "BatchNorm2d", "LeakyReLU"] * 5, "Conv2d 3x3", "Tanh"]
    assert parts["encoder"]["layers"][12]["output"] == "512 x 2 x 2"
    assert parts["decoder"]["layers"][-1]["output"] == "3 x 64 x 64"


def test_the_first_latents_of_a_seed_do_not_depend_on_the_count() -> None:
    many = normal(50, (7,), seed=3)
    assert torch.equal(normal(4, (7,), seed=3), many[:4]) and not torch.equal(normal(4, (7,), seed=4), many[:4])
    assert many.shape == (50, 7) and abs(float(many.mean())) < 0.2 and 0.8 < float(many.std()) < 1.2
