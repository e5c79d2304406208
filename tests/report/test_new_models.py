"""Models and methods that reference.yaml does not know: they are in the report, with blanks, without an edit of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jinja2 import UndefinedError

from dlcv.report import report
from dlcv.runtime.config import load
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json, write_json
from tests.report.made import make_figures
from tests.report.made_digits import make_diffusion, row, write_weights
from tests.report.made_faces import make_gan

pytestmark = pytest.mark.slow


SetParams = Callable[[dict[str, Any]], None]


def lines_of(study: Path) -> list[str]:
    report.run(load())
    return (study / "report/report.md").read_text().splitlines()


def test_a_new_gan(full: Path, set_params: SetParams) -> None:
    models = [*load().raw["gan"]["models"], "lsgan"]
    set_params({"gan.models": models, "gan.lsgan": {"steps": 77}})
    make_gan(full)
    lines = lines_of(full)
    assert "### lsgan" in lines
    # Among the GANs, and in the tables of the VAE and of DDIM.
    assert sum(line.startswith("| lsgan | 55.00 (53.00 to 57.00) |") for line in lines) == 3
    assert "| lsgan | 4,321 (18,855,040) | 4,321 (2,878,464) | 77 x 16 | 1 | bce |" in "\n".join(lines)
    assert "| `gan/lsgan-0` | `stages/gan/dvc.yaml:train@lsgan-0` | 4,321 |" in "\n".join(lines)
    assert any(line.endswith("(pictures/out-gan-lsgan-0-evaluation-neighbours.webp)") for line in lines)


def test_a_gan_without_its_parameters_at_width_1(full: Path) -> None:
    path = full / "out/gan/dcgan-0/weights.json"
    about = read_json(path)
    for network in about["networks"].values():
        del network["parameters_at_width_1"]
    write_json(path, about)
    assert any(line.startswith("| dcgan | 4,321 | 4,321 | 2,500 x 16 |") for line in lines_of(full))


def test_a_vae_is_compared_with_the_first_gan(full: Path, set_params: SetParams) -> None:
    set_params({"gan.models": ["sngan", "wgan-gp", "dcgan", "dcgan-k5", "dcgan-noisy-labels"]})
    lines = lines_of(full)
    assert "| report 002 | score | vae | sngan |" in lines
    assert "![For comparison, sngan: grid shows this.](pictures/out-gan-sngan-0-samples-grid.webp)" in lines


def add_coral(study: Path) -> None:
    """A method in the scenario usps-mnistm, whose source-only baseline is its own."""
    path = study / "out/adaptation/usps-mnistm-evaluation/summary.json"
    scores = read_json(path)
    gain = {"over": "coral_source"}
    coral = row(0.7, "Deep CORAL", "usps-mnistm/coral-0", 0.1, seeds=3) | {"adapts": True, "network": "coral-net"}
    coral["gain"] |= gain
    scores["rows"] |= {
        "coral_source": row(0.6, "source-only, as Deep CORAL", "usps/coral_source-0"),
        "coral": coral,
    }
    write_json(path, scores)
    for one in ("coral_source", "coral"):
        (training,) = scores["rows"][one]["trainings"]
        write_weights(study, training, f"{one}@usps-mnistm-0")
    files = ["confusion.png", "curve-coral.png"]
    make_figures(study / "out/adaptation/usps-mnistm-evaluation", files, "Stage `evaluate@usps-mnistm`")


def test_a_new_method_of_adaptation(full: Path) -> None:
    add_coral(full)
    lines = lines_of(full)
    gain = "+0.1000 (+0.0800 to +0.1200)"
    assert f"|  | Deep CORAL | coral-net | **0.7000** | 0.6900 to 0.7100 | {gain} |  |" in lines
    assert "| usps → mnistm | source-only, as Deep CORAL | lenet | 0.6000 | 0.5900 to 0.6100 |  |  |" in lines
    over = '"source-only, as Deep CORAL" (lenet)'
    assert f"- usps → mnistm: Deep CORAL is more accurate than {over}, by 3 pairs of trainings." in lines
    # Not among the verdicts: a baseline is no method.
    assert not any(line.startswith("- usps → mnistm: source-only") for line in lines)
    assert "|  | Deep CORAL | 0.9000 | 0.6000 | 1.500 |" in lines
    assert any(line.startswith("- Deep CORAL (accuracy 0.7000, on the source 0.9000;") for line in lines)
    assert "![curve-coral shows this.](pictures/out-adaptation-usps-mnistm-evaluation-curve-coral.webp)" in lines
    stage = "`stages/adaptation/dvc.yaml:coral@usps-mnistm-0`"
    assert any(line.startswith(f"| `adaptation/usps-mnistm/coral-0` | {stage} |") for line in lines)
    assert any(line.startswith("| `adaptation/usps/coral_source-0` |") for line in lines)


def test_a_method_without_weights_is_named(full: Path) -> None:
    add_coral(full)
    (full / "out/adaptation/usps/coral_source-0/weights.json").unlink()
    with pytest.raises(UserError, match="out/adaptation/usps/coral_source-0/weights.json is missing; `dvc repro`"):
        report.run(load())


def test_a_scenario_of_no_report_and_no_comparison(full: Path, set_params: SetParams) -> None:
    path = full / "out/adaptation/usps-mnistm-evaluation/summary.json"
    scores = read_json(path)
    del scores["variants"]
    write_json(path, scores)
    text = "\n".join(lines_of(full))
    assert "### Networks and updates" not in text and "/variants/" not in text
    assert "### usps → mnistm" in text


def test_a_new_digit_model(full: Path, set_params: SetParams) -> None:
    models = [*load().raw["diffusion"]["models"], "tiny-unet"]
    own = {"network": {"width": 0.25, "conditioning": "printed"}}
    set_params({"diffusion.models": models, "diffusion.tiny-unet": own, "diffusion.guidance.tiny-unet": {"w": 1.0}})
    make_diffusion(full)
    lines = lines_of(full)
    assert "### tiny-unet" in lines
    assert any(line.startswith("| tiny-unet | 1.0 | 0.5000 (0.4800 to 0.5200) | 84.00 (") for line in lines)
    (trained,) = (number for number, line in enumerate(lines) if line.startswith("| tiny-unet | 65,432 | 0.25 |"))
    assert lines[trained].startswith("| tiny-unet | 65,432 | 0.25 | as printed | 2 |")
    assert lines[trained + 1] == "| no report |" + "  |" * 12
    assert lines[trained - 1].startswith("| report 004 | 33,293,187 | 1 |")
    stage = "`stages/diffusion/dvc.yaml:train@tiny-unet-0`"
    assert any(line.startswith(f"| `diffusion/tiny-unet-0` | {stage} | 65,432 |") for line in lines)


def test_a_value_that_a_template_needs_is_never_left_out(full: Path) -> None:
    """Blanks are for the reports' figures alone: a score that is missing is an error, not a blank."""
    path = full / "out/gan-summary/summary.json"
    scores = read_json(path)
    del scores["models"]["dcgan"]["precision"]
    write_json(path, scores)
    with pytest.raises((UndefinedError, KeyError), match="precision"):
        report.run(load())
