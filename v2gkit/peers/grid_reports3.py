"""A foreign client of OpenADR 3.1, the PyPI package `openadr3-client`, as business logic at a VTN: what it reads of events and reports.

It is given one JSON object, the VTN's URL, its client, and the reports as the VTN has them. It prints a line with the events that it
finds, and one for each report. Its client takes the descriptors of a report for those of an event and refuses all that have any: reports
are read by its model without them, and they by its model of descriptors of reports.

{"url": "http://127.0.0.1:8080", "bl": ["utility", "secret"], "tokens": "http://127.0.0.1:8080/auth/token", "reports": [...]}
"""

import json
import os
import sys


def main() -> None:
    """Read all that the VTN has, by the models of the package."""
    from openadr3_client.bl.http_factory import BusinessLogicHttpClientFactory  # type: ignore[import-not-found]
    from openadr3_client.oadr310.models.report.report import ExistingReport  # type: ignore[import-not-found]
    from openadr3_client.oadr310.models.report.report_payload import ReportPayloadDescriptor  # type: ignore[import-not-found]
    from openadr3_client.version import OADRVersion  # type: ignore[import-not-found]

    asked = json.loads(sys.argv[1])
    os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # a VTN of the laboratory, on loopback
    known = {"token_url": asked["tokens"], "allow_insecure_http": True, "version": OADRVersion.OADR_310}
    client = BusinessLogicHttpClientFactory.create_http_bl_client(asked["url"], *asked["bl"], **known)
    events = client.events.get_events(target=None, pagination=None, program_id=None)
    print(json.dumps({"events": [event.id for event in events], "wanted": [len(event.report_descriptors or ()) for event in events]}))
    for said in asked["reports"]:
        described = [ReportPayloadDescriptor.model_validate(each).payload_type.value for each in said.pop("payloadDescriptors")]
        report = ExistingReport.model_validate(said)
        rows = [
            [resource.resource_name, interval.id, str(payload.type.value), list(payload.values)]
            for resource in report.resources
            for interval in resource.intervals
            for payload in interval.payloads
        ]
        print(json.dumps({"report": report.event_id, "described": described, "rows": rows}), flush=True)


if __name__ == "__main__":
    main()
