"""The way to a station's [feed] over an MQTT broker: words to `<prefix>/site/<type>`, answers at `<prefix>/state`."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import aiomqtt
import msgspec

from v2gkit.fleet.declared import Feed

QOS: Final = 1  # a limit arrives, or its sender hears that it did not
LARGEST: Final = 65_536  # octets of an answer
PATIENCE: Final = 3.0  # s for the broker


class Broker:
    """A connection to a broker, for one asset."""

    def __init__(self, client: aiomqtt.Client, prefix: str) -> None:
        self._client, self._prefix = client, prefix
        self._messages: AsyncIterator[aiomqtt.Message] = aiter(client.messages)
        self._closing: asyncio.Task[None] | None = None

    async def send(self, words: list[dict[str, object]]) -> None:
        """Publish words, each on its own topic."""
        for word in words:
            rest: dict[str, Any] = {name: value for name, value in word.items() if name != "type"}
            try:
                await self._client.publish(f"{self._prefix}/site/{word['type']}", msgspec.json.encode(rest), qos=QOS)
            except aiomqtt.MqttError as error:
                raise ConnectionError(f"the broker: {error}") from None

    async def answer(self) -> bytes:
        """The next answer that was not retained."""
        try:
            while True:
                message = await anext(self._messages)
                if message.retain:
                    continue
                if not isinstance(message.payload, bytes) or len(message.payload) > LARGEST:
                    raise ValueError("an answer that is none")
                return message.payload
        except (aiomqtt.MqttError, StopAsyncIteration) as error:
            raise ConnectionError(f"the broker: {error or 'gone'}") from None

    def close(self) -> None:
        """Hang up without a word."""
        self._closing = asyncio.ensure_future(_left(self._client))


async def _left(client: aiomqtt.Client) -> None:
    with contextlib.suppress(aiomqtt.MqttError, OSError):
        await client.__aexit__(None, None, None)


async def reached(feed: Feed, folder: Path) -> Broker:
    """A connection to a station's broker. Raises ConnectionError, OSError."""
    password, tls = await asyncio.to_thread(_proof, feed, folder)
    client = aiomqtt.Client(feed.host, feed.port, username=feed.username, password=password, tls_context=tls, timeout=PATIENCE)
    try:
        await client.__aenter__()
        await client.subscribe(f"{feed.prefix}/state", qos=QOS)
    except aiomqtt.MqttError as error:
        raise ConnectionError(f"the broker {feed.host}:{feed.port}: {error}") from None
    return Broker(client, feed.prefix)


def _proof(feed: Feed, folder: Path) -> tuple[str | None, ssl.SSLContext | None]:
    password = (folder / feed.password_file).read_text().splitlines()[0] if feed.password_file else None
    return password, ssl.create_default_context(cafile=folder / feed.ca) if feed.ca else None
