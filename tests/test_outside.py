"""Commands on trained weights in an empty folder: they need no study, and say in one line what they do need."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.models.conftest import trained  # noqa: F401  # a fixture

WEIGHTS = "../weights"  # what the study trained
DIGITS = f"--weights {WEIGHTS}/diffusion/context-unet-0"
DANN = f"--weights {WEIGHTS}/adaptation/usps-mnistm/dann-0"
COMMANDS = {
    f"gan sample sngan --count 2 --out made --weights {WEIGHTS}/gan/sngan-0": 2,
    f"vae sample --count 2 --out made --weights {WEIGHTS}/vae/vae-0": 2,
    f"ddim sample --noise noise --steps 2 --out made --weights {WEIGHTS}/ddim/unet-0": 2,
    f"diffusion sample context-unet --digit 7 --count 2 --steps 2 --out made {DIGITS}": 2,
    f"diffusion sample context-unet --all --count 1 --steps 2 --out made {DIGITS}": 10,
}
SCORES = (
    f"adaptation predict digits --scenario usps-mnistm --out made.csv {DANN}",
    f"evaluate digits digits --judge {WEIGHTS}/evaluation/judge/0",
    "evaluate mse digits --reference digits",
)
NO_WEIGHTS = "there is no params.yaml here; run dlcv in the root of the repository, or name weights by --weights"
NO_STUDY = "there is no params.yaml here; run dlcv in the root of the repository"


@pytest.fixture
def empty(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    """A folder with images and noises, beside one with weights; the study is gone."""
    (trained / "out").rename(trained / "weights")
    for file in ("params.yaml", "profiles", "data"):
        path = trained / file
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    folder = trained / "empty"
    (folder / "digits").mkdir(parents=True)
    (folder / "noise").mkdir()
    values = np.random.default_rng(0)
    for index in range(2):
        pixels = values.integers(0, 256, size=(28, 28, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"digits/{index}_001.png")
        np.save(folder / f"noise/{index}.npy", values.standard_normal((3, 64, 64)).astype(np.float32))
    monkeypatch.chdir(folder)
    monkeypatch.delenv("DVC_ROOT")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("words", COMMANDS)
def test_images_are_drawn_from_weights_alone(empty: Path, dlcv: Callable[[str], tuple[int, str]], words: str) -> None:
    assert dlcv(words)[0] == 0
    assert len(list((empty / "made").glob("*.png"))) == COMMANDS[words]
    assert {path.name for path in empty.iterdir()} == {"digits", "noise", "made"}


@pytest.mark.slow
@pytest.mark.parametrize("words", SCORES)
def test_images_are_read_by_weights_alone(empty: Path, dlcv: Callable[[str], tuple[int, str]], words: str) -> None:
    assert dlcv(words)[0] == 0
    assert {path.name for path in empty.iterdir()} <= {"digits", "noise", "made.csv"}


@pytest.mark.slow
def test_a_model_that_only_another_study_declares(empty: Path, dlcv: Callable[[str], tuple[int, str]]) -> None:
    folder = Path(WEIGHTS) / "diffusion/context-unet-0"
    about = (folder / "weights.json").read_text()
    (folder / "weights.json").write_text(about.replace('"model": "context-unet"', '"model": "mine"'))
    words = f"diffusion sample mine --digit 7 --count 2 --steps 2 --weights {folder} --out"
    assert dlcv(f"{words} made") == (0, "")
    code, message = dlcv(f"{words.replace('mine', 'context-unet')} other")
    assert code == 1 and "holds the weights of mine" in message


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("gan sample sngan --out made", NO_WEIGHTS),
        ("vae sample --out made", NO_WEIGHTS),
        ("ddim sample --noise noise --out made", NO_WEIGHTS),
        ("diffusion sample context-unet --all --out made", NO_WEIGHTS),
        ("adaptation predict digits --scenario usps-mnistm --out made.csv", NO_WEIGHTS),
        ("evaluate digits digits", f"{NO_STUDY}, or name weights by --judge"),
        ("export gan/sngan-0 made", NO_STUDY),
        ("gan train sngan", NO_STUDY),
    ],
)
def test_what_is_needed_is_said_in_one_line(
    empty: Path, dlcv: Callable[[str], tuple[int, str]], words: str, message: str
) -> None:
    assert dlcv(words) == (1, f"dlcv: error: {message}\n")
    assert {path.name for path in empty.iterdir()} == {"digits", "noise"}
