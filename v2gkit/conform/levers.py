"""What a tester drives at a peer: pilot, contactor, button, data link, by the commands of the PIXIT. A shell."""

import asyncio
import contextlib
import os
import shlex
import signal
from collections.abc import Mapping

from v2gkit.conform.running import Blocked

LIMIT = 10.0  # s that such a command may take: longer than any switch, shorter than a station waits for its car
SETTLED = 0.5  # s for a peer to notice what its hardware does


def line_of(command: str, words: Mapping[str, str]) -> str:
    """A command of the PIXIT with its words filled in, each quoted. Raises Blocked where it has a word that there is none for."""
    try:
        return command.format_map({name: shlex.quote(word) for name, word in words.items()})
    except (KeyError, IndexError, ValueError) as error:
        raise Blocked(f"the command {command!r} has {error}; there are {', '.join('{' + name + '}' for name in words)}") from None


async def pull(triggers: Mapping[str, str], name: str, words: Mapping[str, str]) -> None:
    """Run the command that drives the peer's hardware so, and wait until the peer can have noticed.

    Raises Blocked where the PIXIT have no such command, where it fails, or where it is not over in time.
    """
    if name not in triggers:
        raise Blocked(f"the PIXIT do not say how {name!r} is driven: give a command under [test.triggers]")
    process = await asyncio.create_subprocess_shell(
        line_of(triggers[name], words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(LIMIT):
            code = await process.wait()
    except TimeoutError:
        raise Blocked(f"the command of {name!r} is not over after {LIMIT:g} s") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if code != 0:
        raise Blocked(f"the command of {name!r} ended with exit code {code}")
    await asyncio.sleep(SETTLED)
