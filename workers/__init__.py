"""Processes: entry points, roles and queues, capacity, telemetry, the embedded server."""
