"""Does the work that blocks for the bridge, in a thread."""

import asyncio
from collections.abc import Callable

from ocpp_bridge.model.errand import Errand
from ocpp_bridge.wire.schemas import Payload
from pki.errors import CertificateError, StoreError


async def run(errand: Errand, clock: Callable[[], float], wake: Callable[[], None]) -> Payload | None:
    """Do one errand, then `wake` the shell; returns what is to be answered where it could not be done, None where it could."""
    try:
        result = await asyncio.to_thread(errand.do)
    except (OSError, ValueError, StoreError, CertificateError) as error:
        return errand.failed(str(error) or type(error).__name__, clock())
    else:
        errand.done(result, clock())
        return None
    finally:
        wake()
