"""What all readers stand on: bytes in pieces and as columns, times, names and the way back of each row."""
