"""Readers for the file formats of the public data sets.

The formats are simple enough to read here, which avoids importing torchvision (several seconds).
"""

from __future__ import annotations

import bz2
import gzip
import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from dlcv.data.images import decode, fit
from dlcv.runtime.errors import UserError

LFW_SIZE = 250  # pixels
LFW_BOX = slice(50, 200)  # the rows and columns of the face; the same crop as the course's faces


def read_idx(path: Path) -> np.ndarray:
    """A gzipped IDX file of unsigned bytes (MNIST): `uint8`, N or N x 28 x 28.

    Raises:
        UserError: the file has another format.
    """
    try:
        data = gzip.decompress(path.read_bytes())
        if data[:3] != b"\0\0\x08":
            raise ValueError("not an IDX file of unsigned bytes")
        shape = np.frombuffer(data, dtype=">u4", count=data[3], offset=4).astype(int)
        return np.frombuffer(data, dtype=np.uint8, offset=4 + 4 * data[3]).reshape(shape)
    except (ValueError, IndexError, EOFError, gzip.BadGzipFile) as error:
        raise _invalid(path, "an MNIST file", error) from None


def read_mat(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The MATLAB file of SVHN's cropped digits: `uint8` N x 32 x 32 x 3 and `int64` labels (label 10 is the digit 0).

    Raises:
        UserError: the file has another format.
    """
    from scipy.io import loadmat

    try:
        content = loadmat(path)
        images = content["X"].transpose(3, 0, 1, 2)
        return images, content["y"].reshape(-1).astype(np.int64) % 10
    except (ValueError, KeyError, TypeError, NotImplementedError) as error:
        raise _invalid(path, "an SVHN file", error) from None


def read_libsvm(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The LIBSVM text of USPS, labels 1 to 10 and values in [-1, 1]: `uint8` N x 16 x 16 and `int64` labels 0 to 9.

    Raises:
        UserError: the file has another format.
    """
    try:
        lines = [line.split() for line in bz2.decompress(path.read_bytes()).splitlines()]
        labels = np.array([int(line[0]) - 1 for line in lines], dtype=np.int64)
        values = np.array([[float(cell.split(b":")[1]) for cell in line[1:]] for line in lines])
        return np.rint((values + 1) * 127.5).astype(np.uint8).reshape(-1, 16, 16), labels
    except (ValueError, IndexError, OSError) as error:
        raise _invalid(path, "a USPS file", error) from None


def read_bsds500(archive: Path, split: str) -> list[np.ndarray]:
    """The photographs of one split of BSDS500 ("train", "val" or "test"): each `uint8` H x W x 3.

    Raises:
        UserError: the file has another format, or has no photographs of the split.
    """
    folder = f"BSR/BSDS500/data/images/{split}/"
    photographs = {}
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                if not (member.name.startswith(folder) and member.name.endswith(".jpg")):
                    continue
                file = tar.extractfile(member)
                if file is not None:
                    photographs[member.name] = np.asarray(Image.open(io.BytesIO(file.read())).convert("RGB"))
    except (tarfile.TarError, EOFError) as error:
        raise _invalid(archive, "the archive of BSDS500", error) from None
    if not photographs:
        raise _invalid(archive, "the archive of BSDS500", ValueError(f"no photographs in {folder}"))
    return [photographs[name] for name in sorted(photographs)]


def read_celeba_list(path: Path, column: str | None) -> dict[str, int]:
    """A list of CelebA, from file name to integer.

    Args:
        column: column of the list of attributes, which has two header lines; None for the list of partitions, which
            has one column and no header.

    Raises:
        UserError: the file has another format.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        at = 1 if column is None else lines[1].split().index(column) + 1
        rows = [line.split() for line in (lines if column is None else lines[2:])]
        return {row[0]: int(row[at]) for row in rows if row}
    except (ValueError, IndexError) as error:
        raise _invalid(path, "a list of CelebA", error) from None


def read_lfw(archive: Path, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The faces of the LFW archive: `uint8` N x size x size x 3, and the name of each person.

    Raises:
        UserError: the file has another format, or has no faces.
    """
    images, persons = [], []
    try:
        # In one pass: a gzipped tar archive has no index.
        with tarfile.open(archive) as tar:
            for member in tar:
                file = tar.extractfile(member) if member.name.endswith(".jpg") else None
                if file is not None:
                    whole = decode(file.read(), f"{archive}/{member.name}", LFW_SIZE, crop=True)
                    images.append(fit(Image.fromarray(whole[LFW_BOX, LFW_BOX]), size, crop=False))
                    persons.append(member.name.split("/")[-2])
    except (tarfile.TarError, EOFError, IndexError) as error:
        raise _invalid(archive, "the archive of LFW", error) from None
    if not images:
        raise _invalid(archive, "the archive of LFW", ValueError("no faces"))
    return np.stack(images), np.array(persons)


def _invalid(path: Path, expected: str, error: Exception) -> UserError:
    reason = " ".join(str(error).split())
    return UserError(f"{path} is not {expected} ({reason}); delete it and run again")
