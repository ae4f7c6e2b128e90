"""The one table of what named peers need and the standard forbids.

A deviation holds only under the profile that lists it, the profile is chosen by name for a whole station or car, and every use is told to
the trace (`endpoint.Relaxed`) with the requirement it sets aside. `conformance`, the default, lists none. What is let pass under every
profile stands in `EVERYWHERE`. Nothing else makes a `Relaxed` of a session: ask `let_pass`, or `Deviation.used` where it was decided.
"""

from dataclasses import dataclass
from typing import Final, Literal

from v2g.session.endpoint import Relaxed

Profile = Literal["conformance", "interop"]


@dataclass(frozen=True, slots=True)
class Deviation:
    """One row of the table: what is tolerated or done for a named peer, on what evidence, and the requirement that it relaxes."""

    name: str
    peer: str
    evidence: str
    requirement: str  # id, or the clause where no id is known

    def used(self, now: float) -> Relaxed:
        """The record for the trace that this deviation was used at `now` (monotonic s)."""
        return Relaxed(now, self.name, self.requirement)


ECOG: Final = "iso15118 0.31.2 (EcoG)"

P256_TLS: Final = Deviation(
    "TLS 1.3 over secp256r1, proved with ecdsa_secp256r1_sha256",
    ECOG,
    "it negotiates no other group, whatever is offered",
    "V2G20-2460",
)
P256_CERTIFICATES: Final = Deviation(
    "certificates on secp256r1 with SHA-256",
    ECOG,
    "its hierarchy for -20 is the one of -2, and its signing fails with a longer key",
    "V2G20-2674",
)
P256_SIGNATURES: Final = Deviation(
    "PnC signatures with ecdsa-sha256 over secp256r1",
    ECOG,
    "both its ends sign and verify -20 messages with this suite alone",
    "V2G20-2674",
)
LOOSE_CERTIFICATES: Final = Deviation(
    "certificates that are not strict DER",
    "contracts in the field",
    "a large PKI writes out cA FALSE in every contract; OpenSSL reads that, critical FALSE, NULL parameters and long lengths",
    "RFC 5280 4.1",
)
PROVISIONING_AS_VEHICLE: Final = Deviation(
    "the OEM provisioning certificate as the car's certificate in TLS",
    ECOG,
    "it loads that certificate for TLS 1.3 and knows no vehicle certificate",
    "V2G20-2339",
)
NO_DISCHARGED_ENERGY: Final = Deviation(
    "MeterInfo without BPT_DischargedEnergyReadingWh",
    ECOG,
    "its JSON layer cannot read the response with it and the car leaves",
    "V2G20-1082",
)
ANCHOR_ZERO: Final = Deviation(
    "a TimeAnchor of 0 in an offered schedule read as the present",
    ECOG,
    "its station anchors every schedule at the beginning of 1970",
    "8.3.5.3",
)

PRE_CHARGE_UNFINISHED: Final = Deviation(
    "PowerDeliveryReq after a pre-charge that the car never called finished, once the voltages match",
    ECOG,
    "its car says Finished only if they match at the first response, and starts without a word when they match later",
    "V2G20-459",
)

EVCCID_UNSEEN: Final = Deviation(
    "an EVCCID with characters that cannot be seen",
    "any car on a bench",
    "no car was seen to send one; it is no key to anything, and people are shown its escapes",
    "V2G20-2598",
)

ACCOUNT_FORM: Final = Deviation(  # whether an account exists was never the station's to judge
    "an eMAID of another form, or with a check digit that does not fit, left to the backend",
    "contracts in the field",
    "test contracts of a large PKI and sample contracts of two open stacks have such a 15th character",
    "ISO 15118-1 Annex H",
)

PROFILE_ANCHOR_ZERO: Final = Deviation(
    "a TimeAnchor of 0 in an EVPowerProfile read as the present",
    "the EV simulator of dspace-group/dsV2Gshark, ISO-20_BPT_AC; the PowerDeliveryReq of EVerest/cbexigen 31 (versions not stated)",
    "both recordings anchor EVPowerProfile at the beginning of 1970; the first was replayed against this station",
    "V2G20-1864",
)
PROFILE_MISSING: Final = Deviation(
    "PowerDeliveryReq(Start) without EVPowerProfile taken for the schedule that was recommended",
    "none known by name or version",
    "no recording of a car that sends none: the schema makes it optional, and such a car is taken to follow what was offered first",
    "V2G20-1864",
)

PMAX_TOO_SMALL: Final = Deviation(
    "a PMax of DIN SPEC 70121 that is below the station's EVSEMaximumPowerLimit, set aside",
    "stations of 10 kW in logs of EVerest and pyPLC (versions not stated)",
    "nine of 42 captured stations say a PMax of 50 or 200 W, and gave their cars up to 9.7 kW",
    "PMaxScheduleEntry",
)
ZERO_UNSAID: Final = Deviation(
    "a need, a power limit or a departure of 0 in EVChargeParameter, read as not said",
    "cars of ISO 15118-2 and DIN SPEC 70121 in public captures (models not stated)",
    "connections 03ce6de58d, 629e983a53 (-2), 7f484edf6c, 7f8f5e4981 (DIN) say FullSOC and EVEnergyRequest 0, the first two also 0 W;"
    " five of -2, as 0f0e84c4d0, DepartureTime 0; their stations went on with them",
    "EVChargeParameter",
)
INSTALLATION_FRAMED_AS_2: Final = Deviation(
    "CertificateInstallationReq under the payload type of ISO 15118-2",
    ECOG,
    "its car sends this one request of -20 so, and no other; what it is, its first bits tell",
    "Table 12",
)
WITHOUT_TLS: Final = Deviation(  # not by a profile: by a flag of its own, for both ends
    "ISO 15118-20 without TLS 1.3 (bench override)",
    "any peer on a bench",
    "certificates are not what a bench of the energy side wants to look at",
    "V2G20-2356",
)

EVERYWHERE: Final = (ACCOUNT_FORM, ZERO_UNSAID, INSTALLATION_FRAMED_AS_2, WITHOUT_TLS)
PROFILES: Final[dict[Profile, tuple[Deviation, ...]]] = {
    "conformance": (),
    "interop": (
        P256_TLS,
        P256_CERTIFICATES,
        P256_SIGNATURES,
        LOOSE_CERTIFICATES,
        PROVISIONING_AS_VEHICLE,
        NO_DISCHARGED_ENERGY,
        PRE_CHARGE_UNFINISHED,
        ANCHOR_ZERO,
        EVCCID_UNSEEN,
        PROFILE_ANCHOR_ZERO,
        PROFILE_MISSING,
        PMAX_TOO_SMALL,
    ),
}


def allowed(deviation: Deviation, profile: Profile) -> bool:
    """Whether a profile lets a deviation pass."""
    return deviation in EVERYWHERE or deviation in PROFILES[profile]


def let_pass(deviation: Deviation, profile: Profile, now: float) -> tuple[Relaxed, ...]:
    """The record for the trace of a deviation that is used at `now` (monotonic s); empty where the profile does not allow it."""
    return (deviation.used(now),) if allowed(deviation, profile) else ()
