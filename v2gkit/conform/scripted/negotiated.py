"""The answer of a scripted station to the protocols that a car offers (pure)."""

from collections.abc import Collection

from v2g.messages.app_protocol import responseCodeType, supportedAppProtocolReq, supportedAppProtocolRes


def negotiated(request: supportedAppProtocolReq, namespaces: Collection[str]) -> supportedAppProtocolRes:
    """The best entry of these namespaces is selected; none of them: the negotiation fails."""
    fitting = [entry for entry in request.AppProtocol if entry.ProtocolNamespace in namespaces]
    if not fitting:
        return supportedAppProtocolRes(ResponseCode=responseCodeType.Failed_NoNegotiation)
    best = min(fitting, key=lambda entry: entry.Priority)
    return supportedAppProtocolRes(ResponseCode=responseCodeType.OK_SuccessfulNegotiation, SchemaID=best.SchemaID)
