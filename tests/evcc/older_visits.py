"""What a station of a generation whose messages are in an envelope (ISO 15118-2, DIN SPEC 70121) may say to a car, beside what any may."""

from abc import abstractmethod
from enum import Enum
from typing import Any, ClassVar

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.evcc.visits import AnyVisits, places, put, wild
from v2g.exi.derive import least
from v2g.exi.schema import Type
from v2g.session.v2gtp import PayloadType, frame

NUMBERS = [(multiplier, value) for multiplier in (-3, 0, 3) for value in (-32768, -1, 0, 1, 32767)]


class OlderVisits(AnyVisits):
    """One station of an older generation after the other: its physical values, its response codes, an answer to something else."""

    quantity: ClassVar[type[Type]]
    codes: ClassVar[type[Enum]]
    another: ClassVar[type[Type]]

    @abstractmethod
    def of_a_stranger(self, said: Any) -> Any:
        """What the station meant to say, under the id of another session."""

    @wild
    @rule(of=st.sampled_from(NUMBERS), at=st.integers(0, 200))
    def the_station_says_an_extreme(self, of: tuple[int, int], at: int) -> None:
        def extreme(said: Any) -> Any:
            paths = places(said, self.quantity)
            if not paths:
                return said
            path = paths[at % len(paths)]
            before = said
            for step in path:
                before = before[step] if isinstance(step, int) else getattr(before, step)
            return put(said, path, msgspec.structs.replace(before, Multiplier=of[0], Value=of[1]))

        self.exchange(extreme)

    @wild
    @rule(how=st.sampled_from(("failed", "stranger", "another", "garbage", "unframed", "twice", "silent")))
    def the_station_misbehaves(self, how: str) -> None:
        def wrong(said: Any) -> Any:
            ours = isinstance(getattr(said, "ResponseCode", None), self.codes)
            match how:
                case "failed" if ours:
                    return msgspec.structs.replace(said, ResponseCode=self.codes["FAILED"])
                case "stranger" if ours:
                    return self.of_a_stranger(said)
                case "another":
                    return least(self.another)
                case "garbage":
                    return frame(PayloadType.EXI, b"\x80\xff\x13\x37" * 9)
                case "unframed":
                    return b"HTTP/1.1 200 OK\r\n\r\n"
                case "twice":
                    return said, said
                case "silent":
                    return None
            return said

        self.exchange(wrong)
