"""One set of hierarchies for all tests here: a sound chain of every role on every curve, issued at NOW."""

from datetime import UTC, datetime

from pki.issue import Hierarchy, build
from pki.keys import ALGORITHMS
from pki.plan import Plan
from pki.profiles import Role
from pki.verify import Anchors

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
BUILT = {curve: build(Plan(private=True), curve, NOW) for curve in ALGORITHMS}


def hierarchy(curve: str = "secp521r1") -> Hierarchy:
    return BUILT[curve]


def anchors(curve: str = "secp521r1") -> Anchors:
    roots = {"v2g": Role.V2G_ROOT, "oem": Role.OEM_ROOT, "mo": Role.MO_ROOT, "private": Role.PRIVATE_ROOT}
    return Anchors(**{family: (BUILT[curve][role].certificate,) for family, role in roots.items()})
