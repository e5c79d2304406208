"""Import closures and fingerprints."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcv.runtime import provenance
from dlcv.runtime.provenance import Provenance, closure, code_hashes, is_neutral


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of the same name with a few modules."""
    folder = tmp_path / "dlcv"
    modules = {
        "a.py": "from dlcv.b import x\nimport numpy",
        "b.py": "def f():\n    from dlcv import c\n    import dlcv.area.d",
        "c.py": "from dlcv.runtime.config import load",
        "params.py": "from dlcv.far import x",
        "far.py": "",
        "area/__init__.py": "",
        "area/d.py": "from dlcv.a import y",
        "alone.py": "",
    }
    for name, text in modules.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.setattr(provenance, "PACKAGE", folder)
    return folder


@pytest.mark.usefixtures("package")
def test_closure_follows_imports_inside_functions_and_stops_at_neutral_modules() -> None:
    assert closure(["dlcv.a"]) == ["dlcv/a.py", "dlcv/area/d.py", "dlcv/b.py", "dlcv/c.py", "dlcv/runtime/config.py"]
    assert is_neutral("dlcv/runtime/config.py") and is_neutral("dlcv/area/cli.py") and not is_neutral("dlcv/area/d.py")


def test_fingerprint_changes_with_params_data_and_code_and_with_nothing_else(package: Path) -> None:
    def fingerprint(params: int = 1, data: str = "x") -> str:
        return Provenance({"p": params}, {"d": data}, code_hashes(["dlcv.a"])).fingerprint

    first = fingerprint()
    assert fingerprint() == first
    assert len({first, fingerprint(params=2), fingerprint(data="y")}) == 3
    (package / "alone.py").write_text("x = 1")
    (package / "params.py").write_text("x = 1")
    assert fingerprint() == first
    (package / "area" / "d.py").write_text("x = 1")
    assert fingerprint() != first
