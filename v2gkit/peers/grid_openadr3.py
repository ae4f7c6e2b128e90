"""A foreign client of OpenADR 3: the PyPI package `openadr3` at a VTN, as business logic and as VEN, in an interpreter of its own.

It is given one JSON object: the VTN's URL, its two clients, and the event that the utility makes. It prints what each of its steps found.

{"url": "http://127.0.0.1:8080", "bl": ["utility", "secret"], "ven": ["depot", "secret"], "event": {...}}
"""

import json
import sys
from typing import Any


def said(**facts: Any) -> None:
    """Print one line of JSON with these facts."""
    print(json.dumps(facts), flush=True)


def span(interval: Any) -> list[float]:
    """Start and end (epoch s) of an interval as the package resolves it, and its first value."""
    start, end = interval.interval_period.period
    return [start.timestamp(), end.timestamp(), float(interval.payloads[0].values[0])]


def main() -> None:
    """Play both sides, and say what came of it."""
    from openadr3.api import create_bl_client, create_ven_client  # type: ignore[import-not-found]
    from openadr3.auth import fetch_token  # type: ignore[import-not-found]

    asked = json.loads(sys.argv[1])
    url = asked["url"]
    with create_bl_client(url, fetch_token(url, *asked["bl"])) as bl, create_ven_client(url, fetch_token(url, *asked["ven"])) as ven:
        program = bl.create_program({"programName": "caps"}).json()
        made = bl.create_event(asked["event"] | {"programID": program["id"]})
        said(created=made.status_code)
        said(found=bl.find_program_by_name("caps").id == program["id"])
        (event,) = ven.events(programID=program["id"])
        said(intervals=[span(interval) for interval in event.resolved_intervals()])
        registered = ven.create_ven({"objectType": "VEN_VEN_REQUEST", "venName": "foreign"}).json()
        said(ven=ven.ven(registered["id"]).ven_name, known=[each.ven_name for each in ven.vens()])
        report = {"eventID": event.id, "clientName": "foreign", "resources": [{"resourceName": "AGGREGATED_REPORT", "intervals": []}]}
        said(report=ven.create_report(report).status_code, read=[each.client_name for each in bl.reports()])
        said(forbidden=[ven.create_event(asked["event"] | {"programID": program["id"]}).status_code, bl.create_report(report).status_code])
        callback = {"objects": ["EVENT"], "operations": ["CREATE"], "callbackUrl": "https://ven.example/hook"}
        said(
            subscribed=ven.create_subscription(
                {"clientName": "foreign", "programID": program["id"], "objectOperations": [callback]}
            ).status_code
        )
        said(missing=ven.get_event_by_id("nothing").status_code, wrong=bl.create_program({}).status_code)


if __name__ == "__main__":
    main()
