"""The `public` source of digits: SVHN, USPS, and MNIST-M made from MNIST and BSDS500.

URLs are those of torchvision 0.29. The formats are small enough to read here, which spares the seconds
that importing torchvision costs.
"""

from __future__ import annotations

import bz2
import gzip
import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from dlcv.data.config import Domain
from dlcv.data.images import fit
from dlcv.runtime import files
from dlcv.runtime.errors import UserError
from dlcv.sources.download import Remote, fetch
from dlcv.sources.mnistm import blend
from dlcv.sources.raw import RawSet, RawSplit

# SHA-256 of MNIST and SVHN: the checksums of TensorFlow Datasets for the same URLs and file names.
_MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)


def _mnist(name: str, sha256: str) -> Remote:
    return Remote(f"mnist/{name}", tuple(mirror + name for mirror in _MNIST_MIRRORS), f"sha256:{sha256}")


MNIST = {
    "train": (
        _mnist("train-images-idx3-ubyte.gz", "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        _mnist("train-labels-idx1-ubyte.gz", "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
    ),
    "val": (
        _mnist("t10k-images-idx3-ubyte.gz", "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        _mnist("t10k-labels-idx1-ubyte.gz", "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    ),
}
SVHN = {
    "train": Remote(
        "svhn/train_32x32.mat",
        ("http://ufldl.stanford.edu/housenumbers/train_32x32.mat",),
        "sha256:435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
    ),
    "val": Remote(
        "svhn/test_32x32.mat",
        ("http://ufldl.stanford.edu/housenumbers/test_32x32.mat",),
        "sha256:cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
    ),
}
# No SHA-256 of USPS is published: torchvision's MD5 checks it, and the card records the SHA-256 measured.
USPS = {
    "train": Remote(
        "usps/usps.bz2",
        ("https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass/usps.bz2",),
        "md5:ec16c51db3855ca6c91edd34d0e9b197",
    ),
    "val": Remote(
        "usps/usps.t.bz2",
        ("https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass/usps.t.bz2",),
        "md5:8ea070ee2aca1ac39742fdd1ef5ed118",
    ),
}
# BSDS500's authors publish no hash; this SHA-256 is the one that other projects record for the archive.
BSDS500 = Remote(
    "bsds500/BSR_bsds500.tgz",
    (
        "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/BSR/BSR_bsds500.tgz",
        "http://www.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/BSR/BSR_bsds500.tgz",
    ),
    "sha256:97e49d31764f3912f0c4122707d53062ac9e783ba0f095e447a4d53c1a41af8e",
)


def read(domain: Domain, rng: np.random.Generator) -> RawSet:
    """One domain of the public digits, 28 x 28 RGB; train and val are the sets' own train and test.

    Raises:
        UserError: a download failed, or a file is not in its format.
    """
    return {"mnistm": _mnistm, "svhn": _svhn, "usps": _usps}[domain](rng)


def _mnistm(rng: np.random.Generator) -> RawSet:
    archive = fetch(BSDS500)
    splits, used = {}, [archive]
    for split, folder in (("train", "train"), ("val", "test")):
        images, labels = (fetch(remote) for remote in MNIST[split])
        used += [images, labels]
        blended = blend(read_idx(images), read_photographs(archive, folder), rng)
        splits[split] = RawSplit.of_arrays(blended, read_idx(labels).astype(np.int64))
    return RawSet(
        splits["train"],
        splits["val"],
        label="digit",
        played_by="MNIST-M made by its recipe from MNIST over BSDS500 photographs",
        provenance=f"{_hashes(used)}; val uses BSDS500's test photographs, train its training ones",
    )


def _svhn(rng: np.random.Generator) -> RawSet:
    paths = {split: fetch(remote) for split, remote in SVHN.items()}
    train, val = (_enlarged(*read_mat(path)) for path in paths.values())
    return RawSet(train, val, "digit", "SVHN cropped digits", _hashes(list(paths.values())))


def _usps(rng: np.random.Generator) -> RawSet:
    paths = {split: fetch(remote) for split, remote in USPS.items()}
    train, val = (_enlarged(*read_libsvm(path)) for path in paths.values())
    return RawSet(train, val, "digit", "USPS", _hashes(list(paths.values())))


def read_idx(path: Path) -> np.ndarray:
    """A gzipped IDX file of unsigned bytes (MNIST): `uint8`, N or N x 28 x 28."""
    try:
        data = gzip.decompress(path.read_bytes())
        if data[:3] != b"\0\0\x08":
            raise ValueError("not an IDX file of unsigned bytes")
        shape = np.frombuffer(data, dtype=">u4", count=data[3], offset=4).astype(int)
        return np.frombuffer(data, dtype=np.uint8, offset=4 + 4 * data[3]).reshape(shape)
    except (ValueError, IndexError, EOFError, gzip.BadGzipFile) as error:
        raise _not_in_format(path, error) from None


def read_mat(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """SVHN's cropped digits: `uint8` N x 32 x 32 x 3 and `int64` labels; its label 10 is the digit 0."""
    from scipy.io import loadmat

    try:
        content = loadmat(path)
        images = content["X"].transpose(3, 0, 1, 2)
        return images, content["y"].reshape(-1).astype(np.int64) % 10
    except (ValueError, KeyError, TypeError, NotImplementedError) as error:
        raise _not_in_format(path, error) from None


def read_libsvm(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """USPS in LIBSVM's text: `uint8` N x 16 x 16 and `int64` labels; labels 1 to 10, values in [-1, 1]."""
    try:
        lines = [line.split() for line in bz2.decompress(path.read_bytes()).splitlines()]
        labels = np.array([int(line[0]) - 1 for line in lines], dtype=np.int64)
        values = np.array([[float(cell.split(b":")[1]) for cell in line[1:]] for line in lines])
        return np.rint((values + 1) * 127.5).astype(np.uint8).reshape(-1, 16, 16), labels
    except (ValueError, IndexError, OSError) as error:
        raise _not_in_format(path, error) from None


def read_photographs(archive: Path, split: str) -> list[np.ndarray]:
    """The photographs of one of BSDS500's splits ("train", "val" or "test"), read without unpacking."""
    folder = f"BSR/BSDS500/data/images/{split}/"
    photographs = {}
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                file = (
                    tar.extractfile(member) if member.name.startswith(folder) and member.name.endswith(".jpg") else None
                )
                if file is not None:
                    photographs[member.name] = np.asarray(Image.open(io.BytesIO(file.read())).convert("RGB"))
    except (tarfile.TarError, EOFError) as error:
        raise _not_in_format(archive, error) from None
    if not photographs:
        raise _not_in_format(archive, ValueError(f"no photographs in {folder}"))
    return [photographs[name] for name in sorted(photographs)]


def _enlarged(images: np.ndarray, labels: np.ndarray) -> RawSplit:
    """Grey or RGB images of any size as a split of 28 x 28 RGB, resized when read."""

    def resize(indices: np.ndarray) -> np.ndarray:
        return np.stack([fit(Image.fromarray(images[index]).convert("RGB"), 28, crop=False) for index in indices])

    return RawSplit(len(images), labels, resize)


def _hashes(paths: list[Path]) -> str:
    return ", ".join(f"{path.name} (SHA-256 {files.sha256(path)})" for path in paths)


def _not_in_format(path: Path, error: Exception) -> UserError:
    reason = " ".join(str(error).split())
    return UserError(f"{path} is not in its format ({reason}); delete it and run again")
