"""Numbers for questions to the backend, so that a late answer is not taken for one to a later question."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Questions:
    """How many questions of one kind the backend was asked, and up to which number it has answered."""

    asked: int = 0
    answered: int = 0

    def another(self) -> "Questions":
        """The count after one more question, whose number is the new `asked`."""
        return replace(self, asked=self.asked + 1)

    def addressed(self, about: int | None) -> tuple["Questions", int | None]:
        """The count after an answer to question `about` (None: to the oldest open one), and that question's number, None: there is none."""
        if about is None:
            about = self.answered + 1
            if about > self.asked:
                return self, None
        return replace(self, answered=max(self.answered, min(about, self.asked))), about
