"""The shell of a VEN: asks its VTN again and again, and tells what events there are."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from v2g.settings.strict import text_of
from v2gkit.grid.declared import OpenAdr
from v2gkit.grid.faults import GridFault, Trouble
from v2gkit.grid.openadr3.reports import Due, Reports
from v2gkit.grid.openadr3.ven import Access, Session, opening, polling, reporting
from v2gkit.grid.openadr3.words import Event, Program
from v2gkit.grid.shell.http import carried, tls_client

FIRST, LONGEST = 1.0, 60.0  # s between two attempts after a fault, the first and the longest
SECRET: Final = 4_096  # octets of the file with the secret
ROUND: Final = 20  # times the timeout of one answer, for all answers of a round


@dataclass(slots=True)
class Account:
    """The reports of a VEN, how it stands to its events at this moment, and the ids that reports have at the VTN, by event."""

    reports: Reports
    due: Callable[[], list[Due]]
    ids: dict[str, str] = field(default_factory=dict)


Hear = Callable[[list[tuple[Event, Program]]], None]
Complain = Callable[[GridFault], None]


async def follow(source: OpenAdr, wall: Callable[[], float], hear: Hear, complain: Complain, account: Account) -> None:
    """Tell `hear` the events of each round, `complain` each fault, and the VTN what `account` has to report, until cancelled.

    OSError, ValueError for secret or roots.
    """
    secret = (await asyncio.to_thread(text_of, Path(source.secret_file), SECRET)).strip()
    tls = await asyncio.to_thread(tls_client, source.roots)
    access = Access(source.url.rstrip("/"), source.client_id, secret, source.ven, source.program, source.token_url)
    session: Session | None = None
    wait = FIRST

    while True:
        try:
            if session is None or wall() >= session.until:
                session = await carried(opening(access, wall()), tls, source.timeout, ROUND)
            hear(await carried(polling(access, session), tls, source.timeout, ROUND))
            for due in account.due():
                before = account.ids.get(due.event)
                account.ids[due.event] = await carried(reporting(access, session, due, before), tls, source.timeout, ROUND)
                account.reports.sent(due)
            wait = FIRST
            await asyncio.sleep(source.every)
            continue
        except GridFault as fault:
            complain(GridFault(fault.trouble, f"{source.name}: {fault}"))
            if fault.trouble is Trouble.DENIED:  # a new token and a new look at the programs cure it, if anything does
                session = None
        await asyncio.sleep(wait)
        wait = min(2 * wait, LONGEST)
