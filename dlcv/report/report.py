"""The stage `report`: tables and figures of everything that params.yaml implies, in Markdown and HTML."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from dlcv.report.adaptation import adaptation, reasons, reports, spread, verdict
from dlcv.report.ddim import ddim
from dlcv.report.diffusion import diffusion
from dlcv.report.files import link, read
from dlcv.report.gan import gan, pair_verdict
from dlcv.report.page import to_html
from dlcv.report.vae import vae
from dlcv.runtime.config import Params, read_yaml
from dlcv.runtime.files import replacing
from dlcv.runtime.nested import flatten

OUT = Path("report")
DATA = Path("data")


def run(params: Params) -> Path:
    """Write `report/report.md` and `report/report.html`, which carries its images inside.

    Returns:
        The Markdown file.

    Raises:
        UserError: a file that params.yaml implies is missing, or one lies there that it does not imply.
    """
    cards = {domain: read(DATA / "digits" / domain / "card.json") for domain in params.raw["data"]["domains"]}
    cards["faces"] = read(DATA / "faces" / "card.json")
    folders = {name: DATA / ("faces" if name == "faces" else f"digits/{name}") for name in cards}
    faces, digits = gan(params.raw), adaptation(params.raw)
    autoencoder = vae(params.raw, faces)
    diffused = ddim(params.raw, autoencoder)
    conditional = diffusion(params.raw)
    environment = Environment(
        loader=PackageLoader("dlcv.report"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(
        four=lambda value: f"{value:.4f}",
        signed=lambda value: f"{value:+.4f}",
        thousands=lambda value: f"{value:,}",
        arrow=lambda name: " → ".join(name.split("-")),
        reports=reports,
        spread=spread,
        verdict=verdict,
        reasons=reasons,
        pair_verdict=pair_verdict,
    )
    text = environment.get_template("report.md.jinja").render(
        params=params.raw,
        cards=cards,
        sheets={name: link(folder / "contact.png") for name, folder in folders.items()},
        stage_of_data=lambda name: "faces" if name == "faces" else f"digits@{name}",
        gan=faces,
        vae=autoencoder,
        ddim=diffused,
        diffusion=conditional,
        adaptation=digits,
        reference=read_yaml(Path(__file__).parent / "reference.yaml"),
        parameters=flatten({key: params.raw[key] for key in params.raw if key != "data"}),
        trainings=[
            *({**about, "stage": f"stages/gan/dvc.yaml:train@{model}"} for model, about in faces["trainings"].items()),
            {**autoencoder["training"], "stage": "stages/vae/dvc.yaml:train"},
            {**diffused["training"], "stage": "stages/ddim/dvc.yaml:train"},
            *digits["trainings"].values(),
            {**conditional["judge_training"], "stage": "stages/evaluation/dvc.yaml:judge"},
            *(
                {**about, "stage": f"stages/diffusion/dvc.yaml:train@{model}"}
                for model, about in conditional["trainings"].items()
            ),
        ],
        versions={
            **faces["protocol"]["versions"],
            **autoencoder["protocol"]["versions"],
            **next(iter(digits["scenarios"].values()))["protocol"]["versions"],
        },
    )
    for file, content in {"report.html": to_html(text, OUT), "report.md": text}.items():
        with replacing(OUT / file) as temporary:
            temporary.write_text(content, encoding="utf-8")
    return OUT / "report.md"
