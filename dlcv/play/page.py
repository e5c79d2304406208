"""The page. Functions behind it are in `drawing` and `reading`; only this module imports gradio."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from dlcv.adaptation.config import SIZE
from dlcv.play import drawing, reading
from dlcv.play.shelf import Option, Shelf, draws_digits, draws_faces, gaps, has_weights
from dlcv.runtime.errors import UserError

TEMPLATES = Path(__file__).parent / "templates"
FONT = ("system-ui", "sans-serif")  # by name: nothing is fetched
LOOK = {
    "theme": gr.themes.Base(primary_hue="teal", font=FONT, font_mono=("ui-monospace", "monospace")),
    "css": (TEMPLATES / "page.css").read_text(encoding="utf-8"),
}
PROGRESS = gr.Progress()  # as the default value of an argument it makes gradio show a bar
LAST = {"trigger_mode": "always_last", "show_progress": "hidden"}  # of quick changes, the last one is drawn
DIRECTIONS = 4
SHOWN = 6  # pixels of the screen for each that a classifier sees
DIGITS = list("0123456789")
EMPTY = "Draw a digit, or drop an image of one."


def build(shelf: Shelf) -> gr.Blocks:
    """The page with a tab for everything that has weights.

    Raises:
        UserError: nothing has.
    """
    tabs: list[tuple[str, Callable[[Shelf, gr.Blocks], None], list[Path]]] = [
        ("Faces", faces_tab, shelf.folders(draws_faces)),
        ("Between two faces", interpolation_tab, shelf.folders(draws_faces)),
        ("Digits by class", digits_tab, shelf.folders(draws_digits)),
        ("Read a digit", reading_tab, reading.folders(shelf.params)),
    ]
    shown = [tab for tab in tabs if any(map(has_weights, tab[2]))]
    if not shown:
        raise UserError("no training in out/ has weights; run `dvc repro`, which writes them")
    with gr.Blocks(title="dlcv", analytics_enabled=False, delete_cache=(3600, 3600)) as page:
        gr.Markdown("# dlcv\nThe trained models of this study, on this machine.")
        for title, fill, _ in shown:
            with gr.Tab(title):
                fill(shelf, page)
        left_out = [f"Left out: {', '.join(title for title, *_ in tabs if title not in [tab[0] for tab in shown])}."]
        lines = gaps(dict.fromkeys(folder for *_, folders in tabs for folder in folders))
        lines = (left_out if len(shown) < len(tabs) else []) + lines
        if lines:
            gr.Markdown("\n\n".join(lines), elem_id="gaps")
    return page


def faces_tab(shelf: Shelf, page: gr.Blocks) -> None:
    """Latents to faces."""
    names = shelf.names(draws_faces)
    with gr.Row():
        with gr.Column(min_width=280):
            model = gr.Dropdown(names, value=names[0], label="model")
            seed, count = _seed("seed", 0), gr.Slider(1, drawing.MOST, value=32, step=1, label="faces")
            options = Sliders(shelf, names)
            button = gr.Button("Draw", variant="primary")
            with gr.Accordion("Move the latents") as moves:
                gr.Markdown("In the directions in which this model's images change most:")
                shifts = [gr.Slider(-4, 4, value=0, step=0.25, show_label=False) for _ in range(DIRECTIONS)]
        picture = _picture("Each face has a latent of its own, which depends on the seed, not on the number of faces.")
    inputs = [model, seed, count, *shifts, *options.sliders]

    def draw(name: str, seed: int, count: int, progress: Any = PROGRESS, *values: float) -> Image.Image:
        moved, own = values[:DIRECTIONS] if moves_latents(name) else (), options.named(values[DIRECTIONS:])
        return drawing.faces(shelf, name, count, seed, moved, own, told(progress))

    def moves_latents(name: str) -> bool:
        return len(shelf.open(name).shape) == 1  # the noise of a whole image has too many directions

    def draw_if_quick(name: str, seed: int, count: int, *values: float) -> Any:
        return gr.skip() if shelf.options(name) else draw(name, seed, count, PROGRESS, *values)

    def choose(name: str) -> list[Any]:
        return [gr.update(visible=moves_latents(name)), *options.updates(name)]

    on(button.click, draw, inputs, picture)
    on([page.load, model.change], choose, [model], [moves, *options.sliders], show_progress="hidden")
    changed = [page.load, model.change, seed.change, count.change, *(shift.change for shift in shifts)]
    on(changed, draw_if_quick, inputs, picture, **LAST)


def interpolation_tab(shelf: Shelf, page: gr.Blocks) -> None:
    """From the face of one seed to that of another."""
    names = shelf.names(draws_faces)
    with gr.Row():
        with gr.Column(min_width=280):
            model = gr.Dropdown(names, value=names[0], label="model")
            with gr.Row():
                first, last = _seed("from seed", 1), _seed("to seed", 2)
            count = gr.Slider(2, drawing.MOST // 4, value=9, step=1, label="faces in a row")
            options = Sliders(shelf, names)
            button = gr.Button("Draw", variant="primary")
        picture = _picture(
            "From the latent of one seed to that of the other: **slerp** along the great circle, **lerp** along the "
            "straight line, whose middle is nearer to the origin than almost all latents."
        )

    def draw(name: str, a: int, b: int, count: int, progress: Any = PROGRESS, *values: float) -> Image.Image:
        return drawing.interpolation(shelf, name, (a, b), count, options.named(values), told(progress))

    on(button.click, draw, [model, first, last, count, *options.sliders], picture)
    on([page.load, model.change], options.updates, [model], options.sliders, show_progress="hidden")


def digits_tab(shelf: Shelf, page: gr.Blocks) -> None:
    """Digits of chosen classes."""
    names = shelf.names(draws_digits)
    with gr.Row():
        with gr.Column(min_width=280):
            model = gr.Dropdown(names, value=names[0], label="model")
            classes = gr.CheckboxGroup(DIGITS, value=DIGITS, label="digits")
            with gr.Row():
                seed, count = _seed("seed", 0), gr.Number(8, precision=0, minimum=1, maximum=10, label="of each")
            options = Sliders(shelf, names)
            button = gr.Button("Draw", variant="primary")
        picture = _picture("A digit in each row; each image starts from a noise of its own.")

    def draw(
        name: str, classes: list[str], seed: int, count: int, progress: Any = PROGRESS, *values: float
    ) -> Image.Image:
        own = options.named(values)
        return drawing.digits(shelf, name, map(int, classes), count, seed, own, told(progress))

    on(button.click, draw, [model, classes, seed, count, *options.sliders], picture)
    on([page.load, model.change], options.updates, [model], options.sliders, show_progress="hidden")


def reading_tab(shelf: Shelf, page: gr.Blocks) -> None:
    """A digit, drawn or from a file, read by every classifier."""
    with gr.Row():
        with gr.Column(min_width=320):
            with gr.Tab("Draw"):
                template, script = ((TEMPLATES / name).read_text(encoding="utf-8") for name in ("pad.html", "pad.js"))
                pad = gr.HTML("", html_template=template, js_on_load=script, elem_id="pad")
                with gr.Row():
                    ink = gr.ColorPicker("#ffffff", label="ink", min_width=100)
                    paper = gr.ColorPicker("#000000", label="paper", min_width=100)
                size = gr.Slider(8, 28, value=20, step=1, label="pixels", info="of the digit: 20 in MNIST, 28 in USPS")
            with gr.Tab("Upload"):
                file = gr.Image(type="filepath", sources=["upload", "clipboard"], show_label=False, buttons=[])
        with gr.Column(scale=3):
            seen = gr.Image(
                show_label=False,
                format="png",
                height=SHOWN * SIZE,
                width=SHOWN * SIZE,
                interactive=False,
                container=False,
                buttons=[],
                elem_classes="pixels",
                elem_id="seen",
            )
            table = gr.HTML(EMPTY, elem_id="readings", apply_default_css=False)

    def drawn(url: str, ink: str, paper: str, size: int) -> tuple[np.ndarray | None, str]:
        return read(reading.from_drawing(reading.coverage_of(url), ink, paper, size)) if url else (None, EMPTY)

    def dropped(path: str | None) -> tuple[np.ndarray | None, str]:
        return read(reading.from_file(Path(path))) if path else (None, EMPTY)

    def read(image: np.ndarray) -> tuple[np.ndarray, str]:
        return image.repeat(SHOWN, 0).repeat(SHOWN, 1), reading.read(shelf, image).html()

    changed = [pad.change, ink.change, paper.change, size.change]
    on(changed, drawn, [pad, ink, paper, size], [seen, table], **LAST)
    on(file.change, dropped, [file], [seen, table], **LAST)


class Sliders:
    """The options of samplers: those of all models, of which those of the chosen model are visible."""

    def __init__(self, shelf: Shelf, names: list[str]):
        self._shelf = shelf
        every = {key: option for name in names for key, option in shelf.options(name).items()}
        self._keys = list(every)
        first = shelf.options(names[0])
        self.sliders = [gr.Slider(**_slider(every[key]), visible=key in first) for key in self._keys]

    def named(self, values: tuple[float, ...]) -> dict[str, float]:
        """The values of the sliders by option."""
        return dict(zip(self._keys, values, strict=True))

    def updates(self, name: str) -> Any:
        """The sliders as the model `name` has them."""
        options = self._shelf.options(name)
        found = [
            gr.update(visible=True, **_slider(options[key])) if key in options else gr.update(visible=False)
            for key in self._keys
        ]
        return found if len(found) != 1 else found[0]


def _slider(option: Option) -> dict[str, Any]:
    return {
        "minimum": option.low,
        "maximum": option.high,
        "step": option.step,
        "value": option.value,
        "label": option.label,
        "info": option.about,
    }


def _seed(label: str, value: int) -> gr.Number:
    return gr.Number(value, precision=0, minimum=0, label=label, min_width=100)


def _picture(caption: str) -> gr.Image:
    with gr.Column(scale=3):
        picture = gr.Image(
            show_label=False,
            format="png",
            interactive=False,
            buttons=["download", "fullscreen"],
            elem_classes="pixels",
        )
        gr.Markdown(caption)
    return picture


def told(progress: Any) -> drawing.Told:
    """Moves a progress bar."""
    return lambda done, of_all: progress((done, of_all), unit="steps")


def on(triggers: Any, function: Callable[..., Any], inputs: Any, outputs: Any, **options: Any) -> None:
    """Call `function` after each of `triggers`. An error of the user becomes a message on the page; any other is a bug
    and keeps its traceback."""

    @wraps(function)
    def safe(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except UserError as error:
            raise gr.Error(str(error), title="", print_exception=False) from None

    gr.on(triggers, safe, inputs, outputs, **options)
