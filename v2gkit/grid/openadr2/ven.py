"""How a VEN of OpenADR 2.0b pulls from its VTN: registration, poll, events, and the answer to each. Scripts, as in `openadr3.ven`."""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Final, TypeVar
from xml.etree.ElementTree import Element

from v2gkit.grid.faults import GridFault, Trouble
from v2gkit.grid.http import Request, Response
from v2gkit.grid.openadr2 import messages
from v2gkit.grid.openadr2.events import Event, events_of

T = TypeVar("T")
Script = Generator[Request, Response, T]
WELL: Final = ("oadrResponse", "oadrDistributeEvent")
PENDING: Final = 16  # messages that a VTN may have for one poll after the other
OTHERS: Final = ("oadrCreateReport", "oadrRegisterReport", "oadrCancelReport", "oadrUpdateReport")  # of reports, which this VEN has none of


@dataclass(frozen=True, slots=True)
class Session:
    """Who this VEN is at its VTN."""

    url: str  # of the services, without the last part
    ven_id: str


@dataclass(frozen=True, slots=True)
class Heard:
    """The events of one answer."""

    request_id: str
    events: tuple[Event, ...]


def opening(url: str, ven: str, request_id: Callable[[], str]) -> Script[Session]:
    """Register. Raises GridFault where the VTN does not want this VEN."""
    message = yield from _asked(url, "EiRegisterParty", messages.registration(ven, request_id()))
    messages.demand_well(message, "oadrCreatedPartyRegistration")
    return Session(url, messages.text_of(message, "ei:venID"))


def polling(session: Session, request_id: Callable[[], str]) -> Script[Heard]:
    """Hear what the VTN has for this VEN, then every event that it has. Raises GridFault, DENIED where the VEN has to register anew."""
    for _ in range(PENDING):
        message = yield from _asked(session.url, "OadrPoll", messages.poll(session.ven_id))
        kind = messages.kind_of(message)
        if kind in ("oadrRequestReregistration", "oadrCancelPartyRegistration"):
            raise GridFault(Trouble.DENIED, f"the VTN says {kind}: this VEN registers anew")
        messages.demand_well(message, *WELL, *OTHERS)
        if kind not in OTHERS:
            break
    message = yield from _asked(session.url, "EiEvent", messages.request_events(session.ven_id, request_id()))
    messages.demand_well(message, *WELL)
    return Heard(*events_of(message))


def answering(session: Session, heard: Heard, opts: Iterable[tuple[Event, bool]]) -> Script[None]:
    """Tell the VTN of events whether this VEN follows each. Raises GridFault."""
    answers = [(heard.request_id, event.id, event.number, "optIn" if well else "optOut") for event, well in opts]
    if answers:
        message = yield from _asked(session.url, "EiEvent", messages.created_events(session.ven_id, answers))
        messages.demand_well(message, "oadrResponse")


def _asked(url: str, service: str, body: bytes) -> Script[Element]:
    answer = yield Request("POST", f"{url}/{service}", body, {"Content-Type": "application/xml"})
    if answer.status != 200:
        trouble = Trouble.DENIED if 400 <= answer.status < 500 else Trouble.UNREACHABLE
        raise GridFault(trouble, f"{service} is answered {answer.status}")
    return messages.read(answer.body)
