"""A foreign Modbus device: the PyPI package `pymodbus` serves maps that the PyPI package `pysunspec2` has written.

It runs in an interpreter of its own, is given one JSON object, and prints the port, or the tables that it is asked for:

{"units": [{"unit": 1, "base": 40000, "models": [[203, {"W": 5000, "W_SF": 0}]]}, {"unit": 2, "registers": {"0": 17}}]}
{"units": ..., "serial": "/dev/pts/7"}                  on a serial line; with "tls": {"cert": ..., "key": ..., "roots": ...} over TLS
{"offsets": [203, 701]}
{"read": {"port": 5020, "unit": 3, "model": 704}}       by the client of `pysunspec2`: values by point, in SI
"""

import asyncio
import json
import ssl
import struct
import sys
from typing import Any

MARK = (0x5375, 0x6E53)


def registers_of(models: list[Any]) -> list[int]:
    """The registers of models, each as id and raw values by point, with the mark before and the end behind them."""
    from sunspec2 import device  # type: ignore[import-not-found]

    registers = list(MARK)
    for number, points in models:
        model = device.Model(model_id=number, data={**points, "ID": number})
        octets = model.get_mb()
        words = list(struct.unpack(f">{len(octets) // 2}H", octets))
        words[1] = len(words) - 2
        registers += words
    return [*registers, 0xFFFF, 0]


def offsets_of(numbers: list[int]) -> dict[int, Any]:
    """Offset, type and scale point of each point of the first group of models."""
    from sunspec2 import device

    tables = {}
    for number in numbers:
        offset = 0
        table: dict[str, Any] = {}
        for point in device.get_model_def(number)["group"]["points"]:
            table[point["name"]] = [offset, point["type"], point.get("sf")]
            offset += point["size"]
        tables[number] = table
    return tables


def read(port: int, unit: int, model: int) -> dict[str, Any]:
    """The points of the first group of a model of a unit, each in SI; None where the device has none."""
    from sunspec2.modbus import client  # type: ignore[import-not-found]

    met = client.SunSpecModbusClientDeviceTCP(slave_id=unit, ipaddr="127.0.0.1", ipport=port)
    met.scan()
    found = met.models[model][0]
    return {name: point.cvalue for name, point in found.points.items()}


def server_of(devices: list[Any], serial: str | None, tls: dict[str, str] | None) -> Any:
    """A server on a free port of TCP, with `tls` for whoever shows a certificate of the same root, or on a serial line."""
    from pymodbus import FramerType  # type: ignore[import-not-found]
    from pymodbus.server import ModbusSerialServer, ModbusTcpServer, ModbusTlsServer  # type: ignore[import-not-found]

    if serial is not None:
        return ModbusSerialServer(devices, port=serial, ignore_missing_devices=True)
    if tls is None:
        return ModbusTcpServer(devices, address=("127.0.0.1", 0))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls["cert"], tls["key"])
    context.load_verify_locations(tls["roots"])
    context.verify_mode = ssl.CERT_REQUIRED
    return ModbusTlsServer(devices, framer=FramerType.SOCKET, address=("127.0.0.1", 0), sslctx=context)


async def serve(units: list[Any], serial: str | None = None, tls: dict[str, str] | None = None) -> None:
    """Serve the maps of all units, for ever."""
    from pymodbus.simulator import DataType, SimData, SimDevice  # type: ignore[import-not-found]

    devices = []
    for unit in units:
        if "models" in unit:
            blocks = [SimData(unit["base"], values=registers_of(unit["models"]), datatype=DataType.REGISTERS)]
        else:
            blocks = [SimData(int(at), values=value, datatype=DataType.REGISTERS) for at, value in unit["registers"].items()]
        devices.append(SimDevice(unit["unit"], simdata=blocks))
    server = server_of(devices, serial, tls)
    await server.serve_forever(background=True)
    print(json.dumps({"port": server.transport.sockets[0].getsockname()[1] if serial is None else 0}), flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """Do what the argument asks for."""
    asked = json.loads(sys.argv[1])
    if "offsets" in asked:
        print(json.dumps(offsets_of(asked["offsets"])), flush=True)
    elif "read" in asked:
        print(json.dumps(read(**asked["read"])), flush=True)
    else:
        asyncio.run(serve(asked["units"], asked.get("serial"), asked.get("tls")))


if __name__ == "__main__":
    main()
