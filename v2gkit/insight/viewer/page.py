"""The page of the viewer: one file with everything in it, or the shell that a live server gives out."""

import re
from base64 import b64encode
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any, Final

from v2g.legible import legible
from v2gkit.insight.viewer.packing import packed

Line = dict[str, Any]
ENTRY: Final = "main.js"
_IMPORT: Final = re.compile(r'^import \{[^}]*\} from "\./([\w-]+\.js)";\n', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export (?=(?:async )?function\b|class\b|const\b|let\b)", re.MULTILINE)
POLICY: Final = "default-src 'none'; script-src {script}; style-src {style}; img-src data:; base-uri 'none'; form-action 'none'"
_PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
{meta}
<title>{title}</title>
{style}
<body>
{viewer}
<noscript>
{static}
</noscript>
{end}
</html>
"""


def page(lines: Iterable[Line], static: str = "", title: str = "v2gkit") -> str:
    """A page in one file: the lines packed in it, and `static`, HTML that is shown where scripts do not run."""
    content = packed(lines)
    style, plain, code = f"\n{styles()}", f"\n{_report_style()}", f"\n{script()}"
    policy = POLICY.format(script=_hashed(code), style=f"{_hashed(style)} {_hashed(plain)}")
    return _PAGE.format(
        meta=f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        title=escape(legible(title)),
        style=f"<style>{style}</style>",
        viewer=_asset("viewer.html"),
        static=f"<style>{plain}</style>\n{static}",
        end=f'<script type="application/json" id="packed" data-form="gzip-base64">{content}</script>\n'
        f'<script type="module">{code}</script>',
    )


def _hashed(text: str) -> str:
    """How a policy names what stands between the tags of an element: nothing else runs, or styles anything."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def shell(source: str = "/stream", title: str = "v2gkit") -> dict[str, tuple[str, str]]:
    """What a live server gives out, by path: media type and text. `source` is the path of its stream."""
    html = _PAGE.format(
        meta=f'<meta name="source" content="{escape(source)}">',
        title=escape(legible(title)),
        style='<link rel="stylesheet" href="/viewer.css">',
        viewer=_asset("viewer.html"),
        static="<p>This page needs scripts; <code>v2g report</code> writes one that does not.</p>",
        end='<script type="module" src="/viewer.js"></script>',
    )
    return {
        "/": ("text/html; charset=utf-8", html),
        "/viewer.css": ("text/css; charset=utf-8", styles()),
        "/viewer.js": ("text/javascript; charset=utf-8", script()),
    }


@cache
def script() -> str:
    """All modules as one, each after those that it imports."""
    return bundle(_asset, ENTRY)


@cache
def styles() -> str:
    """The style sheet of the viewer."""
    return _asset("viewer.css")


def bundle(asset: Any, entry: str) -> str:
    """The modules that `entry` needs, in the order of imports, each once, without import and export. `asset` gives the text of a name."""
    order: dict[str, str] = {}

    def take(name: str, above: tuple[str, ...]) -> None:
        if name in order or name in above:
            return
        text = asset(name)
        for other in _IMPORT.findall(text):
            take(other, (*above, name))
        order[name] = _EXPORT.sub("", _IMPORT.sub("", text))

    take(entry, ())
    bundled = "".join(order.values())
    if "</script" in bundled.lower() or re.search(r"^\s*(?:import|export)\b", bundled, re.MULTILINE):
        raise ValueError("a module has an import or export that is not of one line, or ends the script")
    return bundled


@cache
def _asset(name: str) -> str:
    return (files("v2gkit.insight.viewer") / "assets" / name).read_text(encoding="utf-8")


def _report_style() -> str:
    return (files("v2gkit.insight.report") / "style.css").read_text(encoding="utf-8")
