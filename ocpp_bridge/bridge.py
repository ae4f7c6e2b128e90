"""The bridge between sessions and a CSMS: takes wants and OCPP messages, gives OCPP calls and facts. No socket, no clock.

    want(evse, want, now)        what a session asks          calls(now)  what to send to the CSMS, in this order
    asked(action, payload, now)  what the CSMS asks           facts()     what to tell the sessions
    answered / failed            what became of a call        plans()     schedules to be made here, off this thread
    tick(now)                    when deadline() has come     notes()     lines for people

Nothing here waits. A session polls for its facts and is answered Ongoing meanwhile; the CSMS is given its time and no more.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from ocpp_bridge import table
from ocpp_bridge.blocks import arrivals, authorization, availability, certificates, diagnostics, remote, resets, security, transactions
from ocpp_bridge.blocks.availability import tell_status
from ocpp_bridge.charger import Charger, Evse, PlanWanted
from ocpp_bridge.model import reasons
from ocpp_bridge.model.connected_ev import tell_power, tell_session
from ocpp_bridge.model.errand import Errand
from ocpp_bridge.model.measurands import Sample
from ocpp_bridge.neighbourhood import Neighbourhood
from ocpp_bridge.payment_terminal import PaymentTerminal
from ocpp_bridge.smart import charging, steering
from ocpp_bridge.wants import WANTS, stop_power
from ocpp_bridge.wire.outbox import Batch, Call
from ocpp_bridge.wire.schemas import Payload, Version
from ocpp_bridge.wire.times import epoch
from secc.station import Fact, Limits, MeterReading, Want
from v2g.energy.offer import Offer
from v2g.energy.plan import Plan

BOOT_RETRY: Final = 30.0  # s; a BootNotification that failed, or a CSMS that leaves the interval to us
CLOCK_TOLERANCE: Final = 2.0  # s that clocks may differ and be called the same
SUPPORTED: Final = frozenset(table.REQUESTS)
MAY_SAY: Final[dict[str, Callable[[Call], bool]]] = {  # by what the CSMS said to BootNotification (B01 to B03)
    "": lambda call: call.action == "BootNotification",
    "Rejected": lambda call: call.action == "BootNotification",
    "Pending": lambda call: call.action == "BootNotification" or call.solicited,
    "Accepted": lambda call: True,
}


class Bridge(Neighbourhood, PaymentTerminal):
    """The bridge of one station. The shell calls its methods one at a time; `now` is monotonic s."""

    def __init__(self, charger: Charger) -> None:
        self.charger = charger
        table.declare(charger)

    # --- sessions and hardware ---

    def want(self, evse: int, want: Want, now: float) -> None:
        """Take a want of the session at an EVSE; one that does not concern a CSMS is ignored."""
        handler = WANTS.get(type(want))
        if handler is not None:
            handler(self.charger, self._evse(evse), want, now)

    def plug_in(self, evse: int, now: float) -> None:
        """Note that a cable was plugged in at an EVSE."""
        arrivals.note_cable(self.charger, self._evse(evse), now)

    def unplug(self, evse: int, now: float) -> None:
        """Note that the cable is out: session and transaction are over."""
        arrivals.note_departure(self.charger, self._evse(evse), now)

    def out_of_service(self, evse: int, reason: str, now: float) -> None:
        """Note why the outlet serves nobody, empty: it serves again. The CSMS is told (Faulted) at once, whether a car is there or not."""
        availability.fault(self.charger, self._evse(evse), reason, now)

    def end_session(
        self, evse: int, now: float, *, how: str = "Terminate", well: bool = True, reason: str | None = None, requirement: str | None = None
    ) -> None:
        """Note how the session at an EVSE ended. After a pause the transaction goes on, else its authorization ends with it."""
        place = self._evse(evse)
        tell_session(self.charger.variables, evse, active=False, complete=well and how != "Pause", tripped=not well and how != "Pause")
        if place.session is None:  # the cable was out before: the transaction is over, its reason is still to be said
            if not well:
                reasons.problem(self.charger, place, how, reason or how, requirement, now)
            return
        stop_power(place)
        place.session = None
        if how == "Pause":
            transactions.update(self.charger, place, "ChargingStateChanged", now, "SuspendedEV")
            return
        if not well:
            reasons.end_badly(self.charger, place, how, reason, requirement, now)
            return
        lost = ("Authorized", "EnergyTransfer", "PowerPathClosed")
        transactions.end(self.charger, place, lost, "ChargingStateChanged", "StoppedByEV", now, "EVConnected")

    def hazard(self, evse: int, found: str) -> None:
        """Note a danger that ends the session, by the name of its fact: EmergencyStop, or IsolationMeasured with a bad result."""
        reasons.hazard(self._evse(evse), found)

    def stop_asked(self, evse: int) -> None:
        """Note that the outlet or its station, not the CSMS, asks the car to stop: the transaction ends with that as its reason."""
        reasons.local(self._evse(evse))

    def expect(self, evse: int) -> None:
        """Note that a session begins at an EVSE: what the meter showed before it is no reading of a transaction that is still to come."""
        place = self._evse(evse)
        if place.transaction is None:
            place.sample = Sample()

    def take_reading(self, evse: int, reading: MeterReading, power: float | None = None, voltage: float | None = None, **more: Any) -> bool:
        """Keep the latest reading at an outlet: registers, power (W, + into the EV), voltage (V); `current` (A, direct), `phases` (W each).

        True: it is the first of its transaction, and is sent with the next `tick`.
        """
        place = self._evse(evse)
        place.sample = replace(place.sample, reading=reading, power=power, voltage=voltage, **{"current": None, "phases": ()} | more)
        if power is not None:
            tell_power(self.charger.variables, evse, power)
        return place.transaction is not None and not place.transaction.metered

    def admit(self, evse: int, now: float) -> None:
        """Note that the outlet itself let the car charge: the transaction gets a token of type NoAuthorization."""
        arrivals.admit(self.charger, self._evse(evse), now)

    def take_limits(self, evse: int, limits: Limits, now: float) -> None:
        """Take limits of the hardware, which its session was told as well; it is told the limits under the present profiles."""
        place = self._evse(evse)
        place.limits = limits
        if place.session is not None:
            place.session.limits = None
        steering.steer(self.charger, place, now)

    def take_token(self, evse: int, token: Payload, now: float) -> None:
        """Take a token ({"idToken", "type"}) that someone showed at an EVSE."""
        authorization.show(self.charger, self._evse(evse), token, now)

    def take_plan(self, wanted: PlanWanted, offer: Offer, plan: Plan | None, now: float) -> None:
        """Take the offer and plan for a `PlanWanted`."""
        charging.take_plan(self.charger, self._evse(wanted.evse), wanted.number, offer, plan, now)

    # --- the CSMS ---

    def answer(self, action: str, payload: Payload, now: float) -> Payload:
        """The result of a CALL of the CSMS, carried out. Raises `rpc.Refusal` where it must be refused."""
        return table.answer(self.charger, action, payload, now)

    def go_online(self, version: Version, now: float) -> None:
        """Note that a connection is open, with its version. A station that was not accepted yet sends BootNotification."""
        charger = self.charger
        away = charger.offline(now)
        charger.version, charger.online, charger.offline_since = version, True, None
        if charger.boot.status == "Accepted":
            self._accepted(now, away)
        elif not charger.boot.status or charger.boot.due is None:
            charger.boot.due = now  # one that was told to come back later comes back then

    def check_status(self, certificate: bytes, issuer: bytes) -> bool:
        """Ask for the OCSP response of a certificate of the station (both DER); `staple` has it later. False: nobody to ask."""
        return certificates.status_wanted(self.charger, certificate, issuer)

    def staple(self, certificate: bytes) -> bytes | None:
        """The OCSP response (DER) of a certificate, to be stapled to handshakes; the caller judges its signature and age."""
        return self.charger.staples.get(certificate)

    def alarm(self, kind: str, text: str, now: float) -> None:
        """Report a critical security event: it is kept until the CSMS has it, and not queued twice; the security log has it in any case."""
        security.alarm(self.charger, kind, text, now)

    def go_offline(self, now: float) -> None:
        """Note that the connection is lost: whatever waits for the CSMS goes on without it."""
        charger = self.charger
        if not charger.online:
            return
        charger.online, charger.offline_since = False, now
        for call in charger.outbox.offline():
            self._failed(call, "ConnectionLost", now)
        self._steer(now)

    def take_result(self, call: Call, response: Payload, now: float) -> None:
        """Take the result of one of our calls."""
        self.charger.outbox.settled(None, now)
        if (ours := ANSWERS.get(call.action)) is not None:
            ours(self, call, response, now)
        if (handler := table.ANSWERS.get(call.action)) is not None:
            handler(self.charger, call, response, now)

    def take_failure(self, call: Call, code: str, now: float) -> None:
        """Note that one of our calls has no result; `code` is OCPP's, or Timeout or ConnectionLost."""
        if self.charger.outbox.settled(code, now) is not None:
            self._failed(call, code, now)

    # --- time ---

    def deadline(self) -> float | None:
        """The time (monotonic s) at which `tick` must be called at the latest; None: nothing is due."""
        charger = self.charger
        moments: list[float | None] = [self._offline_edge(), charger.boot.due if charger.online else None]
        moments += [charger.boot.heartbeat_due, charger.outbox.deadline()] if charger.accepted else []
        for evse in charger.evses.values():
            moments += [charger.moment(evse.next_edge)] if evse.next_edge is not None else []
            session = evse.session
            moments += [session.patience, session.steer_due, session.held[0] if session.held else None] if session else []
            moments += [transactions.sample_moment(charger, evse), evse.remote_due if evse.remote else None, evse.profiles_due]
            moments += [evse.presented_due] if evse.presented is not None else []
        moments += [block.due(charger) for block in table.BLOCKS]
        return min((moment for moment in moments if moment is not None), default=None)

    def tick(self, now: float) -> None:
        """Act on every timer that is due at `now`."""
        charger = self.charger
        wall = charger.wall(now)
        if not charger.online and charger.offline_since is None:
            charger.offline_since = now
        if charger.online and charger.boot.due is not None and now >= charger.boot.due:
            self._boot(now)
        if charger.accepted and charger.boot.heartbeat_due is not None and now >= charger.boot.heartbeat_due:
            self._arm_heartbeat(now)
            charger.call("Heartbeat", {})
        if (edge := self._offline_edge()) is not None and now >= edge:
            self._steer(now)
        for evse in charger.evses.values():
            self._tick_evse(evse, now, wall)
        for block in table.BLOCKS:
            block.tick(charger, now)

    def _tick_evse(self, evse: Evse, now: float, wall: float) -> None:
        charger, session = self.charger, evse.session
        authorization.release(charger, evse, now)
        transactions.sample_when_due(charger, evse, now)
        if session is not None and session.patience is not None and now >= session.patience:
            charger.note(f"EVSE {evse.id}: no profile of the CSMS within {charger.patience:g} s, the station goes on without")
            charging.fall_back(charger, evse, now)
        charging.apply_due(charger, evse, now)
        looking = session is not None and session.steer_due is not None and now >= session.steer_due
        if looking or (evse.next_edge is not None and wall >= evse.next_edge):
            steering.steer(charger, evse, now)
        if evse.remote is not None and now >= evse.remote_due:
            remote.give_up(charger, evse, now)

    # --- what comes out ---

    def calls(self, now: float) -> list[Call]:
        """Take the call to send now; empty while one is under way: one at a time keeps their order."""
        charger = self.charger
        self._save(now)
        call = charger.outbox.next(now, MAY_SAY[charger.boot.status]) if charger.online else None
        return [call] if call is not None else []

    def facts(self) -> list[tuple[int, Fact]]:
        """Take what the sessions must be told: (EVSE, fact), in order."""
        facts, self.charger.facts = self.charger.facts, []
        return facts

    def errands(self) -> list[Errand]:
        """Take the work that blocks, in order: what an answer waits for is in it right after that was made."""
        errands, self.charger.errands = self.charger.errands, []
        return errands

    def plans(self) -> list[PlanWanted]:
        """Take the schedules that the station must make itself; answer each by `take_plan`."""
        plans, self.charger.plans = self.charger.plans, []
        return plans

    def sends(self) -> list[tuple[str, Payload]]:
        """Take the messages that nobody answers (SEND): (action, payload)."""
        sends, self.charger.sends = self.charger.sends, []
        return sends

    def rests_on(self, now: float) -> int:
        """The number up to which everything must be on the disk before anything may be said about the present."""
        self._save(now)
        return self.charger.outbox.number

    def batch(self, now: float) -> Batch | None:
        """Take what the store must write; None: it has everything. Tell `durable` when it is on the disk."""
        self._save(now)
        return self.charger.outbox.batch(self.changes())

    def durable(self, number: float) -> None:
        """Note that everything up to that number is on the disk; infinity: nothing need wait for a disk."""
        self.charger.outbox.durable = number

    def restore(self, kept: Mapping[str, Any], calls: Sequence[Call] = ()) -> None:
        """Take back what a former run kept, before anything else happens: values by name (`Charger.keep`), calls to be delivered."""
        self.charger.outbox.recall(list(calls))
        self.charger.kept |= kept
        for block in table.BLOCKS:
            block.restore(self.charger, {name: value for name, value in kept.items() if name.partition("/")[0] == block.keeps})
        table.settle(self.charger, 0.0)

    def changes(self) -> dict[str, Any]:
        """Take the kept values that have changed since, by name, for the store; None: forgotten."""
        changed, self.charger.changed = self.charger.changed, {}
        return changed

    def notes(self) -> list[str]:
        """Take the lines for the log."""
        notes, self.charger.notes = self.charger.notes, []
        return notes

    @property
    def resetting(self) -> bool:
        """Whether the CSMS asked for a reset, and no transaction is left that it would cut off."""
        return resets.ready(self.charger)

    def restart(self, now: float) -> None:
        """Note that the reset is done: BootNotification is sent anew."""
        resets.begin_anew(self.charger, now)
        self.alarm("ResetOrReboot", "the CSMS has asked for it", now)
        table.settle(self.charger, now)

    # --- inside ---

    def _save(self, now: float) -> None:
        for block in table.BLOCKS:
            block.save(self.charger, now)

    def _evse(self, id_: int) -> Evse:
        return self.charger.evses[id_]

    def _boot(self, now: float) -> None:
        charger, identity = self.charger, self.charger.identity
        station = {"model": identity.model[:20], "vendorName": identity.vendor[:50]}
        station |= {"serialNumber": identity.serial[:25]} if identity.serial else {}
        station |= {"firmwareVersion": identity.firmware[:50]} if identity.firmware else {}
        charger.boot.due = None
        charger.call("BootNotification", {"chargingStation": station, "reason": charger.boot.reason}, urgent=True)

    def _booted(self, call: Call, response: Payload, now: float) -> None:
        charger, boot = self.charger, self.charger.boot
        boot.status = response["status"]
        charger.note(f"the CSMS says {boot.status}")
        if boot.status != "Accepted":
            boot.due = now + (response["interval"] if response["interval"] > 0 else BOOT_RETRY)
            return
        diagnostics.note_start(charger, now)
        if response["interval"] > 0:
            charger.variables["OCPPCommCtrlr.HeartbeatInterval"] = str(response["interval"])
        self._set_clock(call, response, now)
        charger.keep("reset/reason", None)
        for evse in charger.evses.values():
            evse.told = ""  # a station that has booted tells how all of it is
        self._accepted(now, charger.offline(now))

    def _set_clock(self, call: Call, response: Payload, now: float) -> None:
        """Follow the clock of the CSMS; a little off is the way that the answer took."""
        charger = self.charger
        try:
            off = epoch(response["currentTime"]) - charger.wall(now)
        except ValueError:
            return
        if abs(off) > CLOCK_TOLERANCE and "Heartbeat" in charger.variables.words("ClockCtrlr.TimeSource"):
            charger.skew += off
            self.alarm("SettingSystemTime", f"{off:+.0f} s, by the CSMS", now)
            charger.note(f"the clock of the CSMS is {charger.skew:+.0f} s from ours; its times are taken by its clock")
            self._steer(now)

    def _accepted(self, now: float, away: float) -> None:
        """The station may speak: what was kept goes first, then how things stand."""
        self._arm_heartbeat(now)
        resets.resumed(self.charger, now)
        for evse in self.charger.evses.values():
            threshold = self.charger.variables.number("OCPPCommCtrlr.OfflineThreshold")
            if evse.told != evse.status or away > threshold:  # [B04]
                tell_status(self.charger, evse, evse.status, now)
            authorization.release(self.charger, evse, now)
            charging.tell_again(self.charger, evse, now)
        self._steer(now)

    def _arm_heartbeat(self, now: float) -> None:
        self.charger.boot.heartbeat_due = now + self.charger.variables.number("OCPPCommCtrlr.HeartbeatInterval")

    def _steer(self, now: float) -> None:
        """Profiles may hold or not hold with the connection."""
        self.charger.offline_checked = now
        for evse in self.charger.evses.values():
            charging.apply_profiles(self.charger, evse, now)

    def _offline_edge(self) -> float | None:
        """When the next profile ends because the CSMS is away (monotonic s)."""
        charger = self.charger
        if charger.offline_since is None:
            return None
        limits = [held.profile["maxOfflineDuration"] for held in charger.profiles.held.values() if "maxOfflineDuration" in held.profile]
        ends = [charger.offline_since + limit for limit in limits]
        return min((end for end in ends if end > charger.offline_checked), default=None)

    def _failed(self, call: Call, code: str, now: float) -> None:
        if call.action == "BootNotification":
            self.charger.boot.due = now + BOOT_RETRY
        elif call.kept:
            self.charger.note(f"{call.action} was given up after {call.attempts} attempts: {code}")
        elif (handler := table.FAILURES.get(call.action)) is not None:
            handler(self.charger, call, code, now)


ANSWERS: Final[dict[str, Callable[[Bridge, Call, Payload, float], None]]] = {
    "BootNotification": Bridge._booted,
    "Heartbeat": Bridge._set_clock,
}
