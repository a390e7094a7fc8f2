"""Kombu's PGMQ transport, made to go on after an acknowledgement that the database did not take.

Elsewhere a lost connection ends the channel, and with it the count of messages that are under way. PGMQ's channel
stays, as its pool of connections heals; so the message has to give its place back, or the worker, which holds one
message at a time, never asks for another one.
"""

from __future__ import annotations

from typing import Any

from kombu.transport import TRANSPORT_ALIASES, pgmq


class Channel(pgmq.Channel):
    """A message whose acknowledgement failed is no longer under way; it is seen again when its time is over."""

    def basic_ack(self, delivery_tag: Any, multiple: bool = False) -> None:  # noqa: FBT001, FBT002 -- Kombu's signature
        try:
            super().basic_ack(delivery_tag, multiple=multiple)  # type: ignore[no-untyped-call]
        except Exception:
            self.qos.reject(delivery_tag, requeue=False)
            raise


class Transport(pgmq.Transport):
    """As Kombu's, with that channel."""

    Channel = Channel


def register() -> None:
    """Let `pgmq://` mean this transport."""
    TRANSPORT_ALIASES["pgmq"] = f"{__name__}:Transport"
