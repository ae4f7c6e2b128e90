"""What the shell of one source has of the site it belongs to."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from v2gkit.grid.book import Book
from v2gkit.grid.faults import GridFault
from v2gkit.grid.received import Told
from v2gkit.grid.sep2.prices import Tariff


@dataclass(frozen=True, slots=True)
class Ears:
    """The book, the clock (epoch s), and who hears of faults, of what is no signal, and that the book has changed.

    `powers` are the latest readings of the site's meters: name -> role, W (+ from the grid). `priced` hears what energy costs.
    """

    book: Book
    wall: Callable[[], float]
    complain: Callable[[GridFault], None]
    passed: Callable[[frozenset[str]], None]
    wake: Callable[[], None]
    powers: Callable[[], Mapping[str, tuple[str, float]]]
    priced: Callable[[Tariff], None]

    def take_all(self, source: str, protocol: str, told: Iterable[Told], found: Iterable[GridFault] = ()) -> None:
        """Enter all that a source has, tell its faults, and wake whoever reads the book."""
        for fault in self.book.take_all(source, protocol, told, self.wall(), found):
            self.complain(fault)
        self.wake()
