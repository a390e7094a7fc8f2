"""The thin command-line client of a server's public API."""
