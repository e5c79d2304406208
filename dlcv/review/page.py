"""The page of `dlcv review`, in Markdown, and its pictures."""

from __future__ import annotations

import io
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from PIL import Image

from dlcv.evaluation.headline import SCORES
from dlcv.figures import grids
from dlcv.figures.listing import FILE
from dlcv.review.config import Review
from dlcv.review.noise import Change, change
from dlcv.review.version import Version, headlines
from dlcv.runtime import durations
from dlcv.runtime.config import Params
from dlcv.runtime.files import read_json, replacing
from dlcv.runtime.summaries import OUT

PICTURES = 12  # at most
Scores = Mapping[str, Mapping[str, Mapping[str, Any]]]


def run(base: str, params: Params, folder: Path) -> tuple[str, list[str]]:
    """Compare the working directory with the revision `base`.

    Args:
        folder: for `review.md` and its pictures; what was there is gone.

    Returns:
        The page, and the guarded scores that got worse beyond the noise.

    Raises:
        UserError: no such revision.
    """
    old, new, section = Version(base), Version(None), params[Review]
    outputs = headlines()
    before, after = old.scores(outputs), new.scores(outputs)
    changes = changes_of(before, after, section.training_std)
    worse = [
        f"{row} {key}"
        for (row, key), one in changes.items()
        if verdict(key, one) == "worse" and any(fnmatch(row, pattern) for pattern in section.guard)
    ]
    again = [name for name, stage in new.stages.items() if stage != old.stages.get(name)]
    names = [key for key in {**old.params, **new.params} if old.params.get(key) != new.params.get(key)]
    with replacing(folder) as temporary:
        temporary.mkdir(parents=True)
        text = _template().render(
            base=old,
            worse=worse,
            parameters={key: (old.params.get(key), new.params.get(key)) for key in names},
            changes={name: (one, verdict(name[1], one), SCORES[name[1]]) for name, one in changes.items()},
            new=sorted(after.keys() - before.keys()),
            gone=sorted(before.keys() - after.keys()),
            pictures=pictures(old, temporary),
            stages=len(new.stages),
            again=again,
            seconds={name: seconds for name, seconds in durations.last().items() if name in again},
        )
        (temporary / "review.md").write_text(text, encoding="utf-8")
    return text, worse


def changes_of(
    before: Scores, after: Scores, training_std: Mapping[str, Mapping[str, float]]
) -> dict[tuple[str, str], Change]:
    """The changes of the scores that both versions have and that differ, by row and key."""
    return {
        (row, key): change(before[row][key], own, training_std.get(row.split("/")[0], {}).get(key))
        for row, scores in after.items()
        for key, own in scores.items()
        if key in before.get(row, {}) and own["rounded"] != before[row][key]["rounded"]
    }


def verdict(key: str, one: Change) -> str:
    """Whether a change exceeds the noise, and to which side."""
    if one.interval is None:
        return "noise not known"
    if not one.exceeds:
        return "within the noise"
    return "better" if (one.value > 0) == SCORES[key].higher_is_better else "worse"


def pictures(old: Version, folder: Path) -> list[dict[str, str]]:
    """The first figure of each listing, before and after, where it differs: `path`, `file` in `folder`, `caption`."""
    shown: list[dict[str, str]] = []
    for listing in sorted(OUT.rglob(FILE)):
        figures = read_json(listing)["figures"]
        path = listing.parent / figures[0]["file"]
        content = old.read(path)
        if content is None or content == path.read_bytes() or len(shown) == PICTURES:
            continue
        name = "-".join(path.relative_to(OUT).parts)
        sheets = {"before": Image.open(io.BytesIO(content)).convert("RGB"), "after": Image.open(path).convert("RGB")}
        grids.side_by_side(sheets).save(folder / name)
        shown.append({"path": path.as_posix(), "file": name, "caption": figures[0]["caption"]})
    return shown


def _template() -> Template:
    templates = Environment(
        loader=PackageLoader("dlcv.review"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    templates.filters["minutes"] = minutes
    return templates.get_template("review.md.jinja")


def minutes(seconds: float) -> str:
    """ "1:05 min" of 65 s."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02} min"
