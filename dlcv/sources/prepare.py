"""The stages of the data: read a data set from the source in params.yaml and write its prepared form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dlcv.data.config import Data, Domain
from dlcv.runtime.config import Params
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import replacing
from dlcv.sources import course, folder
from dlcv.sources.splits import SourceSet, limited, require_all_digits
from dlcv.sources.write_prepared import write_prepared

DIGITS, FACES, DDIM = Path("data/digits"), Path("data/faces"), Path("data/ddim")
DIGIT_SIZE, FACE_SIZE = 28, 64  # pixels
CLASSES = 10
STREAMS = {"mnistm": 0, "svhn": 1, "usps": 2, "faces": 3}  # each data set has its own random numbers


def prepare_digits(domain: Domain, params: Params) -> dict[str, Any]:
    """Write `data/digits/<domain>/` and return its card. The same params give the same bytes.

    Raises:
        UserError: the source's data are missing, have changed or are invalid; nothing is written then.
    """
    section = params[Data]
    for split, limit in (("train", section.digits.train), ("val", section.digits.val)):
        if limit is not None and limit < CLASSES:
            raise UserError(f"params.yaml: data.digits.{split} is {limit}; ten classes need at least 10 images")
    rng = np.random.default_rng([params.seed, STREAMS[domain]])
    source = _read_digits(domain, section, rng)
    require_all_digits(source.train, f"train of {domain} ({section.digits_source})")
    require_all_digits(source.val, f"val of {domain} ({section.digits_source})")
    chosen = limited(source, section.digits.train, section.digits.val, rng)
    return write_prepared(DIGITS / domain, domain, section.digits_source, DIGIT_SIZE, chosen)


def prepare_faces(params: Params) -> dict[str, Any]:
    """Write `data/faces/` and return its card. The same params give the same bytes.

    Raises:
        UserError: the source's data are missing, have changed or are invalid; nothing is written then.
    """
    section = params[Data]
    rng = np.random.default_rng([params.seed, STREAMS["faces"]])
    chosen = limited(_read_faces(section, rng), section.faces.train, section.faces.val, rng)
    return write_prepared(FACES, "faces", section.faces_source, FACE_SIZE, chosen)


def prepare_ddim(params: Params) -> Path:
    """Write the noise, weights and images of the course's DDIM task, as they are in the archive, and return the folder.

    Raises:
        UserError: the archive is missing, has changed or has no such task; nothing is written then.
    """
    out = DDIM / "course"
    with replacing(out) as folder:
        for name, content in course.ddim_task(params[Data].course):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    return out


def _read_digits(domain: Domain, section: Data, rng: np.random.Generator) -> SourceSet:
    # A source with dependencies of its own is imported only if it is selected.
    if section.digits_source == "sample":
        from dlcv.sources import sample

        return sample.digits(domain, rng)
    if section.digits_source == "public":
        from dlcv.sources import public

        return public.digits(domain, rng)
    if section.digits_source == "course":
        return course.digits(domain, section.course)
    return folder.digits(domain, getattr(section.folder, domain), rng)


def _read_faces(section: Data, rng: np.random.Generator) -> SourceSet:
    if section.faces_source == "sample":
        from dlcv.sources import sample

        return sample.faces(rng)
    if section.faces_source == "public":
        from dlcv.sources import public

        return public.faces(section.public, rng)
    if section.faces_source == "course":
        return course.faces(section.course)
    return folder.faces(section.folder.faces, rng)
