"""The Django app: the only floor that writes rows, blobs, signatures and log entries."""
