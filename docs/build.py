"""What the site does beyond Markdown: it runs notebooks and shows what they printed, and prints tables that no document keeps."""

import re
from pathlib import Path
from typing import Any

import nbformat
from mkdocs.structure.files import File, Files
from nbclient import NotebookClient
from traitlets.config import Config

from docs.tables import AT_BUILD, printed
from docs.tables import stale as stale_documents

ROOT = Path(__file__).parents[1]
STRANGERS = re.compile(r"""<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)=["']?(?:https?:)?//[^>]*>""")
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def ran(path: Path) -> str:
    """A notebook as Markdown, run from the first cell to the last. Raises nbclient's CellExecutionError where one fails."""
    notebook = nbformat.read(path, as_version=4)
    config = Config(KernelManager={"transport": "ipc"})  # no port on this machine
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(ROOT)}}, config=config).execute()
    return "\n\n".join(text for cell in notebook.cells for text in pieces(cell))


def pieces(cell: Any) -> list[str]:
    """The Markdown of one cell and of what it answered."""
    if cell.cell_type == "markdown":
        return [cell.source]
    found = [f"```python\n{cell.source}\n```"]
    for output in cell.outputs:
        data = output.get("data", {})
        if "text/html" in data:
            found.append(f"<div>{data['text/html']}</div>")
        else:
            said = ESCAPES.sub("", output.get("text", "") or data.get("text/plain", ""))
            found.append(f"```text\n{said.rstrip()}\n```")
    return found


def on_files(files: Files, config: Any, **_: Any) -> Files:
    """Notebooks become pages under their own names. Raises where a table of a document is stale."""
    if old := stale_documents():
        raise ValueError(f"{', '.join(str(path.relative_to(ROOT)) for path in old)}: a table is stale; cure: make tables")
    for file in list(files):
        if file.src_uri.endswith(".ipynb"):
            files.remove(file)
            page = File.generated(config, file.src_uri.removesuffix(".ipynb") + ".md", content=ran(ROOT / "docs" / file.src_uri))
            files.append(page)
    return files


def on_config(config: Any, **_: Any) -> Any:
    """The navigation names notebooks by their files; as pages they are Markdown."""
    config["nav"] = renamed(config["nav"])
    return config


def renamed(nav: Any) -> Any:
    """A navigation in which notebooks are pages."""
    if isinstance(nav, str):
        return nav.replace(".ipynb", ".md")
    if isinstance(nav, dict):
        return {title: renamed(below) for title, below in nav.items()}
    return [renamed(below) for below in nav]


def on_page_markdown(markdown: str, **_: Any) -> str:
    """A page with the tables of this build, and links to the pages of the notebooks."""
    return re.sub(r"(\]\([\w./-]*)\.ipynb", r"\1.md", printed(markdown, AT_BUILD))


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """The page as it is. Raises where it would load something from elsewhere."""
    loaded = [tag for tag in STRANGERS.findall(output) if 'rel="canonical"' not in tag]
    if loaded:
        raise ValueError(f"{page.file.src_uri} would load {loaded[0]} from elsewhere; readers may have no network")
    return output
