"""What a station's cars follow, over an MQTT broker: the topics `<prefix>/site/<type>`, each word as JSON without its `type`.

What the broker has retained is not believed: a frequency or a setpoint is of now. A broker that is gone falls silent, as a meter does.
"""

import asyncio
import ssl
from pathlib import Path

import aiomqtt

from secc.feed import Feed
from v2g.legible import legible, logger
from v2gkit.station.feed import words
from v2gkit.station.feed.hearing import Hearing

QOS = 0  # what is lost is told again in a second
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
            async for message in broker.messages:
                if not message.retain:
                    _take(str(message.topic), message.payload, hearing)
    except aiomqtt.MqttError as error:
        raise ConnectionError(f"the broker {feed.host}:{feed.port} is gone: {legible(str(error))}") from None


def _proof(feed: Feed) -> tuple[str | None, ssl.SSLContext | None]:
    """The password, and by what the broker is verified."""
    password = Path(feed.password_file).read_text().splitlines()[0] if feed.password_file else None
    return password, ssl.create_default_context(cafile=feed.ca) if feed.ca else None


def _take(topic: str, payload: object, hearing: Hearing) -> None:
    """Hear one message; one that is wrong is said, and costs the others nothing: many may publish."""
    try:
        hearing.hear(words.word_of(topic.rpartition("/")[2], payload))
    except ValueError as error:
        log.error("%s: %s", legible(topic), legible(str(error)))
