"""OCPP 2.1 between a station and its CSMS, for ISO 15118-20: the car's needs go to the CSMS, its decisions to the car.

Reading order: `rpc` (the frames, pure), `mapping` (the fields of each message, to and from the station's words), `profiles` (charging
profiles and their composite), `bridge` (the state machine, pure) with its tables `wants` (from the car) and `requests` (from the CSMS),
`charging` and `steering` (how profiles reach the car), `charge_point` (the shell: WebSocket, reconnect, time).
"""
