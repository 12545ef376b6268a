"""Columns of a user's table, checked and typed: whatever is wrong is named by file, column, row and remedy."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from engine.errors import InputError, did_you_mean

INSTANT = pl.Datetime("ms", "UTC")
INSTANT_EXAMPLE = "'2026-03-29T08:15:00Z'"

_ISO_WITH_OFFSET = "%+"
_NAIVE = r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?$"
_FIRST_INSTANT, _END_INSTANT = pl.datetime(1970, 1, 1, time_zone="UTC"), pl.datetime(2100, 1, 1, time_zone="UTC")
_SHOWN = 80  # of a wrong value, the first so many characters


@dataclass(frozen=True)
class RawTable:
    """A table as it was read, before its columns are checked."""

    path: Path
    format: str  # csv, ndjson or parquet
    frame: pl.DataFrame  # all columns are texts, unless it is Parquet

    def error(self, column: str, row: int, expected: str, remedy: str = "") -> InputError:
        """Return the error about one cell; ``row`` counts from 0 without the header."""
        cell = self.frame[column][row]
        got = "nothing" if cell is None else repr(cell)[:_SHOWN]
        return InputError(f"{self.path}: {self._place(row)}: {column}", got, expected, remedy)

    def _place(self, row: int) -> str:
        """Name a row as the user finds it: text files by line, Parquet by row, both from 1."""
        if self.format == "parquet":
            return f"row {row + 1}"
        before = self.frame.head(row)
        if self.format == "csv":  # the header is line 1; quoted cells may hold line breaks of their own
            breaks = before.select(pl.col(pl.String).str.count_matches("\n").sum()).sum_horizontal().sum()
            return f"line {row + 2 + int(breaks or 0)}"
        filled = (number for number, line in enumerate(lines(self.path), 1) if line.strip())
        return f"line {next(number for place, number in enumerate(filled) if place == row)}"

    def text(self, column: str, required: bool = False) -> pl.Series:
        """Return a column of texts; whole numbers are taken as texts.

        Raises:
            InputError: another type, or an empty cell where one is required.
        """
        series = self.frame[column]
        known = series.dtype in (pl.String, pl.Null, pl.Categorical, pl.Enum) or series.dtype.is_integer()
        if not known:
            raise InputError(f"{self.path}: {column}", f"type {series.dtype}", "texts", "Cast the column to string.")
        series = series.cast(pl.String)
        if required:
            self._refuse(column, series.is_null() | (series.fill_null("") == ""), "a value in every row")
        return series

    def choice(self, column: str, known: Collection[str], expected: str) -> pl.Series:
        """Return a column of texts out of ``known``, or empty."""
        series = self.text(column)
        wrong = [name for name in series.unique(maintain_order=True).drop_nulls() if name not in known]
        if wrong:
            self._refuse(column, series == wrong[0], expected, nearest(wrong[0], known))
        return series

    def instant(self, column: str, required: bool = False) -> pl.Series:
        """Return a column of UTC instants (ms).

        An instant says what it is relative to: a text ends in ``Z`` or an offset, a Parquet column has a time zone.
        Without one it is refused rather than taken for UTC, since a wrong guess moves events to another day.

        Raises:
            InputError: malformed, naive, not from 1970 to 2099, or empty where one is required.
        """
        series = self.frame[column]
        if isinstance(series.dtype, pl.Datetime) and series.dtype.time_zone is None:
            remedy = f"Give its zone: pl.col({column!r}).dt.replace_time_zone('UTC')."
            raise InputError(f"{self.path}: {column}", "instants without a time zone", "UTC instants", remedy)
        if isinstance(series.dtype, pl.Datetime):
            instants = series.dt.convert_time_zone("UTC").cast(INSTANT)
        elif series.dtype in (pl.String, pl.Null):
            instants = self._parse_instants(column, series.cast(pl.String))
        else:
            remedy = "Cast the column to Datetime('ms', 'UTC')."
            raise InputError(f"{self.path}: {column}", f"type {series.dtype}", "instants", remedy)
        if required:
            self._refuse(column, instants.is_null(), f"an instant such as {INSTANT_EXAMPLE}")
        in_range = instants.to_frame().select(pl.col(column).is_between(_FIRST_INSTANT, _END_INSTANT, "left"))
        self._refuse(column, ~in_range.to_series(), "an instant from 1970 to 2099", "Check its year.")
        return instants

    def _parse_instants(self, column: str, series: pl.Series) -> pl.Series:
        instants = series.str.to_datetime(_ISO_WITH_OFFSET, strict=False, time_unit="ms", time_zone="UTC")
        wrong = instants.is_null() & series.is_not_null()
        if wrong.any():
            naive = series.filter(wrong)[0:1].str.contains(_NAIVE).any()
            remedy = "An instant needs its zone: end it in 'Z' if it is UTC, else in an offset such as '+02:00'."
            self._refuse(column, wrong, f"an instant such as {INSTANT_EXAMPLE}", remedy if naive else "")
        return instants

    def number(self, column: str) -> pl.Series:
        """Return a column of finite float64; NaN is null, which means none.

        Raises:
            InputError: not a number, or infinite.
        """
        series = self.frame[column]
        if not (series.dtype.is_numeric() or series.dtype in (pl.String, pl.Null)):
            raise InputError(f"{self.path}: {column}", f"type {series.dtype}", "numbers", "Cast the column to float.")
        numbers = series.cast(pl.Float64, strict=False)
        self._refuse(column, numbers.is_null() & series.is_not_null(), "a number", "Leave it empty for none.")
        self._refuse(column, numbers.is_infinite(), "a finite number", "Leave it empty for none.")
        return numbers.fill_nan(None)

    def _refuse(self, column: str, wrong: pl.Series, expected: str, remedy: str = "") -> None:
        if wrong.any():
            raise self.error(column, int(wrong.fill_null(value=False).arg_true()[0]), expected, remedy)


def nearest(word: str, known: Collection[str]) -> str:
    """Return a remedy that names the nearest known word; of a long list, nothing when none is near."""
    remedy = did_you_mean(word, known)
    return remedy if len(remedy) < 2 * _SHOWN else ""


def lines(path: Path) -> list[str]:
    """Return the lines of a text file; bytes that are not UTF-8 become replacement characters."""
    return unpacked(path).decode(errors="replace").split("\n")


def unpacked(path: Path) -> bytes:
    """Return a file's bytes, unpacked if its name ends in ``.gz``.

    Raises:
        InputError: it cannot be read, or its packing is damaged.
    """
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if path.suffix == ".gz" else data
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(str(path), str(error), "a readable file", "Fetch or pack it again.") from None


def first_broken_json(path: Path) -> int:
    """Return the number, from 1, of the first line that is no JSON object; 0 if all are."""
    for number, line in enumerate(lines(path), 1):
        try:
            if line.strip() and not isinstance(json.loads(line), dict):
                return number
        except ValueError:
            return number
    return 0
