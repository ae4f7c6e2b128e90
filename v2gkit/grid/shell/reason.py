"""What the system says of a connection that failed, in words for people."""

import os


def reason(error: OSError) -> str:
    """The reason of an error of the network, without the addresses that asyncio writes into it."""
    return os.strerror(error.errno) if error.errno is not None and error.errno > 0 else str(error)
