"""params.yaml: what is refused, and in which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from dlcv.adaptation.config import Adaptation, Dann
from dlcv.runtime.config import apply_profile, load
from dlcv.runtime.errors import UserError

REPOSITORY = Path(__file__).parent.parent.parent


@pytest.mark.usefixtures("study")
def test_sections_are_typed_and_lambda_has_an_alias() -> None:
    params = load()
    assert params[Dann].lambda_ == params.raw["dann"]["lambda"]
    assert params[Adaptation].scenarios["mnistm-usps"].target == "usps"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "adaptation.training.learning_rte",
            1.0,
            "unknown key adaptation.training.learning_rte; did you mean learning_rate?",
        ),
        ("dann.lamda", 0.3, "unknown key dann.lamda; did you mean lambda?"),
        ("dnan", 1, "unknown key dnan; did you mean dann?"),
        (
            "adaptation.training.learning_rate",
            -1,
            "adaptation.training.learning_rate: Input should be greater than 0, not -1",
        ),
        (
            "adaptation.training.learning_rate",
            "high",
            "adaptation.training.learning_rate: Input should be a valid number, not 'high'",
        ),
        (
            "adaptation.training.learning_rate",
            "1e-3",
            "adaptation.training.learning_rate: Input should be a valid number, not '1e-3'",
        ),
        ("adaptation.training.steps", 1.5, "adaptation.training.steps: Input should be a valid integer, not 1.5"),
        (
            "adaptation.training.learning_rate",
            float("inf"),
            "adaptation.training.learning_rate: Input should be a finite number",
        ),
        (
            "data.source",
            "internet",
            "data.source: Input should be 'sample', 'course', 'folder' or 'public', not 'internet'",
        ),
        ("adaptation.scenarios.mnistm-svhn.target", "usps", "scenario mnistm-svhn has to be named mnistm-usps"),
        ("seed", -1, "seed: Input should be greater than or equal to 0, not -1"),
        ("seed", 2**32, "seed: Input should be less than 4294967296"),
        (
            "adaptation.scenarios.svhn-usps.sorce",
            "svhn",
            "unknown key adaptation.scenarios.svhn-usps.sorce; did you mean source?",
        ),
        ("adaptation.scenarios", {}, "adaptation.scenarios: Dictionary should have at least 1 item"),
        ("adaptation.tsne.perplexity", 400, "adaptation.tsne: perplexity has to be below two thirds of images"),
    ],
)
def test_bad_value_is_named_with_its_key(study: Path, set_params: Any, key: str, value: object, message: str) -> None:
    set_params({key: value})
    with pytest.raises(UserError) as error:
        load()
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_key_and_missing_file(study: Path) -> None:
    text = (study / "params.yaml").read_text()
    (study / "params.yaml").write_text(text.replace("seed: 0", ""))
    with pytest.raises(UserError, match="the key seed is missing; add it"):
        load()
    (study / "params.yaml").write_text("seed: [1")
    with pytest.raises(UserError, match="params.yaml is not YAML"):
        load()
    (study / "params.yaml").unlink()
    with pytest.raises(UserError, match="there is no params.yaml here; run dlcv in the root"):
        load()


def test_profile_keeps_comments_and_can_be_undone(study: Path) -> None:
    before = (study / "params.yaml").read_text()
    changes = apply_profile("smoke")
    smoke = (study / "params.yaml").read_text()
    assert any(change.startswith("adaptation.training.steps: ") for change in changes)
    assert "# of the gradient reversal at the end" in smoke
    assert apply_profile("smoke") == []
    apply_profile("sample")
    assert (study / "params.yaml").read_text() == before


def test_every_profile_is_valid_and_sets_the_same_keys(study: Path) -> None:
    """Otherwise a value of the profile before would stay."""

    def leaves(value: Any, prefix: str = "") -> set[str]:
        if not isinstance(value, dict):
            return {prefix}
        return set().union(*(leaves(item, f"{prefix}.{key}") for key, item in value.items()))

    keys = {}
    for path in sorted((study / "profiles").glob("*.yaml")):
        apply_profile(path.stem)
        keys[path.stem] = leaves(YAML(typ="safe").load(path.read_text()))
    assert set(keys) == {"smoke", "sample", "course", "full"}
    assert len(set(map(frozenset, keys.values()))) == 1
    # What no profile names is the same under each of them.
    assert keys["sample"] <= leaves(YAML(typ="safe").load((REPOSITORY / "params.yaml").read_text()))


def test_profile_with_an_unknown_key_changes_nothing(study: Path) -> None:
    before = (study / "params.yaml").read_text()
    (study / "profiles" / "mine.yaml").write_text("dann:\n  lamda: 1\n")
    with pytest.raises(UserError, match="profiles/mine.yaml: params.yaml has no key dann.lamda; did you mean lambda?"):
        apply_profile("mine")
    (study / "profiles" / "mine.yaml").write_text("dann:\n  lambda: -1\n")
    with pytest.raises(UserError, match="profiles/mine.yaml: dann.lambda: Input should be greater"):
        apply_profile("mine")
    assert (study / "params.yaml").read_text() == before
    assert not list(study.glob(".params*"))
    with pytest.raises(UserError, match="no profile smokey; did you mean smoke?"):
        apply_profile("smokey")
