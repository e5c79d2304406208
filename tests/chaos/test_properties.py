"""Whatever a file holds, reading it succeeds or ends in one line that a user can act on.

`DLCV_EXAMPLES=10000 pytest tests/chaos/test_properties.py` is the long form.
"""

from __future__ import annotations

import io
import json
import os
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from ruamel.yaml import YAML

from dlcv.data.images import decode
from dlcv.diffusion import noise_files
from dlcv.engine.weights import load_network, origin, read_about, save_weights
from dlcv.runtime.config import shipped, validate
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import sha256
from dlcv.runtime.nested import flatten
from dlcv.sources.file_tree import FileTree, open_tree
from dlcv.sources.label_tables import read_table
from dlcv.vae.networks import Autoencoder
from tests.vae.conftest import LATENT, NARROW, network

pytestmark = pytest.mark.slow

many = settings(
    max_examples=int(os.environ.get("DLCV_EXAMPLES", "100")),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
damage = st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), min_size=1, max_size=8)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def one_line(action: Callable[[], Any]) -> None:
    """Run `action`; of all errors only a `UserError` of one line is allowed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            action()
    except UserError as error:
        assert str(error) and "\n" not in str(error)


def damaged(content: bytes, changes: list[tuple[int, int]], cut: int) -> bytes:
    """`content` with single bytes replaced and `cut` bytes missing at its end."""
    result = bytearray(content)
    for place, value in changes:
        result[place % len(result)] = value
    return bytes(result[: len(result) - cut % len(result)])


@many
@given(
    st.binary(max_size=200)
    | st.lists(st.lists(st.text(max_size=12), max_size=4).map(",".join), max_size=6).map(
        lambda lines: "\n".join(["image_name,label", *lines]).encode("utf-8", "surrogatepass")
    )
    | st.integers().map(lambda label: f"image_name,label\na.png,{label}".encode())
)
def test_tables(content: bytes) -> None:
    tree = FileTree("data", ("table.csv",), lambda _: content)
    one_line(lambda: read_table(tree, "table.csv", None, True))
    one_line(lambda: read_table(tree, "table.csv", "label", False))


def archive(method: int) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as writer:
        for name in ("face/train/00001.png", "digits/usps/train.csv", "ä/b.png"):
            writer.writestr(name, name.encode() * 20)
    return target.getvalue()


ARCHIVES = [
    archive(method) for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
]


@many
@given(st.sampled_from(ARCHIVES), damage, st.just(0) | st.integers(0, 2**10))
def test_archives(tmp_path: Path, content: bytes, changes: list[tuple[int, int]], cut: int) -> None:
    path = tmp_path / "data.zip"
    path.write_bytes(damaged(content, changes, cut))

    def read() -> None:
        tree = open_tree(path)
        for name in tree.names:
            tree.read(name)

    one_line(read)


def picture(kind: str) -> bytes:
    target = io.BytesIO()
    values = np.random.default_rng(0).integers(0, 256, (24, 20, 3), dtype=np.uint8)
    Image.fromarray(values).save(target, kind)
    return target.getvalue()


PICTURES = [picture(kind) for kind in ("PNG", "JPEG", "BMP", "WEBP", "TIFF", "GIF")]


@many
@given(st.sampled_from(PICTURES), damage, st.just(0) | st.integers(0, 2**10))
def test_pictures(content: bytes, changes: list[tuple[int, int]], cut: int) -> None:
    one_line(lambda: decode(damaged(content, changes, cut), "picture.png", 28, True))


PARAMS = YAML(typ="safe").load(shipped().read_text())
KEYS = sorted(flatten(PARAMS))


@many
@given(st.sampled_from(KEYS), json_values)
def test_params(key: str, value: Any) -> None:
    node = values = json.loads(json.dumps(PARAMS))
    *parents, last = key.split(".")
    for parent in parents:
        node = node[parent]
    node[last] = value
    one_line(lambda: validate(values, "params.yaml").resolved())


def noise(kind: str) -> bytes:
    target, values = io.BytesIO(), np.random.default_rng(0).normal(size=(3, 4, 4)).astype(np.float32)
    np.save(target, values) if kind == "npy" else torch.save(torch.from_numpy(values), target)
    return target.getvalue()


NOISE = {kind: noise(kind) for kind in ("npy", "pt")}


@many
@given(st.sampled_from(sorted(NOISE)), damage, st.just(0) | st.integers(0, 2**10))
def test_noise_files(tmp_path: Path, kind: str, changes: list[tuple[int, int]], cut: int) -> None:
    path = tmp_path / f"noise.{kind}"
    path.write_bytes(damaged(NOISE[kind], changes, cut))
    one_line(lambda: noise_files.read([path], (3, 4, 4)))


@many
@given(
    json_values
    | st.builds(
        lambda key, value: {"area": "vae", "width": NARROW, "latent": LATENT, key: value},
        st.sampled_from(["area", "width", "latent", "sha256", "params", "name", "fingerprint"]),
        json_values,
    )
)
def test_sidecars(tmp_path: Path, about: Any) -> None:
    folder = tmp_path / "weights"
    if not folder.exists():
        save_weights(folder, network().state_dict(), {})
    if isinstance(about, dict):
        about = {"sha256": sha256(folder / "weights.safetensors"), **about}
    (folder / "weights.json").write_text(json.dumps(about))
    one_line(lambda: origin(read_about(folder)))
    one_line(
        lambda: load_network(
            folder,
            lambda found: Autoencoder(found["width"], found["latent"]),
            expected={"area": "vae"},
            what="the weights of a VAE",
        )
    )
