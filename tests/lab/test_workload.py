"""Reading traces and planning runs: what is malformed is named by file and line; the truth is what the trace says."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.errors import Kind, MalformedError
from escrow_lab.demo.trace import Row, Trace, read_texts, read_trace
from escrow_lab.demo.workload import ESCROW, PLAIN, from_trace, story


def write(folder: Path, text: str, name: str = "trace.txt") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_header_is_skipped_and_messages_to_oneself_are_counted(tmp_path: Path) -> None:
    trace = read_trace(write(tmp_path, "source target weight\n1 2 10\n2 2 11\n2 1 12\n"))
    assert trace == Trace((Row("1", "2", 10), Row("2", "1", 12)), 1)


def test_a_trace_without_header_loses_no_line(tmp_path: Path) -> None:
    assert len(read_trace(write(tmp_path, "1 2 0\n1 3 0\n")).rows) == 2


def test_the_limit_counts_messages_that_will_be_sent(tmp_path: Path) -> None:
    trace = read_trace(write(tmp_path, "a a 1\na b 2\nb a 3\nb c 4\n"), limit=2)
    assert [row.time for row in trace.rows] == [2, 3]
    assert trace.skipped_self == 1


def test_times_are_put_in_order_and_equal_ones_keep_theirs(tmp_path: Path) -> None:
    rows = read_trace(write(tmp_path, "a b 5\r\nc d 3\r\ne f 5\r\n")).rows
    assert [row.source for row in rows] == ["c", "a", "e"]


@pytest.mark.parametrize("line", ["1 2", "1 2 3 4", "1 2 x", "1 2 -3", "1 2 3.5", "1 2 ١٢"])
def test_a_malformed_line_is_named(tmp_path: Path, line: str) -> None:
    path = write(tmp_path, f"1 2 3\n{line}\n")
    with pytest.raises(MalformedError) as refusal:
        read_trace(path)
    assert refusal.value.reason.kind is Kind.USAGE
    assert f"{path}, line 2" in refusal.value.detail


@pytest.mark.parametrize("text", ["", "source target time\n", "1 1 5\n"])
def test_a_trace_without_messages_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(MalformedError):
        read_trace(write(tmp_path, text))


def test_what_is_no_text_file_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"\xff\xfe\xff")
    for path in (broken, tmp_path / "absent", tmp_path):
        with pytest.raises(MalformedError) as refusal:
            read_trace(path)
        assert refusal.value.reason.kind is Kind.USAGE


def test_texts_lose_their_label_and_empty_lines(tmp_path: Path) -> None:
    texts = read_texts(write(tmp_path, "ham\tGo until jurong\n\nplain line\nspam\t\n"))
    assert texts == ("Go until jurong", "plain line")


rows = st.lists(
    st.builds(Row, st.sampled_from("abcd"), st.sampled_from("efgh"), st.integers(0, 1000)), min_size=1, max_size=40
)


@given(rows)
def test_the_warrant_covers_what_the_target_sent_in_the_window_and_nothing_else(rows: list[Row]) -> None:
    ordered = tuple(sorted(rows, key=lambda row: row.time))
    work = from_trace(Trace(ordered, 0), None)
    expected = [row for row in ordered if row.source == work.target and work.start <= row.time < work.end]
    assert [(m.source, m.time) for m in work.in_scope] == [(row.source, row.time) for row in expected]
    assert [(m.source, m.target, m.time) for m in work.messages] == [tuple(row) for row in ordered]


@given(rows, st.integers(0, 1000), st.integers(1, 1000))
def test_a_chosen_target_and_window_are_taken_literally(rows: list[Row], start: int, length: int) -> None:
    ordered = tuple(sorted(rows, key=lambda row: row.time))
    target = ordered[0].source
    work = from_trace(Trace(ordered, 0), ["x"], target=target, start=start, end=start + length)
    assert (work.target, work.start, work.end) == (target, start, start + length)


def test_the_busiest_sender_is_the_target_unless_it_is_silent_in_the_window() -> None:
    busy = [Row("a", "b", time) for time in (0, 0, 0, 90)]
    quiet = Row("b", "a", 45)
    assert from_trace(Trace((*busy[:3], quiet, busy[3]), 0), None).target == "b"
    assert from_trace(Trace((*busy[:3], Row("a", "b", 44), quiet, busy[3]), 0), None).target == "a"


def test_an_unknown_target_and_an_empty_window_are_refused() -> None:
    trace = Trace((Row("a", "b", 0), Row("b", "a", 9)), 0)
    for wrong in ({"target": "z"}, {"start": 5, "end": 5}):
        with pytest.raises(MalformedError):
            from_trace(trace, None, **wrong)


def test_the_story_has_both_modes_and_a_window_that_leaves_something_out() -> None:
    work = story(7)
    modes = Counter(message.mode for message in work.messages)
    assert modes[PLAIN] >= 2
    assert 0 < len(work.in_scope) < sum(m.mode == ESCROW and m.source == work.target for m in work.messages)
    assert story(7) == story(7)
    assert list(work.messages) == sorted(work.messages, key=lambda message: message.time)
