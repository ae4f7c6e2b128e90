"""Certificates that the CSMS installs, deletes and lists (M03, M04, M05): roots by their use, and the station's own chains."""

from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, cast

from ocpp_bridge.block import Block, no
from ocpp_bridge.blocks import signing
from ocpp_bridge.charger import Charger
from ocpp_bridge.model.errand import Errand
from ocpp_bridge.model.safe import (
    CERTIFICATE_MAXIMUM,
    CSMS_ROOT,
    ROOTS_MAXIMUM,
    V2G_CHAIN,
    Chain,
    Safe,
    Use,
    chain_hashes,
    hash_data,
    judged_root,
    root_of,
    same,
)
from ocpp_bridge.model.variables import FLAG, Row
from ocpp_bridge.wire.schemas import Payload
from pki.certificate import read
from pki.errors import CertificateError

V2G_ROOT: Final[Use] = "V2GRootCertificate"


def install(charger: Charger, payload: Payload, now: float) -> Payload:
    """InstallCertificate: keep a root for its use, from the next session or connection on."""
    safe, use = charger.safe, cast(Use, payload["certificateType"])
    if safe.cabinet is None or use not in safe.cabinet.uses():
        return no("OutOfStorage", f"there is no place for a {use}: roots for cars need a PKI store, others a state folder", "Failed")
    before = safe.roots(use)
    checked = charger.variables.yes("SecurityCtrlr.AdditionalRootCertificateCheck")
    try:
        root = judged_root(payload["certificate"], use, datetime.fromtimestamp(charger.wall(now), UTC), before, signed=checked)
    except CertificateError as error:
        return no("InvalidCertificate", str(error))
    if root in before:
        return {"status": "Accepted"}  # it is there
    instead = _replaced(safe, before) if checked and use == CSMS_ROOT else ()
    held = sum(map(len, safe.holdings.roots.values())) + safe.installing
    if held - len(instead) >= ROOTS_MAXIMUM:
        return no("OutOfStorage", f"{held} roots are held, and {ROOTS_MAXIMUM} is the most; delete one first", "Failed")
    safe.installing += 1
    keep = partial(safe.cabinet.keep_root, use, root, instead)
    charger.errands.append(Errand(keep, partial(_installed, charger, use, root, instead), partial(_not_installed, charger), answers=True))
    return {"status": "Accepted"}


def _replaced(safe: Safe, before: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """The CSMS roots that go when another one comes under AdditionalRootCertificateCheck: all but the newest, which is the fallback."""
    return tuple(root for root in before[:-1] if root not in safe.holdings.fixed)


def _installed(charger: Charger, use: Use, root: bytes, instead: tuple[bytes, ...], nothing: Any, now: float) -> None:
    charger.safe.installing -= 1
    left = tuple(one for one in charger.safe.roots(use) if one not in instead)
    _hold(charger, use, (*left, root))
    charger.note(f"the CSMS has installed a {use}: {read(root, CERTIFICATE_MAXIMUM).subject.rfc4514_string()}")
    signing.look(charger, now)


def _not_installed(charger: Charger, why: str, now: float) -> Payload:
    charger.safe.installing -= 1
    return no("OutOfStorage", f"the certificate cannot be kept: {why}", "Failed")


def _hold(charger: Charger, use: Use, roots: tuple[bytes, ...]) -> None:
    """Take other roots of a use into account at once; the files say it again with the next look."""
    charger.safe.holdings = charger.safe.holdings.having(use, roots)


def delete(charger: Charger, payload: Payload, now: float) -> Payload:
    """DeleteCertificate: forget a root or a chain, unless the station would be without what it works with."""
    safe, named = charger.safe, payload["certificateHashData"]
    if safe.cabinet is None:
        return {"status": "NotFound"}
    chains = [chain for chain in safe.holdings.chains if (found := _leaf_hash(safe, chain, named["hashAlgorithm"])) and same(found, named)]
    roots = [
        (use, root) for use, held in safe.holdings.roots.items() for root in held if same(_root_hash(root, named["hashAlgorithm"]), named)
    ]
    if not chains and not roots:
        return {"status": "NotFound"}
    objections = [_chain_in_use(safe, chain) for chain in chains] + [_root_in_use(safe, use, root) for use, root in roots]
    if why := next(filter(None, objections), ""):
        return no("UnsupportedRequest", why, "Failed")
    cabinet = safe.cabinet

    def forget() -> None:
        for chain in chains:
            cabinet.drop_chain(chain)
        for use, root in roots:
            cabinet.drop_root(use, root)

    for use, root in roots:
        _hold(charger, use, tuple(one for one in safe.roots(use) if one != root))
    safe.holdings = safe.holdings.without(chains)
    charger.errands.append(Errand(forget, partial(_deleted, charger), partial(_not_deleted, charger), answers=True))
    return {"status": "Accepted"}


def _deleted(charger: Charger, nothing: Any, now: float) -> None:
    signing.look(charger, now)


def _not_deleted(charger: Charger, why: str, now: float) -> Payload:
    signing.look(charger, now)
    return no("InternalError", f"the certificate cannot be deleted: {why}", "Failed")


def _chain_in_use(safe: Safe, chain: Chain) -> str:
    """Why a chain of the station stays; empty where it may go."""
    if chain.type == signing.OWN:
        return "it is the certificate by which the CSMS knows the station"
    others = [other for other in safe.holdings.chains if other.type == chain.type and other != chain]
    return "" if others else f"it is the only {chain.type}, and cars are served by it"


def _root_in_use(safe: Safe, use: Use, root: bytes) -> str:
    """Why a root stays; empty where it may go."""
    if root in safe.holdings.fixed and use == CSMS_ROOT:
        return "it is named by the station's configuration"
    if use == CSMS_ROOT and len(safe.roots(CSMS_ROOT)) < 2:
        return "it is the last CSMS root: without it no CSMS could be trusted"
    if use == V2G_ROOT and any(root_of(chain, (root,)) for chain in safe.holdings.chains if chain.type != signing.OWN):
        return "a chain of the station ends at it; have that replaced first"
    return ""


def installed(charger: Charger, payload: Payload, now: float) -> Payload:
    """GetInstalledCertificateIds: the hash data of roots and chains, of all types or those that are asked for."""
    safe, wanted = charger.safe, payload.get("certificateType")
    found: list[Payload] = [
        {"certificateType": use, "certificateHashData": _root_hash(root)}
        for use, roots in safe.holdings.roots.items()
        for root in roots
        if wanted is None or use in wanted
    ]
    if wanted is None or V2G_CHAIN in wanted:
        for chain in safe.holdings.chains:
            if chain.type != signing.OWN and (hashes := chain_hashes(chain, safe.roots(V2G_ROOT))):
                children = {"childCertificateHashData": hashes[1:5]} if hashes[1:] else {}
                found.append({"certificateType": V2G_CHAIN, "certificateHashData": hashes[0]} | children)
    return {"status": "Accepted", "certificateHashDataChain": found} if found else {"status": "NotFound"}


def _root_hash(root: bytes, algorithm: str = "SHA256") -> Payload:
    certificate = read(root, CERTIFICATE_MAXIMUM)
    return hash_data(certificate, certificate, algorithm)


def _leaf_hash(safe: Safe, chain: Chain, algorithm: str) -> Payload | None:
    use: Use = CSMS_ROOT if chain.type == signing.OWN else V2G_ROOT
    return next(iter(chain_hashes(chain, safe.roots(use), algorithm)), None)


BLOCK: Final = Block(
    requests={"InstallCertificate": install, "DeleteCertificate": delete, "GetInstalledCertificateIds": installed},
    variables=(Row("SecurityCtrlr", "AdditionalRootCertificateCheck", "false", FLAG),),
)
