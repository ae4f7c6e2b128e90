"""OCPP 2.1 between a station and its CSMS, for ISO 15118-20: what the car wants goes up, what the CSMS decides comes down.

Reading order: `rpc` (the frames, pure), `mapping` (two vocabularies, one table per message), `profiles` (charging profiles and their
composite), `bridge` (the state machine, pure), `charge_point` (the shell: WebSocket, reconnect, time).
"""
