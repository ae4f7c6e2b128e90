"""The shell of a client of IEEE 2030.5: round after round, over TLS with its certificate."""

import asyncio
import secrets
import ssl
from pathlib import Path
from typing import Final, TypeVar

from v2g.settings.strict import text_of
from v2gkit.authorities.route import Answer, Asked, Route
from v2gkit.grid.faults import GridFault
from v2gkit.grid.sep2.asking import Script
from v2gkit.grid.sep2.client import Client, Round, Session
from v2gkit.grid.sep2.declared import Sep2
from v2gkit.grid.sep2.following import Following
from v2gkit.grid.sep2.prices import tariff_of
from v2gkit.grid.sep2.rating import Rating
from v2gkit.grid.sep2.reports import CHARGERS, SITE
from v2gkit.grid.sep2.subscriptions import fault_status
from v2gkit.grid.sep2.words import lfdi_of
from v2gkit.grid.shell.ears import Ears
from v2gkit.grid.shell.http import carried, tls_client

T = TypeVar("T")
FIRST, LONGEST = 1.0, 60.0  # s between two attempts after a fault, the first and the longest
ROUND: Final = 64  # times the timeout of one answer, for all answers of a round
SUITES: Final = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE-ECDSA-AES128-CCM8"  # the last one is what IEEE 2030.5 demands of every server
TOGETHER: Final = 1.0  # s in which notifications make one round
CERTIFICATE: Final = 65_536  # octets of the file of a chain


class Utility:
    """One server of a site; `told` is the URL beneath which it may tell us changes, where the site has a web server and wants it."""

    def __init__(self, source: Sep2, ears: Ears, told: str | None = None) -> None:
        self._source, self._ears = source, ears
        self.name, self.notified = source.name, source.notified
        self._token = secrets.token_hex(16)  # whoever does not know it cannot make us ask
        self._url = f"{told}/{self._token}" if told is not None and source.notified else None
        self._woken = asyncio.Event()
        self._client: Client | None = None

    def route(self, path: str) -> Route:
        """The route of notifications, beneath `path`."""

        async def service(asked: Asked) -> Answer:
            if asked.path.strip("/") != self._token or self._client is None or self._client.subscriptions is None:
                return Answer(b"", status=404)
            try:
                self._client.subscriptions.notified(asked.body)
            except GridFault as fault:
                self._ears.complain(GridFault(fault.trouble, f"{self.name}: {fault}"))
                return Answer(b"", status=fault_status(fault))
            self._woken.set()
            return Answer(b"", status=204)

        return "POST", path, service

    async def run(self) -> None:
        """Ask and tell until cancelled. OSError, ValueError for certificates that cannot be read."""
        source = self._source
        tls = await asyncio.to_thread(tls_client, source.roots, source.cert, source.key)
        tls.set_ciphers(SUITES)
        owner = None
        if source.cert is not None:
            owner = lfdi_of(ssl.PEM_cert_to_DER_cert(_first(await asyncio.to_thread(text_of, Path(source.cert), CERTIFICATE))))
        lfdi = source.lfdi or owner
        assert lfdi is not None
        rating = Rating(source.import_limit, source.export_limit, lfdi.upper())
        client = self._client = Client(
            source.url, rating, source.csipaus, source.pin, source.connection_point, owner=owner, notified=self._url, drm=source.drm
        )
        following = Following(source.name, rating)
        session: Session | None = None
        wait = FIRST
        while True:
            try:
                if session is None:
                    session = await self._carried(client.opening(self._ears.wall()), tls)
                    await self._carried(client.reporting(session, self._ears.wall()), tls)
                await self._followed(client, following, session, tls)
                wait = FIRST
                await self._rest(source.every or session.poll)
                continue
            except GridFault as fault:
                self._ears.complain(GridFault(fault.trouble, f"{source.name}: {fault}"))
                session = None  # all that is known of it is looked for anew
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST)

    async def _rest(self, seconds: float) -> None:
        """Wait for the next round, or for a notification: many of them in a short time make one round."""
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return
        await asyncio.sleep(min(TOGETHER, seconds))
        self._woken.clear()

    async def _followed(self, client: Client, following: Following, session: Session, tls: ssl.SSLContext) -> None:
        """One round: what holds is entered before anything is answered."""
        found: Round = await self._carried(client.polling(session), tls)
        told = following.told(found.controls, self._ears.wall(), found.gradient)
        self._ears.take_all(self._source.name, "sep2", told, found.faults)
        self._ears.passed(found.passed)
        received = await self._carried(client.responding(session, found, self._ears.wall()), tls)
        for each in told:
            if each.reference in received:
                self._ears.book.acknowledge(each.signal.id, self._ears.wall())
        powers = self._ears.powers().values()
        drawn = [power for role, power in powers if role == "chargers"]
        await self._carried(client.stating(session, found, self._ears.wall(), sum(drawn) if drawn else None), tls)
        site = [power for role, power in powers if role == "connection"]
        for place, read in ((SITE, site), (CHARGERS, drawn)):
            if read:
                await self._carried(client.metering(session, sum(read), self._ears.wall(), place), tls)
        self._ears.wake()
        await self._priced(client, session, tls)
        await self._carried(client.subscribing(session), tls)

    async def _priced(self, client: Client, session: Session, tls: ssl.SSLContext) -> None:
        """Prices, whose faults cost no limit anything."""
        try:
            charges = await self._carried(client.pricing(session, self._ears.wall()), tls)
            if charges:
                self._ears.priced(tariff_of(charges, self._ears.wall()))
            await self._carried(client.responding_to_prices(session, charges, self._ears.wall()), tls)
        except GridFault as fault:
            self._ears.complain(GridFault(fault.trouble, f"{self.name}: prices: {fault}"))

    async def _carried(self, script: Script[T], tls: ssl.SSLContext) -> T:
        return await carried(script, tls, self._source.timeout, ROUND)


def _first(chain: str) -> str:
    """The first certificate of a chain (PEM). ValueError."""
    begin, end = chain.find("-----BEGIN CERTIFICATE-----"), chain.find("-----END CERTIFICATE-----")
    if not 0 <= begin < end:
        raise ValueError("the file of our certificate has none; give its chain as PEM")
    return chain[begin : end + len("-----END CERTIFICATE-----")] + "\n"
