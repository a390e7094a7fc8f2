"""The public HTTP API: parse, authorise, call one service, serialise."""
