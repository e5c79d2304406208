from __future__ import annotations

import os
import random
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


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_every_damage_of_an_archive_is_one_line(tmp_path: Path, method: int) -> None:
    """A byte is changed or the end is cut off: the archive reads as before, or says what is wrong."""
    path = tmp_path / "data.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in FILES.items():
            archive.writestr(name, data * 20)
    whole = path.read_bytes()
    rng = random.Random(0)
    damaged = [whole[:cut] for cut in range(0, len(whole), 7)]
    for _ in range(300):
        place = rng.randrange(len(whole))
        damaged.append(whole[:place] + bytes([rng.randrange(256)]) + whole[place + 1 :])
    refused = 0
    for data in damaged:
        path.write_bytes(data)
        try:
            tree = open_tree(path)
            for name in tree.names:
                tree.read(name)
        except UserError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 150


def test_links_in_a_folder(tmp_path: Path) -> None:
    elsewhere = write_folder(tmp_path / "elsewhere", FILES)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "linked").symlink_to(elsewhere / "a")
    assert open_tree(folder).names == ("linked/1.png",)
    (folder / "broken.png").symlink_to(tmp_path / "nothing")
    with pytest.raises(UserError, match=r"broken.png is a link to nothing; mend it or take it out of the data"):
        fingerprint(folder)
    with pytest.raises(UserError, match=r"broken.png is a link to nothing"):
        open_tree(folder).read("broken.png")
    (folder / "loop").symlink_to(folder)
    with pytest.raises(UserError, match=r"loop is a link to a folder above it; remove the link"):
        open_tree(folder)
    (folder / "loop").unlink()
    (folder / "broken.png").unlink()
    (folder / "itself").symlink_to(folder / "itself")
    with pytest.raises(UserError, match=r"itself is a link to nothing"):
        fingerprint(folder)


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder", {**FILES, "é.png": b"x"})
    fingerprint(folder)
    Path(os.fsdecode(os.fsencode(folder) + b"/\xe9.png")).write_bytes(b"x")
    for act in (open_tree, fingerprint):
        with pytest.raises(UserError, match=r"has the file name '\\udce9.png', which is not UTF-8; rename the file"):
            act(folder)


def test_an_entry_without_a_name_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "data.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.png", b"")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"x.png", b"\0.png"))
    with pytest.raises(UserError, match=r"data.zip has a file without a name"):
        open_tree(path)
