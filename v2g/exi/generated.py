"""Functions whose text is written for a class when they are first called: what the straight reader and the straight writer share."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from v2g.exi.grammar import SchemaSet
from v2g.exi.schema import Type


class Generated(ABC):
    """The functions of a schema set, each of two arguments, in the list `made`; their text is run in one scope."""

    name: ClassVar[str]  # of the function that a text defines

    def __init__(self, schema_set: SchemaSet, scope: dict[str, Any]) -> None:
        self.set = schema_set
        self.made: list[Callable[[Any, Any], Any]] = []
        self._places: dict[type[Type], int] = {}
        self._scope = scope

    def place(self, cls: type[Type]) -> int:
        """The index of the function of a class in the list `made`."""
        if cls not in self._places:
            self._places[cls] = at = len(self.made)
            self.made.append(lambda x, y: self._write(cls, at)(x, y))
        return self._places[cls]

    def constant(self, value: Any) -> str:
        """A name for a value in the scope of the functions."""
        name = f"k{len(self._scope)}"
        self._scope[name] = value
        return name

    def _write(self, cls: type[Type], at: int) -> Callable[[Any, Any], Any]:
        exec(compile(self.text(cls), f"<{self.name} of {cls.__name__}>", "exec"), self._scope)  # noqa: S102 (our own text)
        self.made[at] = self._scope[self.name]
        return self.made[at]

    @abstractmethod
    def text(self, cls: type[Type]) -> str:
        """The text that defines the function of a class."""
