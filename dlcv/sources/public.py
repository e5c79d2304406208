"""The `public` source: downloads of SVHN, USPS, MNIST-M (made from MNIST and BSDS500), and CelebA or LFW.

URLs and file identifiers are those of torchvision 0.29.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from dlcv.data.config import Domain, Public
from dlcv.data.images import fit
from dlcv.runtime import files
from dlcv.runtime.errors import UserError
from dlcv.sources.download import Remote, fetch
from dlcv.sources.file_tree import open_tree
from dlcv.sources.mnistm import blend
from dlcv.sources.public_formats import read_bsds500, read_celeba_list, read_idx, read_lfw, read_libsvm, read_mat
from dlcv.sources.splits import SourceSet, SourceSplit

DIGIT_SIZE, FACE_SIZE = 28, 64  # pixels
LFW_VAL_SHARE = 6  # one of six persons is for validation


def _mnist(name: str, sha256: str) -> Remote:
    mirrors = (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    )
    return Remote(f"mnist/{name}", tuple(mirror + name for mirror in mirrors), f"sha256:{sha256}")


def _svhn(name: str, sha256: str) -> Remote:
    return Remote(f"svhn/{name}", (f"http://ufldl.stanford.edu/housenumbers/{name}",), f"sha256:{sha256}")


def _usps(name: str, md5: str) -> Remote:
    url = f"https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass/{name}"
    return Remote(f"usps/{name}", (url,), f"md5:{md5}")


def _celeba(name: str, identifier: str, sha256: str) -> Remote:
    # This host of Google Drive sends large files without the confirmation page of the virus scan.
    url = f"https://drive.usercontent.google.com/download?id={identifier}&export=download&confirm=t"
    return Remote(f"celeba/{name}", (url,), f"sha256:{sha256}")


# SHA-256 of MNIST, SVHN and CelebA: from TensorFlow Datasets, for the same files.
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
    "train": _svhn("train_32x32.mat", "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8"),
    "val": _svhn("test_32x32.mat", "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b"),
}
# No SHA-256 of USPS is published, so torchvision's MD5 is checked; the card records the measured SHA-256.
USPS = {
    "train": _usps("usps.bz2", "ec16c51db3855ca6c91edd34d0e9b197"),
    "val": _usps("usps.t.bz2", "8ea070ee2aca1ac39742fdd1ef5ed118"),
}
# The authors of BSDS500 publish no hash; this SHA-256 is the one that other projects record for the archive.
BSDS500 = Remote(
    "bsds500/BSR_bsds500.tgz",
    (
        "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/BSR/BSR_bsds500.tgz",
        "http://www.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/BSR/BSR_bsds500.tgz",
    ),
    "sha256:97e49d31764f3912f0c4122707d53062ac9e783ba0f095e447a4d53c1a41af8e",
)
CELEBA = {
    "images": _celeba(
        "img_align_celeba.zip",
        "0B7EVK8r0v71pZjFTYXZWM3FlRnM",
        "46fb89443c578308acf364d7d379fe1b9efb793042c0af734b6112e4fd3a8c74",
    ),
    "partition": _celeba(
        "list_eval_partition.txt",
        "0B7EVK8r0v71pY0NSMzRuSXJEVkk",
        "fc955bcb3ef8fbdf7d5640d9a8693a8431b5f2ee291a5c1449a1549e7e073fe7",
    ),
    "attributes": _celeba(
        "list_attr_celeba.txt",
        "0B7EVK8r0v71pblRyaVFSWGxPY0U",
        "f0e5da289d5ccf75ffe8811132694922b60f2af59256ed362afa03fefba324d0",
    ),
}
# LFW's original host is offline; this is scikit-learn's copy, with scikit-learn's SHA-256.
LFW = Remote(
    "lfw/lfw-funneled.tgz",
    ("https://ndownloader.figshare.com/files/5976015",),
    "sha256:b47c8422c8cded889dc5a13418c4bc2abbda121092b3533a83306f90d900100a",
)


def digits(domain: Domain, rng: np.random.Generator) -> SourceSet:
    """One domain of the public digits, 28 x 28 RGB; train and val are the data set's own train and test splits.

    Raises:
        UserError: a download failed, or a file has another format.
    """
    return {"mnistm": _read_mnistm, "svhn": _read_svhn, "usps": _read_usps}[domain](rng)


def faces(section: Public, rng: np.random.Generator) -> SourceSet:
    """The public faces, 64 x 64 RGB. No person is in both splits.

    Raises:
        UserError: a download failed, or a file has another format.
    """
    return _read_celeba() if section.faces == "celeba" else _read_lfw(rng)


def _read_mnistm(rng: np.random.Generator) -> SourceSet:
    archive = fetch(BSDS500)
    splits, used = {}, [archive]
    for split, folder in (("train", "train"), ("val", "test")):
        images, labels = (fetch(remote) for remote in MNIST[split])
        used += [images, labels]
        blended = blend(read_idx(images), read_bsds500(archive, folder), rng)
        splits[split] = SourceSplit.from_arrays(blended, read_idx(labels).astype(np.int64))
    return SourceSet(
        splits["train"],
        splits["val"],
        label="digit",
        played_by="MNIST-M made by its recipe from MNIST over BSDS500 photographs",
        provenance=f"{_hashes(used)}; val uses BSDS500's test photographs, train its training ones",
    )


def _read_svhn(rng: np.random.Generator) -> SourceSet:
    paths = {split: fetch(remote) for split, remote in SVHN.items()}
    train, val = (_resized(*read_mat(path)) for path in paths.values())
    return SourceSet(train, val, "digit", "SVHN cropped digits", _hashes(list(paths.values())))


def _read_usps(rng: np.random.Generator) -> SourceSet:
    paths = {split: fetch(remote) for split, remote in USPS.items()}
    train, val = (_resized(*read_libsvm(path)) for path in paths.values())
    return SourceSet(train, val, "digit", "USPS", _hashes(list(paths.values())))


def _read_celeba() -> SourceSet:
    """CelebA's own training and validation partitions, the centre square of each 178 x 218 image."""
    # The small files first, so that an error comes before the download of 1.4 GB.
    partition = read_celeba_list(fetch(CELEBA["partition"]), column=None)
    male = read_celeba_list(fetch(CELEBA["attributes"]), column="Male")
    tree = open_tree(fetch(CELEBA["images"]))
    by_name = {name.rsplit("/", 1)[-1]: name for name in tree.names}
    splits = {}
    for code, split in ((0, "train"), (1, "val")):
        images = [image for image, value in partition.items() if value == code]
        missing = next((image for image in images if image not in by_name or image not in male), None)
        if missing or not images:
            raise UserError(
                f"{tree.where} lacks {missing or split}, which is in CelebA's lists; delete it and run again"
            )
        labels = np.array([male[image] > 0 for image in images], dtype=np.int64)
        splits[split] = SourceSplit.from_files(tree, [by_name[image] for image in images], labels, FACE_SIZE, crop=True)
    hashes = ", ".join(f"{remote.name} ({remote.hash})" for remote in CELEBA.values())
    return SourceSet(splits["train"], splits["val"], "Male", "CelebA, aligned faces", hashes)


def _read_lfw(rng: np.random.Generator) -> SourceSet:
    """LFW has no split for generative models: `rng` selects one of six persons for validation."""
    archive = fetch(LFW)
    images, persons = read_lfw(archive, FACE_SIZE)
    names = np.unique(persons)
    val = np.isin(persons, rng.choice(names, size=max(1, len(names) // LFW_VAL_SHARE), replace=False))
    return SourceSet(
        train=SourceSplit.from_arrays(images[~val], None),
        val=SourceSplit.from_arrays(images[val], None),
        label=None,
        played_by="LFW, funneled faces",
        provenance=f"{archive.name} (SHA-256 {files.sha256(archive)}), pixels 50 to 200 of 250; "
        "the persons of train and val differ",
    )


def _resized(images: np.ndarray, labels: np.ndarray) -> SourceSplit:
    """A split of grey or RGB images of any size, which are resized to 28 x 28 RGB on demand."""

    def resize(indices: np.ndarray) -> np.ndarray:
        return np.stack(
            [fit(Image.fromarray(images[index]).convert("RGB"), DIGIT_SIZE, crop=False) for index in indices]
        )

    return SourceSplit(len(images), labels, resize)


def _hashes(paths: list[Path]) -> str:
    return ", ".join(f"{path.name} (SHA-256 {files.sha256(path)})" for path in paths)
