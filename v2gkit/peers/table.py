"""The interoperability matrix as a Markdown table, and its place in a document."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from v2gkit.peers.bench import Cell, CellResult

BEGIN, END = "<!-- interop:begin -->", "<!-- interop:end -->"
ROLE = {"car": "foreign car → our station", "station": "our car → foreign station", "both": "foreign car → foreign station"}
OURS = {"car": "station", "station": "car"}  # what the peer plays -> what we play
TRANSPORT = {"tcp": "TCP", "tls12": "TLS 1.2", "tls13": "TLS 1.3"}
GENERATION = {"20": "", "2": "-2", "DIN": "DIN"}
AUTHORIZATION = {"eim": "EIM", "pnc": "PnC"}


def row_of(cell: Cell) -> tuple[str, str, str]:
    """The heads of the row of a cell: role, service, control mode; in -2 and DIN the generation in the place of the last."""
    about = ROLE[cell.role] + (", found by SDP" if cell.discovery == "sdp" else cell.story.head)
    return about, cell.service, GENERATION[cell.generation] or cell.control.capitalize()


def column_of(cell: Cell) -> str:
    """The head of the column of a cell: transport and authorization."""
    return f"{TRANSPORT[cell.transport]} {AUTHORIZATION[cell.authorization]}"


def matrix_table(seen: Sequence[CellResult]) -> str:
    """Markdown tables, of -20, and of -2 and DIN: a row for each role, service and control mode, a column for each way to pay and link."""
    parts = [("control", [one for one in seen if not one.cell.older]), ("generation", [one for one in seen if one.cell.older])]
    return "\n\n".join(_table(third, part) for third, part in parts if part)


def _table(third: str, seen: Sequence[CellResult]) -> str:
    columns = sorted({column_of(one.cell) for one in seen})
    rows: dict[tuple[str, str, str], dict[str, CellResult]] = {}
    for one in seen:
        rows.setdefault(row_of(one.cell), {})[column_of(one.cell)] = one
    lines = [f"| | service | {third} | " + " | ".join(columns) + " |", "|" + "---|" * (3 + len(columns))]
    for head, cells in rows.items():
        lines.append("| " + " | ".join([*head, *(cells[column].text if column in cells else "–" for column in columns)]) + " |")
    return "\n".join(lines)


def relaxed_list(seen: Sequence[CellResult]) -> str:
    """The requirements that were set aside in these cells, as a Markdown list with the number of cells and our side in them."""
    needed = Counter((relaxation, one.cell.role) for one in seen for relaxation in one.relaxed)
    lines = []
    for relaxation in sorted({relaxation for relaxation, _ in needed}):
        sides = [f"{OURS[role]} {needed[relaxation, role]}×" for role in OURS if needed[relaxation, role]]
        lines.append(f"- {relaxation}: {', '.join(sides)}")
    return "\n".join(lines)


def shown(seen: Sequence[CellResult]) -> str:
    """The matrix table, followed by the requirements that were set aside, in Markdown."""
    relaxed = relaxed_list(seen)
    return matrix_table(seen) + (f"\n\nSet aside on the way, each with the requirement:\n\n{relaxed}" if relaxed else "")


def written_in(text: str) -> str:
    """The text between the markers of a document. ValueError when they are not there."""
    _, begin, rest = text.partition(BEGIN)
    inside, end, _ = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document has no place for the table: put these two lines where it belongs\n{BEGIN}\n{END}")
    return inside.strip()


def write_into(document: Path, table: str) -> None:
    """Replace the text between the markers of a document."""
    text = document.read_text()
    written_in(text)
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    document.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}")
