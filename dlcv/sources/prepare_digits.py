"""The stage `digits`: one domain from the chosen source into data/digits/<domain>/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dlcv.data.config import DOMAINS, Data, Domain
from dlcv.runtime.config import Params
from dlcv.runtime.errors import UserError
from dlcv.sources import course, folder, raw, writing
from dlcv.sources.raw import RawSet

OUTPUT = Path("data/digits")
SIZE = 28
CLASSES = 10


def prepare(domain: Domain, params: Params) -> dict[str, Any]:
    """Make `data/digits/<domain>/` and return its card; same params, same bytes.

    Raises:
        UserError: the source's data are missing, changed or bad; nothing is written then.
    """
    section = params[Data]
    for split, limit in (("train", section.digits.train), ("val", section.digits.val)):
        if limit is not None and limit < CLASSES:
            raise UserError(f"params.yaml: data.digits.{split} is {limit}; ten classes need 10 images or more")
    rng = np.random.default_rng([params.seed, DOMAINS.index(domain)])
    digits = read(domain, section, rng)
    raw.require_digits(digits.train, f"train of {domain} ({section.source})")
    raw.require_digits(digits.val, f"val of {domain} ({section.source})")
    chosen = raw.limited(digits, section.digits.train, section.digits.val, rng)
    return writing.write(OUTPUT / domain, domain, section.source, SIZE, chosen)


def read(domain: Domain, section: Data, rng: np.random.Generator) -> RawSet:
    """The domain as the source in params.yaml gives it."""
    # Each source's own dependencies are imported only where that source is chosen.
    if section.source == "sample":
        from dlcv.sources import sample_digits

        return sample_digits.read(domain, rng)
    if section.source == "public":
        from dlcv.sources import public_digits

        return public_digits.read(domain, rng)
    if section.source == "course":
        return course.digits(domain, section.course)
    return folder.read(domain, getattr(section.folder, domain), rng)
