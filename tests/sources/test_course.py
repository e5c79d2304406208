from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dlcv.data.prepared import load_split, read_card
from dlcv.runtime import config as params
from dlcv.runtime.errors import UserError
from dlcv.sources.course import check
from dlcv.sources.file_tree import open_tree
from dlcv.sources.prepare import prepare_ddim, prepare_digits, prepare_faces
from dlcv.sources.registration import register

from .conftest import Files, course_files, png, write_folder, write_zip

Project = Callable[..., params.Params]


def registered(files: Files, kind: str = "folder") -> params.Params:
    path = Path("../course.zip" if kind == "zip" else "../course")
    register(write_zip(path, files) if kind == "zip" else write_folder(path, files), None)
    return params.load()


@pytest.mark.parametrize("layout", ["data", "train+val"])
@pytest.mark.parametrize("kind", ["folder", "zip"])
@pytest.mark.parametrize("top", [True, False])
def test_both_layouts_as_folder_or_zip_with_or_without_the_top_folder(
    project: Project, layout: str, kind: str, top: bool
) -> None:
    files = course_files(layout)
    if not top:
        files = {name.removeprefix("hw2_data/"): data for name, data in files.items()}
    values = registered(files, kind)
    card = prepare_digits("usps", values)
    assert [card["splits"][split]["count"] for split in ("train", "val")] == [20, 10]
    assert card["splits"]["val"]["classes"] == {str(digit): 1 for digit in range(10)}
    assert card["label"] == "digit" and "course" in card["played_by"]
    assert prepare_faces(values)["label"] == "Male"
    assert np.bincount(np.asarray(load_split(Path("data/faces"), "train").labels)).tolist() == [3, 3]


def test_images_keep_their_labels(project: Project) -> None:
    from dlcv.data.images import decode

    values = registered(course_files())
    prepare_digits("usps", values)
    split = load_split(Path("data/digits/usps"), "val")
    pixels = {decode(png(20 + index), "", 28, False).tobytes(): index for index in range(10)}
    assert split.labels is not None
    assert [pixels[image.tobytes()] for image in split.images] == split.labels.tolist()


def test_the_same_data_elsewhere_give_the_same_card(project: Project) -> None:
    prepare_digits("usps", registered(course_files(), "zip"))
    first = read_card(Path("data/digits/usps"))
    assert "/" not in first["provenance"].replace("digits/usps/", "")
    values = registered(course_files(), "folder")
    assert prepare_digits("usps", values)["sha256"] == first["sha256"]


def test_a_limit_opens_no_other_image(project: Project) -> None:
    """Class 3 has two training images and the limit takes one: only its damage matters."""
    failures = 0
    for name in ("00003.png", "00013.png"):
        files = course_files()
        files[f"hw2_data/digits/usps/data/{name}"] = b"damaged"
        project("course", train=10, val=10)
        try:
            card = prepare_digits("usps", registered(files, "zip"))
            assert card["splits"]["train"]["classes"] == {str(digit): 1 for digit in range(10)}
        except UserError as error:
            assert name in str(error)
            failures += 1
    assert failures == 1


def test_another_domain_is_not_there(project: Project) -> None:
    with pytest.raises(
        UserError, match=r"course has no digits/svhn/ with train.csv and val.csv or test.csv, at the top or"
    ):
        prepare_digits("svhn", registered(course_files()))


def without_class_seven(files: Files) -> None:
    name = "hw2_data/digits/usps/val.csv"
    files[name] = b"\n".join(line for line in files[name].splitlines() if not line.endswith(b",7"))


def truncate(files: Files) -> None:
    files["hw2_data/digits/usps/data/00003.png"] = files["hw2_data/digits/usps/data/00003.png"][:500]


def make_foreign(files: Files) -> None:
    files["hw2_data/digits/usps/data/00003.png"] = b"PK not an image"


def take_away(files: Files) -> None:
    del files["hw2_data/digits/usps/data/00003.png"]


def repeat_in_val(files: Files) -> None:
    files["hw2_data/digits/usps/val.csv"] += b"00003.png,3\n"


@pytest.mark.parametrize("kind", ["folder", "zip"])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without_class_seven, r"^val of usps \(course\) has no image of class 7;"),
        (truncate, r"digits/usps/data/00003.png is truncated or damaged"),
        (make_foreign, r"digits/usps/data/00003.png is not an image"),
        (take_away, r"train.csv lists 00003.png, which is not in hw2_data/digits/usps/train/ or"),
        (repeat_in_val, r"data/00003.png is in train and in val"),
    ],
)
def test_bad_data_end_in_one_line_and_leave_nothing_half_written(
    project: Project, spoil: Callable[[Files], None], message: str, kind: str
) -> None:
    files = course_files()
    spoil(files)
    values = registered(files, kind)
    with pytest.raises(UserError, match=message) as caught:
        prepare_digits("usps", values)
    assert "\n" not in str(caught.value)
    assert not list(Path("data").glob("**/*.*")) if Path("data").exists() else True


def test_bad_data_leave_the_last_good_output_as_it_was(project: Project) -> None:
    prepare_digits("usps", registered(course_files()))
    before = {file.name: file.read_bytes() for file in Path("data/digits/usps").iterdir()}
    files = course_files()
    truncate(files)
    with pytest.raises(UserError):
        prepare_digits("usps", registered(files))
    assert {file.name: file.read_bytes() for file in Path("data/digits/usps").iterdir()} == before
    assert [folder.name for folder in Path("data/digits").iterdir()] == ["usps"]


def test_data_that_were_never_registered(project: Project) -> None:
    with pytest.raises(UserError, match="^params.yaml: data.course.path is empty; run `dlcv data register PATH` first"):
        prepare_digits("usps", params.load())


def year_2022() -> Files:
    """Digits as ever; faces without any table."""
    return {name: data for name, data in course_files().items() if "face/" not in name or name.endswith(".png")}


def year_2023() -> Files:
    """The faces are those of the DDIM task."""
    files = {name: data for name, data in course_files().items() if "face/" not in name}
    ddim = {"GT/00.png": png(0, (256, 256)), "noise/00.pt": b"x", "UNet.pt": b"x"}
    return files | {f"hw2_data/face/{name}": data for name, data in ddim.items()}


def earlier() -> Files:
    """hw3_data: the second split is called test, and the faces have thirteen attributes."""
    files: Files = {}
    for name, data in course_files("train+val").items():
        name = name.replace("hw2_data", "hw3_data").replace("/val", "/test")
        if name.endswith(".csv") and "/face/" in name:
            data = data.replace(b"Male", b"Bangs,Male").replace(b".png,", b".png,5,")
        files[name] = data
    return files


@pytest.mark.parametrize("kind", ["folder", "zip"])
@pytest.mark.parametrize(
    ("year", "label", "said"),
    [
        (year_2022, None, "faces: hw2_data/face/, train and val, without attributes"),
        (earlier, "Male", "faces: hw3_data/face/, train and test"),
    ],
)
def test_every_year(
    project: Project,
    capsys: pytest.CaptureFixture[str],
    year: Callable[[], Files],
    label: str | None,
    said: str,
    kind: str,
) -> None:
    values = registered(year(), kind)
    card = prepare_digits("usps", values)
    assert [card["splits"][split]["count"] for split in ("train", "val")] == [20, 10]
    faces = prepare_faces(values)
    assert faces["label"] == label and [faces["splits"][split]["count"] for split in ("train", "val")] == [6, 4]
    assert ("no table with the attribute Male" in faces["provenance"]) == (label is None)
    check(open_tree(Path("../course.zip" if kind == "zip" else "../course")))
    shown = capsys.readouterr().out
    assert said in shown and "mnistm: not in this archive" in shown


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_the_ddim_task_is_taken_as_it_is(project: Project, kind: str) -> None:
    others = {"hw2_data/face/GT.zip": b"x", "hw2_data/face/UNet.pt.bak": b"x", "backup/face/UNet.pt": b"old"}
    out = prepare_ddim(registered(year_2023() | others, kind))
    assert {file.relative_to(out).as_posix() for file in out.rglob("*") if file.is_file()} == {
        "GT/00.png",
        "noise/00.pt",
        "UNet.pt",
    }
    assert (out / "UNet.pt").read_bytes() == b"x"


@pytest.mark.parametrize("missing", ["GT/00.png", "noise/00.pt", "UNet.pt"])
def test_an_archive_without_the_ddim_task(project: Project, missing: str) -> None:
    files = year_2023()
    del files[f"hw2_data/face/{missing}"]
    with pytest.raises(UserError, match=r"has no face/ with GT, noise, UNet.pt, the DDIM task; .* data.ddim: \[\]"):
        prepare_ddim(registered(files))
    assert not Path("data/ddim/course").exists()


def test_the_year_of_ddim_has_no_faces_to_train_on_and_takes_others(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    values = registered(year_2023())
    assert prepare_digits("usps", values)["splits"]["train"]["count"] == 20
    with pytest.raises(UserError, match=r"no faces to train on .* there is only GT, noise, UNet.pt of the DDIM task\)"):
        prepare_faces(values)
    check(open_tree(Path("../course")))
    assert "faces: none to train on, only GT, noise, UNet.pt" in capsys.readouterr().out
    # Digits from the course, faces from a folder.
    project("course", faces="folder")
    registered(year_2023())
    faces = write_folder(Path("../faces"), {f"{index}.png": png(index, (64, 64)) for index in range(12)})
    register(faces, "faces")
    values = params.load()
    assert prepare_digits("usps", values)["source"] == "course"
    assert prepare_faces(values)["source"] == "folder"


def test_a_folder_of_another_kind_is_no_archive_of_the_course(project: Project) -> None:
    folder = write_folder(Path("../holiday"), {"2024/1.png": png(), "train.csv": b"image_name,label\n"})
    before = Path("params.yaml").read_text()
    with pytest.raises(UserError, match=r"holiday is no archive of the course, which has digits/DOMAIN/ with .*--set"):
        register(folder, None, check)
    assert Path("params.yaml").read_text() == before
