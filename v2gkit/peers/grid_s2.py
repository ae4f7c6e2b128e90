"""A foreign CEM of S2: the PyPI package `s2-python` behind a WebSocket server, in an interpreter of its own.

It is given one JSON object: the control type that it selects, and the instruction that it gives. It prints its URL, then what it has heard,
line by line; each message of the resource manager was read by the package's models before.

{"control": "POWER_ENVELOPE_BASED_CONTROL", "instruction": {...}}
"""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from typing import Any, get_args
from uuid import uuid4


def said(**facts: Any) -> None:
    """Print one line of JSON with these facts."""
    print(json.dumps(facts), flush=True)


async def attended(socket: Any, asked: dict[str, Any]) -> None:
    """Play the CEM on one connection."""
    from s2python.common import Handshake, ResourceManagerDetails  # type: ignore[import-not-found]
    from s2python.connection.async_.connection import S2AsyncConnection  # type: ignore[import-not-found]
    from s2python.connection.async_.medium.s2_medium import S2AsyncMediumConnection  # type: ignore[import-not-found]
    from s2python.s2_parser import S2Parser  # type: ignore[import-not-found]

    class Medium(S2AsyncMediumConnection):  # type: ignore[misc]
        async def is_connected(self) -> bool:
            return True

        async def messages(self) -> AsyncGenerator[str, None]:
            async for message in socket:
                yield message

        async def send(self, message: str) -> None:
            await socket.send(message)

    connection = S2AsyncConnection(Medium())

    async def send(facts: dict[str, Any]) -> None:
        message = S2Parser().parse_as_any_message(json.dumps(facts))
        status = await connection.send_msg_and_await_reception_status(message, raise_on_error=False)
        said(answered=facts["message_type"], status=status.status.value)

    async def answered(message: Any) -> None:
        if isinstance(message, Handshake):
            version = message.supported_protocol_versions[0]
            await send({"message_type": "Handshake", "message_id": str(uuid4()), "role": "CEM"})
            await send({"message_type": "HandshakeResponse", "message_id": str(uuid4()), "selected_protocol_version": version})
        elif isinstance(message, ResourceManagerDetails):
            await send({"message_type": "SelectControlType", "message_id": str(uuid4()), "control_type": asked["control"]})
        elif type(message).__name__ == "PEBCPowerConstraints":
            await send(asked["instruction"] | {"power_constraints_id": str(message.id)})
        elif type(message).__name__ == "OMBCSystemDescription":
            mode = min(message.operation_modes, key=lambda mode: mode.power_ranges[0].start_of_range)  # the one that discharges
            await send(asked["instruction"] | {"operation_mode_id": str(mode.id)})

    async def heard(link: Any, message: Any, done: Any) -> None:
        said(heard=json.loads(message.to_json()))
        await done()
        await_later.append(asyncio.ensure_future(answered(message)))  # a status is awaited by who reads no message meanwhile

    import s2python.message as messages  # type: ignore[import-not-found]

    await_later: list[Any] = []

    for kind in get_args(messages.S2Message):
        connection.register_handler(kind, heard)
    await connection.run()


async def main() -> None:
    """Serve until standard input ends."""
    from websockets.asyncio.server import serve

    asked = json.loads(sys.argv[1])
    async with serve(lambda socket: attended(socket, asked), "127.0.0.1", 0) as server:
        said(url=f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
