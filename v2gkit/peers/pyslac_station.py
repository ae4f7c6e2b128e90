"""The foreign station's matching: PyPI `pyslac` on one interface. Run by the peer's interpreter; says each step as a line of JSON.

python pyslac_station.py INTERFACE
"""

# mypy: disable-error-code="import-not-found,misc"

import asyncio
import json
import logging
import sys

from pyslac import session
from pyslac.environment import Config

session.SLAC_SETTLE_TIME = 0.2  # ten seconds for a modem that has its key at once


def tell(step: str, **facts: str) -> None:
    """Print one step of the matching as a line of JSON."""
    print(json.dumps({"step": step, **facts}), flush=True)


class Controller(session.SlacSessionController):
    """PySLAC's controller, which tells each step of the matching."""

    async def notify_matching_ongoing(self, evse_id: str) -> None:
        tell("matching")

    async def notify_matching_failed(self, evse_id: str) -> None:
        tell("failed")


async def main(interface: str) -> None:
    """Match one car on an interface with the foreign station."""
    config = Config(slac_init_timeout=60.0, log_level="INFO")
    station = session.SlacEvseSession("DE*ABC*E1", interface, config)
    await station.evse_set_key()
    tell("ready")
    matching = asyncio.ensure_future(Controller().start_matching(station))
    while station.state != session.STATE_MATCHED and not matching.done():  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.05)
    tell("matched" if station.state == session.STATE_MATCHED else "unmatched", car=bytes(station.pev_mac).hex(":"))
    matching.cancel()


logging.disable(logging.CRITICAL)
asyncio.run(main(sys.argv[1]))
