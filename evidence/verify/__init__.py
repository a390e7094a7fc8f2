"""What an auditor runs: reads files handed over by anybody and says what holds, trusting nothing in them."""
