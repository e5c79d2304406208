"""Load params.yaml: every section through its typed model, the whole file before any stage works.

The sections live in their areas (`dlcv/<area>/sections.py`); they validate and have no defaults, so
what is written in params.yaml is what runs. They are light to import: a check answers at once.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from dlcv.errors import UserError, expect, nearest
from dlcv.files import replacing

PATH = Path("params.yaml")
PROFILES = Path("profiles")

# Where each top-level section's model lives. A new method adds its line here.
SECTIONS = {
    "data": "dlcv.data.sections:Data",
    "evaluation": "dlcv.evaluation.sections:Evaluation",
    "judge": "dlcv.evaluation.sections:Judge",
    "gan": "dlcv.gan.sections:Gan",
    "vae": "dlcv.vae.sections:Vae",
    "ddim": "dlcv.ddim.sections:Ddim",
    "diffusion": "dlcv.diffusion.sections:Diffusion",
    "adaptation": "dlcv.adaptation.sections:Adaptation",
    "dann": "dlcv.adaptation.sections:Dann",
    "gta": "dlcv.adaptation.sections:Gta",
    "selftraining": "dlcv.adaptation.sections:SelfTraining",
}


class Section(BaseModel):
    """A part of params.yaml: no unknown keys, no silent conversions, immutable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


S = TypeVar("S", bound=Section)


class Params:
    """The validated params.yaml: `seed`, and each section by its model, `params[Dann]`."""

    def __init__(self, seed: int, sections: dict[type[Section], Section], raw: dict[str, Any]):
        self.seed = seed
        self.raw = raw
        self._sections = sections

    def __getitem__(self, model: type[S]) -> S:
        section = self._sections[model]
        assert isinstance(section, model)
        return section

    def with_sections(self, *sections: Section) -> Params:
        """The same with other values for some sections; `raw` is what the file says still."""
        return Params(self.seed, {**self._sections, **{type(section): section for section in sections}}, self.raw)


def load(path: Path = PATH) -> Params:
    """Read and validate all of params.yaml.

    Raises:
        UserError: no such file, not YAML, an unknown key, or a value that its key does not take.
    """
    return validate(read_yaml(path), str(path))


def validate(raw: dict[str, Any], where: str) -> Params:
    """Check the values of a whole params.yaml, which messages call `where`.

    Raises:
        UserError: as `load`.
    """
    known = ["seed", *SECTIONS]
    for name in raw:
        if name not in known:
            raise UserError(f"{where}: unknown key {name}{nearest(str(name), known)}")
    for name in known:
        if name not in raw:
            raise UserError(f"{where}: the key {name} is missing; add it")
    try:
        seed = TypeAdapter(Annotated[int, Field(strict=True, ge=0, lt=2**32)]).validate_python(raw["seed"])
    except ValidationError as error:
        raise UserError(f"{where}: seed: {error.errors()[0]['msg']}, not {raw['seed']!r}") from None
    models = {name: _model(name) for name in SECTIONS}
    sections = {model: _validate(where, name, model, raw[name]) for name, model in models.items()}
    return Params(seed, sections, raw)


def apply_profile(name: str, path: Path = PATH, profiles: Path = PROFILES) -> list[str]:
    """Write the values of `profiles/NAME.yaml` into params.yaml, keeping its comments.

    Returns:
        One line, `key: old -> new`, for each value that changed.

    Raises:
        UserError: no such profile, a key that params.yaml lacks, or a result that is not valid;
            params.yaml is then as it was.
    """
    expect("profile", name, sorted(file.stem for file in profiles.glob("*.yaml")))
    source = profiles / f"{name}.yaml"
    with _editing(path, str(source)) as document:
        return _merge(document, read_yaml(source), str(source), "")


def set_values(values: dict[str, Any], path: Path = PATH) -> None:
    """Write single values, `{"data.course.path": ...}`, into params.yaml, keeping its comments.

    Raises:
        UserError: the result is not valid; params.yaml is then as it was.
    """
    with _editing(path, str(path)) as document:
        for key, value in values.items():
            *parents, last = key.split(".")
            node = document
            for parent in parents:
                node = node[parent]
            node[last] = value


@contextmanager
def _editing(path: Path, cause: str) -> Iterator[Any]:
    """Yield params.yaml as a document to be changed; write it, comments kept, if the result is valid."""
    yaml = YAML()
    yaml.width = 120
    yaml.preserve_quotes = True
    yaml.representer.add_representer(
        type(None), lambda representer, _: representer.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    load(path)  # an edit could not even find its keys in a broken file
    document = _parse(yaml, path)
    yield document
    text = io.StringIO()
    yaml.dump(document, text)
    validate(YAML(typ="safe").load(text.getvalue()), cause)
    # A longer value pushes the comment behind it to the right, and a shorter one would leave it there.
    lines = re.sub(r"(?<=\S) {2,}(?=# )", " ", text.getvalue())
    with replacing(path) as temporary:
        temporary.write_text(lines, encoding="utf-8")


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML 1.2 mapping as plain Python values.

    Raises:
        UserError: no such file, or not such a mapping.
    """
    value: dict[str, Any] = _parse(YAML(typ="safe"), path)
    return value


def _parse(yaml: YAML, path: Path) -> Any:
    try:
        value = yaml.load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"there is no {path} here; run dlcv in the root of the repository") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(value, dict):
        raise UserError(f"{path} is not a mapping of keys to values")
    return value


def _model(section: str) -> type[Section]:
    module, name = SECTIONS[section].split(":")
    model: type[Section] = getattr(import_module(module), name)
    return model


def _validate(where: str, name: str, model: type[Section], value: Any) -> Section:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        # A misspelt key is missing under its right name too: the unknown one says more.
        first = next((e for e in error.errors() if e["type"] == "extra_forbidden"), error.errors()[0])
        location = [str(part) for part in first["loc"]]
        key = ".".join([name, *location])
        if first["type"] == "extra_forbidden":
            valid = _keys_at(model, location[:-1])
            raise UserError(f"{where}: unknown key {key}{nearest(location[-1], valid)}") from None
        if first["type"] == "missing":
            raise UserError(f"{where}: the key {key} is missing; add it") from None
        message = first["msg"].removeprefix("Value error, ")
        given = "" if first["type"] == "value_error" else f", not {first['input']!r}"
        raise UserError(f"{where}: {key}: {message}{given}") from None


def _keys_at(model: type[BaseModel], location: list[str]) -> list[str]:
    """The keys that the (nested) model at `location` takes, under the names that YAML uses."""
    node: Any = model
    for part in location:
        if get_origin(node) is dict:
            node = get_args(node)[1]
        else:
            node = {field.alias or name: field for name, field in node.model_fields.items()}[part].annotation
    return [field.alias or name for name, field in node.model_fields.items()]


def _merge(document: Any, values: dict[str, Any], source: str, prefix: str) -> list[str]:
    changes = []
    for key, value in values.items():
        full = f"{prefix}{key}"
        if key not in document:
            raise UserError(f"{source}: params.yaml has no key {full}{nearest(key, list(document))}")
        if isinstance(value, dict):
            changes += _merge(document[key], value, source, f"{full}.")
        elif document[key] != value:
            changes.append(f"{full}: {document[key]} -> {value}")
            if isinstance(value, list) and isinstance(document[key], list):
                # In place: a list carries its brackets and the comment behind it.
                del document[key][:]
                document[key].extend(value)
            else:
                document[key] = value
    return changes
