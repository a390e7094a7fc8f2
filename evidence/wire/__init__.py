"""DNS messages on the wire, and the packets and streams that carry them."""
