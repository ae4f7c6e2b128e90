"""A plan of the certificates that `v2g pki create` makes, as fields here or as a TOML file with the same keys.

    curves = ["secp521r1", "ed448"]
    emaids = ["DEV2GC00000001G", "DEV2GC00000002D"]
    private = true

    [names]
    evse_id = "DEV2GE000042"

    [validity_days]
    secc = 30

An unknown key is an error that names it.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from pki.errors import IdentifierError, PlanError
from pki.identifiers import check_digit, identifier
from pki.identifiers import emaid as parse_emaid
from pki.keys import ALGORITHMS
from pki.profiles import Role

LONGEST = 36_500  # days: a century; beyond 2049 a certificate spells its dates another way, beyond 9999 it cannot
FAMILIES = {"oem": Role.OEM_ROOT, "mo": Role.MO_ROOT}  # the root a family has of its own


class Names(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The values for the name templates of the table, and the URLs at which revocation is answered."""

    organization: str = "v2gkit"
    country: str = "DE"
    root: str = "V2G"
    curve: str = "secp521r1"  # part of a root's name: a peer tells roots apart by name alone
    evse_id: str = "DEV2GE000001"
    evccid: str = "WMIV2GKIT0000000001"
    pcid: str = "WMIV2GKIT000000001"
    emaid: str = "DEV2GC00000001" + check_digit("DEV2GC00000001")
    authority: str = ""
    ocsp_url: str | None = None
    crl_url: str | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The certificates to make. Every key of a TOML plan is a field here or, under [names], of `Names`."""

    curves: tuple[str, ...] = ("secp521r1",)  # one whole hierarchy each
    names: Names = Names()
    emaids: tuple[str, ...] = ()  # one contract each; empty: the one of `names`
    v2g_roots: tuple[str, ...] = ("V2G",)  # by name; each carries a station and a provisioning service of its own
    cross: tuple[tuple[str, str], ...] = ()  # (root, by): root `by` certifies the key of `root`
    under_v2g: tuple[str, ...] = ()  # families without a root of their own: "oem", "mo"
    private: bool = False  # a private environment beside the public one
    responders: bool = True  # an OCSP responder delegated by every authority
    validity_days: dict[str, int] = {}  # by role, where the row's own is not wanted

    def __post_init__(self) -> None:
        _among("curve", self.curves, ALGORITHMS)
        _among("family in under_v2g", self.under_v2g, FAMILIES)
        _among("role in validity_days", self.validity_days, [role.value for role in Role])
        for role, days in self.validity_days.items():
            if not 1 <= days <= LONGEST:
                raise PlanError(f"validity_days.{role} is {days}; give 1 to {LONGEST} days")
        _among("root in cross", [name for pair in self.cross for name in pair], self.v2g_roots)
        try:
            for emaid in (*self.emaids, self.names.emaid):
                parse_emaid(emaid)
            for name in (self.names.evse_id, self.names.evccid, self.names.pcid):
                identifier(name)
        except IdentifierError as error:
            raise PlanError(str(error)) from None
        if not self.curves or not self.v2g_roots:
            raise PlanError("a plan needs at least one curve and one root in v2g_roots")


def _among(what: str, found: Iterable[str], known: Collection[str]) -> None:
    for name in found:
        if name not in known:
            raise PlanError(f"{what} {name!r} is none of {', '.join(known)}")


def plan(given: Mapping[str, Any]) -> Plan:
    """A plan from the tables of a TOML file. Raises PlanError, naming the key, for one that is unknown or of the wrong type."""
    try:
        return msgspec.convert(given, Plan)
    except msgspec.ValidationError as error:
        raise PlanError(str(error)) from None
