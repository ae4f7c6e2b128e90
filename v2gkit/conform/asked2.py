"""The requests of a car of ISO 15118-2 that does everything right, made from what the station answered so far (pure)."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from cryptography import x509

from pki import signature as xmldsig
from pki.chains import der
from pki.keys import PrivateKey
from pki.store import Credential
from v2g.exi.schema import Type
from v2g.iso2.physical import A, V, W, Wh, number, physical
from v2g.iso2.services import CHARGING, MODES, PROTOCOL
from v2g.iso20.services import AC, DC
from v2g.messages import schema_set
from v2g.messages.app_protocol import supportedAppProtocolReq
from v2g.messages.iso2 import msg_body as mb
from v2g.messages.iso2 import msg_data_types as mt
from v2g.messages.iso2.msg_data_types import EnergyTransferModeType as Transfer
from v2g.messages.iso2.msg_data_types import chargeProgressType as Progress
from v2g.messages.iso2.msg_data_types import paymentOptionType as Option
from v2g.messages.xmldsig import SignatureType, X509IssuerSerialType
from v2g.session.sap import offer

OF_AC, OF_DC = AC.name, DC.name  # the kinds of charging, by the names that services have
STAYS = 7200  # s that the car says to stay
PRE_CHARGE = 2.0  # A that a car asks for before its contactors close
MOST_ENTRIES = 24  # of a ChargingProfile
Payment = Literal["EIM", "PnC"]
OPTIONS: dict[Payment, Option] = {"EIM": Option.ExternalPayment, "PnC": Option.Contract}


class Sealed(NamedTuple):
    """A request with the signature that goes into its envelope."""

    message: Type
    signature: SignatureType | None


@dataclass(frozen=True, slots=True)
class Ways2:
    """How a car wants its session to be. Voltage in V, power in W."""

    mode: Transfer = Transfer.DC_extended
    authorization: Payment = "EIM"
    voltage: float = 400.0
    power: float = 10_000.0

    @property
    def dc(self) -> bool:
        """Whether the station converts."""
        return MODES[self.mode].dc


# --- the head of a session ---


def negotiation() -> supportedAppProtocolReq:
    """The protocol of -2, alone."""
    return offer((PROTOCOL,))


def setup(evccid: bytes) -> mb.SessionSetupReq:
    """The request that begins a session; the id of a car is the six octets of its address."""
    return mb.SessionSetupReq(EVCCID=evccid)


def selection(way: Payment, *services: int, parameter_set: int | None = None) -> mb.PaymentServiceSelectionReq:
    """The choice of a way to pay and of services: the charging service where none is named."""
    chosen = tuple(mt.SelectedServiceType(ServiceID=each, ParameterSetID=parameter_set) for each in services or (CHARGING,))
    return mb.PaymentServiceSelectionReq(
        SelectedPaymentOption=OPTIONS[way], SelectedServiceList=mt.SelectedServiceListType(SelectedService=chosen)
    )


# --- contracts ---


def chain_of(certificates: tuple[bytes, ...]) -> mt.CertificateChainType:
    """A chain (DER, leaf first) as a message has it."""
    subs = mt.SubCertificatesType(Certificate=certificates[1:5]) if certificates[1:] else None
    return mt.CertificateChainType(Certificate=certificates[0], SubCertificates=subs)


def details(emaid: str, certificates: tuple[bytes, ...]) -> mb.PaymentDetailsReq:
    """The request that shows a contract: its account, and its chain (DER, leaf first)."""
    return mb.PaymentDetailsReq(eMAID=emaid, ContractSignatureCertChain=chain_of(certificates))


def contract(held: Credential) -> mb.PaymentDetailsReq:
    """The request that shows a contract of the car."""
    return details(held.common_name.replace("-", ""), der(held.chain))


def sealed(message: Type, key: PrivateKey) -> Sealed:
    """A request with the signature of a key over it."""
    return Sealed(message, xmldsig.sign([message], key, schema_set("iso2")))


def challenged(challenge: bytes | None, identifier: str | None = "id1") -> mb.AuthorizationReq:
    """What a contract signs."""
    return mb.AuthorizationReq(Id=identifier, GenChallenge=challenge)


def roots(certificates: tuple[x509.Certificate, ...]) -> mt.ListOfRootCertificateIDsType:
    """The roots that a car has, by issuer and serial number."""
    listed = tuple(
        X509IssuerSerialType(X509IssuerName=each.issuer.rfc4514_string(), X509SerialNumber=each.serial_number) for each in certificates
    )
    return mt.ListOfRootCertificateIDsType(RootCertificateID=listed)


def installation(held: Credential, trusted: tuple[x509.Certificate, ...]) -> mb.CertificateInstallationReq:
    """The request for a contract of the car with this provisioning certificate."""
    return mb.CertificateInstallationReq(Id="id1", OEMProvisioningCert=der(held.chain)[0], ListOfRootCertificateIDs=roots(trusted))


# --- energy ---


def ready(well: bool = True, soc: int = 40, error: mt.DC_EVErrorCodeType = mt.DC_EVErrorCodeType.NO_ERROR) -> mt.DC_EVStatusType:
    """DC_EVStatus of a car that is ready to charge, or not."""
    return mt.DC_EVStatusType(EVReady=well, EVErrorCode=error, EVRESSSOC=soc)


def limits(ways: Ways2, **other: Any) -> mt.EVChargeParameterType:
    """The limits and needs of the car, in the type of its mode; `other` fields replace those."""
    if not ways.dc:
        plain = {"EAmount": physical(10_000, Wh), "EVMaxVoltage": physical(400, V)}
        plain |= {"EVMaxCurrent": physical(32, A), "EVMinCurrent": physical(6, A)}
        return mt.AC_EVChargeParameterType(**{"DepartureTime": STAYS, **plain, **other})
    fields = {
        "DC_EVStatus": ready(),
        "EVMaximumCurrentLimit": physical(2 * ways.power / ways.voltage, A),
        "EVMaximumPowerLimit": physical(2 * ways.power, W),
        "EVMaximumVoltageLimit": physical(1.1 * ways.voltage, V),
        "EVEnergyCapacity": physical(60_000, Wh),
        "EVEnergyRequest": physical(10_000, Wh),
        "FullSOC": 100,
        "BulkSOC": 80,
    }
    return mt.DC_EVChargeParameterType(**{"DepartureTime": STAYS, **fields, **other})


def parameters(
    ways: Ways2, said: mt.EVChargeParameterType | None = None, mode: Transfer | None = None, entries: int | None = 1024
) -> mb.ChargeParameterDiscoveryReq:
    """ChargeParameterDiscovery with the car's limits and mode, or with others."""
    return mb.ChargeParameterDiscoveryReq(
        MaxEntriesSAScheduleTuple=entries, RequestedEnergyTransferMode=mode or ways.mode, EVChargeParameter=said or limits(ways)
    )


def cable_check(status: mt.DC_EVStatusType | None = None) -> mb.CableCheckReq:
    """The question whether the cable is sound."""
    return mb.CableCheckReq(DC_EVStatus=status or ready())


def pre_charge(voltage: float, current: float = PRE_CHARGE) -> mb.PreChargeReq:
    """Pre-charge to the battery's voltage (V)."""
    return mb.PreChargeReq(DC_EVStatus=ready(), EVTargetVoltage=physical(voltage, V), EVTargetCurrent=physical(current, A))


def profile(ways: Ways2, first: mt.SAScheduleTupleType) -> mt.ChargingProfileType:
    """The profile of a car that takes what it can within a schedule."""
    entries = first.PMaxSchedule.PMaxScheduleEntry[:MOST_ENTRIES]
    return profile_of(*((begin(each), min(ways.power, number(each.PMax))) for each in entries))


def begin(entry: mt.EntryType) -> int:
    """When an entry of a schedule begins (s from the offer)."""
    interval: Any = entry.TimeInterval
    return int(interval.start)


def profile_of(*entries: tuple[int, float]) -> mt.ChargingProfileType:
    """A profile of so much power (W) from each time on (s)."""
    return mt.ChargingProfileType(
        ProfileEntry=tuple(
            mt.ProfileEntryType(ChargingProfileEntryStart=start, ChargingProfileEntryMaxPower=physical(power, W, "down"))
            for start, power in entries
        )
    )


def delivery(progress: Progress, tuple_id: int, said: mt.ChargingProfileType | None = None) -> mb.PowerDeliveryReq:
    """Begin, end or renegotiate power, by the schedule of that id."""
    return mb.PowerDeliveryReq(ChargeProgress=progress, SAScheduleTupleID=tuple_id, ChargingProfile=said)


def loop(ways: Ways2, **other: Any) -> Type:
    """One request of the charge loop of the car's mode; in DC `other` fields replace those of it."""
    if not ways.dc:
        return mb.ChargingStatusReq()
    fields = {
        "DC_EVStatus": ready(),
        "EVTargetCurrent": physical(ways.power / ways.voltage, A),
        "EVMaximumVoltageLimit": physical(1.1 * ways.voltage, V),
        "EVMaximumCurrentLimit": physical(2 * ways.power / ways.voltage, A),
        "EVMaximumPowerLimit": physical(2 * ways.power, W),
        "ChargingComplete": False,
        "EVTargetVoltage": physical(ways.voltage, V),
    }
    return mb.CurrentDemandReq(**{**fields, **other})


def welding() -> mb.WeldingDetectionReq:
    """The question for the voltage at the outlet after power."""
    return mb.WeldingDetectionReq(DC_EVStatus=ready(False))


def stop(how: mt.chargingSessionType = mt.chargingSessionType.Terminate) -> mb.SessionStopReq:
    """The end of a session, or its pause."""
    return mb.SessionStopReq(ChargingSession=how)
