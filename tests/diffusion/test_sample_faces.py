"""Images from noise: the stage with its figures, and `dlcv ddim sample --noise` on files of any kind."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from dlcv.data.batches import to_uint8
from dlcv.ddim import noise as noises
from dlcv.ddim import sample
from dlcv.ddim.sections import Ddim
from dlcv.diffusion.samplers import ddim, noise_predictor, spaced
from dlcv.diffusion.schedule import linear
from dlcv.runtime.config import load
from tests.ddim.conftest import unet


def saved_images(folder: Path) -> dict[str, np.ndarray]:
    return {path.name: np.asarray(Image.open(path)) for path in sorted(folder.iterdir())}


def expected(noise: torch.Tensor, steps: int = 3, **options: Any) -> np.ndarray:
    """Images of the network with seed 0, sampled by hand."""
    schedule = linear(1000, 1e-4, 0.02)
    predict = noise_predictor(unet(0), schedule, "velocity")
    options = {"clip_x0": True, "rederive": True, **options}
    return to_uint8(ddim(predict, noise, schedule, spaced("uniform+1", steps, 1000), **options)).numpy()


def close(a: np.ndarray, b: np.ndarray) -> bool:
    """Of another memory format and batch, so to rounding."""
    return a.shape == b.shape and int(np.abs(a.astype(int) - b).max()) <= 1


def test_the_stage_draws_the_images_of_the_seed_and_the_figures(trained: Path) -> None:
    out = sample.run(load())
    figures = ["eta.png", "grid.png", "interpolation.png", "process.png", "strip.png"]
    assert sorted(path.name for path in out.iterdir()) == sorted([*figures, "interpolation.csv", "noise", "images"])
    drawn = saved_images(out / "images")
    assert list(drawn) == [f"{index:04d}.png" for index in range(10)]
    images = np.stack(list(drawn.values()))
    assert close(images, expected(noises.draw(10, 0))) and images.std() > 10
    assert len(np.unique(images.reshape(10, -1), axis=0)) == 10

    # Four rows, five columns; the first column is eta 0. 130 pixels apart, 18 of them for the headers.
    eta = np.asarray(Image.open(out / "eta.png"))
    assert eta.shape[0] == 18 + 4 * 130 and eta.shape[1] > 5 * 130
    left = eta.shape[1] - 5 * 130
    cells = [
        [eta[18 + 130 * row :, left + 2 + 130 * column :][:128:2, :128:2] for column in range(5)] for row in range(4)
    ]
    assert all(close(cells[row][0], images[row]) for row in range(4))
    assert all(np.abs(cells[0][a].astype(int) - cells[0][a + 1]).max() > 5 for a in range(4))
    kept = [np.load(path) for path in sorted((out / "noise").iterdir())]
    assert np.array_equal(np.stack(kept), noises.draw(4, 0).numpy())

    table = pd.read_csv(out / "interpolation.csv").set_index(["path", "alpha"])
    assert len(table) == 22
    ends = noises.draw(2, 0).flatten(1).norm(dim=1)
    for path in ("spherical", "linear"):
        assert table.loc[(path, 0.0), "norm"] == pytest.approx(ends[0].item(), rel=1e-4)
        assert table.loc[(path, 1.0), "norm"] == pytest.approx(ends[1].item(), rel=1e-4)
    assert table.loc[("spherical", 0.5), "norm"] == pytest.approx(110.9, rel=0.02)
    assert table.loc[("linear", 0.5), "norm"] == pytest.approx(110.9 * 0.707, rel=0.02)
    first = ((images[0].astype(float) - images[1]) ** 2).mean()
    assert 0 < table.loc[("spherical", 0.1), "change"] < first
    # The last row of the strip is of the last snapshot.
    strip = np.asarray(Image.open(out / "strip.png"))
    assert strip.shape[0] == 2 * 132


def test_files_become_images_of_the_same_names(trained: Path, dlcv: Any) -> None:
    sample.run(load())
    drawn = saved_images(trained / "out/ddim/unet-samples/images")
    folder = trained / "noise"
    folder.mkdir()
    noise = noises.draw(3, 0)
    torch.save(noise[0], folder / "00.pt")
    torch.save(noise[1:2].double(), folder / "ab.c.pt")
    np.save(folder / "7.npy", noise[2].numpy())
    (folder / ".hidden").write_text("passed over")
    assert dlcv("ddim sample --noise noise --out new") == (0, "")
    made = saved_images(trained / "new")
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
        one = saved_images(trained / f"other{words.replace(' ', '')}")["00.png"]
        assert close(one, expected(noise[:1], **options)[0]), words
        assert not close(one, made["00.png"]), words
    assert dlcv("ddim sample --noise noise --out quad --spacing quad") == (0, "")
    assert not close(saved_images(trained / "quad")["00.png"], made["00.png"])
    # Weights from anywhere, the GPU box's for example.
    shutil.move(trained / "out/ddim/unet", trained / "elsewhere")
    assert dlcv("ddim sample --noise noise --out moved --weights elsewhere") == (0, "")
    assert all((image == made[name]).all() for name, image in saved_images(trained / "moved").items())


def test_fresh_noise_is_of_the_seed_and_the_name_and_of_no_other_file(trained: Path, dlcv: Any) -> None:
    for folder, names in (("one", ["b"]), ("three", ["a", "b", "c"])):
        (trained / folder).mkdir()
        for name in names:
            np.save(trained / folder / f"{name}.npy", noises.draw(1, 0)[0].numpy())
        assert dlcv(f"ddim sample --noise {folder} --out {folder}-out --eta 1") == (0, "")
    three = saved_images(trained / "three-out")
    assert close(saved_images(trained / "one-out")["b.png"], three["b.png"])
    assert not close(three["a.png"], three["b.png"])
    assert dlcv("ddim sample --noise one --out seed --eta 1 --seed 7") == (0, "")
    assert not close(saved_images(trained / "seed")["b.png"], three["b.png"])
    assert dlcv("ddim sample --noise one --out eta0 --eta 0 --seed 7") == (0, "")
    assert close(saved_images(trained / "eta0")["b.png"], expected(noises.draw(1, 0))[0])


def test_images_are_stretched_if_asked(trained: Path, dlcv: Any) -> None:
    (trained / "noise").mkdir()
    np.save(trained / "noise/00.npy", 0.01 * noises.draw(1, 0)[0].numpy())
    np.save(trained / "noise/01.npy", noises.draw(2, 0)[1].numpy())
    assert dlcv("ddim sample --noise noise --out clip --no-clip") == (0, "")
    assert dlcv("ddim sample --noise noise --out minmax --no-clip --scale minmax") == (0, "")
    for image in saved_images(trained / "minmax").values():
        assert (image.min(), image.max()) == (0, 255)
    assert not close(saved_images(trained / "clip")["01.png"], saved_images(trained / "minmax")["01.png"])
    flat = sample.stretched(torch.full((1, 3, 2, 2), 0.3))
    assert torch.equal(flat, torch.full_like(flat, -1))
    several = sample.stretched(torch.arange(24.0).view(2, 3, 2, 2))
    assert torch.equal(several.amin((1, 2, 3)), torch.tensor([-1.0, -1.0]))


class Evil:
    """Would write a file if it were unpickled."""

    def __reduce__(self) -> Any:
        return (open, ("pwned", "w"))


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
            "noise/00.png is no noise file; .pt and .npy are read, take it out",
        ),
        (lambda f: [(f / f"00{end}").touch() for end in (".pt", ".npy")], "noise/00.pt and 00.npy would make the same"),
        (lambda f: None, "noise holds no noise files; give a folder with .pt or .npy files"),
        (lambda f: f.rmdir(), "there is no folder noise; give one with noise files, .pt or .npy"),
    ],
)
def test_noise_that_cannot_be_used_is_one_line(trained: Path, dlcv: Any, make: Any, message: str) -> None:
    (trained / "noise").mkdir()
    make(trained / "noise")
    code, error = dlcv("ddim sample --noise noise --out new")
    assert (code, error.count("\n")) == (1, 1) and error.startswith(f"dlcv: error: {message}")
    assert not (trained / "new").exists() and not (trained / "pwned").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--noise noise --out full", "full is not empty; name a new folder for the images"),
        ("--noise noise", "give both --noise, a folder of noise files, and --out, a new folder for the images"),
        ("--out new --steps 3", "give both --noise"),
        ("--no-clip", "give both --noise"),
        ("--noise noise --out new --weights none", "none/weights.json is missing; `dvc repro` trains it"),
        ("--noise noise --out new --weights other", "other holds no noise predictor of faces; `dvc repro"),
        ("--noise noise --out new --steps 1001", "1001 steps with the spacing uniform+1; give 1 to 999 of the 1000"),
    ],
)
def test_what_cannot_be_drawn_is_one_line_and_leaves_nothing(
    trained: Path, dlcv: Any, words: str, message: str
) -> None:
    for folder in ("noise", "full", "other"):
        (trained / folder).mkdir()
    np.save(trained / "noise/00.npy", noises.draw(1, 0)[0].numpy())
    (trained / "full/keep").write_text("me")
    shutil.copy(trained / "out/ddim/unet/weights.safetensors", trained / "other")
    (trained / "other/weights.json").write_text('{"area": "gan"}')
    before = sorted(trained.rglob("*"))
    code, error = dlcv(f"ddim sample {words}")
    assert (code, error.count("\n")) == (1, 1) and error.startswith(f"dlcv: error: {message}")
    assert sorted(trained.rglob("*")) == before


def test_a_wrong_word_is_answered_before_torch_is_imported(
    study: Path, dlcv_alone: Callable[[str], tuple[int, str, set[str]]]
) -> None:
    (study / "noise").mkdir()
    message = "dlcv: error: noise holds no noise files; give a folder with .pt or .npy files\n"
    assert dlcv_alone("ddim sample --noise noise --out new") == (1, message, set())


def test_noise_of_a_seed_is_the_same_for_every_count() -> None:
    assert torch.equal(noises.draw(3, 5), noises.draw(7, 5)[:3])
    assert not torch.equal(noises.draw(1, 5), noises.draw(1, 6))
    seeds = [seed for study in (0, 1, 2**32 - 1) for seed in noises.seeds_of(["00", "01", "0000"], study)]
    assert len(set(seeds)) == 9
    for seed in seeds:
        torch.Generator().manual_seed(seed)


def test_samples_in_several_batches_are_the_same(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dlcv.ddim import model as module

    section = load()[Ddim]
    model = module.load_model(Path("out/ddim/unet"))
    sampling = section.sampling.model_copy(update={"eta": 1.0})
    noise = noises.draw(5, 0)
    whole = module.generate(model, noise, list(range(5)), sampling)
    monkeypatch.setattr(module, "BATCH", 2)
    parts = module.generate(model, noise, list(range(5)), sampling)
    assert close(to_uint8(whole).numpy(), to_uint8(parts).numpy())
