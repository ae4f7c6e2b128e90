"""What named peers need and the standard forbids: one row each, used only under the `interop` profile and logged every time."""

from dataclasses import dataclass
from typing import Literal

Profile = Literal["conformance", "interop"]


@dataclass(frozen=True, slots=True)
class Quirk:
    """One deviation: for whom, on what evidence, and which requirement it relaxes."""

    name: str
    peer: str
    evidence: str
    requirement: str


P256_SIGNATURES = Quirk(
    "PnC signatures with ecdsa-sha256 over P-256",
    "iso15118 0.31.2 (EcoG)",
    "its signing of -20 messages is fixed to that suite and fails with a key on P-521",
    "V2G20-2674",
)
NO_DISCHARGED_ENERGY = Quirk(
    "MeterInfo without BPT_DischargedEnergyReadingWh",
    "iso15118 0.31.2 (EcoG)",
    "its JSON layer cannot read the response with it and the car leaves",
    "V2G20-1082",
)
PROVISIONING_AS_VEHICLE = Quirk(
    "OEM provisioning certificate in TLS",
    "iso15118 0.31.2 (EcoG)",
    "its car shows the certificate for contract installation (CN OEMProvCert) as TLS client certificate",
    "V2G20-2339",
)
QUIRKS: dict[Profile, tuple[Quirk, ...]] = {"conformance": (), "interop": (P256_SIGNATURES, NO_DISCHARGED_ENERGY, PROVISIONING_AS_VEHICLE)}
