"""One document event by event, as far as it can be understood."""

from dataclasses import dataclass
from typing import Any

from v2g.exi import explain
from v2g.exi.reading import BEHIND, Step
from v2g.messages import schema_set
from v2gkit.insight.exi_reading import Question, answer
from v2gkit.insight.octet_forms import Document

ENDS = ("padding", "EE", "end of fragment", BEHIND)  # a message that is whole ends with one of these


@dataclass(frozen=True, slots=True)
class Steps:
    """The events of a document in a schema set; `remark` is what was odd, or why it goes no further, None for neither."""

    octets: bytes
    set: str
    steps: list[Step]
    remark: str | None

    @property
    def whole(self) -> bool:
        """Whether the message was understood to its end."""
        return bool(self.steps) and self.steps[-1].what in ENDS

    def table(self) -> list[str]:
        """A line for each step, for people."""
        return list(explain.table(self.octets, self.steps))

    def as_dict(self) -> dict[str, Any]:
        """Set, steps and remark for machines, each step with bit, width, depth, what and value."""
        rows = [{"bit": s.bit, "width": s.width, "depth": s.depth, "what": s.what, "value": explain.shown(s.value)} for s in self.steps]
        return {"set": self.set, "steps": rows, "remark": self.remark}


def steps_of(document: Document, question: Question) -> Steps:
    """The steps of a document, in the first of the dialects. Raises ExiError where no set was given and none fits."""
    octets, name, odd = document.octets, question.set, [document.remark] if document.remark else []
    if not name:
        told = answer(document, question)
        tolerated = {str(finding) for finding in told.reading.findings}  # the steps say these themselves
        octets, name, odd = told.octets, told.set, [finding for finding in told.findings if finding not in tolerated]
    schemas = schema_set(name, question.dialects[0])
    steps, remark = explain.explain(octets, schemas, fragment=question.fragment, mode=question.mode)
    return Steps(octets, name, steps, "; ".join([*odd, *([remark] if remark else [])]) or None)
