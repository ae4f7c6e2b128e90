"""From a capture, a log or octets of any form to the records of a trace.

    for record in records(Path("session.pcapng"), Path("keys.log")): ...

pcap and pcapng, over IPv4 and IPv6, plain or TLS 1.2 and 1.3 whose secrets are at hand, ISO 15118-20, ISO 15118-2 and DIN 70121.
"""

from v2gkit.insight.decode.reading import records

__all__ = ["records"]
