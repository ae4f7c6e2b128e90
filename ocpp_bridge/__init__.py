"""OCPP 2.x between a station and its CSMS, for ISO 15118: the car's needs go to the CSMS, its decisions to the car.

Reading order: `wire` (frames, schemas, queue, connection), `model` (the station in the words of OCPP), `blocks` and `smart` (one module for
each functional block: what the CSMS may call, what becomes of our calls, its timers), `table` (the blocks as one table), `wants` (what
sessions ask), `charger` (the state of all of it), `bridge` (the state machine, pure), `charge_point` (the shell).
Beside it stand the shells of single errands: `keeping` (the store), `cabinet` (certificates), `dialing` (which network), `transfer`
(files by HTTP), `upload` (logs), `installing` (firmware).
"""
