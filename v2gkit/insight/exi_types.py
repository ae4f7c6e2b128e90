"""What a type of the schemas consists of, in words."""

from v2g.exi import derive
from v2g.exi.schema import declared_elements
from v2g.messages import MODULES, schema_set


def descriptions(name: str, set: str | None) -> list[str]:
    """The description of each type that has this name, or an element of this name; in one schema set, or in all."""
    found = dict.fromkeys(
        cls
        for each in ([set] if set else MODULES)
        for cls in schema_set(each).classes
        if name in (cls.__name__, *(element.name for element in declared_elements(cls)))
    )
    return [derive.describe(cls) for cls in found]
