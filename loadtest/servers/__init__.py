"""Servers of our own for scripts: PostgreSQL, Redis and any other process, on loopback, in temporary folders, ended by whoever started them."""
