"""Writes chains broken on purpose to files, each with the verdict that a correct verifier reaches."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pki.files import replace as replace_file
from pki.issue import build
from pki.plan import Plan
from pki.profiles import RULES, Role
from pki.store import create
from v2gkit.authorities.broken import VARIANTS, Bench, Variant, octets
from v2gkit.authorities.broken_status import STATUS_VARIANTS, StatusVariant


def write(directory: Path, curve: str, roles: Sequence[Role], at: datetime) -> list[dict[str, Any]]:
    """Make a store, and in its folder `broken` every variant for these roles, with verdicts.json; returns the rows of that file."""
    hierarchy = build(Plan(curves=(curve,)), curve, at)
    create(directory, [hierarchy])
    rows: list[dict[str, Any]] = []
    for role in roles:
        bench = Bench(hierarchy, role, at)
        place = directory / "broken" / role.value
        rows += [_written(variant, bench, place) for variant in VARIANTS if role in variant.roles]
        rows += [_written_status(variant, bench, place) for variant in STATUS_VARIANTS]
    replace_file(directory / "broken" / "verdicts.json", json.dumps(rows, indent=1).encode())
    return rows


def _written(variant: Variant, bench: Bench, directory: Path) -> dict[str, Any]:
    """One directory per variant, a DER file per certificate: some are octets that PEM readers would not carry."""
    chain = variant.chain(bench)
    for depth, certificate in enumerate(chain):
        replace_file(directory / variant.name / f"{depth}.der", certificate)
    verdict = variant.verdict.value if variant.verdict else "accepted"
    row = {"role": bench.role.value, "name": variant.name, "about": variant.about, "verdict": verdict, "certificates": len(chain)}
    passing = [name for name, rules in RULES.items() if variant.lapses and variant.judged(rules) is None]
    return row | ({"accepted_by_rules": passing} if passing else {})


def _written_status(variant: StatusVariant, bench: Bench, directory: Path) -> dict[str, Any]:
    """The sound chain with a response for its leaf that may not be."""
    sound = Variant(f"status-{variant.name}", f"OCSP: {variant.about}", variant.verdict, lambda bench: octets(bench.leaf))
    row = _written(sound, bench, directory)
    replace_file(directory / sound.name / "0.ocsp", variant.response(bench))
    return row | {"response": "0.ocsp"}
