"""Our car with a fault, in virtual time: its sessions run in a process in which the fault was seeded, and the bench in this one.

Each car that comes is a process of its own, forked from one that is ready: what a fault remembers, a car that fell and one that stands
still are nothing to the next.
"""

import importlib
import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, NoReturn

from evcc.engine import EvccSession
from evcc.generations import Name
from tests.v2gkit.conform.pure import Comes, Coming, Home, Session
from v2g.session.endpoint import Ended
from v2gkit.conform.scripted.encounter import Left

DOUBLES = {"20": "faulty_car", "2": "faulty_car2", "DIN": "faulty_card"}
HUNG = 30.0  # s without an answer: a car that stands still, of which no fault of ours was told
HERE = __name__


class Standing(NamedTuple):
    """Where a session stands: what it has to send, when it must be woken (s), how it ended."""

    octets: bytes = b""
    deadline: float | None = None
    ended: Ended | None = None


class Still(BaseException):
    """The car stands still."""


# --- the process of the car ---


def serve(line: Connection, generation: Name, fault: str) -> None:
    """Seed a fault, and let cars come for each trigger that is heard, one after the other."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    importlib.import_module(f"tests.v2gkit.conform.{DOUBLES[generation]}").FAULTS[fault]()
    for number in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)
    with suppress(EOFError):
        while True:
            trigger = line.recv()
            if (pid := os.fork()) == 0:
                _drive(line, Home(generation, trigger))
            _, status = os.waitpid(pid, 0)
            line.send(Left(os.waitstatus_to_exitcode(status), ""))


def _drive(line: Connection, car: Home) -> NoReturn:
    """Do with the car what is said, until it shall leave."""
    code = 1
    try:
        time.sleep = _stand_still
        session = _next(line, car, None)
        while session is not None:
            session = _next(line, car, session)
        code = 0
    finally:
        os._exit(code)


def _stand_still(seconds: float) -> NoReturn:
    raise Still


def _next(line: Connection, car: Home, session: EvccSession | None) -> EvccSession | None:
    """Do one thing and tell where the session stands; the session, None: the car leaves."""
    verb, *given = line.recv()
    if verb == "leave":
        return None
    try:
        if session is None or verb == "session":
            session = car.session(*given)
        else:
            getattr(session, verb)(*given)
        octets = session.octets_to_send()
        line.send(Standing(octets, session.deadline(), session.ended))
    except Still:
        line.send(Standing())
        while line.recv()[0] != "leave":
            line.send(Standing())
        return None
    return session


# --- the side of the bench ---


class FarSession:
    """A session in the process of a car."""

    def __init__(self, car: "FarCar", now: float):
        self._car, self._stands, self._out = car, Standing(), b""
        self._do("session", now)

    def _do(self, *what: Any) -> None:
        self._stands = self._car.told(*what)
        self._out += self._stands.octets

    @property
    def ended(self) -> Ended | None:
        """How the session ended; None while it goes on."""
        return self._stands.ended

    def receive(self, octets: bytes, now: float) -> None:
        """Hear octets."""
        self._do("receive", octets, now)

    def tick(self, now: float) -> None:
        """Let time pass."""
        self._do("tick", now)

    def stop(self, reason: str) -> None:
        """Ask the driver to leave."""
        self._do("stop", reason)

    def deadline(self) -> float | None:
        """When the session must be woken (s)."""
        return self._stands.deadline

    def octets_to_send(self) -> bytes:
        """What there is to send."""
        octets, self._out = self._out, b""
        return octets


class FarCar:
    """A car in a process of its own, at the other end of a line."""

    def __init__(self, line: Connection, trigger: str):
        self._line, self._fell = line, None
        line.send(trigger)

    _fell: Left | None

    def told(self, *what: Any) -> Standing:
        """Say what is to be done; where the session then stands. One whose program fell has ended, as by a connection that is cut."""
        if self._fell is None:
            self._line.send(what)
            answer = self._heard()
            if isinstance(answer, Standing):
                return answer
            self._fell = answer
        return Standing(ended=Ended("the program fell"))

    def _heard(self) -> Any:
        if not self._line.poll(HUNG):
            raise TimeoutError(f"the car's process says nothing for {HUNG:g} s")
        return self._line.recv()

    def session(self, now: float) -> Session:
        """The next session of the car."""
        return FarSession(self, now)

    def left(self) -> Left | None:
        """How the program fell; None where it did not."""
        if self._fell is None:
            self._line.send(("leave",))
            found = self._heard()
            self._fell = found if found.code else None
        return self._fell


@contextmanager
def cars(generation: Name, fault: str) -> Iterator[Comes]:
    """Within the block: cars of ours with a fault, one after the other."""
    context = get_context("forkserver")
    context.set_forkserver_preload([HERE, *(f"tests.v2gkit.conform.{each}" for each in DOUBLES.values())])
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, generation, fault), daemon=True)
    process.start()
    theirs.close()

    def come(_: Name, trigger: str) -> Coming:
        return FarCar(ours, trigger)

    try:
        yield come
    finally:
        ours.close()
        process.terminate()
        process.join()
