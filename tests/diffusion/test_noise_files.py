"""`dlcv ddim sample --noise`: options, seeds, scaling, and noise files that cannot be used."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dlcv.data.latents import normal
from dlcv.diffusion import sample_faces
from dlcv.diffusion.faces import SHAPE
from dlcv.diffusion.noise_files import stretched
from dlcv.runtime.config import load
from tests.conftest import files
from tests.diffusion.test_sample_faces import close, expected, saved_images


@pytest.mark.slow
def test_files_become_images_of_the_same_names(trained_faces: Path, dlcv: Any) -> None:
    sample_faces.run(load())
    drawn = saved_images(trained_faces / "out/ddim/unet-0-samples/images")
    folder = trained_faces / "noise"
    folder.mkdir()
    noise = normal(3, SHAPE, 0)
    torch.save(noise[0], folder / "00.pt")
    torch.save(noise[1:2].double(), folder / "ab.c.pt")
    np.save(folder / "7.npy", noise[2].numpy())
    (folder / ".hidden").write_text("ignored")
    assert dlcv("ddim sample --noise noise --out new") == (0, "")
    made = saved_images(trained_faces / "new")
    assert list(made) == ["00.png", "7.png", "ab.c.png"]
    for name, index in (("00.png", 0), ("ab.c.png", 1), ("7.png", 2)):
        assert close(made[name], drawn[f"{index:04d}.png"])
    # Each option reaches the sampler.
    for words, options in {
        "--steps 5": {"steps": 5},
        "--no-clip": {"clip_x0": False},
        "--no-rederive": {"rederive": False},
    }.items():
        assert dlcv(f"ddim sample --noise noise --out other{words.replace(' ', '')} {words}") == (0, "")
        one = saved_images(trained_faces / f"other{words.replace(' ', '')}")["00.png"]
        assert close(one, expected(noise[:1], **options)[0]), words
        assert not close(one, made["00.png"]), words
    assert dlcv("ddim sample --noise noise --out quad --spacing quad") == (0, "")
    assert not close(saved_images(trained_faces / "quad")["00.png"], made["00.png"])
    # Weights from another folder.
    shutil.move(trained_faces / "out/ddim/unet-0", trained_faces / "elsewhere")
    assert dlcv("ddim sample --noise noise --out moved --weights elsewhere") == (0, "")
    assert all((image == made[name]).all() for name, image in saved_images(trained_faces / "moved").items())


@pytest.mark.slow
def test_the_added_noise_depends_on_the_seed_and_the_name_and_on_no_other_file(trained_faces: Path, dlcv: Any) -> None:
    for folder, names in (("one", ["b"]), ("three", ["a", "b", "c"])):
        (trained_faces / folder).mkdir()
        for name in names:
            np.save(trained_faces / folder / f"{name}.npy", normal(1, SHAPE, 0)[0].numpy())
        assert dlcv(f"ddim sample --noise {folder} --out {folder}-out --eta 1") == (0, "")
    three = saved_images(trained_faces / "three-out")
    assert close(saved_images(trained_faces / "one-out")["b.png"], three["b.png"])
    assert not close(three["a.png"], three["b.png"])
    assert dlcv("ddim sample --noise one --out seed --eta 1 --seed 7 --weights out/ddim/unet-0") == (0, "")
    assert not close(saved_images(trained_faces / "seed")["b.png"], three["b.png"])
    # Without --weights the seed is that of the training too.
    (trained_faces / "out/ddim/unet-0").rename(trained_faces / "out/ddim/unet-7")
    assert dlcv("ddim sample --noise one --out chosen --eta 1 --seed 7") == (0, "")
    assert files(trained_faces / "chosen") == files(trained_faces / "seed")
    assert dlcv("ddim sample --noise one --out eta0 --eta 0 --seed 7") == (0, "")
    assert close(saved_images(trained_faces / "eta0")["b.png"], expected(normal(1, SHAPE, 0))[0])


@pytest.mark.slow
def test_minmax_stretches_each_image(trained_faces: Path, dlcv: Any) -> None:
    (trained_faces / "noise").mkdir()
    np.save(trained_faces / "noise/00.npy", 0.01 * normal(1, SHAPE, 0)[0].numpy())
    np.save(trained_faces / "noise/01.npy", normal(2, SHAPE, 0)[1].numpy())
    assert dlcv("ddim sample --noise noise --out clip --no-clip") == (0, "")
    assert dlcv("ddim sample --noise noise --out minmax --no-clip --scale minmax") == (0, "")
    for image in saved_images(trained_faces / "minmax").values():
        assert (image.min(), image.max()) == (0, 255)
    assert not close(saved_images(trained_faces / "clip")["01.png"], saved_images(trained_faces / "minmax")["01.png"])
    flat = stretched(torch.full((1, 3, 2, 2), 0.3))
    assert torch.equal(flat, torch.full_like(flat, -1))
    several = stretched(torch.arange(24.0).view(2, 3, 2, 2))
    assert torch.equal(several.amin((1, 2, 3)), torch.tensor([-1.0, -1.0]))


class Evil:
    """Would write a file if it were unpickled."""

    def __reduce__(self) -> Any:
        return (open, ("pwned", "w"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f: torch.save(torch.zeros(3, 32, 32), f / "00.pt"), "noise/00.pt holds 3 x 32 x 32; the network takes"),
        (lambda f: torch.save(torch.zeros(2, 3, 64, 64), f / "00.pt"), "noise/00.pt holds 2 x 3 x 64 x 64; the"),
        (lambda f: torch.save({"x": torch.zeros(1)}, f / "00.pt"), "noise/00.pt holds a dict; noise is a tensor of"),
        (lambda f: torch.save(torch.zeros(3, 64, 64).int(), f / "00.pt"), "noise/00.pt holds a tensor of torch.int32"),
        (lambda f: torch.save(torch.full((3, 64, 64), float("nan")), f / "00.pt"), "noise/00.pt holds values that are"),
        (lambda f: (f / "00.pt").write_bytes(b"not a tensor"), "noise/00.pt cannot be read as a tensor ("),
        (lambda f: (f / "00.pt").write_bytes(b""), "noise/00.pt cannot be read as a tensor ("),
        (lambda f: (f / "00.pt").write_bytes(pickle.dumps(Evil())), "noise/00.pt cannot be read as a tensor ("),
        (lambda f: torch.save(Evil(), f / "00.pt"), "noise/00.pt cannot be read as a tensor ("),
        (lambda f: np.save(f / "00.npy", np.array([Evil()], dtype=object)), "noise/00.npy cannot be read as a tensor"),
        (lambda f: (f / "00.npy").write_bytes(b"\x93NUMPY"), "noise/00.npy cannot be read as a tensor ("),
        (lambda f: np.save(f / "00.npy", np.zeros((3, 64, 64), dtype=np.uint16)), "noise/00.npy holds a tensor of"),
        (
            lambda f: (f / "00.png").write_bytes(b""),
            "noise/00.png is no noise file (.pt or .npy); remove it from the folder",
        ),
        (lambda f: [(f / f"00{end}").touch() for end in (".pt", ".npy")], "noise/00.pt and 00.npy would make the same"),
        (lambda f: None, "noise holds no noise files; give a folder with .pt or .npy files"),
        (lambda f: f.rmdir(), "there is no folder noise; give one with noise files, .pt or .npy"),
    ],
)
def test_noise_that_cannot_be_used_is_one_line(trained_faces: Path, dlcv: Any, make: Any, message: str) -> None:
    (trained_faces / "noise").mkdir()
    make(trained_faces / "noise")
    code, error = dlcv("ddim sample --noise noise --out new")
    assert (code, error.count("\n")) == (1, 1) and error.startswith(f"dlcv: error: {message}")
    assert not (trained_faces / "new").exists() and not (trained_faces / "pwned").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--noise noise --out full", "full is not empty; name a new folder for the images"),
        ("--noise noise", "give both --noise, a folder of noise files, and --out, a new folder for the images"),
        ("--out new --steps 3", "give both --noise"),
        ("--no-clip", "give both --noise"),
        ("--noise noise --out new --weights none", "none/weights.json is missing; `dvc repro` trains it"),
        (
            "--noise noise --out new --weights other",
            "other holds area gan, not the weights of a noise predictor of faces",
        ),
        ("--noise noise --out new --steps 1001", "1001 steps with the spacing uniform+1; give 1 to 999 of the 1000"),
    ],
)
def test_what_cannot_be_drawn_is_one_line_and_leaves_nothing(
    trained_faces: Path, dlcv: Any, words: str, message: str
) -> None:
    for folder in ("noise", "full", "other"):
        (trained_faces / folder).mkdir()
    np.save(trained_faces / "noise/00.npy", normal(1, SHAPE, 0)[0].numpy())
    (trained_faces / "full/keep").write_text("me")
    shutil.copy(trained_faces / "out/ddim/unet-0/weights.safetensors", trained_faces / "other")
    (trained_faces / "other/weights.json").write_text('{"area": "gan"}')
    before = sorted(trained_faces.rglob("*"))
    code, error = dlcv(f"ddim sample {words}")
    assert (code, error.count("\n")) == (1, 1) and error.startswith(f"dlcv: error: {message}")
    assert sorted(trained_faces.rglob("*")) == before


def test_an_empty_folder_is_refused_before_torch_is_imported(
    study: Path, dlcv_alone: Callable[[str], tuple[int, str, set[str]]]
) -> None:
    (study / "noise").mkdir()
    message = "dlcv: error: noise holds no noise files; give a folder with .pt or .npy files\n"
    assert dlcv_alone("ddim sample --noise noise --out new") == (1, message, set())
