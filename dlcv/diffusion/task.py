"""The stage `ddim task`: the course's DDIM task, whose noise, weights and images are in its archives.

The images are drawn by DDIM in 50 steps with eta 0 at the times 1, 21 … 981, without clipping x0, as report 003 does.
They are compared with the course's as bytes. How the course turned its own into bytes is not stated, so both usual ways
are scored: values clipped to [-1, 1], and each image stretched to its own range.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from dlcv.data.batches import to_uint8
from dlcv.data.images import read_images
from dlcv.data.latents import seeds_of
from dlcv.diffusion import foreign_weights
from dlcv.diffusion.config import FACES_OUT, FaceSampling
from dlcv.diffusion.faces import generate, load_model, shape_of
from dlcv.diffusion.noise_files import list_files, read, stretched
from dlcv.evaluation.mse import compare
from dlcv.figures.grids import labelled_rows, save
from dlcv.figures.listing import made_by, write_listing
from dlcv.runtime.files import replacing, sha256, write_json

TASKS = Path("data/ddim")
SAMPLING = FaceSampling(steps=50, eta=0.0, spacing="uniform+1", clip_x0=False, rederive_epsilon=False)
SHOWN = 8  # images of the figure
CAPTIONS = {"beside.png": "The course's images, and ours from the same noise and weights, clipped and stretched."}


def run(source: str) -> Path:
    """Draw and compare the images of the task in `data/ddim/SOURCE`.

    Returns:
        The folder with the images in `clipped/` and `stretched/`, `beside.png`, and `scores.json`: by way, the mean
        squared difference on 0..255 of each image, and the mean of all.

    Raises:
        UserError: weights or noise that cannot be read, or other names or sizes than those of the course's images.
    """
    given, out = TASKS / source, FACES_OUT / f"task-{source}"
    files = list_files(given / "noise")
    names = [file.stem for file in files]
    with TemporaryDirectory() as temporary:
        model = load_model(foreign_weights.run(given / "UNet.pt", Path(temporary) / "weights"))
    images = generate(model, read(files, shape_of(model)), seeds_of(names, seed=0), SAMPLING)
    with replacing(out) as folder:
        drawn = {"clipped": to_uint8(images).numpy(), "stretched": to_uint8(stretched(images)).numpy()}
        for way, pixels in drawn.items():
            save(folder / way, pixels, names)
        errors = {way: compare(folder / way, given / "GT") for way in drawn}
        scores = {way: {"mse": float(np.mean(list(each.values()))), "images": each} for way, each in errors.items()}
        write_json(folder / "scores.json", {"scores": scores, "sampler": SAMPLING.model_dump()})
        shown = {"course": read_images(given / "GT"), **drawn}
        rows = [pixels[:SHOWN] for pixels in shown.values()]
        labelled_rows(rows, list(shown)).save(folder / "beside.png")
        write_listing(folder, CAPTIONS, made_by(f"task@{source}", {"UNet.pt": sha256(given / "UNet.pt")}))
    return out
