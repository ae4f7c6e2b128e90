"""A CSMS without a descriptor left: said once a minute however often asyncio tries, and over as soon as there is one."""

import asyncio
import logging
import socket
from typing import Any

import pytest

from tests.v2g.session.descriptors import no_more_descriptors
from v2gkit.csms.server import Csms
from v2gkit.csms.steering import Strategy


def test_a_shortage_is_said_once_a_minute_and_other_faults_as_ever(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        loop, told, others = asyncio.get_running_loop(), 0, []
        loop.set_exception_handler(lambda _, context: others.append(context["message"]))
        csms = Csms(Strategy("none"))
        server = await csms.serve()
        await csms.serve()  # a second listener in this loop
        ours = loop.get_exception_handler()
        assert ours is not None

        def counted(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
            nonlocal told
            told += "accept" in context["message"]
            ours(loop, context)

        loop.set_exception_handler(counted)
        port = next(iter(server.sockets)).getsockname()[1]
        with socket.socket() as one, socket.socket() as other:
            for each in (one, other):
                each.setblocking(False)
            with no_more_descriptors():
                for each in (one, other):
                    await loop.sock_connect(each, ("127.0.0.1", port))
                while told < 2:  # noqa: ASYNC110 - a second later it tries again
                    await asyncio.sleep(0.05)
            loop.call_exception_handler({"message": "something else"})
            assert others == ["something else"]
            one.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert await loop.sock_recv(one, 100)  # it is served now

    with caplog.at_level(logging.ERROR, logger="v2g.csms"):
        asyncio.run(asyncio.wait_for(scene(), 300))
    assert sum("cannot accept a connection" in record.getMessage() for record in caplog.records) == 1
