"""The model card of an exported folder: Markdown with Hugging Face's front matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dlcv.data.prepared import read_card
from dlcv.models.kinds import KINDS
from dlcv.models.scores import Score
from dlcv.runtime.errors import UserError
from dlcv.runtime.nested import flatten

TEMPLATES = Path(__file__).parent / "templates"


def write(about: Mapping[str, Any], use: Mapping[str, Any], scores: Sequence[Score], picture: str | None) -> str:
    """The text of README.md.

    Args:
        about: the values of `weights.json`.
        use: the values of `model.json`.
        scores: of this training; none if it is not evaluated.
        picture: file name of a picture in the folder.
    """
    kind, name = KINDS[about["area"]], title(about)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    text = environment.get_template("card.md").render(
        name=name,
        folder=name,
        kind=kind,
        about=about,
        options=use["options"],
        picture=picture,
        scores=scores,
        sets=sets_of(about),
        params=flatten(about["params"]),
    )
    return f"---\n{front(about, name, scores).to_yaml()}\n---\n\n{text}"


def title(about: Mapping[str, Any]) -> str:
    """The name of a model outside the study: "dlcv-gan-sngan-0"."""
    return "-".join(("dlcv", about["area"], *about["name"].split("/")))


def front(about: Mapping[str, Any], name: str, scores: Sequence[Score]) -> ModelCardData:
    """The front matter, with the scores in Hugging Face's `model-index`."""
    kind = KINDS[about["area"]]
    results = [
        EvalResult(
            task_type=kind.task or "other",
            dataset_type=score.dataset,
            dataset_name=score.on,
            metric_type=score.key,
            metric_name=score.name,
            metric_value=score.value,
        )
        for score in scores
    ]
    return ModelCardData(
        license="mit",
        library_name="dlcv",
        pipeline_tag=kind.task,
        tags=["dlcv", about["area"], "pytorch", "safetensors"],
        model_name=name,
        eval_results=results or None,
    )


def sets_of(about: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The prepared sets that the training read: name, and where they are here as they were, their card."""
    found = []
    for name, digest in about["data"].items():
        try:
            card = read_card(Path("data/faces") if name == "faces" else Path("data/digits") / name)
        except UserError:
            card = {}
        found.append({"name": name, "sha256": digest, "card": card if card.get("sha256") == digest else None})
    return found
