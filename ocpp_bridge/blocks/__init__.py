"""The functional blocks of OCPP, a module each, that exports `BLOCK`; smart charging has a folder of its own (`ocpp_bridge.smart`)."""
