"""Reports the events of a station by name and facts, in a form for people and scripts alike."""

from collections.abc import Callable
from typing import Any

from secc import station as words
from v2g.energy.ledger import MICRO
from v2g.energy.needs import Needs
from v2g.generations import GENERATIONS
from v2g.session.endpoint import Ended, Event, FrameSent, Noted, Relaxed
from v2g.session.link import Disconnected, HandshakeFailed, Observe, Observer, Secured

LOOPS = frozenset(generation.responses[request] for generation in GENERATIONS for request in generation.loops)


class Teller(Observer):
    """Reports the main events of one connection, and a summary at its end; `say` takes the name of each event and its facts."""

    def __init__(self, say: Callable[..., None], evse: str, number: int):
        self._say_to, self._evse, self._number = say, evse, number
        self._sum: dict[str, Any] = {"service": None, "control": None, "auth": None, "loops": 0, "charged": None, "discharged": None}
        self._relaxed: list[str] = []
        self._objected: list[dict[str, Any]] = []  # every WARNING that the car was answered

    def event(self, event: Event) -> None:
        """Report an event, if it matters to people."""
        match event:
            case Secured(facts=facts):
                self._say("secured", version=facts.version, suite=facts.suite, group=facts.group)
            case HandshakeFailed():
                facts = {"reason": event.reason, "by": event.by, "alert": event.alert, "requirement": event.requirement}
                self._say("handshake-failed", **facts)
            case words.SessionStarted(session_id=session_id, evccid=evccid, resumed=resumed):
                self._say("session", session_id=session_id.hex(), evccid=evccid, resumed=resumed)
            case words.AuthorizationWanted(authorization=authorization):
                self._sum["auth"] = authorization
            case words.ServiceSelected(service=service, control=control):
                self._sum |= {"service": service, "control": control}
                self._say("selected", service=service, control=control)
            case words.NeedsChanged(needs=Needs(soc=float(soc))) | words.EVReported(soc=float(soc)):
                if "soc" not in self._sum:
                    self._say("soc", soc=soc)
                self._sum["soc"] = soc
            case words.ScheduleChosen(tuple_id=tuple_id):
                self._say("schedule", tuple=tuple_id)
            case words.PowerStarted() | words.PowerStopped():
                self._say("power", state="on" if isinstance(event, words.PowerStarted) else "off")
            case words.CheckInReported(arrival=arrival):
                self._say("check-in", status=arrival.status, method=arrival.method, travel=arrival.travel)
            case words.CheckOutReported(departure=departure):
                self._say("check-out", status=departure.status, time=departure.time)
            case words.Objected(request=request, code=code, objection=objection):
                about = {"code": code, "reason": objection.reason, "requirement": objection.requirement}
                self._objected.append(about)
                self._say("objected", request=request, **about)
            case Relaxed(relaxation=relaxation, requirement=requirement):
                self._relaxed.append(requirement)
                self._say("relaxed", relaxation=relaxation, requirement=requirement)
            case FrameSent(message=message) if type(message) in LOOPS:
                self._sum["loops"] += 1
            case Noted(topic="ended", facts=facts):
                self._sum |= {name: facts[name] for name in ("charged", "discharged") if name in facts}
            case words.Billed(bill=bill, currency=currency):
                self._sum |= {"cost": round(bill.total / MICRO, 4), "currency": currency}
            case Disconnected(ended=Ended() as ended):
                self._ended(ended)
            case Disconnected(dropped=True, reason=reason):
                self._say("turned-away", how="no room", reason=reason)

    def _ended(self, ended: Ended) -> None:
        why = {"reason": ended.reason, "requirement": ended.requirement, "asked": ended.asked}
        account = {"ok": ended.well, "how": ended.how, **why, **self._sum}
        self._say("ended", **account, relaxed=self._relaxed, objected=self._objected)

    def _say(self, event: str, **facts: Any) -> None:
        self._say_to(event, evse=self._evse, connection=self._number, **facts)


def teller(say: Callable[..., None], evse: str) -> Observe:
    """The maker of observers that report the connections of one outlet."""
    return lambda local, peer, number: Teller(say, evse, number)
