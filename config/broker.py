"""Kombu's PGMQ transport, made to go on after what the database did not take, and to leave nothing when it is away.

Elsewhere a lost connection ends the channel, and with it the count of messages that are under way. PGMQ's channel
stays, as its pool of connections heals; so the message has to give its place back, or the worker, which holds one
message at a time, never asks for another one. Nor need anybody ask whether it is still connected, as Kombu does with a
query of its own before every message that is sent. And a pool is opened before anybody knows whether the database
answers: if it does not, nobody but this would close it, and its threads go on trying. One that has channels stays open:
Kombu tries again in its place, and whoever consumes on them would wait for ever on a transport that lost them.
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
    """As Kombu's, with that channel; what could not be established and serves nobody is closed."""

    Channel = Channel

    def establish_connection(self) -> Any:
        try:
            return super().establish_connection()  # type: ignore[no-untyped-call]
        except Exception:
            if not self.channels:
                self.close_connection(self)
            raise

    def verify_connection(self, connection: Any) -> bool:  # noqa: ARG002 -- Kombu's signature
        """Its pool makes connections anew; that none can be had is said by whatever needs one."""
        return self._pgmq_client is not None


def register() -> None:
    """Let `pgmq://` mean this transport."""
    TRANSPORT_ALIASES["pgmq"] = f"{__name__}:Transport"
