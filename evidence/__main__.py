"""`python -m evidence` is the auditor's verifier, the same as the command `custos-verify`."""

import sys

from evidence.verify.cli import main

if __name__ == "__main__":
    sys.exit(main())
