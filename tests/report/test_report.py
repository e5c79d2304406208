"""The report from made files: what it says, what it refuses."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from ruamel.yaml import YAML

from dlcv.report import adaptation, ddim, diffusion, gan, report, vae
from dlcv.report.page import to_html
from dlcv.runtime.config import load
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import write_json


def row(accuracy: float, label: str, training: str, gain: float | None = None) -> dict[str, Any]:
    values: dict[str, Any] = {
        "label": label,
        "accuracy": accuracy,
        "interval": {"low": accuracy - 0.01, "high": accuracy + 0.01},
        "source_accuracy": 0.9,
        "domain_accuracy": 0.6,
        "proxy_a_distance": 1.5,
        "per_class": [accuracy] * 10,
        "confusion": [[9 if answer == digit else int(answer == 0) for answer in range(10)] for digit in range(10)],
        "network": "lenet",
        "parameters": 257254,
        "seeds": {"0": accuracy},
        "trainings": [{"name": training, "fingerprint": "f" * 64, "sha256": "a" * 64}],
    }
    if gain is not None:
        interval = {"low": gain - 0.02, "high": gain + 0.02}
        over = {"over": "trained_on_source", "over_trained_on_source": gain}
        values["gain"] = {**over, "interval": interval, "seeds": {"0": gain}}
    return values


def scores(distance: float, generated: bool = True) -> dict[str, Any]:
    values: dict[str, Any] = {
        "frechet_efficientnet_lite0": {
            "value": distance,
            "interval": {"low": distance - 2, "high": distance + 2},
            "left_out": [distance],
        },
        "kid": {"value": 0.0123, "standard_deviation": 0.001},
        "face_score": {"value": 0.9, "interval": {"low": 0.85, "high": 0.94}},
        **dict.fromkeys(("precision", "recall", "density", "coverage", "memorised"), 0.5),
    }
    return values | ({"frechet_efficientnet_lite0_to_validation": distance + 1} if generated else {})


def make_gan(study: Path) -> None:
    """What the section on GANs reads: sngan is ahead of dcgan, wgan-gp behind dcgan-k5."""
    section = YAML(typ="safe").load((study / "params.yaml").read_text())["gan"]
    protocol = {
        "images": 80,
        "reference": {"training": {"count": 1320}},
        "extractor": {"name": "efficientnet_lite0"},
        "versions": {"dlib": "0"},
    }
    rows = {"real": scores(10.0, generated=False), "noise": scores(400.0)}
    write_json(study / "metrics/evaluation/faces.json", {"rows": rows, "protocol": protocol})
    networks = {
        name: {"parameters": 4321, "layers": [{"layer": "Conv2d 4x4", "output": "3 x 64 x 64", "parameters": 99}]}
        for name in ("generator", "discriminator")
    }
    for index, model in enumerate(section["models"]):
        write_json(study / f"metrics/gan/{model}.json", {"scores": scores(50.0 + index)})
        params = {"settings": section[model], "training": section["training"]}
        about = {"area": "gan", "name": model, "fingerprint": "e" * 64, "sha256": "b" * 64, "parameters": 4321}
        write_json(study / f"out/gan/{model}/weights.json", {**about, "params": params, "networks": networks})
        for file in gan.CAPTIONS:
            image(study / f"out/gan/{model}-{file}")
    for (name, pair), difference in zip(section["pairs"].items(), (0.5, 9.0, -9.0), strict=True):
        interval = {"low": difference - 1, "high": difference + 1}
        values = {**pair, "frechet_efficientnet_lite0": {"b_less_a": difference, "interval": interval}}
        write_json(study / f"metrics/gan/{name}.json", values)
        for file in gan.PAIR_CAPTIONS:
            image(study / "out/gan" / name / file)


def make_vae(study: Path, probe: bool = True, on_validation: bool = False) -> None:
    """What the section on the VAE reads."""
    section = YAML(typ="safe").load((study / "params.yaml").read_text())["vae"]
    errors = {"mse": 0.0212345, "mse_0_1": 0.0053086, "mse_sampled": 0.0223, "standard_error": 0.0004, "kl": 321.04}
    share = {"accuracy": 0.95, "interval": {"low": 0.92, "high": 0.97}, "chance": 0.03125}
    read: dict[str, Any] = {"cross_validated": share | {"classes": 32, "images": 320, "folds": 5}}
    if on_validation:
        read["validation"] = share | {"accuracy": 0.81, "chance": 0.77, "classes": 2, "images": 1500}
    values = {
        "samples": scores(333.0) | {"recall": 0.125},
        "validation": errors,
        "training": errors | {"mse": 0.0101},
        "active_units": 345,
        "probe": {"attribute": "person", **read} if probe else None,
    }
    protocol = {"images": 80, "reconstruction": {"images": {"validation": 80, "training": 320}}}
    write_json(
        study / "metrics/vae/vae.json",
        {"scores": values, "protocol": protocol | {"versions": {"openTSNE": "7"}}},
    )
    networks = {
        name: {"parameters": 77, "layers": [{"layer": "Linear", "output": "512", "parameters": 77}]}
        for name in ("encoder", "decoder")
    }
    about = {"area": "vae", "name": "vae", "fingerprint": "9" * 64, "sha256": "8" * 64, "parameters": 5555}
    params = {"width": 0.25, "latent": 512, "training": section["training"]}
    write_json(study / "out/vae/vae/weights.json", {**about, "beta": 0.12288, "params": params, "networks": networks})
    for file in vae.CAPTIONS:
        image(study / "out/vae/vae-evaluation" / file)
    image(study / "out/gan/dcgan-samples/grid.png")


def make_ddim(study: Path) -> None:
    """What the section on DDIM reads, with a table that is not ordered as the paper's is in one place."""
    section = YAML(typ="safe").load((study / "params.yaml").read_text())["ddim"]
    cell = {"face_score": {"value": 0.5, "interval": {"low": 0.4, "high": 0.6}}, "evaluations": 10}
    rows = [f"eta {eta:g}" for eta in section["table"]["etas"]]
    table: dict[str, Any] = {
        row: {str(steps): {**cell, "distance": 100.0 + 10 * index - steps} for steps in section["table"]["steps"]}
        for index, row in enumerate([*rows, "sigma-hat"])
    }
    table["eta 1"]["20"]["distance"] = 70.0
    table["real"] = {**cell, "distance": 12.5}
    values = {
        "scores": scores(60.0),
        "table": table,
        "interpolation": {
            path: {"mean_change": 100.0, "largest_change": 200.0, "smallest_norm": norm}
            for path, norm in (("spherical", 110.0), ("linear", 78.0))
        },
        "protocol": {
            "images": 80,
            "extractor": {"name": "efficientnet_lite0"},
            "reference": {"training": {"count": 1320}},
            "table_images": 40,
            "network_evaluations_per_image": 25,
            "sampler": {"name": "DDIM", **section["sampling"]},
        },
    }
    write_json(study / "metrics/ddim/unet.json", values)
    about = {"area": "ddim", "name": "unet", "fingerprint": "d" * 64, "sha256": "9" * 64, "parameters": 1234567}
    layers = [{"layer": "ResidualBlock", "output": "24 x 32 x 32", "parameters": 77}]
    params = {key: section[key] for key in ("schedule", "network", "training")}
    write_json(study / "out/ddim/unet/weights.json", {**about, "params": params, "layers": layers})
    for file in ddim.CAPTIONS:
        image(study / f"out/ddim/unet-{file}")


def make_adaptation(study: Path) -> None:
    """What the section on domain adaptation reads."""
    section = YAML(typ="safe").load((study / "params.yaml").read_text())["adaptation"]
    candidate = {"information": 1.5, "entropy": -0.25, "source_accuracy": 0.9, "accuracy": 0.6}
    for (name, scenario), gain in zip(section["scenarios"].items(), (0.1, 0.01, -0.1, 0.1), strict=True):
        run = {method: f"{name}/{method}-0" for method, names in section["methods"].items() if name in names}
        labels = {"dann": "DANN", "gta": "Generate To Adapt", "selftraining": "self-training"}
        rows = {
            "trained_on_source": row(0.5, "trained on source", f"{scenario['source']}/supervised-0"),
            **{method: row(0.5 + gain, labels[method], training, gain) for method, training in run.items()},
            "trained_on_target": row(0.9, "trained on target", f"{scenario['target']}/supervised-0", 0.4),
        }
        if "gta" in rows:
            rows["gta"] |= {"standard_deviation": 0.0123}
            rows["gta"]["gain"] |= {"over": "gta_source", "seeds": {"0": gain, "1": 0.001}}
            rows["gta_source"] = row(0.5 - gain, "trained on source, as Generate To Adapt", f"{name}/gta_source-0")
            rows["gta_source"] |= {"accuracy_by_target_statistics": 0.6789}
        images = {role: {"domain": scenario[role], "count": 40} for role in ("source", "target")}
        choice = choice_of(f"{name}/dann-0", f"{scenario['source']}/supervised-0", candidate)
        values = {"protocol": {"images": images, "versions": {"torch": "0"}}, "rows": rows, "choice": choice}
        write_json(study / f"metrics/adaptation/{name}.json", values)
        for figure in adaptation.figures(name, section):
            image(study / figure.removeprefix("../"))
        for trained in (training for values in rows.values() for training in values["trainings"]):
            write_weights(study, trained)
    for name in section["comparison"]["scenarios"]:
        variants = {}
        for variant in section["comparison"]["variants"]:
            of_both = []
            for method in ("supervised", "dann"):
                trained = {"name": f"{name}-variants/{variant}/{method}", "fingerprint": "1" * 64, "sha256": "2" * 64}
                write_weights(study, trained)
                of_both.append(trained)
            variants[variant] = {
                "settings": section["variants"][variant],
                "parameters": 257254,
                "trained_on_source": row(0.5, "", ""),
                "dann": row(0.55, "", ""),
                "gain": {"over_trained_on_source": 0.05, "interval": {"low": 0.01, "high": 0.09}},
                "trainings": of_both,
            }
        choice = choice_of(f"{name}-variants/deep/dann", f"{name}-variants/deep/supervised", candidate)
        write_json(study / f"metrics/adaptation/{name}-variants.json", {"variants": variants, "choice": choice})


def choice_of(chosen: str, oracle: str, candidate: dict[str, float]) -> dict[str, Any]:
    return {
        "tried": 2,
        "chosen": {"training": chosen, "accuracy": 0.6},
        "oracle": {"training": oracle, "accuracy": 0.61},
        "candidates": {chosen: candidate},
    }


def write_weights(study: Path, trained: dict[str, str]) -> None:
    settings = {"deep": {"poolings": 2}, "mish": {"hidden": [192, 128]}}
    layers = [{"layer": "Conv2d 5x5", "output": "64 x 24 x 24", "parameters": 88}]
    architecture = (
        {"network": "gta-source"} if "gta_source" in trained["name"] else {"network": "lenet", "settings": settings}
    )
    about = {"area": "adaptation", "parameters": 257254, "architecture": architecture}
    printed = {"networks": {"features": {"parameters": 88, "layers": layers}}}
    write_json(study / f"out/adaptation/{trained['name']}/weights.json", {**trained, **about, **printed})


def make_diffusion(study: Path) -> None:
    """What the section on conditional diffusion reads: the first model's digits are the best read."""
    section = YAML(typ="safe").load((study / "params.yaml").read_text())["diffusion"]

    def read_by_judge(accuracy: float) -> dict[str, Any]:
        read = {"accuracy": accuracy, "interval": {"low": accuracy - 0.02, "high": accuracy + 0.02}}
        return {**read, "digits": {str(digit): read for digit in range(10)}}

    training = {"name": "judge", "fingerprint": "7" * 64, "sha256": "6" * 64}
    values = {**read_by_judge(0.975), "images": {"count": 3000}, "training": training}
    write_json(study / "metrics/evaluation/judge.json", values)
    about = {**training, "area": "evaluation", "parameters": 72345}
    write_json(study / "out/evaluation/judge/weights.json", about)
    image(study / "out/evaluation/judge/confusion.png")
    for index, model in enumerate(section["models"]):
        settings = section[model]
        cell = {"accuracy": 0.5, "interval": {"low": 0.4, "high": 0.6}, "distance": 70.0}
        columns = [*(f"w {w:g}" for w in section["table"]["w"]), "skip 0.5", "real"]
        values = {
            "scores": {**scores(80.0 + index), **read_by_judge(0.9 - index / 10)},
            "real": scores(9.0, generated=False),
            "guidance": {column: {**cell, "network_evaluations_per_image": 33} for column in columns},
            "snapshots": {"1000": 0.25, "2000": 0.75},
            "protocol": {
                "images": 1000,
                "judged_images": 1000,
                "reference": {"training": {"count": 30000}},
                "extractor": {"name": "efficientnet_lite0"},
                "sampler": section["sampling"],
                "guidance": settings["guidance"],
                "network_evaluations_per_image": 40,
                "table_images": 200,
                "snapshot_images": 100,
            },
        }
        write_json(study / f"metrics/diffusion/{model}.json", values)
        layers = [{"layer": "up1", "output": "16 x 14 x 14", "parameters": 77, "condition": "time, class"}]
        about = {"area": "diffusion", "name": model, "fingerprint": "5" * 64, "sha256": "4" * 64, "parameters": 65432}
        params = {key: settings[key] for key in ("schedule", "network", "training")}
        write_json(study / f"out/diffusion/{model}/weights.json", {**about, "params": params, "layers": layers})
        for file in diffusion.CAPTIONS:
            image(study / f"out/diffusion/{model}-{file}")


def image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(path)


@pytest.fixture
def made(study: Path) -> Path:
    """All that the report reads, with gains of +0.10, +0.01, -0.10 and +0.10 in the four scenarios."""
    for folder in ("data/digits/mnistm", "data/digits/svhn", "data/digits/usps", "data/faces"):
        (study / folder).mkdir(parents=True)
        splits = {split: {"count": 1234, "classes": {"0": 1234}} for split in ("train", "val")}
        card = {"played_by": f"a stand-in for {folder}", "provenance": "made", "label": "digit", "splits": splits}
        write_json(study / folder / "card.json", {**card, "sha256": "c" * 64})
        Image.new("RGB", (8, 8)).save(study / folder / "contact.png")
    make_adaptation(study)
    make_gan(study)
    make_vae(study)
    make_ddim(study)
    make_diffusion(study)
    return study


def test_report_says_who_wins_and_where_it_comes_from(made: Path) -> None:
    report.run(load())
    text = (made / "report/report.md").read_text()
    weights = "257,254 | `ffffffffffff` | `aaaaaaaaaaaa` |"
    assert "| mnistm → svhn | trained on source | lenet | 0.5000 | 0.4900 to 0.5100 |  | 0.1900 (000), " in text
    assert "|  | DANN | lenet | **0.6000** | 0.5900 to 0.6100 | +0.1000 (+0.0800 to +0.1200) | 0.4881 (000)" in text
    assert 'mnistm → svhn: DANN beats "trained on source" (lenet), by more than' in text
    assert 'mnistm → usps: DANN and "trained on source" (lenet) cannot be told apart' in text
    assert 'usps → mnistm: DANN loses to "trained on source" (lenet), by more than' in text
    assert "(AdaBN), and nothing else of it, it has 0.6789." in text
    assert "### Network gta-source\n" in text
    base = '"trained on source, as Generate To Adapt" (lenet)'
    assert f"Generate To Adapt loses to {base} from 1 of 2 seeds, by more than" in text
    assert (
        f"| `adaptation/usps-mnistm/gta_source-0` | `stages/adaptation/dvc.yaml:gta_source@usps-mnistm-0` | {weights}"
        in text
    )
    chosen = "`usps-mnistm-variants/deep/dann` | 0.6000 | `usps-mnistm-variants/deep/supervised` | 0.6100 |"
    assert f"| usps → mnistm | 2 | {chosen}" in text
    assert f"| `adaptation/usps-mnistm/dann-0` | `stages/adaptation/dvc.yaml:dann@usps-mnistm-0` | {weights}" in text
    stage = "`stages/adaptation/dvc.yaml:variant@deep-usps-mnistm`"
    assert f"| `adaptation/usps-mnistm-variants/deep/dann` | {stage} | 257,254 |" in text
    assert "|  | Generate To Adapt | lenet | **0.4000 ± 0.0123** |" in text
    assert "| **0.4805** (002) |" in text
    assert "| mnistm → svhn | 2 | `mnistm-svhn/dann-0` | 0.6000 | `mnistm/supervised-0` | 0.6100 |" in text
    assert "| mnistm → svhn | `mnistm-svhn/dann-0` | 1.500 | 0.250 | 0.9000 | 0.6000 |" in text
    changed = "network lenet, lambda 1.0, information 0.0, update alternating"
    assert f"|  | alternating | {changed} | 257,254 | 0.5000 | 0.5500 |" in text
    assert "read worst are 0 (0.50) and 1 (0.50; 0.10 as 0); 0 is answered to 0.18 of the images" in text
    assert "### Network lenet" in text and "| Conv2d 5x5 | 64 x 24 x 24 | 88 |" in text
    assert "| faces | a stand-in for data/faces | 1,234 + 1,234 |" in text
    assert "here `sample` plays its parts" in text
    # Every table is whole: no blank line between a header and its rows.
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("| --- "):
            assert lines[number - 1].startswith("| ") and lines[number + 1].startswith("| "), line


def test_report_sets_every_gan_between_real_images_and_noise(made: Path) -> None:
    report.run(load())
    text = (made / "report/report.md").read_text()
    scored = "12.30 ± 1.00 | 0.500 | 0.500 | 0.500 | 0.500 | 0.900 (0.850 to 0.940) | 0.500 |"
    assert f"| dcgan | 50.00 (48.00 to 52.00) | 51.00 | {scored}" in text
    assert f"| real | 10.00 (8.00 to 12.00) |  | {scored}" in text
    assert "| noise | 400.00 (" in text
    assert "so it is no FID" in text
    assert "report-000: dcgan-noisy-labels and dcgan cannot be told apart: +0.50 (-0.50 to +1.50)." in text
    assert "report-001: wgan-gp is behind dcgan-k5 by more than the interval: +9.00 (+8.00 to +10.00)." in text
    assert "report-004: sngan is ahead of dcgan by more than the interval: -9.00" in text
    assert "| wgan-gp | 4,321 (18,855,040) | 4,321 (2,878,464) |" in text
    assert "| Conv2d 4x4 | 3 x 64 x 64 | 99 |" in text
    assert "| `gan/sngan` | `stages/gan/dvc.yaml:train@sngan` | 4,321 | `eeeeeeeeeeee` | `bbbbbbbbbbbb` |" in text


def test_report_sets_the_vae_beside_the_gans(made: Path) -> None:
    report.run(load())
    text = (made / "report/report.md").read_text()
    assert "| validation (80) | 0.02123 ± 0.00040 | 0.00531 | 0.02230 | 321.0 |" in text
    assert "| training (320) | 0.01010 ± 0.00040 |" in text
    assert "5,555 parameters (6,297,699 at width 1" in text
    assert "plus 1e-05 times the KL divergence in nats" in text and "weight is 0.12288." in text
    assert "345 of 512 vary by more than 0.01" in text
    assert "reads `person` from the latent means of training images with an accuracy of 0.9500 (0.9200 to" in text
    assert "Fitted to all of them" not in text
    # One table with the VAE, every GAN, real images and noise.
    section = text[text.index("## 2. VAE") : text.index("## 3. ")].splitlines()
    start = next(number for number, line in enumerate(section) if line.startswith("| images of |"))
    table = [line.split(" | ")[0].removeprefix("| ") for line in section[start + 2 : start + 10]]
    assert table == ["vae", "dcgan", "dcgan-noisy-labels", "dcgan-k5", "sngan", "wgan-gp", "real", "noise"]
    assert section[start + 2].startswith("| vae | 333.00 (331.00 to 335.00) | 334.00 | 12.30 ± 1.00 | 0.500 | 0.125 |")
    assert "| the faces of the GAN are more diverse | recall | 0.125 | 0.500 |" in text
    assert "|  | face score | 0.900 (0.850 to 0.940) | 0.900 (0.850 to 0.940) |" in text
    assert "../out/gan/dcgan-samples/grid.png" in text
    assert "| `vae/vae` | `stages/vae/dvc.yaml:train` | 5,555 | `999999999999` | `888888888888` |" in text
    assert "openTSNE 7" in text


def test_report_says_what_the_probe_read_and_that_it_read_nothing(made: Path) -> None:
    make_vae(made, on_validation=True)
    report.run(load())
    text = (made / "report/report.md").read_text()
    assert "reads 0.8100 (0.9200 to 0.9700) of 1,500 validation images; the most frequent class gives 0.7700" in text
    make_vae(made, probe=False)
    report.run(load())
    assert "These faces have no attribute" in (made / "report/report.md").read_text()


def test_a_missing_vae_is_named(made: Path) -> None:
    (made / "metrics/vae/vae.json").unlink()
    with pytest.raises(UserError, match="metrics/vae/vae.json is missing; `dvc repro` makes it"):
        report.run(load())
    make_vae(made)
    write_json(made / "metrics/vae/old.json", {})
    with pytest.raises(UserError, match="metrics/vae/old.json belongs to nothing in params.yaml"):
        report.run(load())


def test_report_sets_ddim_over_eta_and_steps(made: Path) -> None:
    report.run(load())
    text = (made / "report/report.md").read_text()
    assert "| ddim | 60.00 (58.00 to 62.00) | 61.00 | 12.30 ± 1.00 |" in text
    assert "| | 10 | 20 |\n| --- | --- | --- |\n| eta 0 | 90.00 (0.500) | 80.00 (0.500) |\n| eta 1 | 100.00" in text
    assert "As many real validation images have 12.50 (0.500)." in text
    assert "Here it does not everywhere: at 20 steps eta 1 is below eta 0." in text
    assert "whose latents shrink to a norm of 78.0." in text
    assert "Report 003 states a mean squared error of 0.3 to the course's images on 0..255, where 20 passes" in text
    assert "| 1,234,567 (78,700,803) | 0.1875, 1 2 4, 1 | 16 | 2 |" in text
    assert "| ResidualBlock | 24 x 32 x 32 | 77 |" in text
    assert "| `ddim/unet` | `stages/ddim/dvc.yaml:train` | 1,234,567 | `dddddddddddd` | `999999999999` |" in text
    write_json(made / "metrics/ddim/old.json", {})
    with pytest.raises(UserError, match="metrics/ddim/old.json belongs to nothing in params.yaml; remove it"):
        report.run(load())


def test_report_sets_the_conditional_models_beside_the_reports(made: Path) -> None:
    report.run(load())
    text = (made / "report/report.md").read_text()
    assert "a network of its own, 72,345 parameters" in text
    assert "validation images it reads 0.9750 (0.9550 to 0.9950) rightly. Drawn by DDIM with eta " in text
    scored = "12.30 ± 1.00 | 0.500 | 0.500 | 0.500 | 0.500 | 0.500 |"
    assert f"| context-unet | 4.0 | 0.9000 (0.8800 to 0.9200) | 80.00 (78.00 to 82.00) | {scored} 40 |" in text
    assert f"| real validation images | | 0.9750 (0.9550 to 0.9950) | 9.00 (7.00 to 11.00) | {scored} |" in text
    assert "Other reports of the course state 0.998 to 0.999" in text and "here `sample` plays its part" in text
    assert "| residual-unet | 0.60 (0.58 to 0.62) | 0.60" in text
    assert "| the judge on real ones | 0.97 (0.95 to 0.99) |" in text or "| the judge on real ones | 0.98 (" in text
    assert "| context-unet | 0.500, 70.00, 33 | 0.500, 70.00, 33 |" in text and "33 | 0.500, 70.00 |" in text
    assert "| attention-unet | 1,000: 0.25, 2,000: 0.75 |" in text
    assert "| context-unet | 65,432 | 0.0625 | every block | 2 | 400, 0.0001 to 0.02 |" in text
    assert "| report 004 | 33,293,187 | 1 | added in every block | 1 | 200 |" in text
    assert "| up1 | 16 x 14 x 14 | 77 | time, class |" in text
    assert (
        "| `diffusion/residual-unet` | `stages/diffusion/dvc.yaml:train@residual-unet` | 65,432 | `555555555555` |"
        in text
    )
    assert "| `evaluation/judge` | `stages/evaluation/dvc.yaml:judge` | 72,345 | `777777777777` |" in text
    write_json(made / "metrics/diffusion/old.json", {})
    with pytest.raises(UserError, match="metrics/diffusion/old.json belongs to nothing in params.yaml; remove it"):
        report.run(load())


def test_the_order_of_the_table_is_read_both_ways() -> None:
    table = {"eta 0": {"10": {"distance": 5.0}, "20": {"distance": 4.0}}}
    table["eta 1"] = {"10": {"distance": 9.0}, "20": {"distance": 6.0}}
    assert ddim.order(table, ["eta 0", "eta 1"], ["10", "20"]) == []
    table["eta 1"]["20"]["distance"] = 9.5
    assert ddim.order(table, ["eta 0", "eta 1"], ["10", "20"]) == ["at eta 1 20 steps are above 10"]


def test_html_carries_its_images_and_tables(made: Path) -> None:
    report.run(load())
    html = (made / "report/report.html").read_text()
    faces = 5 * len(gan.CAPTIONS) + 3 * len(gan.PAIR_CAPTIONS)
    faces += len(vae.CAPTIONS) + 1 + len(ddim.CAPTIONS)
    section = load().raw["adaptation"]
    digits = sum(len(adaptation.figures(name, section)) for name in section["scenarios"])
    digits += 1 + 4 * len(diffusion.CAPTIONS)
    assert html.count("data:image/png;base64,") == 4 + faces + digits
    assert 'src="..' not in html
    assert html.count("<table>") == 7 + 2 + 2 * 5 + 3 + 2 + 4 + 4 + 5 + 4 + 1
    assert "<td><strong>0.6000</strong></td>" in html


def test_what_params_do_not_imply_is_refused_and_what_is_missing_is_named(made: Path) -> None:
    write_json(made / "metrics/adaptation/old.json", {})
    with pytest.raises(UserError, match="metrics/adaptation/old.json belongs to nothing in params.yaml; remove it"):
        report.run(load())
    (made / "metrics/adaptation/old.json").unlink()
    (made / "out/adaptation/svhn-usps-evaluation/confusion.png").unlink()
    with pytest.raises(
        UserError, match="out/adaptation/svhn-usps-evaluation/confusion.png is missing; `dvc repro` makes it"
    ):
        report.run(load())
    assert not (made / "report/report.html").exists()
    (made / "metrics/adaptation/svhn-usps.json").write_text("{")
    with pytest.raises(UserError, match="metrics/adaptation/svhn-usps.json is not JSON"):
        report.run(load())


def test_embedding(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1)).save(tmp_path / "x.png")
    html = to_html("# A title\n\n![alt](x.png)\n", tmp_path)
    assert "<title>A title</title>" in html
    assert base64.b64encode((tmp_path / "x.png").read_bytes()).decode() in html
