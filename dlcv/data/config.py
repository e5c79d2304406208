"""The typed section `data` of params.yaml."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field

from dlcv.runtime.config import Section
from dlcv.runtime.fields import Positive, each_once

Domain = Literal["mnistm", "svhn", "usps"]
DOMAINS: tuple[Domain, ...] = get_args(Domain)
SETS = (*DOMAINS, "faces")
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Location(Section):
    """A folder or archive outside the repository; `dlcv data register` writes it."""

    path: str | None  # absolute, or relative to the root of the repository
    sha256: Sha256 | None


class Folders(Section):
    """The `folder` source: one folder of images for each data set."""

    mnistm: Location
    svhn: Location
    usps: Location
    faces: Location


class Public(Section):
    """The `public` source: the data set that is used for the faces."""

    faces: Literal["celeba", "lfw"]


Source = Literal["sample", "course", "folder", "public"]


class Limits(Section):
    """Where the digits or the faces come from, and how many.

    The maximum number of images of each split is chosen with the seed; null for all.
    """

    source: Source | None  # null for `data.source`
    train: Positive | None
    val: Positive | None


class Data(Section):
    """The source of the data sets and the number of images used."""

    source: Source
    course: Location
    folder: Folders
    public: Public
    domains: Annotated[list[Domain], Field(min_length=1), AfterValidator(each_once)]
    digits: Limits
    faces: Limits
    ddim: Annotated[list[Literal["course"]], AfterValidator(each_once)]  # whose DDIM task is repeated, if any

    @property
    def digits_source(self) -> Source:
        """Where the digits come from."""
        return self.digits.source or self.source

    @property
    def faces_source(self) -> Source:
        """Where the faces come from."""
        return self.faces.source or self.source


SECTIONS = {"data": Data}
