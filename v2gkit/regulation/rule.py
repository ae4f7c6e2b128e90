"""A rule and what was found of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import Enum

from v2gkit.regulation.given import Given


class State(Enum):
    """What a check came to. Only what was looked at is met; what nobody could look at is not verified."""

    MET = "met"
    NOT_MET = "not met"
    NOT_VERIFIED = "not verified"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class Finding:
    """The state of a rule, in words, and what it rests on: files with their hashes, records, transactions."""

    state: State
    said: str
    evidence: tuple[str, ...] = ()


def met(said: str, *evidence: str) -> Finding:
    """A rule that was looked at and is kept."""
    return Finding(State.MET, said, evidence)


def not_met(said: str, *evidence: str) -> Finding:
    """A rule that was looked at and is broken."""
    return Finding(State.NOT_MET, said, evidence)


def unknown(said: str, *evidence: str) -> Finding:
    """A rule of which nothing that was handed over tells enough."""
    return Finding(State.NOT_VERIFIED, said, evidence)


def moot(said: str, *evidence: str) -> Finding:
    """A rule that does not apply."""
    return Finding(State.NOT_APPLICABLE, said, evidence)


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of a profile."""

    id: str
    source: str  # law and paragraph
    wants: str  # in words of ours
    looks_at: str  # configuration, traces, books, documents
    check: Callable[[Given], Finding]
    since: date | None = None  # from which day it holds


@dataclass(frozen=True, slots=True)
class Profile:
    """The rules of one law."""

    name: str
    title: str
    read: str  # of what its rows were made: the text itself, or notes and guides about it
    rules: tuple[Rule, ...]


def paper(key: str, what: str) -> Callable[[Given], Finding]:
    """A check of a document: met by a file that the operator names under `key`, whose content nobody reads here."""

    def check(given: Given) -> Finding:
        one = given.papers.get(key)
        if one is None:
            return unknown(f"{what}: no document was handed over; name it as `{key}` in the file of documents")
        return Finding(State.MET, f"{what}: {one.path} was handed over; what it says was not read", (f"{one.path} sha256 {one.digest}",))

    return check
