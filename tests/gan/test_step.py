"""The adversarial step, observed from outside: the inputs of each network, and the weights that change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcv.engine.averaging import EMA
from dlcv.gan import step as step_module
from dlcv.gan.config import Gan, Settings
from dlcv.gan.losses import LOSSES
from dlcv.gan.networks import build
from dlcv.gan.step import GAN
from tests.gan.conftest import NARROW, settings, shipped

pytestmark = pytest.mark.slow


MODELS = shipped()[Gan].models


def method(
    model: str = "dcgan", flip: bool = False, changes: dict[str, Any] | None = None, width: float = NARROW
) -> GAN:
    torch.manual_seed(0)
    chosen = settings(model, flip=flip, **(changes or {}))
    made = GAN(*build(chosen.architecture, width, width, chosen.init_std), chosen)
    for network in made.networks.values():
        network.train()
    return made


def batch(count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, 64, 64, generator=generator) * 2 - 1, torch.zeros(count)


def step(made: GAN, count: int = 4, progress: float = 0.0, backward: Any = torch.Tensor.backward) -> dict[str, Tensor]:
    return made.step(batch(count), progress, backward)


def shown(network: nn.Module) -> list[Tensor]:
    """A list that collects the inputs of `network` in order."""
    seen: list[Tensor] = []
    network.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach().clone()))
    return seen


def state(network: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in network.named_parameters()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, b[name]) for name, value in a.items())


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_a_step_at_full_width_moves_both_networks(model: str) -> None:
    made = method(model, width=1)
    before = {name: state(network) for name, network in made.networks.items()}
    values = step(made, count=2)
    assert set(values) == {"generator_loss", "discriminator_loss", "d_real", "d_fake", "diversity"}
    assert all(value.isfinite() and value.dim() == 0 and not value.requires_grad for value in values.values())
    for name, network in made.networks.items():
        after = state(network)
        assert all(value.isfinite().all() for value in after.values())
        assert not any(torch.equal(after[key], value) for key, value in before[name].items() if value.dim() > 1), name
    if settings(model).loss == "bce":
        assert 0 < values["d_real"] < 1 and 0 < values["d_fake"] < 1


def test_every_update_of_the_discriminator_has_real_images_of_its_own() -> None:
    made = method(changes={"discriminator_steps": 3})
    updates = {"generator": 0, "discriminator": 0}
    for name, optimizer in made.optimizers.items():

        def count(*_: object, name: str = name) -> None:
            updates[name] += 1

        optimizer.register_step_post_hook(count)
    seen = shown(made.networks["discriminator"])
    step(made, count=12)
    assert updates == {"generator": 1, "discriminator": 3}
    assert [len(images) for images in seen] == [4] * 7
    real, fake = seen[0:6:2], seen[1:6:2]
    assert torch.equal(torch.cat(real), batch(12)[0])
    assert not torch.equal(fake[0], fake[1]) and not torch.equal(fake[1], fake[2])
    assert torch.equal(seen[6], fake[2])  # the generator's update uses the last ones again


@pytest.mark.parametrize("count", [9, 10, 11])
def test_a_batch_that_cannot_be_split_evenly_still_makes_every_update(count: int) -> None:
    """With few images a batch is the whole set, of any size."""
    made = method(changes={"discriminator_steps": 4})
    seen = shown(made.networks["discriminator"])
    assert all(value.isfinite() for value in step(made, count=count).values())
    assert len(seen) == 9 and torch.equal(torch.cat(seen[0:8:2]), batch(count)[0])


def test_neither_update_gives_the_other_network_a_gradient() -> None:
    made = method("sngan")
    parameters = {name: list(network.parameters()) for name, network in made.networks.items()}
    calls: list[str] = []

    def backward(loss: Tensor) -> None:
        before = {name: [None if p.grad is None else p.grad.clone() for p in part] for name, part in parameters.items()}
        loss.backward()
        moved = [
            name
            for name, part in parameters.items()
            if not all(
                (a is None and p.grad is None) or (a is not None and p.grad is not None and torch.equal(a, p.grad))
                for a, p in zip(before[name], part, strict=True)
            )
        ]
        calls.extend(moved)

    step(made, backward=backward)
    assert calls == ["discriminator", "generator"]
    assert all(parameter.requires_grad for part in parameters.values() for parameter in part)


def test_the_generators_update_does_not_change_the_discriminator() -> None:
    made = method()
    discriminator = made.networks["discriminator"]
    states: list[dict[str, Tensor]] = []
    for optimizer in made.optimizers.values():
        optimizer.register_step_post_hook(lambda *_: states.append(state(discriminator)))
    step(made)
    assert len(states) == 2 and same(states[0], states[1])


class Labels:
    """Replaces the discriminator's loss and keeps its labels."""

    def __init__(self, made: GAN):
        self.seen: list[tuple[Tensor, Tensor]] = []
        self.loss = made.loss
        made.loss = made.loss._replace(discriminator=self)

    def __call__(self, real: Tensor, fake: Tensor, real_labels: Tensor, fake_labels: Tensor) -> Tensor:
        self.seen.append((real_labels.clone(), fake_labels.clone()))
        return self.loss.discriminator(real, fake, real_labels, fake_labels)


def test_labels_are_drawn_for_each_image_between_low_and_high() -> None:
    made = method(changes={"real_labels": [0.75, 1.25], "fake_labels": [-0.25, 0.25]})
    labels = Labels(made)
    step(made, count=64)
    ((real, fake),) = labels.seen
    assert 0.75 <= real.min() < 0.8 and 1.2 < real.max() <= 1.25 and len(real.unique()) > 60
    assert -0.25 <= fake.min() < -0.2 and 0.2 < fake.max() <= 0.25
    assert not torch.allclose(real - 1, fake)


@pytest.mark.slow
@pytest.mark.parametrize(("share", "low", "high"), [(0.0, 0, 0), (0.25, 5, 28), (1.0, 60, 60)])
def test_a_swap_exchanges_real_and_fake_labels_of_a_whole_update(share: float, low: int, high: int) -> None:
    changes = {"swap_labels": share, "real_labels": [0.9, 0.9], "fake_labels": [0.1, 0.1], "discriminator_steps": 30}
    made = method(changes=changes)
    labels = Labels(made)
    for _ in range(2):
        step(made, count=60)
    exchanged = [real[0] < 0.5 for real, _ in labels.seen]
    assert len(exchanged) == 60 and low <= sum(exchanged) <= high
    for real, fake in labels.seen:
        assert sorted([real[0].item(), fake[0].item()]) == pytest.approx([0.1, 0.9])
        assert (real == real[0]).all() and (fake == fake[0]).all()


def test_the_noise_on_the_images_decays_to_zero() -> None:
    made = method(changes={"image_noise_std": 0.4})
    seen = shown(made.networks["discriminator"])
    deviations = []
    for progress in (0.0, 0.5, 0.75, 1.0):
        step(made, progress=progress)
        deviations.append((seen[-3] - batch(4)[0]).std().item())
    assert deviations == pytest.approx([0.4, 0.2, 0.1, 0.0], rel=0.03, abs=1e-9)
    # Generated images have it too, drawn anew in each update.
    step(made, progress=0.0)
    assert (seen[-1] - seen[-2]).std().item() == pytest.approx(0.4 * 2**0.5, rel=0.05)


def test_about_half_of_the_images_are_mirrored() -> None:
    made = method(flip=True)
    seen = shown(made.networks["discriminator"])
    step(made, count=200)
    images = batch(200)[0]
    as_they_are = (seen[0] == images).flatten(1).all(1)
    mirrored = (seen[0] == images.flip(3)).flatten(1).all(1)
    assert (as_they_are ^ mirrored).all()
    assert 70 < mirrored.sum() < 130


@pytest.fixture
def penalties(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Replaces the gradient penalty by 1 and collects the critics."""
    seen: list[Any] = []

    def one(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
        assert real.shape == fake.shape and not fake.requires_grad
        seen.append(critic)
        return torch.ones(())

    monkeypatch.setattr(step_module, "gradient_penalty", one)
    return seen


def test_the_loss_has_the_penalty_with_its_weight(penalties: list[Any]) -> None:
    for every, weight in ((1, 10.0), (4, 2.5)):
        made = method("wgan-gp", changes={"gradient_penalty": weight, "gradient_penalty_every": every})
        losses: list[float] = []

        def backward(loss: Tensor, losses: list[float] = losses) -> None:
            losses.append(loss.item())
            loss.backward()

        values = step(made, backward=backward)
        assert losses[0] - values["discriminator_loss"].item() == pytest.approx(every * weight, abs=1e-4)
    step(method("dcgan"))
    assert len(penalties) == 2  # none if the weight is 0


def test_a_lazy_penalty_counts_updates_from_the_start_of_the_training(penalties: list[Any]) -> None:
    changes = {"gradient_penalty_every": 3, "discriminator_steps": 2, "steps": 700, "gradient_penalty": 1.0}
    made = method("wgan-gp", changes=changes)
    numbers = (0, 1, 2, 3, 29, 31, 45, 699)  # 29 / 700 * 700 is a little below 29
    asked = []
    for number in numbers:
        before = len(penalties)
        step(made, progress=number / 700)
        asked.append(len(penalties) - before)
    # Those of the updates 2n and 2n + 1 that 3 divides.
    assert asked == [sum(update % 3 == 0 for update in (2 * n, 2 * n + 1)) for n in numbers]


def test_each_network_has_its_optimizer_and_learning_rate() -> None:
    made = method(
        "sngan", changes={"generator_learning_rate": 0.001, "discriminator_learning_rate": 0.004, "betas": [0.4, 0.9]}
    )
    assert {name: type(optimizer) for name, optimizer in made.optimizers.items()} == {
        "generator": torch.optim.AdamW,
        "discriminator": torch.optim.AdamW,
    }
    groups = {name: optimizer.param_groups[0] for name, optimizer in made.optimizers.items()}
    assert (groups["generator"]["lr"], groups["discriminator"]["lr"]) == (0.001, 0.004)
    for name, group in groups.items():
        assert tuple(group["betas"]) == (0.4, 0.9) and group["weight_decay"] == 0.01
        assert set(group["params"]) == set(made.networks[name].parameters())
    assert type(method("dcgan").optimizers["generator"]) is torch.optim.Adam


@pytest.mark.parametrize("loss", LOSSES)
def test_d_real_and_d_fake_are_probabilities_or_the_logits_of_a_critic(loss: str) -> None:
    made = method(changes={"loss": loss})
    logits: list[Tensor] = []
    made.networks["discriminator"].register_forward_hook(lambda _, inputs, output: logits.append(output.detach()))
    values = step(made)
    for name, expected in (("d_real", logits[0]), ("d_fake", logits[1])):
        if loss == "bce":
            expected = expected.sigmoid()
        assert values[name].item() == pytest.approx(expected.mean().item(), rel=1e-6), name


def test_diversity_is_zero_for_a_generator_of_one_image() -> None:
    made = method()
    varied = step(made)["diversity"]
    nn.init.zeros_(next(iter(made.networks["generator"].parameters())))
    assert step(made)["diversity"] == 0 < varied


def test_the_discriminator_learns_to_tell_real_from_fake() -> None:
    """Twenty steps against a generator that does not change."""
    made = method("dcgan", changes={"discriminator_learning_rate": 0.002, "generator_learning_rate": 1e-9})
    average = EMA(made.networks["generator"], 0.9)
    for number in range(20):
        values = step(made, count=8)
        average.update(made.networks["generator"], number + 1)
    assert values["d_real"] > 0.8 and values["d_fake"] < 0.2


def test_settings_that_are_shipped_are_what_the_tests_narrow() -> None:
    assert isinstance(settings("wgan-gp"), Settings) and settings("wgan-gp").gradient_penalty > 0
