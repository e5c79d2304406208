from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from dlcv.runtime.errors import UserError
from dlcv.sources.file_tree import fingerprint, open_tree

from .conftest import write_folder, write_zip

FILES = {"a/1.png": b"one", "b.csv": b"two"}


def test_a_folder_and_a_zip_of_it_are_the_same_tree(tmp_path: Path) -> None:
    folder = open_tree(write_folder(tmp_path / "folder", FILES))
    archive = open_tree(write_zip(tmp_path / "data.zip", FILES))
    assert folder.names == archive.names == ("a/1.png", "b.csv")
    assert [folder.read(name) for name in folder.names] == [archive.read(name) for name in archive.names]


def test_files_of_file_managers_are_neither_read_nor_hashed(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder", FILES)
    before = fingerprint(folder)
    write_folder(folder, {".DS_Store": b"x", "__MACOSX/a/._1.png": b"x", "a/Thumbs.db": b"x"})
    assert fingerprint(folder) == before and len(open_tree(folder).names) == 2


@pytest.mark.parametrize("change", [{"a/1.png": b"other"}, {"a/3.png": b""}, {"a": None}])
def test_the_fingerprint_depends_on_contents_names_and_added_files(
    tmp_path: Path, change: dict[str, bytes | None]
) -> None:
    folder = write_folder(tmp_path / "folder", FILES)
    before = fingerprint(folder)
    if change == {"a": None}:
        (folder / "a/1.png").rename(folder / "a/2.png")
    else:
        write_folder(folder, {name: data for name, data in change.items() if data is not None})
    assert fingerprint(folder) != before


@pytest.mark.parametrize("name", ["../evil.png", "/etc/evil.png", "a/../../evil.png", "..\\evil.png", "C:\\evil.png"])
def test_an_archive_with_names_outside_it_is_refused(tmp_path: Path, name: str) -> None:
    path = write_zip(tmp_path / "data.zip", {**FILES, name: b"x"})
    with pytest.raises(UserError, match="has the file name .*evil.png', which points outside the archive; do not use"):
        open_tree(path)


def test_a_corrupt_zip_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "data.zip", FILES)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(UserError, match=r"data.zip is not a complete zip archive \(.*\); download or copy it again$"):
        open_tree(path)


def test_a_zip_with_a_damaged_member_names_it(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "data.zip", {"a.png": b"A" * 100})
    path.write_bytes(path.read_bytes().replace(b"A" * 100, b"A" * 50 + b"B" * 50))
    with pytest.raises(UserError, match=r"data.zip: cannot read a.png \(Bad CRC-32"):
        open_tree(path).read("a.png")


def test_a_file_that_is_too_large_when_extracted_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlcv.sources.file_tree.MAX_FILE_SIZE", 1000)
    path = tmp_path / "data.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.png", bytes(100_000))
    with pytest.raises(UserError, match="bomb.png has 100000 bytes when extracted, which is too large; remove it"):
        open_tree(path).read("bomb.png")


def test_missing_and_empty_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="^there is no .*/none; put the data there, or run `dlcv data register PATH`"):
        open_tree(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="/empty is empty; register a folder or zip archive with images"):
        open_tree(tmp_path / "empty")
