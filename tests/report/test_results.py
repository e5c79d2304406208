"""Published studies, and documents whose tables are rendered from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dlcv.report import results
from dlcv.runtime.config import load
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json, write_json
from tests.report.made import EXTRACTOR

pytestmark = pytest.mark.slow


REPOSITORY = Path(__file__).parent.parent.parent


@pytest.fixture
def published(full: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished study, published as `made`."""

    def git(*words: str) -> str:
        return "" if words[0] == "status" else "c0ffee" * 6 + "c0ff"

    monkeypatch.setattr(results, "git", git)
    monkeypatch.setattr(results, "_finished", lambda: True)
    write_json(full / "out/evaluation/digits/mnistm/summary.json", {"protocol": {"extractor": EXTRACTOR}})
    return results.publish("made", load(), "make repro")


def test_a_published_study_says_what_its_figures_depend_on(published: Path) -> None:
    study = read_json(published)
    assert study["commit"].startswith("c0ffee") and study["command"] == "make repro"
    assert study["machine"]["cpu"] and study["machine"]["torch"] and "threads" in study["machine"]
    assert study["data"]["faces"] == "c" * 64
    assert study["params"]["gan"]["sngan"]["loss"] == "bce"  # base and override are merged
    assert study["trainings"]["gan/sngan-2"]["fingerprint"] == "e" * 64
    assert study["summary"]["gan"]["models"]["dcgan"]["precision"] == {"value": 0.5}
    assert "confusion" not in str(study) and "left_out" not in str(study)


def test_tables_are_rendered_between_the_comments(published: Path, dlcv: Callable[[str], tuple[int, str]]) -> None:
    page = Path("page.md")
    text = "# A page\n\n<!-- results: made {} -->\nold\n<!-- end -->\n\nMore.\n"
    page.write_text("".join(text.format(table) for table in ("about", "gan", "faces", "adaptation", "digits")))
    assert results.render(page)
    rendered = page.read_text()
    assert "old" not in rendered and rendered.count("\nMore.\n") == 5
    assert "Commit `c0ffeec0ffee`, `make repro`, on " in rendered
    assert "\n| dcgan | 50.00 (48.00 to 52.00) |" in rendered and "\n| vae | 333.00 (331.00 to 335.00) |" in rendered
    assert "- report-004: sngan has a lower distance than dcgan, by 3 pairs of trainings: -9.00" in rendered
    assert "| mnistm → svhn | source-only | lenet | 0.5000 | 0.4900 to 0.5100 |  |" in rendered
    assert "| context-unet | 0.900 (0.880 to 0.920) |" in rendered
    assert not results.render(page) and page.read_text() == rendered
    assert dlcv("tables page.md") == (0, "")


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("none gan", "there is no published study results/none/study.json; `dlcv publish none` writes it"),
        ("made gans", "there is no table gans; there are about, adaptation, digits, faces, gan"),
    ],
)
def test_a_study_or_table_that_is_not_there_is_named(published: Path, block: str, message: str) -> None:
    page = Path("page.md")
    page.write_text(f"<!-- results: {block} -->\n<!-- end -->\n")
    with pytest.raises(UserError, match=message):
        results.render(page)
    with pytest.raises(UserError, match=r"there is no document other.md"):
        results.render(Path("other.md"))


def test_only_a_finished_and_committed_study_is_published(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"the name of a study has letters, digits, - and _, not '../x'"):
        results.publish("../x", load(), "make repro")
    monkeypatch.setattr(results, "git", lambda *words: "M dlcv/cli.py")
    with pytest.raises(UserError, match="dlcv/cli.py has uncommitted changes; commit them"):
        results.publish("made", load(), "make repro")
    monkeypatch.setattr(results, "git", lambda *words: "")
    monkeypatch.setattr(results, "_finished", lambda: False)
    with pytest.raises(UserError, match="the study is not finished: `dvc status` names stages"):
        results.publish("made", load(), "make repro")
    assert not Path("results").exists()


def test_the_tables_of_the_documents_are_those_of_the_published_studies() -> None:
    pages = [*REPOSITORY.glob("docs/*.md"), REPOSITORY / "README.md"]
    blocks = [(page, block) for page in pages for block in results.BLOCK.finditer(page.read_text())]
    for page, block in blocks:
        path = REPOSITORY / "results" / block["study"] / "study.json"
        assert path.is_file(), page
        text = results.table_of(read_json(path), block["table"])
        assert block["body"].strip() == text, f"{page}: run `dlcv tables {page.relative_to(REPOSITORY)}`"
