"""Windows DNS: dates are never guessed, labels are read by their lengths."""

from __future__ import annotations

import pytest

from evidence.errors import ReadingError
from evidence.formats.registry import FORMATS
from evidence.formats.windows_dns import read_line
from evidence.reading.format import Head
from evidence.recognition import recognise
from tests.evidence.formats.readers import read

FORM = FORMATS["parse.windows_dns@1"]
LINE = (
    b"6/5/2013 10:00:32 PM 0E70 PACKET  00000000033397A0 UDP Rcv 10.161.60.71    5b47   Q [0001   D   NOERROR] A      "
    b"(12)SomeComputer(6)domain(3)com(0)\r\n"
)
ANSWER = LINE.replace(b"Rcv", b"Snd").replace(b"  Q [0001   D   NOERROR]", b"R Q [8385 A DR NXDOMAIN]")


def test_values_are_normalised() -> None:
    row = read_line("mdy", LINE)
    assert (row["time"].isoformat(), row["time_zone"], row["event"]) == ("2013-06-05T22:00:32+00:00", None, "query")
    assert (row["name"], row["type"], row["client"]) == ("somecomputer.domain.com", "A", "10.161.60.71")
    assert (row["name_as_written"], row["transport"]) == ("(12)SomeComputer(6)domain(3)com(0)", "udp")
    assert (row["flags"], row["rcode"]) == ("RD", None)
    answer = read_line("dmy", ANSWER)
    assert (answer["time"].month, answer["event"], answer["rcode"], answer["flags"]) == (
        5, "response", "NXDOMAIN", "AA RD RA"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("date", "day"),
    [
        (b"2013-06-05 22:00:32", (2013, 6, 5)),
        (b"20130605 22:00:32", (2013, 6, 5)),
        (b"5.6.2013 22:00:32", (2013, 6, 5)),
        (b"2013/06/05 22:00:32", (2013, 6, 5)),
    ],
)
def test_dates_of_one_reading_need_no_order(date: bytes, day: tuple[int, int, int]) -> None:
    row = read_line(None, LINE.replace(b"6/5/2013 10:00:32 PM", date))
    assert (row["time"].year, row["time"].month, row["time"].day, row["time"].hour) == (*day, 22)


@pytest.mark.parametrize("half", [b"PM", b"pm", b"p.m.", b"p. m.", b"p.\xa0m."])
def test_the_half_of_the_day_is_written_in_many_ways(half: bytes) -> None:
    assert read_line("mdy", LINE.replace(b"PM", half))["time"].hour == 22
    assert read_line("mdy", LINE.replace(b"PM", half.replace(b"p", b"a").replace(b"P", b"A")))["time"].hour == 10


@pytest.mark.parametrize("date", [b"6/5/2013 10:00:32 PM", b"06-05-2013 10:00:32", b"25/5/2013 10:00:32"])
def test_other_dates_are_rejects_until_their_order_is_stated(date: bytes) -> None:
    assert read_line(None, LINE.replace(b"6/5/2013 10:00:32 PM", date)) == ("reject", "date-order-not-stated")


def test_the_order_is_offered_where_only_one_is_possible() -> None:
    later = LINE.replace(b"6/5/2013", b"25/5/2013")
    guess = FORM.guess(Head(LINE + later))
    assert guess is not None
    assert guess.parameters == {"dates": "dmy"}
    assert "only as dmy" in guess.reason
    unsure = FORM.guess(Head(LINE))
    assert unsure is not None
    assert unsure.parameters == {}
    assert "two orders" in unsure.reason
    torn = FORM.guess(Head(LINE.replace(b"6/5", b"5/25") + later))
    assert torn is not None
    assert torn.parameters == {}
    assert read(FORM, LINE + later, {"dates": "dmy"}).notes


def test_what_a_person_says_goes_before_what_the_dates_show() -> None:
    data = LINE.replace(b"6/5/2013", b"25/5/2013")
    assert recognise(data).parameters == {"dates": "dmy"}
    assert recognise(data, {"dates": "mdy"}).parameters == {"dates": "mdy"}
    assert recognise(LINE, {"dates": "dmy"}).parameters == {"dates": "dmy"}


def test_an_order_that_is_none_is_refused_in_words() -> None:
    with pytest.raises(ReadingError, match="write mdy"):
        read(FORM, LINE, {"dates": "ymd"})


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (LINE.replace(b"6/5", b"13/5"), ("reject", "bad-time")),
        (LINE.replace(b"10:00:32 PM", b"13:00:32 PM"), ("reject", "bad-time")),
        (LINE.replace(b"(12)", b"(13)"), ("reject", "bad-name")),
        (LINE.replace(b"(0)", b""), ("reject", "bad-name")),
        (LINE.replace(b"(0)", b"(0)x"), ("reject", "bad-name")),
        (LINE.replace(b"UDP", b"SCTP"), ("reject", "not-a-packet-line")),
        (LINE.replace(b"Rcv", b"Snd"), ("skip", "own-query")),
        (ANSWER.replace(b"Snd", b"Rcv"), ("skip", "response-to-the-server")),
        (LINE.replace(b"  Q [", b"  U ["), ("skip", "no-query")),
        (b"6/5/2013 10:00:32 PM 0E70 EVENT   The DNS server has started.\r\n", ("skip", "other-message")),
        (b"Message logging key (for packets - other items use a subset of these fields):\r\n", ("skip", "legend")),
        (b"\tField #  Information         Values\r\n", ("skip", "legend")),
        (b"UDP question info at 00000000033397A0\r\n", ("skip", "legend")),
        (b"  Remote addr 10.161.60.71, port 64329\r\n", ("skip", "legend")),
        (b"something else\n", ("reject", "not-its-log")),
    ],
)
def test_what_is_no_lookup_has_a_reason(line: bytes, found: tuple[str, str]) -> None:
    assert read_line("mdy", line) == found


@pytest.mark.parametrize(("written", "kind"), [(b"ALL   ", "ANY"), (b"65    ", "HTTPS"), (b"65280 ", "TYPE65280")])
def test_types_have_their_words(written: bytes, kind: str) -> None:
    assert read_line("mdy", LINE.replace(b"] A     ", b"] " + written))["type"] == kind
