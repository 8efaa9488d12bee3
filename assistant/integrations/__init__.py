"""The rest of the house: MQTT, Home Assistant, Wyoming. Each is optional; nothing connects unless it is configured."""
