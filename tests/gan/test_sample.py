"""Images from trained weights, from the stage and from `dlcv gan sample --out`."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from dlcv.data.batches import to_uint8
from dlcv.data.latents import normal
from dlcv.engine.weights import save_state, save_weights
from dlcv.gan import sample
from dlcv.gan.networks import LATENT, Generator, build
from dlcv.runtime.config import load
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json, write_json

pytestmark = pytest.mark.slow  # whole trainings, samplings or evaluations

COUNT = 105  # a whole batch and one of five


def latents(count: int, seed: int) -> Tensor:
    return normal(count, (LATENT,), seed)


def generator(architecture: str, seed: int, width: float = 1 / 16) -> Generator:
    torch.manual_seed(seed)
    network, _ = build(architecture, width, width, init_std=0.2)
    return network.eval()


@pytest.fixture
def trained(study: Path, set_params: Any) -> Path:
    """A study with params.yaml, and the weights and snapshots of one model."""
    set_params({"gan.samples": COUNT, "gan.seeds": [5]})
    folder = study / "out/gan/dcgan-k5-5"
    network = generator("dcgan-k5", seed=0)
    about = {"area": "gan", "model": "dcgan-k5", "architecture": "dcgan-k5", "width": 1 / 16, "fingerprint": "f" * 64}
    save_weights(folder, network.state_dict(), about)
    for step in (20, 30, 100):
        save_state(folder / f"snapshots/step-{step:06d}.safetensors", generator("dcgan-k5", seed=step).state_dict())
    return study


def images(folder: Path) -> dict[str, np.ndarray]:
    return {path.name: np.asarray(Image.open(path)) for path in sorted(folder.iterdir())}


def tree(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def test_the_stage_draws_the_images_of_the_seed_a_grid_and_a_strip(trained: Path) -> None:
    out = sample.run("dcgan-k5", load().for_seed(5, []))
    assert out == Path("out/gan/dcgan-k5-5-samples")
    assert sorted(path.name for path in out.iterdir()) == [
        *("figures.json", "grid.png", "images", "strip.json", "strip.png")
    ]
    listed = read_json(out / "figures.json")
    assert [figure["file"] for figure in listed["figures"]] == ["grid.png", "strip.png"]
    assert listed["of"] == "Stage `sample@dcgan-k5-5`, training `dcgan-k5-5` `ffffffffffff`"
    drawn = images(out / "images")
    assert list(drawn) == [f"{number:04d}.png" for number in range(COUNT)]
    with torch.no_grad():
        expected = to_uint8(generator("dcgan-k5", seed=0)(latents(COUNT, seed=5))).numpy()
    # Equal except for rounding: the memory formats differ.
    assert np.abs(np.stack(list(drawn.values())).astype(int) - expected).max() <= 1
    assert expected.std() > 10 and len(np.unique(expected.reshape(COUNT, -1), axis=0)) == COUNT
    # The first 32 images in four rows of eight, at twice their size.
    grid = np.asarray(Image.open(out / "grid.png"))
    assert grid.shape == (4 * 130 + 2, 8 * 130 + 2, 3)
    assert (grid[2 + 3 * 130 : 130 + 3 * 130 : 2, 2 + 130 : 130 + 130 : 2] == drawn["0025.png"]).all()
    # A row of eight images for each snapshot, in the order of the steps.
    strip = np.asarray(Image.open(out / "strip.png"))
    assert strip.shape[0] == 3 * 132 and strip.shape[1] > 8 * 130
    with torch.no_grad():
        last = to_uint8(generator("dcgan-k5", seed=100)(latents(8, seed=5))).numpy()
    assert np.abs(strip[-130:-2:2, -130:-2:2].astype(int) - last[7]).max() <= 1


def test_outside_the_pipeline_only_the_weights_are_needed(trained: Path, dlcv: Any) -> None:
    sample.run("dcgan-k5", load().for_seed(5, []))
    drawn = images(trained / "out/gan/dcgan-k5-5-samples/images")
    alone = trained / "alone"
    for name in ("weights.json", "weights.safetensors"):
        alone.mkdir(exist_ok=True)
        shutil.move(trained / "out/gan/dcgan-k5-5" / name, alone / name)
    shutil.rmtree(trained / "out")
    for count in (1, 3, 7):
        assert dlcv(f"gan sample dcgan-k5 --count {count} --seed 5 --weights alone --out new/{count}") == (0, "")
        few = images(trained / f"new/{count}")
        assert list(few) == [f"{number:04d}.png" for number in range(count)]
        assert all((image == drawn[name]).all() for name, image in few.items())
    assert dlcv("gan sample dcgan-k5 --count 2 --seed 6 --weights alone --out new/other") == (0, "")
    assert not (images(trained / "new/other")["0000.png"] == drawn["0000.png"]).all()
    # Count and seed default to those of params.yaml; an empty folder is accepted.
    (trained / "new/empty").mkdir()
    assert dlcv("gan sample dcgan-k5 --weights alone --out new/empty") == (0, "")
    everything = images(trained / "new/empty")
    assert all((everything[name] == image).all() for name, image in drawn.items()) and len(everything) == COUNT


def test_images_depend_on_no_earlier_random_number() -> None:
    network = generator("dcgan-k5", seed=0)
    state = torch.get_rng_state()
    first = sample.generate(network, latents(3, 0))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(7)
    assert (sample.generate(network, latents(3, 0)) == first).all()
    assert first.dtype == np.uint8 and first.shape == (3, 64, 64, 3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("dcgan-k5 --out full", "full is not empty; name a new folder for the images"),
        ("dcgan-k5 --out params.yaml", "params.yaml is not empty; name a new folder for the images"),
        ("dcgan-k5 --count 4", "--count and --weights need --out, a new folder for the images"),
        ("dcgan-5k --out new", "no model dcgan-5k; did you mean dcgan-k5?"),
        ("sngan --out new", "out/gan/sngan-5/weights.json is missing; `dvc repro` trains it, `dvc pull` fetches it"),
        ("sngan", "out/gan/sngan-5/weights.json is missing; `dvc repro` trains it, `dvc pull` fetches it"),
        ("dcgan --weights other --out new", "other holds area adaptation, not the generator of dcgan (area gan)"),
        (
            "dcgan --weights out/gan/dcgan-k5-5 --out new",
            "out/gan/dcgan-k5-5 holds model dcgan-k5, not the generator of dcgan (model dcgan)",
        ),
        ("dcgan-k5 --weights cut --out new", "cut/weights.safetensors is not the file that cut/weights.json describes"),
        ("dcgan-k5 --weights wide --out new", "wide/weights.safetensors does not fit Generator: "),
        ("dcgan-k5 --weights old --out new", "old/weights.json does not describe a network of this version ('none')"),
    ],
)
def test_what_cannot_be_drawn_is_one_line_and_leaves_nothing(
    trained: Path, dlcv: Any, words: str, message: str
) -> None:
    (trained / "full").mkdir()
    (trained / "full/keep").write_text("me")
    save_weights(trained / "other", {"weight": torch.zeros(1)}, {"area": "adaptation", "name": "dann-mnistm-usps"})
    for name in ("cut", "wide", "old"):
        shutil.copytree(trained / "out/gan/dcgan-k5-5", trained / name)
    (trained / "cut/weights.safetensors").write_bytes(b"not these")
    about = read_json(trained / "wide/weights.json")
    write_json(trained / "wide/weights.json", {**about, "width": 1 / 8})
    write_json(trained / "old/weights.json", {**about, "architecture": "none"})
    before = tree(trained)
    code, error = dlcv(f"gan sample {words}")
    assert (code, error.count("\n")) == (1, 1) and error.startswith(f"dlcv: error: {message}")
    assert tree(trained) == before


def test_a_draw_that_is_interrupted_leaves_no_folder(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, saved = tree(trained), []

    def full_disk(self: Image.Image, path: Path) -> None:
        saved.append(path)
        if len(saved) == 3:
            raise OSError("No space left on device")
        path.write_bytes(b"")

    monkeypatch.setattr(Image.Image, "save", full_disk)
    with pytest.raises(OSError, match="No space"):
        sample.draw("dcgan-k5", Path("out/gan/dcgan-k5-5"), 5, 0, Path("new"))
    assert tree(trained) == before and len(saved) == 3


class Rows(nn.Module):
    """Images whose brightness is the size of their batch: the effect of rounding made visible."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))  # its device is the network's

    def forward(self, latents: Tensor) -> Tensor:
        return torch.full((len(latents), 3, 64, 64), len(latents) / sample.BATCH)


def test_an_image_does_not_depend_on_how_many_are_drawn_with_it() -> None:
    rows: Any = Rows()
    for count in (1, sample.BATCH, COUNT):
        images = sample.generate(rows, latents(count, 0))
        assert images.shape == (count, 64, 64, 3) and (images == 255).all()


def test_the_functions_refuse_what_the_command_refuses(trained: Path) -> None:
    (trained / "full").mkdir()
    (trained / "full/keep").write_text("me")
    with pytest.raises(UserError, match="full is not empty"):
        sample.draw("dcgan-k5", Path("out/gan/dcgan-k5-5"), 2, 0, Path("full"))
    assert [path.name for path in (trained / "full").iterdir()] == ["keep"]
    with pytest.raises(UserError, match=r"holds model dcgan-k5, not the generator of sngan \(model sngan\)"):
        sample.load_generator(Path("out/gan/dcgan-k5-5"), "sngan")


@pytest.mark.parametrize("words", ["sample dcgann", "sample dcgan --out full", "sample dcgan --count 1", "train dcgan"])
def test_bad_arguments_are_refused_before_torch_is_imported(
    study: Path, dlcv_alone: Callable[[str], tuple[int, str, set[str]]], words: str
) -> None:
    (study / "full").mkdir()
    (study / "full/keep").write_text("me")
    code, error, heavy = dlcv_alone(f"gan {words}")
    assert (code, error.count("\n"), heavy) == (1, 1, set()) and error.startswith("dlcv: error: ")
