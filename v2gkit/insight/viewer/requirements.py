"""What a requirement asks for, in our own words: a sentence that was written for people (`words.py`), else the comment or
docstring beside the line that obeys it; and where that stands."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

from v2gkit.insight.viewer.told import CITED
from v2gkit.insight.viewer.words import WORDS

Line = dict[str, Any]
PACKAGES: Final = ("v2g", "secc", "evcc", "pki", "ocpp_bridge")  # the first place that says something in words is told
_SENTENCE: Final = re.compile(r"(?<=[.;:])\s+(?=[A-Z`])|\n\n")
UNKNOWN: Final = "We have no words of our own for it; the standard of that name has the text."
PLACES: Final = 6  # that are named


class Requirements:
    """Tells each requirement once."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def told(self, name: str) -> Line | None:
        """The line of a requirement, None where it was told before."""
        if name in self._told:
            return None
        self._told.add(name)
        places = list(dict.fromkeys(place for _, place in _book().get(name, ())))
        return {"t": "requirement", "id": name, "said": words_of(name), "where": ", ".join(places[:PLACES])}


def words_of(name: str) -> str:
    """What a requirement asks for, in a sentence of our own; that we have none, where it is so."""
    return WORDS.get(name) or next((text for text, _ in _book().get(name, ()) if text), UNKNOWN)


def cited() -> frozenset[str]:
    """Every requirement id that a line of ours obeys, or that there are words for."""
    return frozenset(_book()) | frozenset(WORDS)


@cache
def _book() -> dict[str, tuple[tuple[str, str], ...]]:
    """Requirement -> what is said of it and where, for every line of ours that cites one. Read once, from the installed sources."""
    found: dict[str, list[tuple[str, str]]] = {}
    for package in PACKAGES:
        for path, text in _sources(files(package), package):
            if "V2G" in text:
                for name, said in _citations(text):
                    found.setdefault(name, []).append((said, path))
    return {name: tuple(each) for name, each in found.items()}


def _sources(folder: Traversable, path: str) -> Iterator[tuple[str, str]]:
    for each in sorted(folder.iterdir(), key=lambda one: one.name):
        if each.is_dir() and each.name != "__pycache__":
            yield from _sources(each, f"{path}/{each.name}")
        elif each.name.endswith(".py"):
            yield f"{path}/{each.name}", each.read_text(encoding="utf-8")


def _citations(source: str) -> Iterator[tuple[str, str]]:
    """Each requirement that a file cites, with the words that stand beside it: of a comment, or the sentence of a docstring."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            for name in CITED.findall(token.string):
                yield name, _words(token.string.lstrip("# "))
        elif token.type == tokenize.STRING and token.string.startswith(('"""', 'r"""')):
            text = str(ast.literal_eval(token.string))
            for sentence in _SENTENCE.split(text):
                for name in CITED.findall(sentence):
                    yield name, _words(sentence)
        elif token.type == tokenize.STRING:
            for name in CITED.findall(token.string):
                yield name, ""


def _words(text: str) -> str:
    """A text without the ids in it; empty where nothing else was said."""
    bare = " ".join(re.sub(r"\s*\[V2G[^\]]*\]", "", text).split()).strip(" .;,:")
    return bare if len(bare.split()) > 2 else ""
