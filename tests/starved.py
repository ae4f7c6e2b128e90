"""Sessions in real time on a machine that has no processor to spare.

Between processes and real sockets the timers of the standard run: 0.5 s for an answer in the loop. A machine that gives nobody a processor
for that long ends the session, rightly, and says nothing about what a test proves. Such a test is made again, and only then: its failure
must itself name one of these timers, or a party of that attempt has: `heed` looks for them in what the parties said, and whoever starts
a party that says why it ended lets `again` know by `hear`. The timer that ran out at one end is a lost connection at the other, and a
test may look at that one first.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

TIMERS = (
    "V2G_EVCC_Msg_Timeout",
    "V2G_SECC_Sequence_Timeout",
    "the firmware said nothing for",  # its watchdog: 2 s in which it may have had no processor
    "this side was late",  # a bench of the conformance suite
    "the machine stood still",  # the demo's word, at its scale
    "pages may lack what came last",  # the process of a viewer got none
)
ATTEMPTS = 10
_HEARD: list[str] = []  # what the parties of this attempt have said
HANG = 300.0  # s after which something hangs: nothing is measured by it, and a machine under load is slow


def missed(*said: object) -> bool:
    """Whether one of the timers ended it, by what the parties said."""
    return any(timer in str(text) for text in said for timer in TIMERS)


def hear(*said: object) -> None:
    """Keep what a party of a session said: when the attempt fails, it may tell which timer was missed."""
    _HEARD.extend(map(str, said))


def forget() -> None:
    """Another attempt begins: what was said in the one before is nothing to it."""
    _HEARD.clear()


def heard(*failures: str) -> bool:
    """Whether one of the timers ran out in this attempt, by what its parties said and by the text of its failures."""
    return missed(*failures, *_HEARD)


def heed(*said: object) -> None:
    """Fail as starved when what the parties said names one of the timers; before anything is asked of a session between processes."""
    assert not missed(*said), "\n".join(map(str, said))


def attempts(run: Callable[[int], Any]) -> Any:
    """What `run` returns, given the number of the attempt; the last failure when every attempt missed a timer, any other at once."""
    for number in range(ATTEMPTS - 1):
        forget()
        try:
            return run(number)
        except Exception as error:
            if not missed(error if isinstance(error, AssertionError) else "", *_HEARD):
                raise
    forget()
    return run(ATTEMPTS - 1)


def again(test: Callable[..., None]) -> Callable[..., None]:
    """A test that is made again when it says that a timer was missed, each time in a folder of its own."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        def attempt(number: int) -> None:
            if number and "tmp_path" in kwargs:
                own: Path = kwargs["tmp_path"] / f"again{number}"
                own.mkdir()
                test(*args, **{**kwargs, "tmp_path": own})
            else:
                test(*args, **kwargs)

        attempts(attempt)

    run.made_again = True  # type: ignore[attr-defined]
    return run
