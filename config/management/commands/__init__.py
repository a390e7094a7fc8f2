"""Operator commands of the one-machine installation."""
