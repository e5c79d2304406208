"""Made files of the areas of digits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlcv.runtime.files import write_json
from dlcv.runtime.nested import merged
from tests.report.made import (
    ADAPTATION,
    DIFFUSION_EVALUATION,
    DIFFUSION_SAMPLES,
    EXTRACTOR,
    JUDGE,
    make_figures,
    params,
    scores,
)

LABELS = {"dann": "DANN", "gta": "Generate To Adapt", "selftraining": "self-training"}


def row(accuracy: float, label: str, training: str = "", gain: float | None = None, seeds: int = 1) -> dict[str, Any]:
    """A row of a scenario's table; `seeds` is the number of trainings."""
    values: dict[str, Any] = {
        "label": label,
        "adapts": False,
        "accuracy": accuracy,
        "interval": {"low": accuracy - 0.01, "high": accuracy + 0.01},
        "source_accuracy": 0.9,
        "domain_accuracy": 0.6,
        "proxy_a_distance": 1.5,
        "per_class": [accuracy] * 10,
        "confusion": [
            [9 if prediction == digit else int(prediction == 0) for prediction in range(10)] for digit in range(10)
        ],
        "network": "lenet",
        "parameters": 257254,
        "seeds": {"0": accuracy},
        "trainings": [{"name": training, "fingerprint": "f" * 64, "sha256": "a" * 64}],
    }
    if gain is not None:
        interval = {"low": gain - 0.02, "high": gain + 0.02}
        over = {"over": "trained_on_source", "over_trained_on_source": gain}
        values["gain"] = {**over, "interval": interval, "seeds": {str(seed): gain for seed in range(seeds)}}
    return values


def make_adaptation(study: Path) -> None:
    """What the section on domain adaptation reads."""
    section = params(study)["adaptation"]
    for (name, scenario), gain in zip(section["scenarios"].items(), (0.1, 0.01, -0.1, 0.1), strict=True):
        source, target = scenario["source"], scenario["target"]
        rows = {"trained_on_source": row(0.5, "source-only", f"{source}/supervised-0")}
        for method, names in section["methods"].items():
            if name in names:
                rows[method] = row(0.5 + gain, LABELS[method], f"{name}/{method}-0", gain, seeds=3) | {"adapts": True}
        rows["trained_on_target"] = row(0.9, "trained on target", f"{target}/ceiling-0")
        if "gta" in rows:
            rows["gta"] |= {"standard_deviation": 0.0123}
            rows["gta"]["gain"] |= {"over": "gta_source", "seeds": {"0": gain, "1": 0.001}}
            rows["gta_source"] = row(0.5 - gain, "source-only, as Generate To Adapt", f"{name}/gta_source-0")
        if "selftraining" in rows:
            label = "source-only, as self-training"
            rows["selftraining_source"] = row(0.5, label, f"{source}/selftraining_source-0")
            rows["selftraining_source"] |= {"accuracy_by_target_statistics": 0.6789}
        images = {role: {"domain": scenario[role], "count": 40} for role in ("source", "target")}
        values = {
            "protocol": {
                "images": images,
                "versions": {"torch": "0"},
                "validator": {"candidates_for_correlation": 9},
            },
            "rows": rows,
            "validators": validators_of(12 if name == "usps-mnistm" else 3),
            "choice": choice_of(f"{name}/dann-0", f"{source}/supervised-0"),
        }
        if name in section["comparison"]["scenarios"]:
            values["variants"] = make_variants(study, name, source)
        write_json(study / f"out/adaptation/{name}-evaluation/summary.json", values)
        make_figures(study / f"out/adaptation/{name}-evaluation", ADAPTATION, f"Stage `evaluate@{name}`")
        for trained in (training for values in rows.values() for training in values["trainings"]):
            task, own = trained["name"].split("/")
            method, seed = own.split("-")
            write_weights(study, trained, f"{method}@{task}-{seed}")


def make_variants(study: Path, scenario: str, source: str) -> dict[str, Any]:
    """The variants of DANN on a scenario, and their trainings."""
    section = params(study)["adaptation"]
    variants = {}
    for variant in [*section["comparison"]["networks"], *section["comparison"]["updates"]]:
        settings = dict(section["variants"][variant])
        found = []
        for task, stage in ((source, f"baseline@{variant}-{source}-0"), (scenario, f"network@{variant}-{scenario}-0")):
            trained = {"name": f"{task}/variants/{variant}-0", "fingerprint": "1" * 64, "sha256": "2" * 64}
            write_weights(study, trained, stage)
            found.append(trained)
        variants[variant] = {
            "settings": {**{key: settings[key] for key in settings if key != "dann"}, **settings.get("dann", {})},
            "parameters": 257254,
            "trained_on_source": row(0.5, ""),
            "dann": row(0.55, ""),
            "gain": {"over_trained_on_source": 0.05, "interval": {"low": 0.01, "high": 0.09}},
            "trainings": found,
        }
        for one in ("trained_on_source", "dann"):
            del variants[variant][one]["trainings"]
    choice = choice_of(f"{scenario}/variants/deep-0", f"{source}/variants/deep-0")
    return {"steps": section["comparison"]["steps"], "variants": variants, "choice": choice}


def choice_of(chosen: str, oracle: str) -> dict[str, Any]:
    candidate = {"information": 1.5, "entropy": -0.25, "source_accuracy": 0.9, "accuracy": 0.6}
    return {
        "tried": 2,
        "chosen": {"training": chosen, "accuracy": 0.6},
        "oracle": {"training": oracle, "accuracy": 0.61},
        "candidates": {chosen: candidate},
    }


def validators_of(candidates: int) -> dict[str, Any]:
    """The benchmark of two validators; a correlation over few candidates is unknown."""
    scores = {
        name: {"spearman": spearman if candidates > 8 else None, "regret": 0.0123}
        for name, spearman in (("information", 0.875), ("class_ami", -0.25))
    }
    return {"candidates": candidates, "scores": scores}


def write_weights(study: Path, trained: dict[str, str], stage: str) -> None:
    settings = {"deep": {"poolings": 2}, "mish": {"hidden": [192, 128]}}
    layers = [{"layer": "Conv2d 5x5", "output": "64 x 24 x 24", "parameters": 88}]
    architecture = (
        {"network": "gta-source"} if "gta_source" in trained["name"] else {"network": "lenet", "settings": settings}
    )
    about = {
        **trained,
        "area": "adaptation",
        "stage": f"stages/adaptation/dvc.yaml:{stage}",
        "parameters": 257254,
        "architecture": architecture,
        "networks": {"features": {"parameters": 88, "layers": layers}},
    }
    write_json(study / f"out/adaptation/{trained['name']}/weights.json", about)


def make_diffusion(study: Path) -> None:
    """What the section on conditional diffusion reads: the first model's digits are the best read."""
    section = params(study)["diffusion"]

    def read_by_judge(accuracy: float) -> dict[str, Any]:
        read = {"accuracy": accuracy, "interval": {"low": accuracy - 0.02, "high": accuracy + 0.02}}
        return {"digit_accuracy": read, "digits": {str(digit): read for digit in range(10)}}

    training = {"name": "judge/0", "fingerprint": "7" * 64, "sha256": "6" * 64}
    write_json(study / "out/evaluation/judge-evaluation/summary.json", read_by_judge(0.975))
    write_json(study / "out/evaluation/judge-evaluation/scores.json", {"images": {"count": 3000}})
    stage = "stages/evaluation/dvc.yaml:judge@0"
    about = {**training, "area": "evaluation", "stage": stage, "parameters": 72345}
    write_json(study / "out/evaluation/judge/0/weights.json", about)
    make_figures(study / "out/evaluation/judge-evaluation", JUDGE, "Stage `judge-evaluate`, `777777777777`")
    summary = {}
    for index, model in enumerate(section["models"]):
        name = f"{model}-0"
        settings = merged(section["base"], section[model])
        guidance = merged(section["guidance"]["base"], section["guidance"][model])
        training = {"name": name, "fingerprint": "5" * 64, "sha256": "4" * 64}
        cell = {"accuracy": 0.5, "interval": {"low": 0.4, "high": 0.6}, "distance": 70.0}
        columns = [*(f"w {w:g}" for w in section["table"]["w"]), "skip 0.5", "real"]
        values = {
            "real": scores(9.0, generated=False),
            "guidance": {column: {**cell, "network_evaluations_per_image": 33} for column in columns},
            "snapshots": {"1000": 0.25, "2000": 0.75},
            "training": training,
            "protocol": {
                "images": 1000,
                "judged_images": 1000,
                "reference": {"training": {"count": 30000}},
                "extractor": EXTRACTOR,
                "sampler": section["sampling"],
                "guidance": guidance,
                "network_evaluations_per_image": 40,
                "table_images": 200,
                "snapshot_images": 100,
            },
        }
        write_json(study / f"out/diffusion/{name}-evaluation/scores.json", values)
        summary[model] = {**scores(80.0 + index), **read_by_judge(0.9 - index / 10)}
        layers = [{"layer": "up1", "output": "16 x 14 x 14", "parameters": 77, "condition": "time, class"}]
        about = {
            **training,
            "area": "diffusion",
            "stage": f"stages/diffusion/dvc.yaml:train@{name}",
            "parameters": 65432,
            "params": settings,
            "layers": layers,
        }
        write_json(study / f"out/diffusion/{name}/weights.json", about)
        of = f"Stage `evaluate@{name}`"
        make_figures(study / f"out/diffusion/{name}-samples", DIFFUSION_SAMPLES, of)
        make_figures(study / f"out/diffusion/{name}-evaluation", DIFFUSION_EVALUATION, of)
    write_json(study / "out/diffusion-summary/summary.json", {"models": summary})
