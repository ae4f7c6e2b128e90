"""What a station is in the words of OCPP: device model, fields of messages, contracts and reasons."""
