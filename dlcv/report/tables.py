"""Tables of the page without columns that say nothing."""

from __future__ import annotations

import re

# Rows that no model made. A column that is zero in all other rows says nothing about the models.
REFERENCES = ("real", "real validation images", "pca", "noise")
ZERO = re.compile(r"[-+]?0\.0+")
TABLE = re.compile(r"(?:^\|.*\|[ ]*\n?)+", re.M)


def slim(text: str) -> str:
    """Markdown without columns of tables that are blank or 0 for every model; a line below a table names them."""
    return TABLE.sub(lambda match: _slim(match[0]), text)


def _slim(table: str) -> str:
    rows = [_cells(line) for line in table.strip().splitlines()]
    header, body = rows[0], rows[2:]
    models = [row for row in body if row[0] not in REFERENCES]
    # One row can be zero by chance; two or more say the same of each.
    empty = [
        column
        for column in range(1, len(header))
        if len(models) > 1 and all(len(row) > column and ZERO.fullmatch(row[column]) for row in models)
    ]
    blank = [column for column in range(1, len(header)) if not any(len(row) > column and row[column] for row in body)]
    if not empty + blank:
        return table
    kept = [[cell for column, cell in enumerate(row) if column not in empty + blank] for row in rows]
    lines = "\n".join(f"| {' | '.join(row)} |" for row in kept)
    names = ", ".join(
        header[column]
        + "".join(f" ({row[0]} {row[column]})" for row in body if row[0] in REFERENCES[:2] and row[column])
        for column in empty
    )
    reasons = [f"0 for every model: {names}"] if empty else []
    reasons += [f"blank: {', '.join(header[column] for column in blank)}"] if blank else []
    return f"{lines}\n\n*Left out, because {'; '.join(reasons)}.*\n"


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]
