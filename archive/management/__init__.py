"""Operator commands: parse arguments, call one service."""
