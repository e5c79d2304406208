"""The pipeline by area, as a Mermaid chart: a node for each kind of stage, without its seeds, models and scenarios."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

from dlcv.runtime.errors import UserError
from dlcv.runtime.files import replacing

START, END = "<!-- dlcv overview -->", "<!-- end -->"
ADDRESS = re.compile(r"(?:stages/(?P<area>\w+)/dvc\.yaml:)?(?P<stage>[\w-]+)(?:@.*)?")
Kind = tuple[str, str]  # the area and the name of a stage


def chart(stages: Mapping[str, list[str]]) -> str:
    """The Mermaid text.

    Args:
        stages: by DVC's address of each stage, the addresses of those that it needs.

    Kinds of one area with the same predecessors and successors share a node. An edge is left out where a longer path
    says the same.
    """
    import networkx as nx

    counts = Counter(kind_of(stage) for stage in stages)
    edges = {(kind_of(needed), kind_of(stage)) for stage, each in stages.items() for needed in each}
    graph = nx.transitive_reduction(nx.DiGraph([(a, b) for a, b in sorted(edges) if a != b]))
    nodes: dict[tuple[object, ...], list[Kind]] = defaultdict(list)
    for kind in sorted(counts):
        around = frozenset(graph.predecessors(kind)), frozenset(graph.successors(kind))
        nodes[(kind[0], *around)].append(kind)
    name = {kind: f"{kinds[0][0]}_{kinds[0][1]}".replace("-", "_") for kinds in nodes.values() for kind in kinds}
    areas: dict[str, list[str]] = defaultdict(list)
    for kinds in nodes.values():
        label = "<br/>".join(f"{stage} ({counts[area, stage]})" for area, stage in kinds)
        areas[kinds[0][0]].append(f'{name[kinds[0]]}["{label}"]')
    lines = ["flowchart LR"]
    for area, drawn in areas.items():
        lines += [f"  subgraph {area}", *(f"    {node}" for node in drawn), "  end"]
    arrows = sorted({(name[a], name[b]) for a, b in graph.edges})
    return "\n".join([*lines, *(f"  {a} --> {b}" for a, b in arrows)])


def kind_of(address: str) -> Kind:
    """Area and name of a stage: ("gan", "train") of "stages/gan/dvc.yaml:train@sngan-0"."""
    match = ADDRESS.fullmatch(address)
    assert match is not None, address
    return match["area"] or match["stage"], match["stage"]


def write(path: Path, stages: Mapping[str, list[str]]) -> bool:
    """Put the chart between the two marks in the document `path`; whether it has changed.

    Raises:
        UserError: no such file, or no marks in it.
    """
    if not path.is_file():
        raise UserError(f"there is no {path}; give a document with the lines {START} and {END}")
    before = path.read_text(encoding="utf-8")
    head, start, rest = before.partition(START)
    _, end, tail = rest.partition(END)
    if not start or not end:
        raise UserError(f"{path} has no lines {START} and {END}; add them where the chart belongs")
    after = f"{head}{START}\n\n```mermaid\n{chart(stages)}\n```\n{END}{tail}"
    if after != before:
        with replacing(path) as temporary:
            temporary.write_text(after, encoding="utf-8")
    return after != before
