"""A battery of [site] that speaks by [feed], over a socket and over a broker: it says how full it is, and is told what it shall do."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import jsonschema_rs
import pytest

from secc.config import parse
from secc.server import surroundings, wall_clock
from tests.starved import HANG
from tests.v2gkit.station.test_feed import over_broker, over_socket
from v2gkit.station.backends import backends_of
from v2gkit.station.feed import words

STATION = """tls = false
[site]
import_limit = 10000
export_limit = 0
base_load = 8000
[[site.battery]]
name = "pack"
capacity = 9000
charge_power = 3000
discharge_power = 3000
[feed]
"""
ORDER = jsonschema_rs.validator_for({"$ref": "#/$defs/Order", "$defs": words.schema()["$defs"]})


@asynccontextmanager
async def running(feed: str) -> AsyncIterator[Any]:
    """The backends of a station with a battery, led by nobody's car."""
    config, clock = parse(STATION + feed), wall_clock()
    outlets = config.outlets()
    async with backends_of(config, outlets, surroundings(clock), clock, None, lambda fallen: None, []) as backends:
        yield backends[0].spot.yard


async def lines_of(way: Any, feed: str) -> AsyncIterator[dict[str, Any]]:
    """The orders that come back, each as it is."""
    if way is over_broker:
        async with aiomqtt.Client("127.0.0.1", int(feed.rpartition("= ")[2])) as client:
            await client.subscribe("v2gkit/order")
            yield {}
            async for message in client.messages:
                assert isinstance(message.payload, bytes)
                yield json.loads(message.payload)
    reader, writer = await asyncio.open_unix_connection(feed.partition('"')[2].rstrip('"'))
    for _ in range(200):
        writer.write(b'{"type":"battery","name":"pack","soc":40,"power":0}\n')
        yield json.loads(await reader.readline())
    writer.close()


@pytest.mark.parametrize("way", [over_socket, over_broker])
def test_who_speaks_for_a_battery_is_told_what_it_shall_do(way: Any, tmp_path: Path) -> None:
    """With 2 kW left by the load it charges by that, and by no more."""

    async def scene() -> None:
        async with way(tmp_path) as (feed, tell), running(feed) as yard, aclosing(lines_of(way, feed)) as orders:
            storage = yard.storages["pack"]
            async with asyncio.timeout(HANG):
                while storage.plan is None:
                    await tell({"type": "battery", "name": "pack", "soc": 40, "power": 0})
                    await asyncio.sleep(0.1)
                said = await anext(orders)
                while said.get("power") != 2_000.0:
                    await tell({"type": "battery", "name": "pack", "soc": 40, "power": 0})
                    said = await anext(orders)
                ORDER.validate(said)
                assert said == {"type": "order", "name": "pack", "power": 2_000.0, "lasts": 10.0}

    asyncio.run(scene())
