"""The shell of a VEN of OpenADR 2.0b: pulls again and again, tells what events there are, and carries the answers back."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import Final

from v2gkit.grid.declared import OpenAdr2
from v2gkit.grid.faults import GridFault, Trouble
from v2gkit.grid.openadr2.events import Event
from v2gkit.grid.openadr2.ven import Heard, Session, answering, opening, polling
from v2gkit.grid.shell.http import carried, tls_client

FIRST, LONGEST = 1.0, 60.0  # s between two attempts after a fault, the first and the longest
ROUND: Final = 20  # times the timeout of one answer, for all answers of a round
Opts = Sequence[tuple[Event, bool]]
Hear = Callable[[Session, Heard], Opts]
Answered = Callable[[Opts], None]
Complain = Callable[[GridFault], None]


def _request_id() -> str:
    return secrets.token_hex(8)


async def follow(source: OpenAdr2, hear: Hear, answered: Answered, complain: Complain) -> None:
    """Tell `hear` the events of each round, `answered` what the VTN was told of them, and `complain` each fault, until cancelled.

    Raises OSError for certificates that cannot be read.
    """
    tls = await asyncio.to_thread(tls_client, source.roots, source.cert, source.key)
    session: Session | None = None
    wait = FIRST
    while True:
        try:
            if session is None:
                session = await carried(opening(source.url.rstrip("/"), source.ven, _request_id), tls, source.timeout, ROUND)
            heard = await carried(polling(session, _request_id), tls, source.timeout, ROUND)
            opts = hear(session, heard)
            await carried(answering(session, heard, opts), tls, source.timeout, ROUND)
            answered(opts)
            wait = FIRST
            await asyncio.sleep(source.every)
            continue
        except GridFault as fault:
            complain(GridFault(fault.trouble, f"{source.name}: {fault}"))
            if fault.trouble is Trouble.DENIED:  # registering anew cures it, if anything does
                session = None
        await asyncio.sleep(wait)
        wait = min(2 * wait, LONGEST)
