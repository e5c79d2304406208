"""The stage `train` on small synthetic faces: files, resuming, snapshots, warnings, errors."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from dlcv.gan import train
from dlcv.gan.networks import build
from dlcv.gan.step import GAN
from dlcv.gan.train import standing_statistics, warn_of_collapse
from dlcv.runtime.config import load
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json, sha256
from tests.conftest import files
from tests.gan.conftest import small

pytestmark = pytest.mark.slow  # whole trainings, samplings or evaluations

OUT = Path("out/gan")


@pytest.fixture(autouse=True)
def _often(_often: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fixture of all tests, and statistics from few images."""
    monkeypatch.setattr(train, "standing_statistics", partial(standing_statistics, batches=2, batch_size=8))


def kill(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """Let a training die in step `at`, counted from 1."""
    real, done = GAN.step, []

    def dying(self: GAN, *arguments: Any) -> dict[str, Tensor]:
        done.append(None)
        if len(done) == at:
            raise KeyboardInterrupt
        return real(self, *arguments)

    monkeypatch.setattr(GAN, "step", dying)


def test_a_training_leaves_weights_snapshots_and_a_curve(faces: Path, set_params: Any) -> None:
    set_params(small("dcgan-k5"))
    out = train.run("dcgan-k5", load())
    names = ["curve.csv", *(f"snapshots/step-{step:06d}.safetensors" for step in (4, 8, 12))]
    assert sorted(files(out)) == [*names, "weights.json", "weights.safetensors"] and out == OUT / "dcgan-k5-0"

    about = read_json(out / "weights.json")
    assert (
        about["model"] == "dcgan-k5"
        and about["name"] == "dcgan-k5-0"
        and about["area"] == "gan"
        and about["width"] == 1 / 32
    )
    assert about["sha256"] == sha256(out / "weights.safetensors") and about["data"] == {"faces": "a" * 64}
    assert about["params"]["training"]["steps"] == 12
    assert about["architecture"] == "dcgan-k5" and about["stage"] == "stages/gan/dvc.yaml:train@dcgan-k5-0"
    weights = load_file(out / "weights.safetensors")
    generator, discriminator = build("dcgan-k5", 1 / 32, 1 / 32, 0.02)
    generator.load_state_dict(weights)
    for name, network in (("generator", generator), ("discriminator", discriminator)):
        described = about["networks"][name]
        assert described["parameters"] == sum(p.numel() for p in network.parameters())
        assert sum(layer["parameters"] for layer in described["layers"]) == described["parameters"]
    assert about["parameters"] == about["networks"]["generator"]["parameters"]

    curve = pd.read_csv(out / "curve.csv")
    assert list(curve["step"]) == [2, 4, 6, 8, 10, 12]
    assert {"generator_loss", "discriminator_loss", "d_real", "d_fake", "diversity"} < set(curve)
    assert not (faces / ".checkpoints/gan/dcgan-k5-0").exists() or not list(
        (faces / ".checkpoints/gan/dcgan-k5-0").glob("*/*")
    )


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_the_last_snapshot_is_the_result_and_snapshots_change_nothing(
    faces: Path, set_params: Any, ema_decay: float
) -> None:
    set_params(small("dcgan") | {"gan.base.ema_decay": ema_decay})
    many = files(train.run("dcgan", load()))
    assert many["snapshots/step-000012.safetensors"] == many["weights.safetensors"]
    assert len({many[name] for name in many if name.startswith("snapshots/")}) == 3
    # They change neither the network in training nor its random numbers.
    set_params({"gan.base.snapshots": 1})
    assert files(train.run("dcgan", load()))["weights.safetensors"] == many["weights.safetensors"]


def test_the_result_is_the_averaged_generator_and_the_discriminator_has_no_average(
    faces: Path, set_params: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_params(small("sngan") | {"gan.base.ema_decay": 0.9})
    kill(monkeypatch, at=11)
    with pytest.raises(KeyboardInterrupt):
        train.run("sngan", load())
    (path,) = (faces / ".checkpoints/gan/sngan-0").glob("*/step-*/rank-0.pt")
    state = torch.load(path, weights_only=True)
    assert state["step"] == 8
    assert [key for key in state if key.startswith("average.")] == ["average.generator"]
    last, average = state["network.generator"], state["average.generator"]
    assert all(torch.equal(last[key], average[key]) for key in last if "running" in key)
    weights = [key for key in last if key.endswith("weight")]
    assert weights and not any(torch.equal(last[key], average[key]) for key in weights)
    # The snapshot of that step is the average with BatchNorm statistics of its own.
    snapshot = load_file(path.parent.parent / "snapshots/step-000008.safetensors")
    assert all(torch.equal(snapshot[key], average[key]) for key in weights)
    assert not any(torch.equal(snapshot[key], average[key]) for key in last if "running" in key)


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        ("sngan", {"image_noise_std": 0.2, "swap_labels": 0.3}),
        ("wgan-gp", {"gradient_penalty_every": 3, "discriminator_steps": 2}),
    ],
)
def test_killed_and_resumed_equals_uninterrupted(
    faces: Path, set_params: Any, monkeypatch: pytest.MonkeyPatch, model: str, changes: dict[str, Any]
) -> None:
    set_params(small(model, **changes) | {"gan.base.schedule": "cosine"})
    whole = files(train.run(model, load()))
    (OUT / f"{model}-0").rename("whole")
    with monkeypatch.context() as patch:
        kill(patch, at=11)
        with pytest.raises(KeyboardInterrupt):
            train.run(model, load())
    assert not (OUT / f"{model}-0").exists()
    torch.manual_seed(99)  # as in a new process
    assert files(train.run(model, load())) == whole


def test_a_loss_that_is_not_finite_stops_and_earlier_weights_stay(faces: Path, set_params: Any) -> None:
    set_params(small("dcgan"))
    before = files(train.run("dcgan", load()))
    set_params({"gan.dcgan.discriminator_learning_rate": 1e30})
    with pytest.raises(UserError) as error:
        train.run("dcgan", load())
    assert str(error.value).startswith("dcgan-0: ") and "\n" not in str(error.value)
    words = str(error.value).split()
    assert words[1].endswith("_loss") and words[3] in ("nan", "inf", "-inf") and words[4:6] == ["at", "step"]
    assert 1 <= int(words[6].rstrip(";")) <= 3
    assert files(OUT / "dcgan-0") == before


def rows(*diversities: float) -> list[dict[str, float]]:
    return [{"step": 20.0 * number, "diversity": value} for number, value in enumerate(diversities, 1)]


def warnings(capsys: pytest.CaptureFixture[str], *diversities: float) -> list[str]:
    """The warnings while a curve grows row by row."""
    for end in range(1, len(diversities) + 1):
        warn_of_collapse("dcgan", rows(*diversities[:end]))
    return capsys.readouterr().err.splitlines()


def test_a_collapse_is_reported_once_with_step_and_diversity(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = warnings(capsys, 0.01, 0.3, 0.25, 0.0123, 0.005, 0.001)
    assert line.startswith("warning: dcgan: ") and "at step 80" in line and "0.0123" in line
    assert len(warnings(capsys, 0.3, 0.01, 0.3, 0.01)) == 2  # it had recovered


def test_the_grey_first_images_are_no_collapse(capsys: pytest.CaptureFixture[str]) -> None:
    assert warnings(capsys, 0.001, 0.015, 0.05, 0.3, 0.2) == []
    assert warnings(capsys, 0.03, 0.01, 0.05, 0.3, 0.2) == []  # never varied before
    assert warnings(capsys, 0.01) == []


def test_a_training_that_collapses_warns_and_goes_on(
    faces: Path, set_params: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_params(small("sngan"))
    real, done = GAN.step, []

    def collapsing(self: GAN, *arguments: Any) -> dict[str, Tensor]:
        done.append(None)
        return {**real(self, *arguments), "diversity": torch.tensor(0.3 if len(done) < 7 else 0.015)}

    monkeypatch.setattr(GAN, "step", collapsing)
    assert (train.run("sngan", load()) / "weights.json").is_file()
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert "sngan-0: the generator has collapsed at step 8, the diversity of its images is 0.0150" in line


def test_standing_statistics_are_those_of_the_current_weights() -> None:
    torch.manual_seed(0)
    generator, _ = build("dcgan", 1 / 16, 1 / 16, init_std=0.3)
    generator.train()
    generator(torch.randn(8, 100))
    for name, buffer in generator.named_buffers():
        if "running" in name:
            buffer.fill_(7.0)  # of other weights
    before = {name: parameter.detach().clone() for name, parameter in generator.named_parameters()}
    state = torch.get_rng_state()
    standing_statistics(generator, batches=8)
    assert torch.equal(torch.get_rng_state(), state)
    for name, parameter in generator.named_parameters():
        assert torch.equal(parameter, before[name]) and parameter.grad is None, name
    assert not generator.training
    first, norm = generator.stem[1], generator.stem[2]
    assert isinstance(norm, nn.BatchNorm2d) and norm.running_var is not None and norm.running_mean is not None
    # The variance of a weighted sum of 100 standard normal values is the sum of the squared weights.
    expected = first.weight.detach().square().sum(0).mean((1, 2))  # type: ignore[union-attr,operator]
    assert torch.allclose(norm.running_var, expected, rtol=0.2)
    assert norm.running_mean.abs().max() < 0.1 * expected.max().sqrt()
    once = {name: buffer.clone() for name, buffer in generator.named_buffers()}
    torch.randn(10)
    standing_statistics(generator, batches=8)
    assert all(torch.equal(buffer, once[name]) for name, buffer in generator.named_buffers())


def test_a_batch_larger_than_the_set_is_the_whole_set(faces: Path, set_params: Any) -> None:
    set_params(small("wgan-gp", steps=2, discriminator_steps=5) | {"gan.base.batch_size": 20})
    assert (train.run("wgan-gp", load()) / "weights.json").is_file()


def test_faces_of_another_size_are_refused(faces: Path, dlcv: Any) -> None:
    card = faces / "data/faces/card.json"
    card.write_text(card.read_text().replace('"size": 64', '"size": 32'))
    assert dlcv("gan train dcgan") == (
        1,
        "dlcv: error: data/faces has images of 32 pixels; the networks are for 64\n",
    )


def test_too_few_faces_for_a_step_are_refused(faces: Path, set_params: Any, dlcv: Any) -> None:
    set_params({"gan.wgan-gp.discriminator_steps": 17})
    assert dlcv("gan train wgan-gp") == (
        1,
        "dlcv: error: data/faces has 32 training images; wgan-gp needs at least 34 for a step\n",
    )


@pytest.mark.usefixtures("study")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("gan train dcgan", "there is no prepared data in data/faces; run `dvc repro stages/data/dvc.yaml:faces`"),
        ("gan train dcgann", "no model dcgann; did you mean dcgan?"),
        ("gan train wgan", "no model wgan; did you mean wgan-gp?"),
        ("gan train x", "no model x; there are dcgan, dcgan-noisy-labels, dcgan-k5, sngan, wgan-gp"),
    ],
)
def test_what_cannot_be_trained_is_one_line(study: Path, dlcv: Any, words: str, message: str) -> None:
    before = sorted(study.rglob("*"))
    code, error = dlcv(words)
    assert code == 1 and error.startswith(f"dlcv: error: {message}") and error.count("\n") == 1
    assert sorted(study.rglob("*")) == before
    assert "dlcv.gan.config" in sys.modules
