"""What evidence is, what it means, and how anyone proves it: plain Python, no framework, no clock, no network."""
