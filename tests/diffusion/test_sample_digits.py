"""Digits from trained weights: the stage with its figures, and `dlcv diffusion sample --digit`."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dlcv.data.batches import to_uint8
from dlcv.data.digit_names import digit_of, name_of, names_of
from dlcv.data.latents import seeds_of
from dlcv.diffusion import digits as module
from dlcv.diffusion import sample_digits
from dlcv.diffusion.config import Diffusion, DigitSampling, Guidance
from dlcv.diffusion.digits import draw, load_model
from dlcv.diffusion.samplers import times_of
from dlcv.engine.weights import save_weights
from dlcv.runtime.config import load
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json, write_json
from tests.conftest import files

pytestmark = pytest.mark.slow  # whole trainings, samplings or evaluations

MODEL = "attention-unet"
TRAINED = Path("out/diffusion/attention-unet-0")


def saved_images(folder: Path) -> dict[str, np.ndarray]:
    return {path.name: np.asarray(Image.open(path)) for path in sorted(folder.iterdir())}


def close(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal except for rounding: the batch size may differ."""
    return a.shape == b.shape and int(np.abs(a.astype(int) - b).max()) <= 1


def test_the_stage_draws_the_same_number_of_each_digit_and_the_figures(trained_digits: Path) -> None:
    out = sample_digits.run(MODEL, load())
    assert out == Path("out/diffusion/attention-unet-0-samples")
    names = ["drawn.json", "figures.json", "grid.png", "images", "process.json", "process.png"]
    names += ["scales.json", "scales.png"]
    assert sorted(path.name for path in out.iterdir()) == names
    listed = read_json(out / "figures.json")
    assert [figure["file"] for figure in listed["figures"]] == ["grid.png", "scales.png", "process.png"]
    stage = "stages/diffusion/dvc.yaml:sample@attention-unet-0"
    assert listed["of"] == f"Stage `{stage}`, training `attention-unet-0` `ffffffffffff`"
    drawn = saved_images(out / "images")
    assert list(drawn) == [f"{digit}_{number:03d}.png" for digit in range(10) for number in (1, 2)]
    images = np.stack(list(drawn.values()))
    assert images.shape == (20, 28, 28, 3) and len(np.unique(images.reshape(20, -1), axis=0)) == 20
    # Ten rows and columns of images at twice their size; the first row begins with the first zeros.
    grid = np.asarray(Image.open(out / "grid.png"))
    left, top = grid.shape[1] - 10 * 58, grid.shape[0] - 10 * 58
    assert 10 < left < 60 and 10 < top < 40
    assert close(grid[top : top + 56 : 2, left + 2 : left + 58 : 2], drawn["0_001.png"])
    assert close(grid[top : top + 56 : 2, left + 60 : left + 116 : 2], drawn["0_002.png"])
    # Three steps: the noise and three states.
    process = np.asarray(Image.open(out / "process.png"))
    assert process.shape[1] > 4 * 86 and process.shape[0] < 2 * 86
    last = process[:84:3, -84::3]
    assert close(last, drawn["0_001.png"])
    about = read_json(out / "drawn.json")
    assert about["steps"] == 3 and about["network_evaluations_per_image"] == 6
    assert about["guidance"]["w"] == 2.0 and "seconds" not in str(about)


def test_a_digit_outside_the_pipeline_is_the_same_as_in_the_stage(trained_digits: Path, dlcv: Any) -> None:
    sample_digits.run(MODEL, load())
    drawn = saved_images(trained_digits / "out/diffusion/attention-unet-0-samples/images")
    shutil.move(trained_digits / "out/diffusion/attention-unet-0", trained_digits / "alone")
    command = f"diffusion sample {MODEL} --digit 7 --weights alone"
    assert dlcv(f"{command} --count 2 --out two") == (0, "")
    two = saved_images(trained_digits / "two")
    assert list(two) == ["7_001.png", "7_002.png"] and all(close(two[name], drawn[name]) for name in two)
    assert dlcv(f"{command} --count 20 --steps 5 --w 2 --seed 1 --out many") == (0, "")
    assert len(saved_images(trained_digits / "many")) == 20
    changed = {"seed": "--seed 1", "w": "--w 0.5", "steps": "--steps 4", "eta": "--eta 1", "skip": "--skip 1"}
    for name, option in changed.items():
        assert dlcv(f"{command} --count 1 {option} --out other/{name}") == (0, "")
        assert not (saved_images(trained_digits / "other" / name)["7_001.png"] == two["7_001.png"]).all(), name
    every = command.replace("--digit 7", "--all")
    assert dlcv(f"{every} --count 2 --out every") == (0, "")
    assert list(saved_images(trained_digits / "every")) == [f"{name}.png" for name in names_of(20)]
    assert files(trained_digits / "every")["7_001.png"] == files(trained_digits / "two")["7_001.png"]
    assert dlcv(f"{command} --out ten") == (0, "") and len(saved_images(trained_digits / "ten")) == 10
    # Without --weights the seed is that of the training too.
    (trained_digits / "alone").rename(trained_digits / f"out/diffusion/{MODEL}-1")
    assert dlcv(f"diffusion sample {MODEL} --digit 7 --count 1 --seed 1 --out chosen") == (0, "")
    assert files(trained_digits / "chosen") == files(trained_digits / "other/seed")


def test_no_image_depends_on_its_batch_and_evaluations_are_counted_for_one_image(
    trained_digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded, section = load_model(TRAINED), load()[Diffusion]
    names = [name_of(digit, 1) for digit in range(5)]
    guidance = Guidance(w=1.0, skip_unconditional=0.5)
    for changes in ({"eta": 1.0}, {"sampler": "ancestral"}, {"sampler": "ancestral", "variance": "posterior"}):
        sampling = section.sampling.model_copy(update={"steps": 8, **changes})
        monkeypatch.setattr(module, "BATCH", 100)
        whole = draw(loaded, range(5), seeds_of(names, 0), sampling, guidance, 3)
        monkeypatch.setattr(module, "BATCH", 2)
        parts = draw(loaded, range(5), seeds_of(names, 0), sampling, guidance, 3)
        assert close(to_uint8(whole.images).numpy(), to_uint8(parts.images).numpy())
        assert whole.evaluations == parts.evaluations and 8 <= whole.evaluations < 16
    for w, skip, expected in ((0.0, 0.5, 8), (1.0, 0.0, 16), (1.0, 1.0, 8)):
        sampling = section.sampling.model_copy(update={"steps": 8})
        drawn = draw(loaded, [1], [1], sampling, Guidance(w=w, skip_unconditional=skip), 0)
        assert drawn.evaluations == expected


def test_without_a_number_of_steps_all_times_are_visited(trained_digits: Path) -> None:
    sampling: DigitSampling = load()[Diffusion].sampling
    loaded = load_model(TRAINED)
    every = sampling.model_copy(update={"steps": None, "spacing": "uniform"})
    assert times_of(every, loaded.schedule) == list(range(1000))[::-1]
    assert len(times_of(sampling, loaded.schedule)) == 3


def test_each_image_has_its_own_noise(trained_digits: Path) -> None:
    assert seeds_of(["0_001", "0_002"], 0) == [seeds_of([name], 0)[0] for name in ("0_001", "0_002")]
    assert len({*seeds_of(["0_001", "0_002"], 0), *seeds_of(["0_001", "0_002"], 1)}) == 4
    loaded = load_model(TRAINED)
    state = torch.get_rng_state()
    sample_digits.grid(loaded, load()[Diffusion].sampling, Guidance(w=0.0, skip_unconditional=0.0), 0)
    assert torch.equal(torch.get_rng_state(), state)


def test_names_say_the_digit() -> None:
    assert name_of(0, 1) == "0_001" and name_of(9, 100) == "9_100"
    assert [digit_of(name) for name in ("0_001.png", "9_100.png")] == [0, 9]
    assert names_of(20) == [f"{digit}_{number:03d}" for digit in range(10) for number in (1, 2)]
    for name in ("0001.png", "12_001.png", "x_001.png"):
        with pytest.raises(UserError, match="does not say which digit it shows; images are named 7_001.png"):
            digit_of(name)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (f"{MODEL} --digit 7 --out full", "full is not empty; name a new folder for the images"),
        (f"{MODEL} --count 4", "give --digit, 0 to 9, or --all, and --out, a new folder"),
        (f"{MODEL} --digit 7", "give --digit, 0 to 9, or --all, and --out, a new folder"),
        (f"{MODEL} --out new", "give --digit, 0 to 9, or --all, and --out, a new folder"),
        ("attention-net --digit 7 --out new", "no model attention-net; did you mean attention-unet?"),
        ("context-unet", "out/diffusion/context-unet-0/weights.json is missing; `dvc repro` trains it, `dvc pull`"),
        (
            "context-unet --digit 7 --out new",
            "out/diffusion/context-unet-0/weights.json is missing; `dvc repro` trains",
        ),
        (
            f"{MODEL} --digit 7 --out new --weights other",
            "other holds area gan, not the weights of a noise predictor of digits",
        ),
        (
            f"context-unet --digit 7 --out new --weights {TRAINED}",
            "out/diffusion/attention-unet-0 holds the weights of attention-unet, not of context-unet",
        ),
        (f"{MODEL} --digit 7 --out new --weights cut", "cut/weights.safetensors is not the file that cut/weights.json"),
        (f"{MODEL} --digit 7 --out new --weights wide", "wide/weights.safetensors does not fit Fitted: "),
        (f"{MODEL} --digit 7 --out new --weights old", "old/weights.json does not describe a network of this version"),
        (f"{MODEL} --digit 7 --out new --steps 1001", "1001 steps with the spacing trailing; give 1 to 1000 of the"),
    ],
)
def test_what_cannot_be_drawn_is_one_line_and_leaves_nothing(
    trained_digits: Path, dlcv: Any, words: str, message: str
) -> None:
    (trained_digits / "full").mkdir()
    (trained_digits / "full/keep").write_text("me")
    save_weights(
        trained_digits / "other", {"weight": torch.zeros(1)}, {"area": "gan", "name": "sngan", "model": "sngan"}
    )
    for name in ("cut", "wide", "old"):
        shutil.copytree(trained_digits / TRAINED, trained_digits / name)
    (trained_digits / "cut/weights.safetensors").write_bytes(b"not these")
    about = read_json(trained_digits / "wide/weights.json")
    write_json(trained_digits / "wide/weights.json", {**about, "network": {**about["network"], "width": 0.125}})
    unknown = {**about["network"], "architecture": "unet"}
    write_json(trained_digits / "old/weights.json", {**about, "network": unknown})
    before = sorted(trained_digits.rglob("*"))
    code, error = dlcv(f"diffusion sample {words}")
    assert (code, error.count("\n")) == (1, 1) and error.startswith(f"dlcv: error: {message}")
    assert sorted(trained_digits.rglob("*")) == before


@pytest.mark.parametrize("words", ["sample context-unit", f"sample {MODEL} --digit 1 --out full", f"train {MODEL}"])
def test_bad_arguments_are_refused_before_torch_is_imported(
    study: Path, dlcv_alone: Callable[[str], tuple[int, str, set[str]]], words: str
) -> None:
    (study / "full").mkdir()
    (study / "full/keep").write_text("me")
    code, error, heavy = dlcv_alone(f"diffusion {words}")
    assert (code, error.count("\n")) == (1, 1) and error.startswith("dlcv: error: ")
    assert heavy == set()
