"""The EV's side of matching: sends sounds, learns from each station how much it measured of them, and joins the loudest (pure).

One attempt after the other, each with an id of its own, until one has matched or the time for attempts is over (`failed`, with the reason
of the last).
"""

from collections.abc import Callable
from typing import Literal

from v2g.slac import timing
from v2g.slac.frames import (
    BROADCAST,
    LOCAL_MODEM,
    NOT_REQUIRED,
    READY,
    SUCCESS,
    AttenCharInd,
    AttenCharRsp,
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
from v2g.slac.key import Network
from v2g.slac.side import Side

STATIONS = 32  # that are heard in one attempt
TIME_OUT = round(timing.TT_EVSE_MATCH_MNBC * 10)  # as it is sent, in 100 ms
TOGGLES = 2  # of the pilot, B to C and back, where a station wants to see them
TOGGLING = 20  # in which they are made, 100 ms

Step = Literal["seek", "results", "validate", "toggle", "match", "key", "rest", "done"]


class EvMatching(Side):
    """One car's matching. `toggle(times, within)` moves the control pilot between B and C so many times within so many seconds.

    Without `toggle` a station that insists on seeing the pilot move is passed over.
    """

    def __init__(
        self,
        mac: bytes,
        now: float,
        *,
        entropy: Callable[[int], bytes],
        modem: bytes = LOCAL_MODEM,
        direct: float = timing.C_EV_MATCH_SIGNALATTN_DIRECT,
        indirect: float = timing.C_EV_MATCH_SIGNALATTN_INDIRECT,
        toggle: Callable[[int, float], None] | None = None,
    ):
        super().__init__(mac, entropy, modem)
        self.direct, self.indirect, self._toggle = direct, indirect, toggle
        self.station: bytes | None = None
        self._until = now + timing.TT_MATCHING_REPETITION
        self._step: Step = "rest"
        self._due: float | None = None
        self._begin(now)

    # --- one attempt ---

    def _begin(self, now: float) -> None:
        self._run_id = self._entropy(8)
        self._heard: dict[bytes, float | None] = {}  # station -> mean attenuation, dB; None: not told yet
        self._choice: list[tuple[float, bytes]] = []  # that may be ours, the loudest first
        self.station, self._out = None, []
        self._ask("seek", BROADCAST, SlacParmReq(self._run_id), now, tries=0)
        self._reached("matching", "the car asks for stations", now)

    def _ask(self, step: Step, whom: bytes, message: Message, now: float, tries: int) -> None:
        """Ask, and ask again where no answer comes in time."""
        self._step, self._asked, self._whom, self._tries = step, message, whom, tries + 1
        self._due = now + timing.TT_MATCH_RESPONSE
        self._send(whom, message, now)

    def _fail(self, why: str, now: float) -> None:
        self._out, self._choice = [], []
        self._no_more_link()
        self._key_due = None
        again = now + timing.TT_MATCHING_RATE < self._until
        self._step, self._due = ("rest", now + timing.TT_MATCHING_RATE) if again else ("done", None)
        self._reached("unmatched" if again else "failed", why, now)

    def _time(self, now: float) -> None:
        if self._due is None or now < self._due:
            return
        if self._step == "rest":
            self._begin(now)
        elif self._step == "seek" and self._heard:
            self._sound(now)
        elif self._step == "results":
            self._decide(now)
        elif self._step in ("seek", "validate", "match") and self._tries <= timing.C_EV_MATCH_RETRY:
            self._ask(self._step, self._whom, self._asked, now, self._tries)
        elif self._step == "seek":
            self._fail("no station answered CM_SLAC_PARM.REQ", now)
        elif self._step in ("validate", "toggle"):
            self._next(now)
        else:
            self._fail(f"the station {self._whom.hex(':')} did not answer {type(self._asked).__name__}", now)

    def _dues(self) -> list[float | None]:
        return [self._due]

    def _take(self, source: bytes, message: Message, now: float) -> None:
        match message:
            case SlacParmCnf(run_id=run_id) if self._step == "seek" and run_id == self._run_id and len(self._heard) < STATIONS:
                self._heard[source] = None
            case AttenCharInd(address, run_id, _, groups) if run_id == self._run_id and address == self.mac and source in self._heard:
                self._send(source, AttenCharRsp(self.mac, run_id), now)  # also when it comes again
                if self._step == "results" and groups:
                    self._heard[source] = sum(groups) / len(groups)
                    if None not in self._heard.values() and all(at <= now for at, _ in self._out):
                        self._decide(now)
            case ValidateCnf() if self._step in ("validate", "toggle") and source == self._whom:
                self._seen(message, now)
            case SlacMatchCnf() if self._step == "match" and source == self._whom == message.evse_mac and message.run_id == self._run_id:
                self._chosen(message, now)

    def _sound(self, now: float) -> None:
        """Three announcements and ten sounds, spaced so that a modem has time to measure each."""
        at, gap = now, timing.TP_EV_BATCH_MSG_INTERVAL
        for _ in range(timing.C_EV_START_ATTEN_CHAR_INDS):
            self._send(BROADCAST, StartAttenCharInd(self._run_id, self.mac, timing.C_EV_MATCH_MNBC, TIME_OUT), at)
            at += gap
        for left in range(timing.C_EV_MATCH_MNBC - 1, -1, -1):
            self._send(BROADCAST, MnbcSoundInd(self._run_id, left, self._entropy(16)), at)
            at += gap
        self._step, self._due = "results", now + timing.TT_EV_ATTEN_RESULTS

    def _decide(self, now: float) -> None:
        told = sorted((mean, station) for station, mean in self._heard.items() if mean is not None)
        if not told:
            self._fail("no station told what it heard of the car (CM_ATTEN_CHAR.IND)", now)
            return
        self._choice = [(mean, station) for mean, station in told if mean <= self.indirect]
        if not self._choice:
            self._fail(f"the nearest station hears the car at {told[0][0]:.1f} dB; at most {self.indirect:g} dB is a cable of its own", now)
            return
        self._next(now)

    def _next(self, now: float) -> None:
        """Try the loudest that is left: at once where it can only be ours, else after a validation."""
        if not self._choice:
            self._fail("no station could be told from its neighbours", now)
            return
        mean, station = self._choice.pop(0)
        if mean <= self.direct:
            self._ask("match", station, SlacMatchReq(self.mac, station, self._run_id), now, tries=0)
        else:
            self._ask("validate", station, ValidateReq(), now, tries=0)

    def _seen(self, message: ValidateCnf, now: float) -> None:
        if message.result == NOT_REQUIRED or (self._step == "toggle" and message.result == SUCCESS and message.toggle_num == TOGGLES):
            self._ask("match", self._whom, SlacMatchReq(self.mac, self._whom, self._run_id), now, tries=0)
        elif self._step == "validate" and message.result == READY and self._toggle is not None:
            self._toggle(TOGGLES, TOGGLING / 10)
            self._ask("toggle", self._whom, ValidateReq(TOGGLING), now, tries=0)
            self._due = now + (TOGGLING + 1) / 10 + timing.TT_MATCH_RESPONSE
        else:
            self._next(now)

    def _chosen(self, message: SlacMatchCnf, now: float) -> None:
        self.station, self._step, self._due = self._whom, "key", None
        self._join(Network(message.nid, message.nmk), now)

    # --- the modem ---

    def _keyed(self, now: float) -> None:
        assert self.station is not None
        mean = self._heard.get(self.station)
        self._step = "done"
        self._reached("matched", "the car has the key of the station's network", now, station=self.station.hex(":"), attenuation=mean)
        self._await_link(now)

    def _unkeyed(self, why: str, now: float) -> None:
        self._fail(why, now)

    def _lost(self, why: str, now: float) -> None:
        self._until = max(self._until, now + timing.TT_MATCHING_REPETITION) if self.state == "linked" else self._until
        self._fail(why, now)
