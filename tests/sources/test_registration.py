from __future__ import annotations

from pathlib import Path

import pytest

from dlcv.data.config import Location
from dlcv.runtime import files
from dlcv.runtime.errors import UserError
from dlcv.sources.registration import open_registered

from .conftest import write_zip

FILES = {"a/1.png": b"one", "b.csv": b"two"}


def test_registered_data_must_be_recorded_there_and_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    path = write_zip(tmp_path / "data.zip", FILES)
    digest = files.sha256(path)
    with pytest.raises(UserError, match="^params.yaml: data.course.path is empty; run `CMD` first$"):
        open_registered(Location(path=None, sha256=None), "data.course", "CMD")
    # A relative path is relative to the root of the repository, not to the working directory.
    assert open_registered(Location(path="data.zip", sha256=digest), "data.course", "CMD").names == tuple(FILES)
    write_zip(path, {**FILES, "more.png": b"x"})
    with pytest.raises(UserError, match=rf"data.zip has changed: .* params.yaml has {digest[:12]}….* run `CMD` again$"):
        open_registered(Location(path="data.zip", sha256=digest), "data.course", "CMD")
    path.unlink()
    with pytest.raises(UserError, match="^data.course: there is no .*data.zip; put the data there, or run `CMD` with"):
        open_registered(Location(path="data.zip", sha256=digest), "data.course", "CMD")
