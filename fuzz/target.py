"""What atheris runs, in a process of its own: `python -m fuzz.target SET FOLDER [libFuzzer options]`. `python -m fuzz` is made for people.

The codec is instrumented as it is imported, and so are the readers that it writes for each class: the path through them is the path through
the grammar, which the walk over tables alone would not show. An input is one octet that says whether it is a fragment, and the octets.
"""

import builtins
import random
import shlex
import sys
from typing import Any

import atheris

with atheris.instrument_imports(include=["v2g.exi"], enable_loader_override=False):
    from fuzz.accidents import bits_changed
    from fuzz.corpus import FRAGMENT, parts
    from fuzz.promise import judge
    from v2g.exi import straight_reader
    from v2g.exi.explain import explain
    from v2g.messages import schema_set


def instrumented(text: str, name: str, kind: str) -> Any:
    """`compile` for the readers."""
    return atheris.patch_code(builtins.compile(text, name, kind), trace_dataflow=True)


def mutated(data: bytes, most: int, seed: int) -> bytes:
    """Half of the time what libFuzzer would do, else an accident at a place where the stream has a code or a value."""
    chance = random.Random(seed)
    if len(data) < 3 or chance.random() < 0.5:
        return bytes(atheris.Mutate(data, most))
    fragment, octets = parts(data)
    steps, _ = explain(octets, SCHEMAS, fragment=fragment, mode="interop")
    marks = tuple(step.bit for step in steps) or (8,)
    return (data[:1] + bits_changed(octets, marks, chance))[:most]


def one(data: bytes) -> None:
    """One input."""
    fragment, octets = parts(data)
    judge(octets, SCHEMAS, fragment, views=data[:1] > FRAGMENT)


if __name__ == "__main__":
    name = sys.argv.pop(1)
    SCHEMAS = schema_set(name)
    sys.argv[0] = f"{shlex.quote(sys.executable)} -m fuzz.target {name}"  # libFuzzer runs itself again to merge
    straight_reader.compile = instrumented  # type: ignore[attr-defined]
    atheris.Setup(sys.argv, one, custom_mutator=mutated)
    atheris.Fuzz()
