"""What a station's cars follow, over an MQTT broker: the topics `<prefix>/site/<type>`, each word as JSON without its `type`.

Orders of batteries go to `<prefix>/order`, a report is answered at `<prefix>/state`. What the broker has retained is not believed: a
frequency or a setpoint is of now. A broker that is gone falls silent, as a meter does.
"""

import asyncio
import contextlib
import ssl
from functools import partial
from pathlib import Path

import aiomqtt

from secc.feed import Feed
from v2g.legible import legible, logger
from v2gkit.station.feed import words
from v2gkit.station.feed.hearing import Hearing, Reply

QOS = 0  # what is lost is told again in a second
OUTBOX = 64  # orders that wait for the broker
log = logger("v2g.feed")


async def heard(feed: Feed, hearing: Hearing) -> None:
    """Hear what the broker passes on, until the connection ends. Raises ConnectionError, which says how it ended."""
    assert feed.host is not None
    password, tls = await asyncio.to_thread(_proof, feed)
    broker = aiomqtt.Client(feed.host, feed.port, username=feed.username, password=password, tls_context=tls, timeout=5.0)
    base = f"{feed.prefix}/site"
    try:
        async with broker:
            await broker.subscribe(f"{base}/+", qos=QOS)
            log.info("listening on %s/+ at %s:%s", base, feed.host, feed.port)
            outbox: asyncio.Queue[bytes] = asyncio.Queue(OUTBOX)
            sending = asyncio.create_task(_sent(broker, f"{feed.prefix}/order", outbox))
            try:
                async for message in broker.messages:
                    if message.retain:
                        continue
                    answer = _take(str(message.topic), message.payload, hearing, partial(_queued, outbox))
                    if answer is not None:
                        await broker.publish(f"{feed.prefix}/state", words.answered(answer), qos=QOS)
            finally:
                sending.cancel()
    except aiomqtt.MqttError as error:
        raise ConnectionError(f"the broker {feed.host}:{feed.port} is gone: {legible(str(error))}") from None


def _queued(outbox: asyncio.Queue[bytes], line: bytes) -> None:
    if not outbox.full():  # a broker that takes nothing: its batteries stand still by themselves
        outbox.put_nowait(line)


async def _sent(broker: aiomqtt.Client, topic: str, outbox: asyncio.Queue[bytes]) -> None:
    with contextlib.suppress(aiomqtt.MqttError):  # the broker is gone, which whoever listens says
        while True:
            await broker.publish(topic, (await outbox.get()).rstrip(), qos=QOS)


def _proof(feed: Feed) -> tuple[str | None, ssl.SSLContext | None]:
    """The password, and by what the broker is verified."""
    password = Path(feed.password_file).read_text().splitlines()[0] if feed.password_file else None
    return password, ssl.create_default_context(cafile=feed.ca) if feed.ca else None


def _take(topic: str, payload: object, hearing: Hearing, reply: Reply) -> words.State | None:
    """Hear one message; one that is wrong is said, and costs the others nothing: many may publish. What answers it, if anything does."""
    try:
        return hearing.hear(words.word_of(topic.rpartition("/")[2], payload), reply)
    except ValueError as error:
        log.error("%s: %s", legible(topic), legible(str(error)))
        return None
