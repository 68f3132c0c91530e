"""Reading a table that somebody saved from a spreadsheet: encoding, separator, header, and what its columns may be.

Problems are InvalidInput at field "file", with the line they are in.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field

from contentcaster.errors import InvalidInput

MAX_BYTES = 8_000_000
MAX_ROWS = 5_000
MAX_COLUMNS = 60
MAX_CELL_CHARACTERS = 131_072  # the csv module's own limit

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_SEP_LINE = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)


@dataclass(frozen=True)
class Field:
    """What a column of the table can hold."""

    name: str
    title: str
    help: str
    guesses: tuple[str, ...]


_GUESSES = {
    "text": "text post message content body caption tweet nachricht beitrag",
    "channels": "channels channel accounts account profiles profile networks network platform platforms kanal kanäle",
    "scheduled_at": "scheduled_at schedule scheduled datetime date_time date_and_time publish_at when due_at",
    "date": "date day publish_date datum tag",
    "time": "time hour publish_time uhrzeit zeit",
    "timezone": "timezone time_zone tz zone zeitzone",
    "link": "link url links",
    "labels": "labels label tags tag_names campaign category",
    "content_warning": "content_warning cw spoiler warning",
    "visibility": "visibility sichtbarkeit",
    "language": "language lang sprache",
}


def _field(name: str, title: str, help: str) -> Field:
    return Field(name, title, help, tuple(word.replace("_", " ") for word in _GUESSES[name].split()))


FIELDS = (
    _field("text", "Text", "What is posted."),
    _field("channels", "Channels", "Handles or names, separated by commas."),
    _field("scheduled_at", "Date and time", "2026-11-26 09:00, or with an offset."),
    _field("date", "Date", "2026-11-26 or 26.11.2026."),
    _field("time", "Time", "09:00 or 9:00 AM."),
    _field("timezone", "Time zone", "Europe/Berlin."),
    _field("link", "Link", "Added at the end of the text."),
    _field("labels", "Labels", "Separated by commas."),
    _field("content_warning", "Content warning", "Shown before the text."),
    _field("visibility", "Visibility", "public, unlisted or private."),
    _field("language", "Language", "A code such as en."),
)
FIELD_NAMES = tuple(each.name for each in FIELDS)


@dataclass(frozen=True)
class Row:
    line: int
    """Where it begins in the file, the first line being 1."""
    cells: list[str]
    problem: str = ""


@dataclass(frozen=True)
class Table:
    headings: list[str]
    rows: list[Row] = field(default_factory=list)


def decode(content: bytes) -> tuple[str, str]:
    """The file as text, and the encoding it was in.

    Raises:
        InvalidInput: empty, too big, or no text.
    """
    if not content.strip():
        raise _wrong("The file is empty. Choose one with a header line and a line per post.")
    if len(content) > MAX_BYTES:
        raise _wrong(
            f"The file has {len(content) / 1e6:.1f} MB; at most {MAX_BYTES // 1_000_000} MB can "
            f"be imported. Split it."
        )
    if content[:4] == b"PK\x03\x04":
        raise _wrong(
            "This is an Excel or OpenDocument workbook, not a CSV file. Save it there as “CSV UTF-8” and upload that."
        )
    if content[:5] == b"%PDF-" or content[:4] in (b"\xd0\xcf\x11\xe0", b"\x89PNG", b"GIF8"):
        raise _wrong("This is no CSV file. Save the table as “CSV UTF-8” and upload that.")
    for bom, encoding in _BOMS:
        if content.startswith(bom):
            return _decoded(content, encoding), encoding.removesuffix("-sig")
    if b"\x00" in content:
        raise _wrong("The file holds bytes that are no text. Save the table as “CSV UTF-8” and upload that.")
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return _decoded(content, "cp1252"), "cp1252"


def _decoded(content: bytes, encoding: str) -> str:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise _wrong(
            f"Line {line} holds bytes that are no text in {encoding.upper()}. Save the table as "
            f"“CSV UTF-8” and upload that."
        ) from None
    if "\x00" in text:
        raise _wrong("The file holds bytes that are no text. Save the table as “CSV UTF-8” and upload that.")
    return text


def find_delimiter(text: str) -> str:
    """The separator that splits the header into the most columns; a first line `sep=;` has the last word."""
    named = _SEP_LINE.match(text)
    if named and named[1] in DELIMITERS:
        return named[1]
    sample = text[:20_000]

    def columns(delimiter: str) -> tuple[int, int]:
        try:
            reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
            lengths = [len(cells) for cells, _ in zip(reader, range(6), strict=False) if any(cells)]
        except csv.Error:
            return (0, 0)
        return (lengths[0] if lengths else 0, -len(set(lengths)))

    return max(DELIMITERS, key=columns)


def parse(text: str, delimiter: str) -> Table:
    """Header and rows; lines without anything are left out.

    Raises:
        InvalidInput: a quotation mark that does not close, too many rows or columns, no header.
    """
    text = _SEP_LINE.sub("", text, count=1) if _SEP_LINE.match(text) else text
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    headings: list[str] | None = None
    rows: list[Row] = []
    begins = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise _broken(begins, str(error)) from None
        if cells is None:
            break
        line, begins = begins, reader.line_num + 1
        if not any(cell.strip() for cell in cells):
            continue
        if headings is None:
            headings = _headings(cells)
            continue
        rows.append(_row(line, cells, len(headings)))
        if len(rows) > MAX_ROWS:
            raise _wrong(
                f"The file has more than {MAX_ROWS:,} rows. Split it and import the parts one after the other."
            )
    if headings is None or not rows:
        raise _wrong("The file has a header but no rows. Put one post on each line below it.")
    return Table(headings, rows)


def guess_columns(headings: list[str]) -> dict[str, str]:
    """Column number (as text) -> field, for those whose heading says it; each field once."""
    found: dict[str, str] = {}
    plain = [re.sub(r"[^\w]+|_", " ", heading.lower()).strip() for heading in headings]
    for field_ in FIELDS:
        exact = [number for number, name in enumerate(plain) if name in field_.guesses]
        near = [
            number
            for number, name in enumerate(plain)
            if any(len(guess) > 3 and guess in name for guess in field_.guesses)
        ]
        free = [number for number in exact + near if str(number) not in found]
        if free:
            found[str(free[0])] = field_.name
    return dict(sorted(found.items(), key=lambda item: int(item[0])))


def _headings(cells: list[str]) -> list[str]:
    if len(cells) > MAX_COLUMNS:
        raise _wrong(f"The header has {len(cells)} columns; at most {MAX_COLUMNS} can be read.")
    return [" ".join(cell.split())[:80] or f"Column {number}" for number, cell in enumerate(cells, start=1)]


def _row(line: int, cells: list[str], width: int) -> Row:
    if any(cell.strip() for cell in cells[width:]):
        return Row(
            line,
            cells[:width],
            f"It has {len(cells)} cells, the header {width}. Put a text that holds the separator "
            f"into quotation marks.",
        )
    return Row(line, cells[:width] + [""] * (width - len(cells)))


def _broken(line: int, error: str) -> InvalidInput:
    if "unexpected end" in error:
        return _wrong(
            f"A quotation mark in the row that begins in line {line} is never closed. Close it, "
            f"or double it inside a text."
        )
    if "expected after" in error:
        return _wrong(
            f"In the row that begins in line {line} a closing quotation mark is followed by more "
            f"text. Double quotation marks inside a text."
        )
    if "field larger" in error:
        return _wrong(
            f"A cell in the row that begins in line {line} has more than {MAX_CELL_CHARACTERS:,} "
            f"characters. Is a quotation mark missing?"
        )
    return _wrong(
        f"The row that begins in line {line} cannot be read. Save the table as “CSV UTF-8” and try again."
    )


def _wrong(message: str) -> InvalidInput:
    return InvalidInput(message, field="file")
