"""Readers of binary formats under atheris: inputs that are led by the code that they reach, from the recordings on.

    make fuzz                                     # a minute each
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
    from collections.abc import Callable

    from evidence.reading.batch import Conservation

RECORDINGS = Path(__file__).parent.parent / "recordings"
FORMATS_FUZZED = {
    "parse.pcap@1": "pcap", "parse.pcapng@1": "pcapng", "parse.dnstap@1": "dnstap", "parse.cdns@1": "cdns",
}  # fmt: skip
"""With the ending of their recordings."""
MESSAGE = "message"
"""DNS messages by themselves, which three of these formats carry: more of them are tried without a frame around."""
TARGETS = (*FORMATS_FUZZED, MESSAGE)
LONGEST = 1 << 14
FOUND = Path("build/fuzz")
_HEADERS = 14 + 20 + 8  # Ethernet, IPv4, UDP


def corpus(target: str) -> list[bytes]:
    """Beginnings of the recordings of a format: small inputs are changed more often."""
    if target == MESSAGE:
        return messages()
    ending = FORMATS_FUZZED[target]
    return [path.read_bytes()[:size] for path in sorted(RECORDINGS.rglob(f"*.{ending}")) for size in (600, LONGEST)]


def messages() -> list[bytes]:
    """What the recorded capture carries over UDP and IPv4."""
    capture, at = (RECORDINGS / "pcap/ethernet.pcap").read_bytes(), 24
    found = []
    while at < len(capture):
        stop = at + 16 + int.from_bytes(capture[at + 8 : at + 12], "little")
        packet = capture[at + 16 : stop]
        if packet[12:15] == b"\x08\x00\x45" and packet[23] == 17:
            found.append(packet[_HEADERS:])
        at = stop
    return found


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


def fuzz(target: str, seconds: int) -> None:
    """Does not come back: libFuzzer ends the process, with a status of its own if it found something."""
    import atheris

    with atheris.instrument_imports(include=["evidence.formats", "evidence.reading", "evidence.wire"]):
        from evidence.formats import registry  # noqa: F401 -- readers are instrumented as they are imported

    folder = FOUND / target
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(corpus(target)):
        (folder / "corpus" / f"recording-{number}").write_bytes(data)
    limits = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", "-timeout=60", "-rss_limit_mb=2048"]
    atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={folder}/", str(folder / "corpus")], one_of(target))
    atheris.Fuzz()


def one_of(target: str) -> Callable[[bytes], None]:
    """Tries one input. A refusal that is stated is no fault, unless a byte was lost."""
    from evidence.errors import ReadingError
    from evidence.wire.message import read_message, table_of

    def whole(data: bytes) -> None:
        try:
            read_through(target, data)
        except ReadingError as error:
            if "accounted for" in str(error):
                raise

    def message(data: bytes) -> None:
        found = read_message(data)
        if isinstance(found, list):
            table_of([{"line": 1, "start": 0, "stop": 1, **row} for row in found])

    return message if target == MESSAGE else whole


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--format", choices=sorted(TARGETS))
    parser.add_argument("--here", action="store_true", help="fuzz in this process")
    said = parser.parse_args()
    if said.here:
        fuzz(said.format, said.seconds)
    command = [sys.executable, "-m", "tests.adversarial.fuzz", "--here", "--seconds", str(said.seconds), "--format"]
    asked = [said.format] if said.format else list(TARGETS)
    failed = [target for target in asked if subprocess.run([*command, target], check=False).returncode]
    if failed:
        sys.stderr.write(f"fuzz: {', '.join(failed)} failed; what broke them is in {FOUND}\n")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
