"""DNS messages: every record type in the words of its RFC, and nothing that breaks the format costs more than itself."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.wire.message import read_message
from tests.evidence.formats.packets import changed, message, name, question, record
from tests.evidence.formats.recorded import bytes_of
from tests.recordings.zones import ZONES

WWW = b"\xc0\x0c"
OPT = b"\0" + struct.pack(">HHIH", 41, 1232, 0, 0)


def only(data: bytes) -> dict:
    rows = read_message(data)
    assert isinstance(rows, list) and len(rows) == 1, rows
    return rows[0]


def reason(data: bytes) -> str:
    found = read_message(data)
    assert isinstance(found, tuple), found
    return found[1]


def data_of(kind: int, rdata: bytes, class_: int = 1) -> str:
    row = only(message(answers=[record(WWW, kind, rdata, class_=class_)], flags=0x8180))
    return row["answers"][0]["data"]


def test_a_query_has_its_question_and_its_flags() -> None:
    row = only(message([question(name(b"WwW", b"a.b", b"x y"), 65280, 3)], flags=0x0110))
    assert row == {
        "event": "query", "flags": "RD CD", "name": r"www.a\.b.x\032y", "name_as_written": r"WwW.a\.b.x\032y",
        "type": "TYPE65280", "class": "CH",
    }  # fmt: skip


def test_a_response_has_its_code_and_its_answers() -> None:
    row = only(
        message(
            answers=[record(WWW, 5, name(b"Alias") + b""), record(name(b"alias"), 1, b"\xc0\0\2\1", 60)], flags=0x8580
        )
    )
    assert (row["event"], row["rcode"], row["flags"]) == ("response", "NOERROR", "AA RD RA")
    assert row["answers"] == [
        {"name": "www.example", "type": "CNAME", "ttl": 300, "data": "alias"},
        {"name": "alias", "type": "A", "ttl": 60, "data": "192.0.2.1"},
    ]


@pytest.mark.parametrize(
    ("options", "words", "rcode"),
    [
        (b"\0" + struct.pack(">HHIH", 41, 1232, 0x8000, 0), "RD EDNS0 DO", "NOERROR"),
        (b"\0" + struct.pack(">HHIH", 41, 1232, 0x01010000, 0), "RD EDNS1", "BADVERS"),
        (b"\0" + struct.pack(">HHIH", 41, 1232, 0x01000000, 12) + struct.pack(">HH8s", 10, 8, b"cookieco"), "RD EDNS0 COOKIE", "BADVERS"),
        (b"\0" + struct.pack(">HHIH", 41, 1232, 0x8000, 8) + struct.pack(">HHI", 8, 4, 0x00010000), "RD EDNS0 DO ECS", "NOERROR"),
    ],
)  # fmt: skip
def test_edns_adds_to_flags_and_code(options: bytes, words: str, rcode: str) -> None:
    row = only(message(additional=[options], flags=0x8100))
    assert (row["flags"], row["rcode"]) == (words, rcode)


def test_a_signature_is_said() -> None:
    row = only(message(additional=[OPT, record(name(b"key"), 250, b"", class_=255)]))
    assert row["flags"] == "RD EDNS0 TSIG"


def test_several_questions_are_several_rows_and_the_answers_stand_in_the_first() -> None:
    rows = read_message(message([question(), question(name(b"b"), 28)], [record(WWW, 1, b"\xc0\0\2\1")], flags=0x8000))
    assert [(row["name"], row["type"], len(row.get("answers", ()))) for row in rows] == [
        ("www.example", "A", 1), ("b", "AAAA", 0)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "rdata", "text"),
    [
        (28, bytes.fromhex("20010db8000000000000000000000001"), "2001:db8::1"),
        (6, name(b"ns") + WWW + struct.pack(">5I", 1, 7200, 3600, 1209600, 300), "ns www.example 1 7200 3600 1209600 300"),
        (15, b"\0\x0a" + WWW, "10 www.example"),
        (16, b'\5a"b\\\xff\0', r'"a\"b\\\255" ""'),
        (33, struct.pack(">3H", 10, 60, 5060) + b"\0", "10 60 5060 ."),
        (13, b"\3CPU\2OS", '"CPU" "OS"'),
        (43, struct.pack(">HBB", 60485, 5, 1) + b"\x2b\xb1", "60485 5 1 2bb1"),
        (44, b"\1\1\xab\xcd", "1 1 abcd"),
        (46, struct.pack(">HBBIIIH", 1, 5, 3, 86400, 1048775523, 1046183523, 2642) + name(b"example") + b"\0\1",
         "A 5 3 86400 20030327143203 20030225143203 2642 example AAE="),
        (47, name(b"host", b"example") + b"\0\6\x40\1\0\0\0\3" + b"\4\x1b" + bytes(26) + b"\x20", "host.example A MX RRSIG NSEC TYPE1234"),
        (48, struct.pack(">HBB", 256, 3, 5) + b"\1\2\3", "256 3 5 AQID"),
        (50, b"\1\1\0\x0c\4\xaa\xbb\xcc\xdd\3\1\2\3" + b"\0\1\x40", "1 1 12 aabbccdd 04106 A"),
        (51, b"\1\0\0\0\0", "1 0 0 -"),
        (52, b"\3\1\1\xd2\xab", "3 1 1 d2ab"),
        (256, struct.pack(">HH", 10, 1) + b"ftp://ftp1.example.com/public", '10 1 "ftp://ftp1.example.com/public"'),
        (257, b"\0\5issueca.example.net", '0 issue "ca.example.net"'),
        (64, b"\0\0" + name(b"pool"), "0 pool"),
        (65, b"\0\1\0" + struct.pack(">HH4s", 0, 4, b"\0\1\0\4") + struct.pack(">HH", 1, 6) + b"\2h2\2h3" + struct.pack(">HH", 2, 0)
         + struct.pack(">HHH", 3, 2, 8443) + struct.pack(">HH4s", 4, 4, b"\xc0\0\2\1") + struct.pack(">HH2s", 667, 2, b"a\xff"),
         '1 . mandatory=alpn,ipv4hint alpn="h2,h3" no-default-alpn port=8443 ipv4hint=192.0.2.1 key667="a\\255"'),
        (65280, b"\x0a\0\0\1", r"\# 4 0a000001"),
        (10, b"", r"\# 0"),
    ],
)  # fmt: skip
def test_data_are_written_as_the_rfc_of_their_type_says(kind: int, rdata: bytes, text: str) -> None:
    assert data_of(kind, rdata) == text


@pytest.mark.parametrize(
    ("kind", "rdata"),
    [(1, b"\1\2\3"), (1, b""), (28, b"\1" * 15), (15, b"\0"), (15, b"\0\1\xc0\xff"), (16, b""), (16, b"\5abc"), (6, WWW),
     (65, b"\0\1\0\0\3\0\3abc"), (65, b"\0\1\0\0\3\0\2\0\1\0\3\0\2\0\1"), (47, WWW + b"\0\0"), (257, b"\0\1!x"), (2, WWW + b"x"), (50, b"\1")],
)  # fmt: skip
def test_data_that_do_not_fit_their_type_are_kept_as_octets(kind: int, rdata: bytes) -> None:
    assert data_of(kind, rdata) == f"\\# {len(rdata)} {rdata.hex()}".rstrip()


def test_an_address_of_another_class_is_no_address() -> None:
    assert data_of(1, b"\3abc", class_=3) == r"\# 4 03616263"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "short-message"),
        (message()[:-1], "short-message"),
        (message() + b"\0", "trailing-bytes"),
        (message(answers=[record(WWW, 1, b"\1\2\3\4")])[:-2], "short-message"),
        (message([question(b"\xc0\x0c")]), "bad-pointer"),
        (message([question(b"\1a\xc0\x0e")]), "bad-pointer"),
        (message([question(b"\1a\xc0\x20")]), "bad-pointer"),
        (message([question(b"\x80a")]), "bad-label"),
        (message([question(b"\x3f" + b"a" * 63 + b"\x3f" + b"b" * 63 + b"\x3f" + b"c" * 63 + b"\x3f" + b"d" * 63 + b"\0")]), "bad-name"),
        (message([question()] * 33), "too-many-questions"),
        (message(additional=[OPT, OPT]), "bad-edns"),
        (message(additional=[b"\0" + struct.pack(">HHIH", 41, 1232, 0, 4) + b"\0\x0a\0\1"]), "bad-edns"),
        (message([]), "no-question"),
        (message(flags=0x2000), "opcode-notify"),
        (message(flags=0x7800), "opcode-15"),
    ],
)  # fmt: skip
def test_a_message_that_breaks_the_format_is_none_and_the_reason_is_said(data: bytes, why: str) -> None:
    assert reason(data) == why


def test_pointers_are_followed_no_further_than_a_name_can_go() -> None:
    """Each of many records would else walk through thousands of pointers."""
    owner = record(
        name(b"x"), 16, b"".join(struct.pack(">H", 0xC000 | max(12, 40 + 2 * index)) for index in range(8000))
    )
    hostile = message([question()], [owner, *(record(b"\xff\xf0", 1, b"") for _ in range(2000))], flags=0x8000)
    assert reason(hostile) == "bad-pointer"


def test_answers_of_the_recorded_zones_are_those_of_their_files() -> None:
    """The zone files are in presentation form, and a server turned them into messages."""
    found = set()
    for row in _recorded():
        found |= {(answer["name"], answer["type"], answer["data"]) for answer in row["answers"] or ()}
    assert {data for _, kind, data in found if kind == "TXT" and "spf" in data} == {
        r'"v=spf1 -all" "two strings" "semi;colon and \"quotes\"" "octets \195\188\255"'
    }
    lines = [
        line.split(maxsplit=2) for line in ZONES["example.com"].splitlines()[1:] if " A " in line or " AAAA " in line
    ]
    wanted = {(kind, data) for _, kind, data in lines if kind in ("A", "AAAA") and data != "127.0.0.2"}
    assert wanted <= {(kind, data) for _, kind, data in found}
    assert ("_sip._tcp.example.com", "SRV", "10 60 5060 www.example.com") in found
    assert ("e164.example.com", "NAPTR", '100 10 "u" "E2U+sip" "!^.*$!sip:info@example.com!" .') in found
    assert ("www.example.com", "HTTPS", '1 . alpn="h2" ipv4hint=192.0.2.1') in found
    assert ("_dns.example.com", "SVCB", '1 www.example.com alpn="dot" port=853') in found


def _recorded() -> list[dict]:
    from evidence.formats.registry import FORMATS
    from tests.evidence.formats.readers import read

    return read(FORMATS["parse.pcap@1"], bytes_of("pcap/ethernet.pcap")).rows


WHOLE = [
    message(), message([question()], [record(WWW, 1, b"\xc0\0\2\1"), record(WWW, 16, b"\5hello")], [record(name(b"x"), 6, WWW * 2 + bytes(20))], [OPT], 0x8580),
]  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(changed(WHOLE) | st.binary(max_size=80))
def test_any_octets_are_rows_or_a_reason(data: bytes) -> None:
    found = read_message(data)
    if isinstance(found, tuple):
        assert found[0] in ("reject", "skip") and found[1]
        return
    assert all(row["name"] and row["event"] in ("query", "response") for row in found)
