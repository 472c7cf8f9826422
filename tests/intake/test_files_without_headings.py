"""Files whose columns have no headings: they are numbered, and most lines say how many there are."""

import io

import pytest

from palletflow.intake.files import FileRejected, FileRow, Limits, Table, identify

LIMITS = Limits(",", 1000, 1 << 20, headed=False)


def read(text: str | bytes, limits: Limits = LIMITS) -> tuple[list[str], list[FileRow]]:
    """Headings and rows in the order of the file."""
    file = io.BytesIO(text if isinstance(text, bytes) else text.encode())
    table = Table(file, identify(file, limits), limits)
    rows = [row for chunk in table.rows() for row in chunk]
    return table.headings, sorted(rows, key=lambda row: row.number)


def test_columns_are_numbered_and_the_first_line_is_a_row():
    headings, rows = read("a,b,c\r\nd,,f\r\n")
    assert headings == ["column 1", "column 2", "column 3"]
    assert [(row.number, row.cells, row.fault) for row in rows] == [
        (1, ("a", "b", "c"), None),
        (2, ("d", "", "f"), None),
    ]


def test_a_bad_first_line_does_not_decide_on_the_others():
    _, rows = read("a,b\nc,d,e\nf,g,h\n")
    assert [(row.number, row.fault and row.fault.code) for row in rows] == [
        (1, "WRONG_CELL_COUNT"),
        (2, None),
        (3, None),
    ]
    assert rows[0].text == "a,b"


def test_commas_in_quotes_are_no_columns():
    headings, rows = read('"Smith, Jo",b\n"two\nlines",d\ne,f\n')
    assert len(headings) == 2
    assert [row.cells for row in rows] == [("Smith, Jo", "b"), ("two\nlines", "d"), ("e", "f")]


def test_blank_lines_and_the_mark_of_utf_8_are_no_content():
    headings, rows = read("\ufeff\n,\na,b\n\nc,d\n")
    assert len(headings) == 2
    assert [(row.number, row.cells) for row in rows] == [(3, ("a", "b")), (5, ("c", "d"))]


def test_more_lines_than_are_counted_are_all_read():
    _, rows = read("".join(f"{number},b,c\n" for number in range(500)))
    assert [row.cells[0] for row in rows] == [str(number) for number in range(500)]
    assert {row.fault for row in rows} == {None}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("\n \n", "nothing but blank lines"),
        ("a,b\rc,d\r", "CR alone"),
        ("," * 500 + "a\n", "has 501 columns"),
        (b"PK\x03\x04", "ZIP archive"),
    ],
)
def test_what_is_no_table_is_refused(text, why):
    with pytest.raises(FileRejected, match=why):
        read(text)


def test_a_file_of_more_lines_than_allowed_is_refused():
    with pytest.raises(FileRejected, match="more than 150 rows"):
        read("a,b\n" * 151, LIMITS._replace(most_rows=150))
