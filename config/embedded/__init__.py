"""The parts of a one-machine installation: PostgreSQL from a wheel, and the processes around it."""
