from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from dlcv.data.config import Location
from dlcv.runtime import files
from dlcv.runtime.errors import UserError
from dlcv.sources.tree import fingerprint, open_registered, open_tree

from .conftest import write_folder, write_zip

FILES = {"a/1.png": b"one", "b.csv": b"two"}


def test_a_folder_and_a_zip_of_it_are_the_same_tree(tmp_path: Path) -> None:
    folder = open_tree(write_folder(tmp_path / "folder", FILES))
    archive = open_tree(write_zip(tmp_path / "data.zip", FILES))
    assert folder.names == archive.names == ("a/1.png", "b.csv")
    assert [folder.read(name) for name in folder.names] == [archive.read(name) for name in archive.names]


def test_what_file_managers_leave_behind_is_neither_read_nor_hashed(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder", FILES)
    before = fingerprint(folder)
    write_folder(folder, {".DS_Store": b"x", "__MACOSX/a/._1.png": b"x", "a/Thumbs.db": b"x"})
    assert fingerprint(folder) == before and len(open_tree(folder).names) == 2


@pytest.mark.parametrize("change", [{"a/1.png": b"other"}, {"a/3.png": b""}, {"a": None}])
def test_the_fingerprint_sees_contents_names_and_additions(tmp_path: Path, change: dict[str, bytes | None]) -> None:
    folder = write_folder(tmp_path / "folder", FILES)
    before = fingerprint(folder)
    if change == {"a": None}:
        (folder / "a/1.png").rename(folder / "a/2.png")
    else:
        write_folder(folder, {name: data for name, data in change.items() if data is not None})
    assert fingerprint(folder) != before


@pytest.mark.parametrize("name", ["../evil.png", "/etc/evil.png", "a/../../evil.png", "..\\evil.png", "C:\\evil.png"])
def test_an_archive_that_climbs_out_is_refused(tmp_path: Path, name: str) -> None:
    path = write_zip(tmp_path / "data.zip", {**FILES, name: b"x"})
    with pytest.raises(UserError, match="holds the name .*evil.png', which climbs out of the archive; do not use"):
        open_tree(path)


def test_a_corrupt_zip_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "data.zip", FILES)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(UserError, match=r"data.zip is not a whole zip archive \(.*\); download or copy it again$"):
        open_tree(path)


def test_a_zip_with_a_damaged_member_names_it(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "data.zip", {"a.png": b"A" * 100})
    path.write_bytes(path.read_bytes().replace(b"A" * 100, b"A" * 50 + b"B" * 50))
    with pytest.raises(UserError, match=r"data.zip: cannot read a.png \(Bad CRC-32"):
        open_tree(path).read("a.png")


def test_a_member_that_unpacks_to_far_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlcv.sources.tree.LARGEST", 1000)
    path = tmp_path / "data.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.png", bytes(100_000))
    with pytest.raises(UserError, match="bomb.png would unpack to 100000 bytes; take it out"):
        open_tree(path).read("bomb.png")


def test_nothing_there_and_nothing_in_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="^there is no .*/none; put the data there, or run `dlcv data register PATH`"):
        open_tree(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="/empty is empty; register a folder or zip archive that holds images"):
        open_tree(tmp_path / "empty")


def test_registered_data_must_be_recorded_there_and_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    path = write_zip(tmp_path / "data.zip", FILES)
    digest = files.sha256(path)
    with pytest.raises(UserError, match="^params.yaml: data.course.path is empty; run `CMD` first$"):
        open_registered(Location(path=None, sha256=None), "data.course", "CMD")
    # A relative path counts from the repository's root, wherever the stage runs.
    assert open_registered(Location(path="data.zip", sha256=digest), "data.course", "CMD").names == tuple(FILES)
    write_zip(path, {**FILES, "more.png": b"x"})
    with pytest.raises(UserError, match=rf"data.zip has changed: .* params.yaml has {digest[:12]}….* run `CMD` again$"):
        open_registered(Location(path="data.zip", sha256=digest), "data.course", "CMD")
    path.unlink()
    with pytest.raises(UserError, match="^data.course: there is no .*data.zip; put the data there, or run `CMD` with"):
        open_registered(Location(path="data.zip", sha256=digest), "data.course", "CMD")
