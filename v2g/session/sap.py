"""SupportedAppProtocol: which protocol a session will speak (pure, for both sides)."""

from dataclasses import dataclass

from v2g.messages.app_protocol import AppProtocolType, responseCodeType, supportedAppProtocolReq, supportedAppProtocolRes
from v2g.session.errors import PeerIncompatible, PeerMisbehaved


@dataclass(frozen=True, slots=True)
class Protocol:
    """One protocol that a side speaks. `schema_set` names the EXI schema set of its energy messages.

    `secure` protocols are neither offered nor selected without TLS 1.3 [V2G20-1237] [V2G20-2356] [V2G20-1805].
    """

    namespace: str
    major: int
    minor: int
    schema_set: str
    secure: bool

    @property
    def spelt(self) -> str:
        """Namespace, major and minor, as OCPP and this station name a protocol."""
        return f"{self.namespace},{self.major},{self.minor}"


def offer(protocols: tuple[Protocol, ...]) -> supportedAppProtocolReq:
    """The car's request: its protocols in order of preference, priority 1 first; SchemaID is the place in the list."""
    entries = tuple(
        AppProtocolType(
            ProtocolNamespace=protocol.namespace,
            VersionNumberMajor=protocol.major,
            VersionNumberMinor=protocol.minor,
            SchemaID=place,
            Priority=place,
        )
        for place, protocol in enumerate(protocols, 1)
    )
    if not entries:
        raise PeerIncompatible("no protocol can be offered on this connection: -20 needs TLS 1.3", "V2G20-1237")
    return supportedAppProtocolReq(AppProtocol=entries)


def offered(request: supportedAppProtocolReq) -> tuple[str, ...]:
    """The protocols of a request, each spelt namespace, major, minor; the one that the car ranks first comes first."""
    ranked = sorted(request.AppProtocol, key=lambda entry: entry.Priority)
    return tuple(f"{each.ProtocolNamespace},{each.VersionNumberMajor},{each.VersionNumberMinor}" for each in ranked)


def select(request: supportedAppProtocolReq, protocols: tuple[Protocol, ...]) -> tuple[supportedAppProtocolRes, Protocol | None]:
    """The station's response, and the one of `protocols` that the car ranks first; None: the car offers none of them.

    The response has the SchemaID of the car's entry [V2G20-167] [V2G20-169]. Of entries with one priority the earlier counts, so that the
    answer is a function of the request alone.
    """
    known = {(protocol.namespace, protocol.major): protocol for protocol in protocols}
    for entry in sorted(request.AppProtocol, key=lambda entry: entry.Priority):
        protocol = known.get((entry.ProtocolNamespace, entry.VersionNumberMajor))
        if protocol is not None:
            same = entry.VersionNumberMinor == protocol.minor
            code = responseCodeType.OK_SuccessfulNegotiation if same else responseCodeType.OK_SuccessfulNegotiationWithMinorDeviation
            return supportedAppProtocolRes(ResponseCode=code, SchemaID=entry.SchemaID), protocol
    return supportedAppProtocolRes(ResponseCode=responseCodeType.Failed_NoNegotiation), None


def selected_protocol(response: supportedAppProtocolRes, request: supportedAppProtocolReq, protocols: tuple[Protocol, ...]) -> Protocol:
    """The protocol that the station's response selects by its SchemaID, out of those that the car offered [V2G20-169].

    Raises PeerIncompatible where the station selected none, PeerMisbehaved where it named one that was not offered.
    """
    if response.ResponseCode is responseCodeType.Failed_NoNegotiation:
        raise PeerIncompatible("the station speaks none of " + ", ".join(p.namespace for p in protocols), None)
    ids = {entry.SchemaID: protocol for entry, protocol in zip(request.AppProtocol, protocols, strict=True)}
    if response.SchemaID is None and len(protocols) == 1:
        return protocols[0]  # the element is optional, and one offer leaves no doubt
    if response.SchemaID not in ids:
        raise PeerMisbehaved(f"the station chose SchemaID {response.SchemaID}, offered were {sorted(ids)}", "V2G20-169")
    return ids[response.SchemaID]
