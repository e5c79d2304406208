"""Load params.yaml: every section through its typed model, the whole file before any stage works.

The sections are declared in the areas' `config.py`, in a dict `SECTIONS`. They validate and have no defaults: what is
written in params.yaml is what runs. They are light to import, so a check answers at once.
"""

from __future__ import annotations

import ast
import copy
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from dlcv.runtime.errors import UserError, expect, nearest
from dlcv.runtime.files import replacing
from dlcv.runtime.nested import merged

PACKAGE = Path(__file__).parent.parent
PATH = Path("params.yaml")
PROFILES = Path("profiles")
SHIPPED = "sample"  # the profile that params.yaml ships with
# Written by `dlcv data register` and by hand; they belong to the machine, so a profile leaves them as they are.
OF_THE_MACHINE = ("data.course", "data.folder", "evaluation.inception_weights")


class Section(BaseModel):
    """A part of params.yaml: no unknown keys, no silent conversions, immutable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Overrides(Section):
    """A section with a base and, for each model, what differs from it: `gan.base`, `gan.sngan`.

    A subclass declares `base: T` and `settings: dict[str, T]`. `settings` is no key of params.yaml: it holds, for each
    model, the base merged with its override.
    """

    @model_validator(mode="before")
    @classmethod
    def _merge(cls, value: Any) -> Any:
        if not isinstance(value, dict) or not isinstance(value.get("base"), dict):
            return value  # refused below
        own = {name for name in cls.model_fields if name != "settings"}
        overrides = {key: part for key, part in value.items() if key not in own and isinstance(part, dict)}
        rest = {key: part for key, part in value.items() if key not in overrides}
        return {**rest, "settings": {key: merged(value["base"], part) for key, part in overrides.items()}}


class Models(Overrides):
    """Overrides, and the list of the models that are trained."""

    models: Annotated[list[str], Field(min_length=1)]

    @model_validator(mode="after")
    def _models_have_sections(self) -> Models:
        settings: dict[str, Any] = self.settings  # type: ignore[attr-defined]
        for name in self.models:
            if name not in settings:
                raise ValueError(f"models names {name}, which has no section{nearest(name, settings)}")
        if len(set(self.models)) < len(self.models):
            raise ValueError(f"models has to name each model once, not {self.models}")
        return self


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
        """The same with other values for some sections; `raw` stays what the file says."""
        return Params(self.seed, {**self._sections, **{type(section): section for section in sections}}, self.raw)

    def resolved(self) -> dict[str, Any]:
        """The values of params.yaml, with each model's override merged with its base."""
        values = copy.deepcopy(self.raw)
        for name, model in sections().items():
            _resolve(values[name], self._sections[model])
        return values


def _resolve(values: dict[str, Any], section: Section) -> None:
    """Put the merged settings in place of the overrides in `values`, those of nested sections too."""
    if isinstance(section, Overrides):
        values |= section.model_dump(by_alias=True, include={"settings"})["settings"]
    for name in type(section).model_fields:
        if isinstance(part := getattr(section, name), Overrides):
            _resolve(values[name], part)


@cache
def sections() -> dict[str, type[Section]]:
    """The typed model of every top-level section, from the areas' `config.py`."""
    found: dict[str, type[Section]] = {}
    for file in sorted(PACKAGE.glob("*/config.py")):
        if file.parent != Path(__file__).parent:
            found |= import_module(f"{PACKAGE.name}.{file.parent.name}.config").SECTIONS
    return found


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
    known = ["seed", *sections()]
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
    return Params(seed, {model: _validate(where, name, model, raw[name]) for name, model in sections().items()}, raw)


def show(key: str | None, params: Params) -> str:
    """The resolved values of params.yaml under a dotted key as YAML; all of them without a key.

    Raises:
        UserError: no such key.
    """
    node: Any = params.resolved()
    passed: list[str] = []
    for part in key.split(".") if key else []:
        if not isinstance(node, dict):
            raise UserError(f"{'.'.join(passed)} is a value and has no key {part}")
        if part not in node:
            full = ".".join([*passed, part])
            raise UserError(f"params.yaml has no key {full}{nearest(part, map(str, node))}")
        node = node[part]
        passed.append(part)
    if not isinstance(node, dict):
        return str(node)
    text = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = None
    yaml.dump(node, text)
    return text.getvalue().rstrip("\n")


def apply_profile(name: str, path: Path = PATH, profiles: Path = PROFILES) -> list[str]:
    """Set params.yaml to what ships plus the differences in `profiles/NAME.yaml`, keeping the comments.

    The keys of `OF_THE_MACHINE` stay as they are.

    Returns:
        One line, `key: old -> new`, for each value that changed.

    Raises:
        UserError: no such profile, a key that what ships lacks, or a result that is not valid; params.yaml is then as
            it was.
    """
    expect("profile", name, sorted(file.stem for file in profiles.glob("*.yaml")))
    source = profiles / f"{name}.yaml"
    before = load(path).raw
    kept = {key: value for key in OF_THE_MACHINE if (value := _value_at(before, key)) is not None}
    with _editing(profiles / f"{SHIPPED}.yaml", path, str(source)) as document:
        if name != SHIPPED:
            _update(document, read_yaml(source))
        for key, value in kept.items():
            if _value_at(document, key) != value:  # an equal one would lose its comments
                _set(document, key, value)
    return _changes(before, load(path).raw)


def set_values(values: dict[str, Any], path: Path = PATH) -> None:
    """Write single values, `{"data.course.path": ...}`, into params.yaml, keeping its comments.

    Raises:
        UserError: the result is not valid; params.yaml is then as it was.
    """
    with _editing(path, path, str(path)) as document:
        for key, value in values.items():
            _set(document, key, value)


@contextmanager
def _editing(source: Path, path: Path, cause: str) -> Iterator[Any]:
    """Yield the file `source` as a document to be changed; write it to `path`, comments kept, if it is valid then."""
    yaml = YAML()
    yaml.width = 120
    yaml.preserve_quotes = True
    yaml.representer.add_representer(
        type(None), lambda representer, _: representer.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    load(source)  # an edit could not even find its keys in a broken file
    document = _parse(yaml, source)
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


def names_in(module: str, variable: str) -> list[str]:
    """The keys of a dict literal at the top of a module of this package, which is not imported.

    The modules with networks and losses import torch, which takes seconds; params.yaml is checked without it.

    Args:
        module: "dlcv.gan.losses".
        variable: "LOSSES".
    """
    file = PACKAGE.parent / Path(*module.split(".")).with_suffix(".py")
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == variable for target in targets):
            value = getattr(node, "value", None)
            assert isinstance(value, ast.Dict), f"{module}.{variable} is no dict literal"
            return [key.value for key in value.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
    raise LookupError(f"{module} has no {variable}")


def key_of(module: str, variable: str) -> AfterValidator:
    """For `Annotated[str, ...]`: the name has to be a key of the dict `variable` in `module`, see `names_in`."""

    def check(name: str) -> str:
        names = names_in(module, variable)
        if name not in names:
            raise ValueError(f"there is no {name}{nearest(name, names)}")
        return name

    return AfterValidator(check)


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


def _validate(where: str, name: str, model: type[Section], value: Any) -> Section:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        # A misspelt key is missing under its right name too: the unknown one says more.
        first = next((e for e in error.errors() if e["type"] == "extra_forbidden"), error.errors()[0])
        location = [str(part) for part in first["loc"]]
        key = ".".join([name, *_written(model, location)])
        if first["type"] == "extra_forbidden":
            valid = _keys_at(model, location[:-1])
            raise UserError(f"{where}: unknown key {key}{nearest(location[-1], valid)}") from None
        if first["type"] == "missing":
            raise UserError(f"{where}: the key {key} is missing; add it") from None
        message = first["msg"].removeprefix("Value error, ")
        given = "" if first["type"] == "value_error" else f", not {first['input']!r}"
        raise UserError(f"{where}: {key}: {message}{given}") from None


def _written(model: type[BaseModel], location: list[str]) -> list[str]:
    """A location in the (nested) model as params.yaml has it, where merged settings are the overrides themselves."""
    return [
        part
        for depth, part in enumerate(location)
        if not (part == "settings" and _has_overrides(_type_at(model, location[:depth])))
    ]


def _has_overrides(node: Any) -> bool:
    return isinstance(node, type) and issubclass(node, Overrides)


def _type_at(model: type[BaseModel], location: list[str]) -> Any:
    """The type of the value at `location` in the (nested) model; None where it is no section and no mapping of them."""
    node: Any = model
    for part in location:
        if get_origin(node) is dict:
            node = get_args(node)[1]
        elif isinstance(node, type) and issubclass(node, BaseModel):
            fields = {field.alias or name: field.annotation for name, field in node.model_fields.items()}
            node = fields.get(part)
        else:
            return None
    # `Dann | None` of a variant: the section.
    options = [option for option in get_args(node) if isinstance(option, type) and issubclass(option, BaseModel)]
    return options[0] if get_origin(node) is not dict and options else node


def _keys_at(model: type[BaseModel], location: list[str]) -> list[str]:
    """The keys of the section at `location` in the (nested) model, under the names that YAML uses."""
    node: type[BaseModel] = _type_at(model, location)
    return [field.alias or name for name, field in node.model_fields.items() if name != "settings"]


def _update(document: Any, values: dict[str, Any]) -> None:
    """Set nested values; a key that a model's section did not have is added, and one that nothing takes is refused
    when the result is validated."""
    for key, value in values.items():
        old = document.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            _update(old, value)
        elif isinstance(value, list) and isinstance(old, list):
            # In place: a list carries its brackets and the comment behind it.
            del old[:]
            old.extend(value)
        else:
            document[key] = value


def _set(document: Any, key: str, value: Any) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        document = document[parent]
    document[last] = value


def _value_at(values: dict[str, Any], key: str) -> Any:
    node: Any = values
    for part in key.split("."):
        node = node[part]
    return node


def _changes(before: dict[str, Any], after: dict[str, Any], prefix: str = "") -> list[str]:
    """One line for each value that differs."""
    changes = []
    for key in [*before, *(key for key in after if key not in before)]:
        old, new = before.get(key, "(base)"), after.get(key, "(base)")
        if isinstance(old, dict) and isinstance(new, dict):
            changes += _changes(old, new, f"{prefix}{key}.")
        elif old != new:
            changes.append(f"{prefix}{key}: {old} -> {new}")
    return changes
