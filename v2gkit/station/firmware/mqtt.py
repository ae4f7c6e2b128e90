"""An outlet whose firmware speaks through an MQTT broker: the same words as JSON, one topic for each.

    <prefix>/<evse_id>/cmd/<type>    from the station, `ping` and `welcome` among them
    <prefix>/<evse_id>/var/<type>    from the firmware, `hello` first and `alive` every 0.5 s

The payload is the word without its `type`, which the topic says. What the broker has retained is not believed: an outlet is what it is now.
When the broker is gone the firmware is: silence opens the contactor there, and ends the session here.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiomqtt
import msgspec

from v2g.legible import legible
from v2gkit.station.firmware import words
from v2gkit.station.firmware.outlet import RemoteOutlet, contradiction, log

UNSENT = 256  # words that wait for a broker that takes none, until it is taken for dead
QOS = 1  # at least once: a command that comes twice has one id


class TopicLine:
    """The connection of one firmware over the broker, from its `hello` until it falls silent."""

    def __init__(self, unsent: "asyncio.Queue[words.FromStation]") -> None:
        self.why = ""
        self._unsent = unsent

    def send(self, word: words.FromStation) -> None:
        """Queue a word to be published."""
        try:
            self._unsent.put_nowait(word)
        except asyncio.QueueFull:
            self.close("the broker takes no messages")

    def close(self, why: str) -> None:
        """Close the connection; of several reasons the first counts."""
        self.why = self.why or why


class Firmware(RemoteOutlet):
    """An outlet whose firmware is reached over an MQTT broker. `password_file` has the password in its first line; `ca` (PEM) uses TLS."""

    def __init__(
        self,
        host: str,
        port: int = 1883,
        prefix: str = "v2gkit",
        username: str | None = None,
        password_file: str | None = None,
        ca: str | None = None,
        silence: float = words.SILENCE,
        grid_functions: Sequence[str] = (),
    ):
        super().__init__(silence, grid_functions)
        password = Path(password_file).read_text().splitlines()[0] if password_file else None
        tls = ssl.create_default_context(cafile=ca) if ca else None
        self._broker: dict[str, Any] = {"hostname": host, "port": port, "username": username, "password": password, "tls_context": tls}
        self._prefix = prefix
        self._away = f"the broker {host}:{port} has not been reached yet"
        self._unsent: asyncio.Queue[words.FromStation] = asyncio.Queue(UNSENT)
        self.tasks.keep(f"broker {host}:{port}", self._run)

    async def _run(self) -> None:
        """One connection to the broker; whatever ends it is said, and it begins again."""
        base = f"{self._prefix}/{self.evse_id}"
        try:
            async with aiomqtt.Client(**self._broker, timeout=5.0) as broker:
                await broker.subscribe(f"{base}/var/+", qos=QOS)
                self._away = "the firmware has not said hello yet"
                log.info("%s: listening on %s/var/+ at %s:%s", self.evse_id, base, self._broker["hostname"], self._broker["port"])
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._publish(broker, f"{base}/cmd"))
                    group.create_task(self._hear(broker))
        except* aiomqtt.MqttError as errors:
            raise ConnectionError(f"the broker is gone: {legible(str(errors.exceptions[0]))}") from None
        finally:
            self._end("the link to the broker was lost")

    def _end(self, why: str) -> None:
        """The firmware is gone, and with it what it was not told yet: a command to close must never reach the one that comes next."""
        while not self._unsent.empty():
            self._unsent.get_nowait()
        if self._line is not None:
            self._line.close(why)
            self._gone(self._line)

    async def _publish(self, broker: aiomqtt.Client, base: str) -> None:
        """Every word, and a sign of life."""
        while True:
            word: words.FromStation = words.Ping()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(words.SIGN_OF_LIFE):
                    word = await self._unsent.get()
            said: dict[str, Any] = msgspec.to_builtins(word)
            await broker.publish(f"{base}/{said.pop('type')}", msgspec.json.encode(said), qos=QOS)

    async def _hear(self, broker: aiomqtt.Client) -> None:
        messages = aiter(broker.messages)
        while True:
            try:
                async with asyncio.timeout(self.silence if self._line is not None else None):
                    message = await anext(messages)
            except TimeoutError:
                self._end(f"the firmware said nothing for {self.silence:g} s")
                continue
            if not message.retain:
                self._take(str(message.topic), message.payload)
            if self._line is not None and self._line.why:
                self._end(self._line.why)

    def _take(self, topic: str, payload: object) -> None:
        try:
            word = word_of(topic, payload)
            why = contradiction(word, greeted=self._line is not None)
        except ValueError as error:
            why = f"{legible(topic)} holds what is no word of a firmware: {error}"
            word = words.Alive()
        if isinstance(word, words.Hello) and not why:
            self._end("the firmware began anew")
            self._arrived(TopicLine(self._unsent))
        elif why:
            self._end(why)
            self._unsent.put_nowait(words.Refused(why))  # one that was there before this station says hello then
        else:
            self._learn(word)


def word_of(topic: str, payload: object) -> words.FromFirmware:
    """The word in an MQTT message. Raises ValueError for a message that is none."""
    octets = payload if isinstance(payload, bytes) else b""
    if len(octets) > words.LINE_LIMIT:
        raise ValueError(f"{len(octets)} octets, at most {words.LINE_LIMIT}")
    said = msgspec.json.decode(octets or b"{}", type=dict[str, Any])
    return words.word_from({**said, "type": topic.rpartition("/")[2]})
