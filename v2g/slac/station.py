"""The EVSE's side of matching: answers every car that asks, and tells the one whose sounds it hears how loud they are (pure).

    CM_SLAC_PARM.REQ > .CNF    CM_START_ATTEN_CHAR.IND x3, CM_MNBC_SOUND.IND x10 (the modem: CM_ATTEN_PROFILE.IND) > CM_ATTEN_CHAR.IND
    CM_ATTEN_CHAR.RSP          CM_VALIDATE.REQ > .CNF (may be left out)      CM_SLAC_MATCH.REQ > .CNF: the car has the key

The car decides. A station that has matched answers nobody else until its car has gone: `unplugged`, or the link lost.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from v2g.slac import timing
from v2g.slac.frames import (
    FAILURE,
    LOCAL_MODEM,
    NOT_REQUIRED,
    READY,
    SUCCESS,
    AttenCharInd,
    AttenCharRsp,
    AttenProfileInd,
    Message,
    MnbcSoundInd,
    SlacMatchCnf,
    SlacMatchReq,
    SlacParmCnf,
    SlacParmReq,
    StartAttenCharInd,
    ValidateCnf,
    ValidateReq,
)
from v2g.slac.key import fresh
from v2g.slac.side import Side

RUNS = 16  # cars that are heard at a time: the neighbours of a large depot; of more the one that waits longest is forgotten
TIME_OUT = round(timing.TT_EVSE_MATCH_MNBC * 10)  # as it is sent, in 100 ms
KEY_AGAIN = 3.0  # s until a modem that did not answer is asked again: one that starts later is found while a car still tries


@dataclass(slots=True)
class Run:
    """What the station knows of one car's attempt to match."""

    mac: bytes
    run_id: bytes
    due: float
    started: bool = False
    expected: int = timing.C_EV_MATCH_MNBC
    sounds: list[bytes] = field(default_factory=list)
    told: AttenCharInd | None = None  # the attenuation that was sent to the car
    tries: int = 0
    confirmed: bool = False  # the car has confirmed it

    def mean(self, correction: int) -> bytes:
        """The mean attenuation of each group of carriers (dB), less `correction`, that of the path from socket to modem."""
        groups = min(len(sound) for sound in self.sounds)
        return bytes(
            min(255, max(0, (2 * sum(sound[g] for sound in self.sounds) + len(self.sounds)) // (2 * len(self.sounds)) - correction))
            for g in range(groups)
        )


@dataclass(slots=True)
class _Watch:
    """The pilot of a car that said it would toggle."""

    mac: bytes
    until: float
    toggles: int = 0
    last: str = ""


class EvseMatching(Side):
    """One outlet's matching. `correction` is the attenuation of the station's own path (dB); `watches`: its hardware reports the pilot.

    Matching begins by giving the modem a fresh key, and does so again after every car [V2G3-M09-17].
    """

    def __init__(
        self,
        mac: bytes,
        now: float,
        *,
        entropy: Callable[[int], bytes],
        modem: bytes = LOCAL_MODEM,
        correction: int = 0,
        watches: bool = False,
    ):
        super().__init__(mac, entropy, modem)
        self.correction, self.watches = correction, watches
        self.car: bytes | None = None
        self._ready = False  # the modem has its key
        self._runs: dict[tuple[bytes, bytes], Run] = {}
        self._match: SlacMatchCnf | None = None
        self._watch: _Watch | None = None
        self._init_until: float | None = None
        self._leave(now)

    def plugged(self, now: float) -> None:
        """Note that a cable was plugged in: a car is expected to ask."""
        if self.state == "unmatched":
            self._init_until = now + timing.TT_EVSE_SLAC_INIT

    def unplugged(self, now: float) -> None:
        """Note that the cable is out or the session over: a fresh key puts the car out of the network."""
        self._init_until = None
        if self.state != "unmatched" or self._runs:
            self._leave(now)
            self._reached("unmatched", "the cable was unplugged", now)

    def pilot(self, state: str, now: float) -> None:
        """Note that the control pilot changed to a state ("A" to "F"): a validation counts its toggles."""
        watch = self._watch
        if watch is not None and now <= watch.until:
            watch.toggles += watch.last == "C" and state == "B"
            watch.last = state

    # --- frames ---

    def _take(self, source: bytes, message: Message, now: float) -> None:
        if self.state in ("matched", "linked"):
            if isinstance(message, SlacMatchReq) and self._match is not None and self._is_match(source, message):
                self._send(source, self._match, now)  # the confirmation was lost
            return
        if not self._ready:
            return
        match message:
            case SlacParmReq(run_id):
                self._asked(source, run_id, now)
            case AttenProfileInd(pev_mac, groups) if groups:
                self._measured(pev_mac, groups, now)
            case ValidateReq():
                self._validated(source, message, now)
            case StartAttenCharInd() | MnbcSoundInd() | AttenCharRsp() | SlacMatchReq():
                run = self._runs.get((source, message.run_id))
                if run is not None:
                    self._run(run, message, now)

    def _asked(self, source: bytes, run_id: bytes, now: float) -> None:
        self._runs = {key: run for key, run in self._runs.items() if run.mac != source}  # a car begins anew
        if len(self._runs) >= RUNS:
            del self._runs[min(self._runs, key=lambda key: self._runs[key].due)]
        self._runs[source, run_id] = Run(source, run_id, now + timing.TT_MATCH_SEQUENCE)
        self._init_until = None
        self._reached("matching", "a car asks", now, car=source.hex(":"))
        self._send(source, SlacParmCnf(run_id, source, timing.C_EV_MATCH_MNBC, TIME_OUT), now)

    def _run(self, run: Run, message: Message, now: float) -> None:
        match message:
            case StartAttenCharInd(num_sounds=sounds) if not run.started:
                run.started, run.due = True, now + timing.TT_EVSE_MATCH_MNBC
                run.expected = max(1, min(sounds, timing.C_EV_MATCH_MNBC))
            case AttenCharRsp(result=result) if run.told is not None and not run.confirmed:
                if result:
                    self._drop(run, f"the car answered CM_ATTEN_CHAR.IND with result {result}", now)
                else:
                    run.confirmed, run.due = True, now + timing.TT_EVSE_MATCH_SESSION
            case SlacMatchReq() if run.told is not None and self._is_match(run.mac, message):
                self._matched(run, now)

    def _is_match(self, source: bytes, message: SlacMatchReq) -> bool:
        known = self._match is None or (source, message.run_id) == (self._match.pev_mac, self._match.run_id)
        return known and message.evse_mac == self.mac and message.pev_mac == source

    def _measured(self, pev_mac: bytes, groups: bytes, now: float) -> None:
        for run in [run for run in self._runs.values() if run.mac == pev_mac and run.started and run.told is None]:
            run.sounds.append(groups)
            if len(run.sounds) >= run.expected:
                self._tell(run, now)

    def _tell(self, run: Run, now: float) -> None:
        run.told = AttenCharInd(run.mac, run.run_id, len(run.sounds), run.mean(self.correction))
        self._again(run, now)

    def _again(self, run: Run, now: float) -> None:
        assert run.told is not None
        run.tries, run.due = run.tries + 1, now + timing.TT_MATCH_RESPONSE
        self._send(run.mac, run.told, now)

    def _validated(self, source: bytes, message: ValidateReq, now: float) -> None:
        run = next((run for run in self._runs.values() if run.mac == source and run.confirmed), None)
        if run is None:
            return
        run.due = now + timing.TT_EVSE_MATCH_SESSION
        if not self.watches:
            self._send(source, ValidateCnf(0, NOT_REQUIRED), now)
        elif message.timer == 0 and self._watch is None:
            self._watch = _Watch(source, 0.0)
            self._send(source, ValidateCnf(0, READY), now)
        elif self._watch is not None and self._watch.mac == source:
            self._watch = _Watch(source, now + (message.timer + 1) / 10)
        else:
            self._send(source, ValidateCnf(0, FAILURE), now)  # one cable is watched at a time

    def _matched(self, run: Run, now: float) -> None:
        assert self._network is not None
        assert run.told is not None
        self._match = SlacMatchCnf(run.mac, self.mac, run.run_id, self._network.nid, self._network.nmk)
        self.car, self._runs, self._watch = run.mac, {}, None
        self._send(run.mac, self._match, now)
        mean = sum(run.told.groups) / len(run.told.groups)
        self._reached("matched", "the car chose this station", now, car=run.mac.hex(":"), attenuation=round(mean, 1))
        self._await_link(now)

    # --- time ---

    def _time(self, now: float) -> None:
        for run in [run for run in self._runs.values() if now >= run.due]:
            self._overdue(run, now)
        watch = self._watch
        if watch is not None and watch.until and now >= watch.until:
            self._watch = None
            self._send(watch.mac, ValidateCnf(min(255, watch.toggles), SUCCESS if watch.toggles else FAILURE), now)
        if self._init_until is not None and now >= self._init_until:
            self._init_until = None
            self._reached("unmatched", f"a cable is plugged in, and no car asked within {timing.TT_EVSE_SLAC_INIT:g} s", now)

    def _overdue(self, run: Run, now: float) -> None:
        if not run.started:
            self._drop(run, "no CM_START_ATTEN_CHAR.IND came", now)
        elif run.told is None and run.sounds:
            self._tell(run, now)
        elif run.told is None:
            self._drop(run, "the modem measured no sound of the car", now)
        elif run.confirmed:
            self._drop(run, f"the car chose nobody within {timing.TT_EVSE_MATCH_SESSION:g} s, or another station", now)
        elif run.tries <= timing.C_EV_MATCH_RETRY:
            self._again(run, now)
        else:
            self._drop(run, "the car did not answer CM_ATTEN_CHAR.IND", now)

    def _drop(self, run: Run, why: str, now: float) -> None:
        del self._runs[run.mac, run.run_id]
        if self._watch is not None and self._watch.mac == run.mac:
            self._watch = None
        self._reached("matching" if self._runs else "unmatched", why, now, car=run.mac.hex(":"))

    def _dues(self) -> list[float | None]:
        watch = self._watch.until if self._watch is not None and self._watch.until else None
        return [self._init_until, watch, *(run.due for run in self._runs.values())]

    # --- the modem ---

    def _leave(self, now: float) -> None:
        self.car, self._match, self._watch, self._runs, self._ready = None, None, None, {}, False
        self._no_more_link()
        self.state = "unmatched"
        self._join(fresh(self._entropy), now)

    def _keyed(self, now: float) -> None:
        self._ready = True

    def _unkeyed(self, why: str, now: float) -> None:
        self._reached("unmatched", why, now)
        self._key_tries, self._key_due = 0, now + KEY_AGAIN

    def _lost(self, why: str, now: float) -> None:
        self._leave(now)
        self._reached("unmatched", why, now)
