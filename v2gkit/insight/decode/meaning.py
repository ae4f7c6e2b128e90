"""What the frames of a connection mean: for each the schema set, the message and what was tolerated in it, or why it is none.

The first payload type carries the negotiation of every generation and then the messages of -2 and DIN; which, the station's choice says.
Where the choice is not in the capture, the set is guessed by what decodes, and kept once it is certain.
"""

from typing import Any, Final, NamedTuple, get_args

from v2g.exi.bounds import Bounds
from v2g.exi.codec import Reading, receive
from v2g.exi.decoder import Decoder
from v2g.exi.dialect import DIALECTS
from v2g.exi.encoder import element_name
from v2g.exi.errors import DecodeError, EncodeError, ExiError
from v2g.exi.reading import Mode
from v2g.exi.schema import Type
from v2g.messages import schema_set
from v2g.messages.app_protocol import supportedAppProtocolReq, supportedAppProtocolRes
from v2g.session.v2gtp import PAYLOADS, PayloadType
from v2gkit.insight import exi_guess

ENVELOPES: Final = ("iso2", "din")  # sets whose messages stand in the body of another
_NEWEST: Final = "urn:iso:std:iso:15118:-20:"
_NAMESPACES: Final = {"urn:iso:15118:2:": "iso2", "urn:din:70121:": "din"}
# Elements of a message: the largest that is legal, a ScheduleExchangeRes, has 100,000.
_ITEMS: Final = 200_000
_BOUNDS: Final = Bounds({}, unusual=2 * 1024 * 1024, patience=200_000)
# To guess means to read in every set and to write again. What a session begins with is short; the longest of -2 have 6 KB.
_GUESSED: Final = 16 * 1024  # octets
# Octets of one file that were no message in any way that was tried: frames of half a kilobyte, a hundred and more of them. To try all ways
# takes up to 100 us an octet; beyond this they are tried as the standard has them, and no further than an error usually stands.
INDULGENCE: Final = 64 * 1024
_STERN: Final = Bounds({}, unusual=8 * 1024, patience=1_000)


class Meaning(NamedTuple):
    """A frame understood: the schema set and the message in it; `error` says why there is none."""

    set: str
    name: str | None
    message: Type | None
    findings: tuple[str, ...] = ()
    error: str = ""
    reading: Reading | None = None

    @property
    def by_car(self) -> bool | None:
        """Whether it is a request, which the car sends; None where that is not known."""
        return None if self.name is None else True if self.name.endswith("Req") else False if self.name.endswith("Res") else None


class Indulgence:
    """How many octets may still be tried in every way before they are called no message: what the sessions of one file share."""

    def __init__(self) -> None:
        self.octets = INDULGENCE


class Interpreter:
    """Understands the frames of one connection in their order. `protocol` is the set of -2 or DIN, once it is known; "": neither."""

    def __init__(self, indulgence: Indulgence | None = None) -> None:
        self._indulgence = indulgence or Indulgence()
        self.protocol: str | None = None
        self._offered: dict[int, str] = {}
        self.needs_tls = False  # the car offered ISO 15118-20, or speaks it

    def read(self, payload_type: int | None, octets: bytes) -> Meaning:
        """The meaning of a payload; `payload_type` None: it stood alone, without V2GTP."""
        sets = exi_guess.BY_PAYLOAD_TYPE.get(payload_type) if payload_type is not None else None
        if payload_type is not None and sets is None:
            return Meaning("", None, None, error=_untyped(payload_type))
        if not octets:
            return Meaning((sets or ("",))[0], None, None, error="the frame has no payload")
        if sets is not None and len(sets) == 1:
            self.needs_tls = True
            return self._in(sets[0], octets)
        return self._first(payload_type, octets)

    def _first(self, payload_type: int | None, octets: bytes) -> Meaning:
        """A payload of the type that many sets share, or of no type."""
        likely = self.protocol or "app"
        found = self._in(likely, octets)
        if found.message is not None and (not found.findings or self.protocol):
            return self._noted(found)
        if len(octets) > _GUESSED or self._indulgence.octets <= 0:
            others = (self._in(name, octets) for name in exi_guess.BY_PAYLOAD_TYPE[int(PayloadType.EXI)] if name != likely)
            return self._noted(next((other for other in others if other.message is not None), found))
        refusal = found.error
        for mode in get_args(Mode):
            try:
                guess = exi_guess.guess(octets, payload_type, mode=mode)
            except ExiError as error:
                refusal = str(error)
                continue
            if self.protocol is None and guess.set in ENVELOPES and guess.sure.startswith("certain"):
                self.protocol = guess.set
            return self._noted(_meaning(guess.set, guess.reading))
        self._indulgence.octets -= len(octets)
        return found if self.protocol else found._replace(error=refusal)

    def _in(self, name: str, octets: bytes) -> Meaning:
        """The message in a set: as the standard has it, with what is tolerated, or in the dialect of another family of encoders."""
        stern = self._indulgence.octets <= 0
        try:
            return _meaning(name, receive(octets, schema_set(name), _STERN if stern else _BOUNDS, _ITEMS))
        except DecodeError as error:
            refusal = str(error)
        if stern:
            return Meaning(name, None, None, error=refusal)
        try:
            return _meaning(name, Decoder(octets, schema_set(name), "interop", bounds=_BOUNDS, items=_ITEMS).read(False))
        except DecodeError:
            pass
        for dialect in DIALECTS[1:]:
            try:
                found = _meaning(name, receive(octets, schema_set(name, dialect), _BOUNDS, _ITEMS))
            except DecodeError:
                continue
            return found._replace(findings=(f"a message only as encoders of the family {dialect.name} write it", *found.findings))
        if name != "app" or self.protocol:  # what may be no negotiation is tried elsewhere
            self._indulgence.octets -= len(octets)
        return Meaning(name, None, None, error=refusal)

    def _noted(self, found: Meaning) -> Meaning:
        """Remember what was offered and chosen."""
        message = found.message
        if isinstance(message, supportedAppProtocolReq):
            self._offered = {entry.SchemaID: entry.ProtocolNamespace for entry in message.AppProtocol}
            self.needs_tls = any(each.startswith(_NEWEST) for each in self._offered.values())
        elif isinstance(message, supportedAppProtocolRes):
            chosen = message.SchemaID if message.SchemaID is not None else next(iter(self._offered), None)
            namespace = self._offered.get(chosen, "") if chosen is not None else ""
            if namespace:
                self.protocol = next((each for begin, each in _NAMESPACES.items() if namespace.lower().startswith(begin)), "")
        return found


def _untyped(payload_type: int) -> str:
    if payload_type in exi_guess.SDP:
        return f"payload type 0x{payload_type:04X} is an SDP {exi_guess.SDP[payload_type]}, which has no place in a stream"
    return f"payload type 0x{payload_type:04X} is none of ISO 15118 and DIN 70121" + (
        ", but of a manufacturer" if payload_type >= 0xA000 else ""
    )


def _meaning(name: str, reading: Reading) -> Meaning:
    message: Any = reading.message
    local = reading.name.local
    if name in ENVELOPES and local == "V2G_Message":
        body = message.Body.BodyElement
        if body is not None:
            try:
                local = element_name(body, schema_set(name)).local
            except EncodeError:
                local = type(body).__name__.removesuffix("Type")
    return Meaning(name, local, message, tuple(map(str, reading.findings)), "", reading)


def type_of(name: str) -> int:
    """The payload type that announces the messages of a set."""
    return int(next((each for each, row in PAYLOADS.items() if name in row.schema_sets), PayloadType.EXI))
