"""`v2g decode`: the messages in a capture, a log or a trace, one line each."""

import argparse
import json
from pathlib import Path

from v2gkit.output import complain, put

WELL, NEGATIVE, USAGE = 0, 1, 2
EPILOG = """examples:
  v2g decode session.pcapng                      with the secrets inside, as `v2g secc --capture` writes it; or plain TCP
  v2g decode session.pcap --keys keys.log        TLS 1.2 or 1.3, with the key log of one end
  v2g decode station.log                         lines with octets in them; or hex, a dump, a trace
  v2g decode session.pcapng --jsonl | jq .message

--jsonl prints for every V2GTP frame {"frame", "connection", "from", "type", "set", "message", "exi"}, in order; a frame that is no
message has "error" instead of "message". Nothing is sent anywhere.

exit codes: 0 well, 1 there is something that could not be read, 2 no capture, no secrets in the key log, or wrong usage
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g decode`."""
    parser.add_argument("file", type=Path, help="pcap or pcapng, also packed by gzip; a trace; octets in text")
    parser.add_argument("--keys", type=Path, metavar="KEYLOG", help="secrets of TLS, as SSLKEYLOGFILE and `--key-log` write them")
    parser.add_argument("--jsonl", action="store_true", help="a line of JSON for each V2GTP frame")


def run(options: argparse.Namespace) -> int:
    """Print each message; the exit code."""
    from v2gkit.insight.decode import records
    from v2gkit.insight.decode.lines import Lines

    lines = Lines()
    try:
        for record in records(options.file, options.keys, decoded=False):
            if options.jsonl:
                for frame in lines.frame(record):
                    put(json.dumps(frame))
            else:
                for line in lines.text(record):
                    put(line)
            for trouble in lines.trouble(record):
                if options.jsonl:  # the lines for people tell it themselves
                    complain(f"v2g decode: {trouble}")
    except ValueError as error:
        complain(f"v2g decode: {error}")
        return USAGE
    return NEGATIVE if lines.troubled else WELL
