"""The stage `train` and its step: what is asked of the network, what is written, resume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from dlcv.ddim import train
from dlcv.ddim.ddpm import DDPM
from dlcv.ddim.sections import Ddim, Training
from dlcv.diffusion.networks.unet import UNet
from dlcv.diffusion.schedule import linear, velocity
from dlcv.runtime.config import load
from dlcv.runtime.files import read_json, sha256
from tests.conftest import files
from tests.ddim.conftest import NETWORK, REPOSITORY, SMALL

SCHEDULE = linear(1000, 1e-4, 0.02)


class Recorder(nn.Module):
    """Keeps what it is shown and answers with its weight times the images."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.5))
        self.seen: list[tuple[Tensor, Tensor]] = []

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        self.seen.append((x.detach(), t))
        return self.weight * x


def method(**changes: Any) -> tuple[DDPM, Recorder]:
    shipped = load(REPOSITORY / "params.yaml")[Ddim].training.model_dump()
    network = Recorder()
    return DDPM(network, SCHEDULE, Training(**{**shipped, "schedule": "constant", "flip": False, **changes})), network


@pytest.mark.parametrize(("target", "min_snr"), [("noise", 0.0), ("velocity", 0.0), ("image", 0.0), ("image", 2.0)])
def test_the_step_is_the_squared_error_of_the_target_at_uniform_times(target: str, min_snr: float) -> None:
    made, network = method(target=target, min_snr=min_snr, gradient_clip=1e9)
    x0 = torch.rand(500, 3, 4, 4) * 2 - 1
    torch.manual_seed(3)
    values = made.step((x0, torch.zeros(500)), 0.0, Tensor.backward)
    (x, t) = network.seen[0]
    assert 0 <= t.min() < 20 and 980 < t.max() < 1000
    assert t.double().mean().item() == pytest.approx(499.5, abs=45)
    a = SCHEDULE.alpha_bar_of(t)
    eps = ((x - a.sqrt() * x0) / (1 - a).sqrt()).float()
    late = t > 20  # below, float32 leaves few digits of the noise
    assert eps[late].mean().abs() < 0.03 and eps[late].std().item() == pytest.approx(1, abs=0.03)
    wanted = {"noise": eps, "velocity": velocity(x0, eps, a), "image": x0}[target]
    weight = (a / (1 - a)).clamp(max=min_snr) if min_snr else 1.0
    assert values["loss"].item() == pytest.approx((weight * (0.5 * x - wanted) ** 2).mean().item(), rel=1e-3)
    assert not values["loss"].requires_grad


def test_the_gradient_is_clipped_and_its_norm_from_before_is_told() -> None:
    made, network = method(gradient_clip=1e-3, learning_rate=1.0)
    torch.manual_seed(0)
    values = made.step((torch.rand(4, 3, 4, 4), torch.zeros(4)), 0.0, Tensor.backward)
    assert network.weight.grad is not None
    assert network.weight.grad.abs().item() == pytest.approx(1e-3, rel=1e-3)
    assert values["gradient_norm"].item() > 1e-2


def test_each_image_is_mirrored_with_probability_half() -> None:
    x0 = torch.zeros(400, 1, 1, 2)
    x0[..., 1] = 1000.0  # so large that noise does not hide the side
    for flip, low, high in ((False, 0, 0), (True, 160, 240)):
        made, network = method(flip=flip)
        made.step((x0, torch.zeros(400)), 0.0, Tensor.backward)
        mirrored = network.seen[0][0][:, 0, 0, 0] > network.seen[0][0][:, 0, 0, 1]
        assert low <= mirrored.sum() <= high


def test_a_network_learns_to_find_the_noise_of_one_image() -> None:
    torch.manual_seed(0)
    shipped = load(REPOSITORY / "params.yaml")[Ddim].training.model_dump()
    changes = {"learning_rate": 1e-2, "schedule": "constant", "target": "noise"}
    network = UNet(1 / 16, (1,), 1, (), 0.0, size=16)
    made = DDPM(network, SCHEDULE, Training(**{**shipped, **changes}))
    batch = torch.linspace(-1, 1, 3 * 256).view(1, 3, 16, 16).repeat(16, 1, 1, 1), torch.zeros(16)
    losses = [made.step(batch, 0.0, Tensor.backward)["loss"].item() for _ in range(60)]
    assert sum(losses[-10:]) < 0.5 * 2 * sum(losses[:5])


@pytest.mark.usefixtures("_often")
def test_a_training_leaves_weights_snapshots_and_a_curve_and_can_be_resumed(
    faces: Path, set_params: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_params(SMALL)
    out = train.run(load())
    whole = files(out)
    names = ["curve.csv", *(f"snapshots/step-{step:06d}.safetensors" for step in (4, 8, 12))]
    assert sorted(whole) == [*names, "weights.json", "weights.safetensors"] and out == Path("out/ddim/unet")
    assert whole["snapshots/step-000012.safetensors"] == whole["weights.safetensors"]
    about = read_json(out / "weights.json")
    assert about["area"] == "ddim" and about["network"] == NETWORK and about["target"] == "image"
    assert about["sha256"] == sha256(out / "weights.safetensors") and about["data"] == {"faces": "a" * 64}
    assert about["params"]["training"]["steps"] == 12 and about["schedule"]["timesteps"] == 1000
    UNet(**about["network"]).load_state_dict(load_file(out / "weights.safetensors"))
    # The inner layers, and one of each kind of the outer ones, with all the parameters.
    assert sum(layer["parameters"] for layer in about["layers"]) == about["parameters"]
    curve = pd.read_csv(out / "curve.csv")
    assert list(curve["step"]) == [2, 4, 6, 8, 10, 12] and {"loss", "gradient_norm"} < set(curve)

    out.rename("whole")
    real, done = DDPM.step, []

    def dying(self: DDPM, *arguments: Any) -> dict[str, Tensor]:
        done.append(None)
        if len(done) == 11:
            raise KeyboardInterrupt
        return real(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(DDPM, "step", dying)
        with pytest.raises(KeyboardInterrupt):
            train.run(load())
    torch.manual_seed(99)  # the process that goes on is another one
    assert files(train.run(load())) == whole


@pytest.mark.usefixtures("study")
def test_missing_faces_are_one_line(dlcv: Any) -> None:
    code, error = dlcv("ddim train")
    assert code == 1 and error.startswith("dlcv: error: there is no prepared data in data/faces")
    assert error.count("\n") == 1


def test_faces_of_another_size_are_refused(faces: Path, dlcv: Any) -> None:
    card = faces / "data/faces/card.json"
    card.write_text(card.read_text().replace('"size": 64', '"size": 32'))
    assert dlcv("ddim train") == (1, "dlcv: error: data/faces has images of 32 pixels; the networks are for 64\n")
