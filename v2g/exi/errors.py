"""What the codec raises: octets give a message or a `DecodeError`, a message gives octets or an `EncodeError`, nothing else."""


class ExiError(ValueError):
    """Base of DecodeError and EncodeError: a reason, and the path of element names from the root to where it arose."""

    def __init__(self, reason: str, path: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = path

    def within(self, name: str) -> None:
        """Prepend an element's name to the path; every element does so as the error passes through it."""
        self.path = (name, *self.path)

    def __str__(self) -> str:
        return f"{'/'.join(self.path)}: {self.reason}" if self.path else self.reason


class DecodeError(ExiError):
    """The octets are no message of the schema set. `bit` is the offset at which reading stopped, from the first bit of the EXI header."""

    def __init__(self, reason: str, bit: int = 0, path: tuple[str, ...] = ()) -> None:
        super().__init__(reason, path)
        self.bit = bit

    def __str__(self) -> str:
        return f"{super().__str__()} (at bit {self.bit})"


class EncodeError(ExiError):
    """The message is not valid in the schema set."""
