"""What carries an order to an asset and knows when it was taken: by OCPP through the CSMS, by Modbus, over the log."""
