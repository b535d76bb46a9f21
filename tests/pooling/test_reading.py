"""A broken raw table is refused with file and place; a whole one is read as text."""

from __future__ import annotations

from pathlib import Path

import pytest

from pooledtrials.pooling import RawTableError, read_table
from pooledtrials.pooling.specification import Table


def table(**changes: object) -> Table:
    return Table.model_validate({"file": "t.csv"} | changes)


def write(folder: Path, content: bytes) -> Path:
    path = folder / "t.csv"
    path.write_bytes(content)
    return path


FAULTS: dict[str, tuple[bytes, dict[str, object], str]] = {
    "empty": (b"", {}, r"t\.csv: the file is empty"),
    "header only": (b"a,b\n", {}, r"t\.csv: a header and no rows"),
    "cut short": (b"a,b\n1,2\n3", {}, r"t\.csv, line 3: 1 fields where the header has 2"),
    "too many fields": (b"a,b\n1,2,3\n", {}, r"line 2: 3 fields where the header has 2"),
    "other separator": (b"a;b\n1;2,5\n", {}, r"line 2: 2 fields where the header has 1"),
    "repeated name": (b"a,a\n1,2\n", {}, r"column name 'a' appears more than once"),
    "blank name": (b"a,\n1,2\n", {}, r"column 2 has no name"),
    "fewer rows": (b"a\n1\n2\n", {"rows": 3}, r"2 rows where the specification declares 3"),
    "encoding": (b"a\n\xe9\n", {}, r"byte 2 is not utf-8-sig; declare the table's encoding"),
    "open quote": (b'a,b\n1,"2\n', {}, r"t\.csv, line 2"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_named(fault: str, tmp_path: Path) -> None:
    content, declared, message = FAULTS[fault]
    with pytest.raises(RawTableError, match=message):
        read_table(write(tmp_path, content), table(**declared))


def test_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RawTableError, match=r"t\.csv: no such file"):
        read_table(tmp_path / "t.csv", table())


@pytest.mark.parametrize(
    ("content", "declared"),
    [
        (b"a,b\n1,x y\n2,\n", {}),
        (b"\xef\xbb\xbfa,b\r\n1,x y\r\n2,\r\n", {}),
        (b"a;b\n1;x y\n2;\n", {"separator": ";"}),
        (b"a\tb\n1\tx y\n2\t\n", {"separator": "\t"}),
        (b' a , b\n1, x y \n\n2,""\n', {}),
        ("a,b\n1,x y\n2,\n".encode("utf-16"), {"encoding": "utf-16"}),
    ],
)
def test_one_table_in_every_form_it_may_come(
    content: bytes, declared: dict[str, object], tmp_path: Path
) -> None:
    read = read_table(write(tmp_path, content), table(**declared))
    assert read.to_dict("list") == {"a": ["1", "2"], "b": ["x y", ""]}


def test_index_is_the_line_in_the_file(tmp_path: Path) -> None:
    read = read_table(write(tmp_path, b'a\n1\n\n"2\n2"\n3\n'), table())
    assert read.index.tolist() == [2, 5, 6]
