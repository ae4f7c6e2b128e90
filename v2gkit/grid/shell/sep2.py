"""The shell of a client of IEEE 2030.5: round after round, over TLS with its certificate."""

import asyncio
import ssl
from pathlib import Path
from typing import Final, TypeVar

from v2g.settings.strict import text_of
from v2gkit.grid.faults import GridFault
from v2gkit.grid.sep2.client import Client, Round, Script, Session
from v2gkit.grid.sep2.declared import Sep2
from v2gkit.grid.sep2.events import Following, Rating
from v2gkit.grid.sep2.words import lfdi_of
from v2gkit.grid.shell.ears import Ears
from v2gkit.grid.shell.http import carried, tls_client

T = TypeVar("T")
FIRST, LONGEST = 1.0, 60.0  # s between two attempts after a fault, the first and the longest
ROUND: Final = 64  # times the timeout of one answer, for all answers of a round
CERTIFICATE: Final = 65_536  # octets of the file of a chain


class Utility:
    """One server of a site."""

    def __init__(self, source: Sep2, ears: Ears) -> None:
        self._source, self._ears = source, ears
        self._following = Following(source.name)

    async def run(self) -> None:
        """Ask and tell until cancelled. OSError, ValueError for certificates that cannot be read."""
        source = self._source
        tls = await asyncio.to_thread(tls_client, source.roots, source.cert, source.key)
        lfdi = source.lfdi
        if lfdi is None:
            assert source.cert is not None
            lfdi = lfdi_of(ssl.PEM_cert_to_DER_cert(_first(await asyncio.to_thread(text_of, Path(source.cert), CERTIFICATE))))
        client = Client(
            source.url, Rating(source.import_limit, source.export_limit, lfdi.upper()), source.csipaus, source.pin, source.connection_point
        )
        session: Session | None = None
        wait = FIRST
        while True:
            try:
                if session is None:
                    session = await self._carried(client.opening(self._ears.wall()), tls)
                    await self._carried(client.reporting(session, self._ears.wall()), tls)
                await self._followed(client, session, tls)
                wait = FIRST
                await asyncio.sleep(source.every or session.poll)
                continue
            except GridFault as fault:
                self._ears.complain(GridFault(fault.trouble, f"{source.name}: {fault}"))
                session = None  # all that is known of it is looked for anew
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST)

    async def _followed(self, client: Client, session: Session, tls: ssl.SSLContext) -> None:
        """One round: what holds is entered before anything is answered."""
        found: Round = await self._carried(client.polling(session), tls)
        told = self._following.told(found.controls, self._ears.wall())
        self._ears.take_all(self._source.name, "sep2", told, found.faults)
        self._ears.passed(found.passed)
        received = await self._carried(client.responding(session, found, self._ears.wall()), tls)
        for each in told:
            if each.reference in received:
                self._ears.book.acknowledge(each.signal.id, self._ears.wall())
        await self._carried(client.stating(session, found, self._ears.wall()), tls)
        powers = [power for role, power in self._ears.powers().values() if role == "connection"]
        if powers:
            await self._carried(client.metering(session, sum(powers), self._ears.wall()), tls)
        self._ears.wake()

    async def _carried(self, script: Script[T], tls: ssl.SSLContext) -> T:
        return await carried(script, tls, self._source.timeout, ROUND)


def _first(chain: str) -> str:
    """The first certificate of a chain (PEM). ValueError."""
    begin, end = chain.find("-----BEGIN CERTIFICATE-----"), chain.find("-----END CERTIFICATE-----")
    if not 0 <= begin < end:
        raise ValueError("the file of our certificate has none; give its chain as PEM")
    return chain[begin : end + len("-----END CERTIFICATE-----")] + "\n"
