"""Keeps the assistant running for months: supervision, control socket, systemd's protocol, metrics."""
