"""Write a trained model as a folder that opens without the repository: `dlcv export MODEL DIR`."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dlcv.diffusion.config import Ddim, Diffusion, guidance_of
from dlcv.engine.weights import read_about
from dlcv.models import card
from dlcv.models.kinds import KINDS
from dlcv.models.load import USE, load
from dlcv.models.scores import scores_of
from dlcv.runtime.config import Params
from dlcv.runtime.errors import UserError, expect
from dlcv.runtime.files import replacing, write_json
from dlcv.runtime.summaries import OUT

PICTURE = "picture.png"


def export(name: str, params: Params, out: Path) -> Path:
    """Write the training `name`, "gan/sngan-0", into the new or empty folder `out`.

    Returns:
        The folder: weights.safetensors and weights.json as the training wrote them, model.json, README.md, and a
        picture where the study has drawn one.

    Raises:
        UserError: no such training, damaged weights, or a folder that is not empty. `out` is then as it was.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} is not empty; name a new folder for the model")
    expect("trained model", name, trained())
    source = OUT / name
    about = read_about(source)
    kind, scores = KINDS[about["area"]], scores_of(about)
    use = {"dlcv": version("dlcv"), "kind": about["area"], **use_of(about, params)}
    use["scores"] = [asdict(score) for score in scores]
    with replacing(out) as folder:
        folder.mkdir(parents=True)
        for file in ("weights.safetensors", "weights.json"):
            shutil.copyfile(source / file, folder / file)
        write_json(folder / USE, use)
        picture = kind.picture_of(about)
        if picture:
            shutil.copyfile(picture, folder / PICTURE)
        text = card.write(about, use, scores, PICTURE if picture else None)
        (folder / "README.md").write_text(text, encoding="utf-8")
        load(folder)  # a folder that does not open is not written
    return out


def trained() -> list[str]:
    """The names of all trainings in the working directory: "adaptation/mnistm-usps/dann-0"."""
    return sorted(path.parent.relative_to(OUT).as_posix() for path in OUT.rglob("weights.json"))


def use_of(about: Mapping[str, Any], params: Params) -> dict[str, Any]:
    """How images are drawn from a diffusion model, by params.yaml, which its training does not decide.

    Returns:
        `sampling` and perhaps `guidance`, all settings; and `options`, those that the model's `sample` takes.
    """
    if about["area"] == "ddim":
        faces = params[Ddim].sampling
        return {"sampling": faces.model_dump(), "options": {"steps": faces.steps, "eta": faces.eta}}
    if about["area"] == "diffusion":
        digits, guidance = params[Diffusion].sampling, guidance_of(about["model"], params)
        steps = digits.steps or about["schedule"]["timesteps"]
        return {
            "sampling": {**digits.model_dump(), "steps": steps},
            "guidance": guidance.model_dump(),
            "options": {"steps": steps, "w": guidance.w},
        }
    return {"options": {}}
