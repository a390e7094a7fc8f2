"""Readers of binary formats under atheris: inputs that are led by the code that they reach, from the recordings on.

    make fuzz                                     # a minute a format
    .venv/bin/python -m tests.adversarial.fuzz --seconds 7200 --format parse.pcap@1

Each input has to be read to its end, in bounded time and memory, with every byte accounted for. What breaks that is
written to `build/fuzz/FORMAT` and ends the run of its format; the others go on.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evidence.reading.batch import Conservation

RECORDINGS = Path(__file__).parent.parent / "recordings"
FORMATS_FUZZED = {
    "parse.pcap@1": "pcap",
    "parse.pcapng@1": "pcapng",
    "parse.dnstap@1": "dnstap",
    "parse.cdns@1": "cdns",
}
"""With the ending of their recordings."""
LONGEST = 1 << 14
FOUND = Path("build/fuzz")


def corpus(procedure: str) -> list[bytes]:
    """Beginnings of the recordings of a format: small inputs are changed more often."""
    ending = FORMATS_FUZZED[procedure]
    return [path.read_bytes()[:size] for path in sorted(RECORDINGS.rglob(f"*.{ending}")) for size in (600, LONGEST)]


def read_through(procedure: str, data: bytes) -> Conservation:
    """Reads any bytes by a format. A byte that is lost is an error, like all others that readers do not state."""
    from evidence.formats.registry import FORMATS
    from evidence.reading.batch import Conservation
    from evidence.reading.source import Source

    counted = Conservation()
    descriptor = os.memfd_create("input")
    try:
        os.write(descriptor, data)
        for batch in FORMATS[procedure].read(Source(descriptor), {}).batches:
            counted.add(batch)
    finally:
        os.close(descriptor)
    if counted.bytes != len(data):
        raise AssertionError(f"{counted.bytes} of {len(data)} bytes are accounted for")
    return counted


def fuzz(procedure: str, seconds: int) -> None:
    """Does not come back: libFuzzer ends the process, with a status of its own if it found something."""
    import atheris

    with atheris.instrument_imports(include=["evidence.formats"]):
        from evidence.errors import ReadingError
        from evidence.formats import registry  # noqa: F401 -- readers are instrumented as they are imported

    folder = FOUND / procedure
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(corpus(procedure)):
        (folder / "corpus" / f"recording-{number}").write_bytes(data)

    def one(data: bytes) -> None:
        try:
            read_through(procedure, data)
        except ReadingError as error:
            if "accounted for" in str(error):
                raise

    limits = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", "-timeout=60", "-rss_limit_mb=2048"]
    atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={folder}/", str(folder / "corpus")], one)
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--format", choices=sorted(FORMATS_FUZZED))
    parser.add_argument("--here", action="store_true", help="fuzz in this process")
    said = parser.parse_args()
    if said.here:
        fuzz(said.format, said.seconds)
    command = [sys.executable, "-m", "tests.adversarial.fuzz", "--here", "--seconds", str(said.seconds), "--format"]
    asked = [said.format] if said.format else list(FORMATS_FUZZED)
    return max(subprocess.run([*command, procedure], check=False).returncode != 0 for procedure in asked)


if __name__ == "__main__":
    sys.exit(main())
