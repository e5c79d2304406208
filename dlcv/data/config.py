"""The typed section `data` of params.yaml."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from dlcv.runtime.config import Section

Domain = Literal["mnistm", "svhn", "usps"]
DOMAINS: tuple[Domain, ...] = get_args(Domain)
SETS = (*DOMAINS, "faces")
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Count = Annotated[int, Field(gt=0)]


class Location(Section):
    """A folder or archive outside the repository, as `dlcv data register` records it."""

    path: str | None  # absolute, or relative to the repository's root
    sha256: Sha256 | None


class Folders(Section):
    """The `folder` source: one folder of images for each set."""

    mnistm: Location
    svhn: Location
    usps: Location
    faces: Location


class Public(Section):
    """The `public` source: which of the public sets plays the faces."""

    faces: Literal["celeba", "lfw"]


class Limits(Section):
    """Maximum number of images of each split, chosen by the seed; null for all."""

    train: Count | None
    val: Count | None


class Data(Section):
    """Which source plays the data sets, and how much of them is used."""

    source: Literal["sample", "course", "folder", "public"]
    course: Location
    folder: Folders
    public: Public
    domains: Annotated[list[Domain], Field(min_length=1)]
    digits: Limits
    faces: Limits


SECTIONS = {"data": Data}
