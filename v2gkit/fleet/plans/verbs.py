"""The contract of solvers: a task goes in, its plan comes out, whoever dies meanwhile."""

from typing import Final, Protocol

TRIES: Final = 3  # times that a task is given to somebody who does not answer; then its site keeps to the plan that it has


class SolverFault(Exception):
    """There is no plan; the text says why."""


class Solvers(Protocol):
    """Solve tasks beside the process that asks."""

    async def solve(self, site: str, task: bytes) -> bytes:
        """The plan of a site's task. Raises SolverFault where nobody makes one. Asked twice it is solved twice, which changes nothing."""

    async def close(self) -> None:
        """Begin no further task."""
