"""The peer's EXI codec alone: lines of JSON in, lines of JSON out, in order. Run by the peer's interpreter; see `ecog_setup`.

`{"namespace", "exi": hex}` is decoded to `{"json": text}`, `{"namespace", "json": text}` encoded to `{"exi": hex}`; what it cannot do is
answered `{"error": why}`. The text is the JSON of its Java codec: element names, and octets as base64.
"""

# mypy: disable-error-code="import-not-found"

import json
import os
import sys
from typing import Any

from iso15118.shared.exificient_exi_codec import ExificientEXICodec


def answer(codec: ExificientEXICodec, asked: dict[str, Any]) -> dict[str, Any]:
    """The answer of the foreign codec to one line."""
    try:
        if "exi" in asked:
            return {"json": codec.decode(bytes.fromhex(asked["exi"]), asked["namespace"])}
        return {"exi": bytes(codec.encode(asked["json"], asked["namespace"])).hex()}
    except Exception as error:  # whatever Java throws is the codec's answer
        cause = getattr(error, "java_exception", None) or error
        return {"error": f"{type(error).__name__}: {cause}".splitlines()[0][:500]}


def main() -> None:
    """Answer lines of JSON with the foreign codec until standard input ends."""
    codec = ExificientEXICodec()
    for line in sys.stdin:
        print(json.dumps(answer(codec, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
    os._exit(0)  # the Java gateway's threads would outlive a plain exit
