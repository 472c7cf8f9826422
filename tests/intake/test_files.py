"""Reading CSV files: rows under the numbers a person sees, every cell as it stands, bad files refused with a reason."""

import io
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from palletflow.intake import files
from palletflow.intake.files import FileRejected, Limits, Table, identify

LIMITS = Limits(",", 1_000_000, 1 << 30)


def read(content, **limits):
    """Headings and rows of a file, the rows in the file's order."""
    given = LIMITS._replace(**limits)
    file = io.BytesIO(content if isinstance(content, bytes) else content.encode())
    table = Table(file, identify(file, given), given)
    rows = [row for chunk in table.rows() for row in chunk]
    return table.headings, sorted(rows)


def good(content, **limits):
    return [(row.number, row.cells) for row in read(content, **limits)[1] if not row.fault]


def bad(content, **limits):
    return [(row.number, row.fault.code, row.text) for row in read(content, **limits)[1] if row.fault]


def refused(content, **limits):
    with pytest.raises(FileRejected) as caught:
        read(content, **limits)
    return str(caught.value)


@pytest.mark.rule("PF-8.1-1")
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_settings_and_quotes_are_rfc_4180(delimiter):
    text = 'a,b,c\n1,"x,""y""",3\n'.replace(",", delimiter)
    assert good(text, delimiter=delimiter) == [(2, ("1", f'x{delimiter}"y"', "3"))]


@pytest.mark.rule("PF-8.1-2")
@pytest.mark.parametrize(
    "content",
    ["a,b\nCafé,€5\n".encode(), "\ufeffa,b\nCafé,€5\n".encode(), "a,b\nCafé,€5\n".encode("cp1252")],
    ids=["UTF-8", "UTF-8 with BOM", "Windows-1252"],
)
def test_the_encoding_is_found(content):
    assert read(content)[0] == ["a", "b"]
    assert good(content) == [(2, ("Café", "€5"))]


@pytest.mark.rule("PF-8.1-2")
def test_windows_1252_is_found_when_only_the_last_row_is_not_utf_8():
    rows = b"plain,text\n" * 200_000
    assert good(b"a,b\n" + rows + b"Caf\xe9,x")[-1] == (200_002, ("Café", "x"))


@pytest.mark.rule("PF-8.1-2")
def test_line_ends_may_be_mixed_and_blank_lines_are_no_rows_but_count():
    assert good("a,b\r\n1,2\n\r\n   \n,\n3,4\r\n5,6") == [(2, ("1", "2")), (6, ("3", "4")), (7, ("5", "6"))]


@pytest.mark.rule("PF-8.1-8")
def test_rows_have_the_number_of_the_line_they_begin_on():
    text = '\n\na,b\n1,"two\nlines"\n\n2,"three\r\nlines\r\nhere"\n3,x\n'
    assert good(text) == [(4, ("1", "two\nlines")), (7, ("2", "three\nlines\nhere")), (10, ("3", "x"))]


def test_no_cell_is_guessed_at():
    cells = ("007", "NA", "null", "1e5", "True", "", "nan", "1,5", "-", "2026-01-01", " x ", "#N/A", "0x1F", "1_000")
    quoted = ",".join(f'"{cell}"' for cell in cells)
    headings = ",".join(f"h{place}" for place in range(len(cells)))
    assert good(f"{headings}\n{quoted}\n") == [(2, cells)]
    # A first column that looks like an index, and a trailing separator in every row, stay what they are.
    assert good("i,a,\n0,x,\n1,y,\n") == [(2, ("0", "x", "")), (3, ("1", "y", ""))]


@pytest.mark.rule("PF-8.1-11")
def test_a_row_with_another_number_of_cells_is_told_and_stops_no_other():
    text = 'a,b,c\n1,2,3\n1,2\n1,2,3,4\n"x,y",2\n7,8,9\ncut o'
    assert [number for number, _ in good(text)] == [2, 6]
    assert bad(text) == [
        (3, "WRONG_CELL_COUNT", "1,2"),
        (4, "WRONG_CELL_COUNT", "1,2,3,4"),
        (5, "WRONG_CELL_COUNT", '"x,y",2'),
        (7, "WRONG_CELL_COUNT", "cut o"),
    ]


@pytest.mark.parametrize(
    ("broken", "code"),
    [('1,"open,3', "BAD_FORMAT"), ('1,"two"x,3', "BAD_FORMAT"), ("1,\x00,3", "BAD_FORMAT"), ("1,\r,3", "BAD_FORMAT")],
    ids=["never closed", "text after the quote", "NUL", "bare CR"],
)
def test_a_row_that_is_no_text_or_has_loose_quotes_takes_no_other_with_it(broken, code):
    text = f'a,b,c\n4,5,6\n{broken}\n7,8,9\n1,"x",2\n'
    assert [number for number, _ in good(text)] == [2, 4, 5]
    assert bad(text) == [(3, code, broken)]


def test_a_quote_within_a_cell_is_an_inch():
    assert good('a,b\n12" nails,x\n') == [(2, ('12" nails', "x"))]


@pytest.mark.rule("PF-8.1-7")
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty (0 bytes)"),
        (b"\n \r\n", "nothing but blank lines"),
        (b"PK\x03\x04rest", "a ZIP archive or an Excel workbook"),
        (b"\xd0\xcf\x11\xe0rest", "an Excel workbook of the old kind"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        (b"a\x00b\x00\n1,2\n", "NUL"),
        (b"a,b\r1,2\r", "CR alone"),
        (b'"a,b\n1,2\n', "quotes do not match"),
        (b"a,b\n1,\x81\n", "byte 81 in line 2"),
    ],
    ids=["0 bytes", "blank", "ZIP", "old Excel", "UTF-16", "binary", "old Mac", "header quotes", "no encoding"],
)
def test_what_is_no_csv_file_is_refused_whole(content, why):
    assert why in refused(content)


@pytest.mark.rule("PF-8.1-7")
def test_more_rows_columns_or_bytes_than_may_be_are_refused():
    assert "more than 2 rows" in refused("a\n1\n2\n3\n", most_rows=2)
    assert good("a\n1\n\n2\n", most_rows=2) == [(2, ("1",)), (4, ("2",))]
    assert "501 columns" in refused(",".join(f"h{number}" for number in range(501)))
    assert "larger than 10 bytes" in refused("a,b\n1,2\n3,4\n", most_bytes=10)


LONG_LINE = """
import resource, sys
from palletflow.intake.files import FileRejected, Limits, Table, identify
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
limits = Limits(",", 1_000_000, int(sys.argv[2]))
with open(sys.argv[1], "rb") as file:
    try:
        for rows in Table(file, identify(file, limits), limits).rows():
            pass
    except FileRejected as error:
        print(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


@pytest.mark.rule("PF-8.1-7")
@pytest.mark.parametrize(
    ("most_bytes", "why"),
    [(1 << 32, "a line 2 of more than 1,048,576 bytes"), (1 << 30, "larger than 1,073,741,824 bytes")],
    ids=["by its length", "by the size of the file"],
)
def test_a_line_of_2_gb_is_refused_without_holding_it(tmp_path, most_bytes, why):
    file = tmp_path / "long.csv"
    with file.open("wb") as output:  # sparse: it takes no room on the disk
        output.write(b"a,b\n" + b"x" * 10_000)
        output.truncate(2 << 30)
    said, megabytes = subprocess.run(
        [sys.executable, "-c", LONG_LINE, str(file), str(most_bytes)], capture_output=True, check=True, text=True
    ).stdout.splitlines()
    assert why in said
    assert int(megabytes) < 20


@pytest.mark.parametrize(
    "row", ["x" * 100_000 + ",y\n", '"' + "x\n" * 150 + "x" * 100_000 + '",y\n', "x" * 100_000 + "\n"]
)
def test_long_rows_are_handed_on_few_at_a_time(row):
    file = io.BytesIO(("a,b\n" + row * 200).encode())
    sizes = [
        sum(sum(map(len, one.cells)) for one in chunk) for chunk in Table(file, identify(file, LIMITS), LIMITS).rows()
    ]
    assert sum(sizes) >= 20_000_000
    assert max(sizes) < 5_000_000


def test_a_row_of_long_lines_takes_no_more_than_a_line_may_have():
    long = '"' + "x" * 600_000 + "\n"
    assert bad("a,b\n" + long * 3 + "1,2\n") == [(line, "BAD_FORMAT", long[:-1]) for line in (2, 3, 4)]
    assert good("a,b\n" + long * 3 + "1,2\n") == [(5, ("1", "2"))]


def test_a_quote_never_closed_holds_few_lines_in_memory():
    rows = b"1,2\n" * 300_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    file = io.BytesIO(b'a,b\n"open,2\n' + rows)
    table = Table(file, identify(file, LIMITS), LIMITS)
    assert sum(not row.fault for chunk in table.rows() for row in chunk) == 300_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60 << 10


def test_chunks_are_small(tmp_path: Path):
    file = io.BytesIO(b"a,b\n" + b"1,2\n" * 10_000)
    table = Table(file, identify(file, LIMITS), LIMITS)
    assert max(len(chunk) for chunk in table.rows()) <= files.CHUNK


@pytest.mark.rule("PF-8.1-1")
def test_headings_are_compared_without_case_spaces_and_dashes():
    assert {
        files.normal(heading) for heading in ("orderReference", "Order Reference", "ORDER_reference", "order-reference")
    } == {"orderreference"}
