"""The report shows how long answers took, of how much."""

from v2g.exi.derive import least
from v2g.generations import GENERATIONS
from v2g.iso20 import frames
from v2g.messages.common_messages import SessionSetupReq, SessionSetupRes
from v2g.messages.dc import DC_ChargeLoopReq, DC_ChargeLoopRes
from v2g.session.endpoint import FrameReceived, FrameSent
from v2g.session.trace import Trace
from v2gkit.insight.report.page import page
from v2gkit.insight.report.reading import story_of


def test_answers_stand_beside_their_limit_and_what_was_left_of_it() -> None:
    trace, records, at = Trace("secc", lambda now: 1.7e9 + now, GENERATIONS), [], 1.0
    for request, response, took in ((SessionSetupReq, SessionSetupRes, 0.375), (DC_ChargeLoopReq, DC_ChargeLoopRes, 0.125)):
        for kind, message, since in ((FrameReceived, least(request), None), (FrameSent, least(response), took)):
            at += since or 0.0
            payload_type, exi = frames.payload_type_of(type(message)), frames.exi(message)
            records.append(trace.record(kind(at, payload_type, frames.SETS[payload_type], exi, message, since)))
        at += 1.0
    story = story_of(records)
    assert dict(story.facts)["Slowest answer for its limit"] == "DC_ChargeLoopRes after 125.0 of 250 ms, 50.0 % left"
    html = page(story)
    assert '<td class="num">375.0 ms</td><td class="num">1500 ms</td><td class="num">75.0 %</td>' in html
    assert '<td class="num">125.0 ms</td><td class="num">250 ms</td><td class="num">50.0 %</td>' in html
