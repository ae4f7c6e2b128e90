"""The page of a fleet: its files, of which styles, colours and charts are those of the session viewer."""

from importlib.resources import files

from v2gkit.insight.viewer.page import bundle, styles

ENTRY = "fleet.js"


def assets() -> dict[str, tuple[str, str]]:
    """What the server gives out, by path: media type and text."""
    return {
        "/": ("text/html; charset=utf-8", _own("fleet.html")),
        "/viewer.css": ("text/css; charset=utf-8", styles()),
        "/fleet.css": ("text/css; charset=utf-8", _own("fleet.css")),
        "/fleet.js": ("text/javascript; charset=utf-8", bundle(_module, ENTRY)),
    }


def _module(name: str) -> str:
    """A module of this page, or one of the viewer's that it is built of."""
    return _own(name) if name == ENTRY else (files("v2gkit.insight.viewer") / "assets" / name).read_text(encoding="utf-8")


def _own(name: str) -> str:
    return (files("v2gkit.fleet.page") / name).read_text(encoding="utf-8")
