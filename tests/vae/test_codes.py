"""Codes, errors and images of a network, and `dlcv vae sample`."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dlcv.data.batches import to_float, to_uint8
from dlcv.data.latents import normal
from dlcv.engine.weights import save_weights
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json, write_json
from dlcv.vae.codes import decode, encode
from dlcv.vae.losses import divergence
from tests.vae.conftest import LATENT, NARROW, network

COUNT = 105  # a whole batch and one of five


def images(count: int = COUNT) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, size=(count, 64, 64, 3), dtype=np.uint8)


def test_codes_and_errors_are_those_of_the_network() -> None:
    made, shown = network(), images()
    codes = encode(made, shown)
    x = to_float(shown)
    with torch.no_grad():
        mean, log_variance = made.encode(x)
        error = (made.decode(mean) - x).square().flatten(1).mean(1)
    assert np.allclose(codes.means, mean, atol=1e-5) and codes.means.shape == (COUNT, LATENT)
    assert np.allclose(codes.kl, divergence(mean, log_variance), atol=1e-4)
    assert np.allclose(codes.error, error, atol=1e-5) and codes.error.shape == (COUNT,)
    assert not np.allclose(codes.sampled_error, codes.error, atol=1e-4)
    # A decoded image has this error, except for rounding to whole levels.
    levels = decode(made, codes.means).astype(np.float64) / 127.5 - 1
    assert np.allclose(((levels - (shown / 127.5 - 1)) ** 2).mean((1, 2, 3)), codes.error, atol=1e-3)


def test_nothing_depends_on_the_count_or_on_earlier_random_numbers() -> None:
    made, shown = network(), images()
    state = torch.get_rng_state()
    all_of_them = encode(made, shown)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(7)
    for count in (1, 4, 100):
        few = encode(made, shown[:count])
        for name in ("means", "kl", "error", "sampled_error"):
            assert (getattr(few, name) == getattr(all_of_them, name)[:count]).all(), name
    noise = normal(COUNT, (LATENT,), seed=0)
    drawn = decode(made, noise)
    assert drawn.dtype == np.uint8 and drawn.shape == (COUNT, 64, 64, 3)
    assert all((decode(made, noise[:count]) == drawn[:count]).all() for count in (1, 4, 100))
    with torch.no_grad():
        assert np.abs(drawn.astype(int) - to_uint8(made.decode(noise)).numpy()).max() <= 1
    assert len(np.unique(drawn.reshape(COUNT, -1), axis=0)) == COUNT


def test_the_noise_of_a_sampled_error_differs_from_image_to_image() -> None:
    codes = encode(network(), np.repeat(images(1), 3, axis=0))
    assert len(set(codes.error)) == 1 and len(set(codes.sampled_error)) == 3


@pytest.fixture
def trained(study: Path) -> Path:
    """A study with params.yaml and the weights of two networks."""
    for seed in (0, 3):
        about = {"area": "vae", "name": f"vae-{seed}", "width": NARROW, "latent": LATENT}
        save_weights(study / f"out/vae/vae-{seed}", network(seed).state_dict(), about)
    return study


def images_in(folder: Path) -> dict[str, np.ndarray]:
    return {path.name: np.asarray(Image.open(path)) for path in sorted(folder.iterdir())}


@pytest.mark.slow
def test_images_are_drawn_from_the_weights_alone(trained: Path, dlcv: Any, set_params: Any) -> None:
    assert dlcv("vae sample --count 5 --seed 3 --out new/five") == (0, "")
    five = images_in(trained / "new/five")
    assert list(five) == [f"{number:04d}.png" for number in range(5)]
    # The seed is that of the training and of the latents; with --weights it is that of the latents alone.
    assert (np.stack(list(five.values())) == decode(network(3), normal(5, (LATENT,), seed=3))).all()
    shutil.move(trained / "out/vae/vae-0", trained / "elsewhere")
    set_params({"vae.samples": 2, "vae.seeds": [3], "vae.latent": 99, "vae.width": 1.0})  # weights.json has its own
    (trained / "new/empty").mkdir()
    for words, seed in (("--out new/empty", 3), ("--seed 7 --out new/other", 7)):
        assert dlcv(f"vae sample --weights elsewhere {words}") == (0, "")
        two = np.stack(list(images_in(trained / words.split()[-1]).values()))
        assert (two == decode(network(0), normal(2, (LATENT,), seed))).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--out full", "full is not empty; name a new folder for the images"),
        ("--out params.yaml", "params.yaml is not empty; name a new folder for the images"),
        ("--weights none --out new", "none/weights.json is missing; `dvc repro` trains it"),
        ("--weights other --out new", "other holds area gan, not the weights of a VAE (area vae)"),
        ("--weights cut --out new", "cut/weights.safetensors is not the file that cut/weights.json describes"),
        ("--weights wide --out new", "wide/weights.safetensors does not fit Autoencoder: "),
    ],
)
def test_what_cannot_be_drawn_is_one_line_and_leaves_nothing(
    trained: Path, dlcv: Any, words: str, message: str
) -> None:
    (trained / "full").mkdir()
    (trained / "full/keep").write_text("me")
    save_weights(trained / "other", {"weight": torch.zeros(1)}, {"area": "gan", "name": "dcgan"})
    for name in ("cut", "wide"):
        shutil.copytree(trained / "out/vae/vae-0", trained / name)
    (trained / "cut/weights.safetensors").write_bytes(b"not these")
    about = read_json(trained / "wide/weights.json")
    write_json(trained / "wide/weights.json", {**about, "width": 1 / 8})
    before = sorted(trained.rglob("*"))
    code, error = dlcv(f"vae sample {words}")
    assert (code, error.count("\n")) == (1, 1) and error.startswith(f"dlcv: error: {message}")
    assert sorted(trained.rglob("*")) == before


def test_the_function_refuses_what_the_command_refuses(trained: Path) -> None:
    from dlcv.vae.sample import draw

    with pytest.raises(UserError, match=r"params\.yaml is not empty"):
        draw(Path("out/vae/vae-0"), 1, 0, Path("params.yaml"))


@pytest.mark.slow
@pytest.mark.parametrize("words", ["sample --out full", "train"])
def test_bad_arguments_and_missing_data_are_refused_before_torch_is_imported(
    study: Path, dlcv_alone: Callable[[str], tuple[int, str, set[str]]], words: str
) -> None:
    (study / "full").mkdir()
    (study / "full/keep").write_text("me")
    code, error, heavy = dlcv_alone(f"vae {words}")
    assert (code, error.count("\n"), heavy) == (1, 1, set()) and error.startswith("dlcv: error: ")
