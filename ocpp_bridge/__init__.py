"""OCPP 2.1 between a station and its CSMS, for ISO 15118-20: what the car wants goes up, what the CSMS decides comes down.

Reading order: `rpc` (the frames, pure), `mapping` (two vocabularies, one table for each message), `profiles` (charging profiles and their
composite), `bridge` (the state machine, pure) with its tables `wants` (from the car) and `requests` (from the CSMS), `charging` and
`steering` (how the one reaches the other), `charge_point` (the shell: WebSocket, reconnect, time).
"""
