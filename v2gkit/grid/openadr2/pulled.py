"""What a VTN of OpenADR 2.0b told, entered into the book, and what it is answered of each event."""

from collections.abc import Callable, Sequence

from v2gkit.grid.book import Book
from v2gkit.grid.declared import OpenAdr2
from v2gkit.grid.faults import GridFault
from v2gkit.grid.openadr2.events import Event, Reader, signals_of
from v2gkit.grid.openadr2.ven import Heard, Session
from v2gkit.grid.received import Told

KEPT = 1_024  # answers that are remembered, so that none is given twice


class Pulled:
    """One VTN's events. `wake` is called when the book has changed."""

    def __init__(
        self, vtn: OpenAdr2, book: Book, wall: Callable[[], float], complain: Callable[[GridFault], None], wake: Callable[[], None]
    ) -> None:
        self._vtn, self._book, self._wall, self.complain, self._wake = vtn, book, wall, complain, wake
        self._answered: dict[tuple[str, str], bool] = {}  # event and modification -> whether it is followed
        self._ids: dict[str, tuple[str, ...]] = {}  # event -> the ids of its signals

    def hear(self, session: Session, heard: Heard) -> Sequence[tuple[Event, bool]]:
        """Enter the events of one answer; what has to be answered to each that was not, whether it is followed."""
        now = self._wall()
        reader = Reader(self._vtn.name, self._vtn.ven, session.ven_id, self._vtn.simple)
        told: list[Told] = []
        faults: list[GridFault] = []
        opts = []
        for event in heard.events:
            well = True
            try:
                made = signals_of(event, reader, now)
                self._ids[event.id] = tuple(each.signal.id for each in made)
                told += made
            except GridFault as fault:
                faults.append(fault)
                well = False
            if event.wants_answer and (event.id, event.number) not in self._answered:
                opts.append((event, well))
        for found in self._book.take_all(reader.source, "openadr2", told, now, faults):
            self.complain(found)
        there = {event.id for event in heard.events}
        self._ids = {id_: ids for id_, ids in self._ids.items() if id_ in there}
        self._wake()
        return opts

    def answered(self, opts: Sequence[tuple[Event, bool]]) -> None:
        """Note that the VTN was told so much."""
        for event, well in opts:
            self._answered[event.id, event.number] = well
            for id_ in self._ids.get(event.id, ()) if well else ():
                self._book.acknowledge(id_, self._wall())
        while len(self._answered) > KEPT:
            self._answered.pop(next(iter(self._answered)))
        self._wake()
