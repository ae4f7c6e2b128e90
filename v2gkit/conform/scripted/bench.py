"""The bench of a case that judges a car: visits of the car at the scripted station, each on a port of its own. A shell."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from v2g.session.errors import SessionError
from v2gkit.conform.levers import pull
from v2gkit.conform.pics import Pics
from v2gkit.conform.runner import Place, Run
from v2gkit.conform.running import Blocked, Unreached
from v2gkit.conform.scripted.caller import Called, called
from v2gkit.conform.scripted.door import Door, Tls
from v2gkit.conform.scripted.encounter import Encounter
from v2gkit.conform.scripted.play import Play
from v2gkit.conform.scripted.trust import Certificates
from v2gkit.conform.verdict import Evidence

REACH = 60.0  # s for a session to come to its stimulus, or to its end where there is none


@dataclass
class Site:
    """Where cars come to: the address of the first lane (port 0: any free one), certificates (None: plain TCP), and what is claimed.

    `scratch` is a folder in which each visit finds an empty one for the program of its car.
    """

    host: str
    port: int
    certificates: Certificates | None
    pics: Pics
    interface: str = ""
    scratch: Path = Path(tempfile.gettempdir())
    charged: bool = False  # whether the last car that was to charge as always did

    def words(self) -> dict[str, str]:
        """What the command of a car is told of the site. Each time the scratch folder is a fresh one."""
        pki = self.certificates.store.path.absolute() if self.certificates is not None else ""
        return {"interface": self.interface, "pki": str(pki), "scratch": tempfile.mkdtemp(dir=self.scratch)}

    @asynccontextmanager
    async def bench(self, run: Run, place: Place) -> AsyncIterator["CarBench"]:
        """The bench of one run."""
        yield CarBench(self, run.part, self.port + place.outlet if self.port else 0, run.case.generation)


@dataclass
class CarBench:
    """What the script of a case plays with. `part` is the part of the case that is played."""

    site: Site
    part: str
    port: int
    generation: str = "20"  # of the case
    met: list[Encounter] = field(default_factory=list)

    @property
    def evidence(self) -> Evidence:
        """The events of all connections so far."""
        return tuple((number, event) for number, seen in enumerate(self.met, 1) for event in seen.events)

    @property
    def certificates(self) -> Certificates:
        """The certificates of the site. Raises Blocked where it speaks without TLS."""
        if self.site.certificates is None:
            raise Blocked("the station speaks without TLS: give --pki DIR")
        return self.site.certificates

    @property
    def close(self) -> float:
        """Seconds that a car has to end a session and close, the network's slack included."""
        return self.site.pics.test.close + self.site.pics.test.slack

    def good_tls(self) -> Tls:
        """TLS that is in order; plain TCP where the site has no certificates."""
        return self.site.certificates.tls() if self.site.certificates is not None else Tls()

    def link(self, play: Play) -> Tls:
        """The link on which a play's generation is spoken: good TLS, and without it for all but -20."""
        if play.generation == "20" or self.site.certificates is None:
            return self.good_tls()
        return self.site.certificates.any_link()

    def command(self, trigger: str) -> str:
        """The command that makes the car come for this, empty: it comes by itself. Raises Blocked where there is none for `trigger`."""
        test = self.site.pics.test
        if trigger and trigger not in test.triggers:
            raise Blocked(f"the PIXIT does not say how the car is made to come for {trigger!r}: give it under [test.triggers]")
        return test.triggers[trigger] if trigger else test.command

    async def visit(self, play: Play, **given: object) -> Encounter:
        """One visit of one connection; see `visits`."""
        return (await self.visits((play,), **given))[0]  # type: ignore[arg-type]

    async def visits(
        self,
        plays: Sequence[Play],
        *,
        tls: Sequence[Tls] = (),
        trigger: str = "",
        patience: float | None = None,
        reach: float = REACH,
        stop_after: int = 0,
        lever: str = "",
    ) -> list[Encounter]:
        """The car is made to come, and is served by `plays`, a connection each. What was seen, a connection each; more than there are plays
        where it came back unasked.

        A connection is watched until it is closed, or for `patience` s after the stimulus (the time to close where None), or for `reach` s
        where there is none. `stop_after`: so many charge loops, then its driver is asked to leave, or its hardware is driven as the trigger
        `lever` says, which is the stimulus then. Raises Unreached where no car comes, Blocked where nothing drives it so.
        """
        waited = self.close if patience is None else patience
        door = Door(self.site.host, self.port, tuple(plays), tuple(tls) or tuple(map(self.link, plays)))
        try:
            async with door, called(self.command(trigger), self._words(door), door.moved.set) as car:
                for number in range(len(plays)):
                    await self._one(door, number, car, waited, reach, stop_after, lever)
                door.met[0].process = await car.left(waited if all(seen.closed for seen in door.met) else 0.0)
        except OSError as error:
            raise Blocked(f"cannot listen at {self.site.host} port {self.port}: {error.strerror}") from None
        except SessionError as error:
            raise Blocked(str(error)) from None
        finally:
            self.met += door.met
        return door.met

    def _words(self, door: Door) -> dict[str, str]:
        host, _, port = door.address.rpartition(":")
        return self.site.words() | {"address": door.address, "host": host.strip("[]"), "port": port}

    async def _one(self, door: Door, number: int, car: Called, patience: float, reach: float, stop_after: int, lever: str) -> None:
        """Watch one connection to its end, or to the end of patience."""
        await door.until(lambda: len(door.met) > number or car.failed, self.site.pics.test.arrival)
        if len(door.met) <= number:
            left = await car.left(0.0)
            said = f"; its program says: {left.said.strip()[-300:]}" if left is not None and left.said.strip() else ""
            why = f"its program ended with exit code {left.code}" if left is not None and car.failed else ""
            waited = why or f"within {self.site.pics.test.arrival:g} s"
            raise Unreached(f"no car came (connection {number + 1}): {waited}{said}")
        car.connected()
        seen = door.met[number]
        if stop_after:
            await door.until(lambda: seen.loops >= stop_after or seen.closed is not None, reach)
            if lever:
                await self._drive(seen, car, lever)
            else:
                car.stop()
        await door.until(lambda: seen.closed is not None or seen.stimulus is not None, reach)
        if seen.stimulus is not None:
            over = seen.stimulus + patience
            while seen.closed is None and (left_ := over - asyncio.get_running_loop().time()) > 0:
                await door.until(lambda: seen.closed is not None, left_)

    async def _drive(self, seen: Encounter, car: Called, lever: str) -> None:
        """What drives the hardware of this car does what a trigger says: that is the stimulus, from when the car can have noticed."""
        pid = car.process.pid if car.process is not None else ""
        await pull(self.site.pics.test.triggers, lever, {"pid": str(pid)})
        seen.stimulus, seen.before = asyncio.get_running_loop().time(), len(seen.heard)

    async def recovered(self) -> str:
        """Whether the car is alive after what was done to it: its program did not crash, and it comes to charge again.

        A program that is the car, and has ended in order, is not called once more: a new one would say nothing about it.
        """
        for seen in self.met:
            if crash := self.crashed(seen):
                return crash
        programs = [seen.process for seen in self.met if seen.process is not None]
        if programs and all(each.drove and each.code is not None for each in programs):
            return ""
        return await self._wrong()

    async def serves(self) -> None:
        """Raises Unreached where no car charges before anything was done: what follows proves nothing then."""
        if not self.site.charged and (wrong := await self._wrong()):
            raise Unreached(f"before anything was done {wrong}")
        self.met.clear()

    async def _wrong(self) -> str:
        again = await self.visit(Play(generation=self.generation))
        self.site.charged = again.charged
        return "" if again.charged else f"the car does not charge: {again.story}"

    def crashed(self, seen: Encounter) -> str:
        """How the car's program crashed, in words; empty where it did not. A signal is a crash, and so are the words of the PIXIT."""
        left = seen.process
        if left is None:
            return ""
        if left.code is not None and left.code < 0:
            return f"the car's program was ended by signal {-left.code}"
        words = next((word for word in self.site.pics.test.crash if word in left.said), "")
        return f"the car's program said: {left.said[left.said.index(words) :][:300]}" if words else ""
