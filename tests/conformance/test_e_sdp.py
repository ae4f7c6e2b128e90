"""E-SDP: the car at stations that answer its discovery wrongly, or two at once, on the loopback interface."""

import asyncio
from ipaddress import IPv6Address
from typing import cast

from tests.v2g.session.peers import go
from v2g.session.sdp import Response, Security, encode
from v2g.session.transport import discover

HERE = IPv6Address("::1")
GOOD = encode(Response(HERE, 50000))
WRONG = {
    "version": b"\x02" + GOOD[1:],
    "inverse version": GOOD[:1] + b"\xff" + GOOD[2:],
    "payload type": GOOD[:2] + b"\x90\x00" + GOOD[4:],
    "length": GOOD[:4] + (19).to_bytes(4, "big") + GOOD[8:],
    "immense length": GOOD[:4] + b"\xff\xff\xff\xfe" + GOOD[8:],
    "cut": GOOD[:-1],
    "header alone": GOOD[:8],
    "no TLS": encode(Response(HERE, 50000, Security.NONE)),
    "port 0": encode(Response(HERE, 0)),
}


class Scripted(asyncio.DatagramProtocol):
    """Answers each request with the next of some groups of datagrams, the last group for ever."""

    def __init__(self, *groups: list[bytes]):
        self.groups, self.asked = groups, 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, source: tuple[str | int, ...]) -> None:
        for datagram in self.groups[min(self.asked, len(self.groups) - 1)]:
            self.transport.sendto(datagram, source)
        self.asked += 1

    async def __aenter__(self) -> int:
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, local_addr=("::1", 0))
        return int(self.transport.get_extra_info("sockname")[1])

    async def __aexit__(self, *_: object) -> None:
        self.transport.close()


def test_e_sdp_02_wrong_answers_are_counted_and_the_car_goes_on_asking() -> None:
    async def scenario() -> None:
        station = Scripted(*([wrong] for wrong in WRONG.values()), [GOOD])
        async with station as port:
            found = await discover("lo", port=port, retry=0.05)
        assert (found.host, found.port, found.security) == ("::1", 50000, Security.TLS)
        assert found.attempts > len(WRONG)
        assert sum(count for _, count in found.ignored) == len(WRONG)
        assert all(reason for reason, _ in found.ignored)

    go(scenario())


def test_e_sdp_05_the_first_usable_answer_is_used_and_no_later_one() -> None:
    """Which of two is the station its certificate says, not its speed: a car holds on to one, so that a race cannot move it."""

    async def scenario() -> None:
        async with Scripted([WRONG["no TLS"], encode(Response(HERE, 50001)), encode(Response(HERE, 50002))]) as port:
            found = await discover("lo", port=port)
        assert (found.port, found.attempts) == (50001, 1)

    go(scenario())
