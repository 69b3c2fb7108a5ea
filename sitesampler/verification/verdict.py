"""The verdict over a whole table of rows, and the table itself as text or Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sitesampler.verification.row import EXACT, Row

#: Chance that a correct sampler fails the whole table.
FALSE_ALARM = 1e-3

HEADINGS = ("system", "quantity", "sampler", "reference", "kind", "deviation", "seconds")
#: Columns that hold numbers.
_RIGHT = (2, 3, 5, 6)


@dataclass(frozen=True)
class Verdict:
    """What the rows say together.

    Attributes
    ----------
    failed : list of Row
        Rows that deviate more than chance allows over the whole table, or more than the tolerance where exact.
    share : float
        Chance given to one compared value: the false-alarm rate over the number of values in the table (Bonferroni).
    sentences : list of str
        The verdict in words.
    """

    failed: list[Row]
    share: float
    sentences: list[str]

    @property
    def passed(self) -> bool:
        """Whether every row agrees."""
        return not self.failed


def judge(rows: Sequence[Row], false_alarm: float = FALSE_ALARM) -> Verdict:
    """Judge all rows together.

    Parameters
    ----------
    rows : sequence of Row
    false_alarm : float
        Probability that a correct sampler fails, whatever the number of rows.

    Returns
    -------
    Verdict

    Examples
    --------
    >>> close = Row("goe_flow", "C", 1.01, 0.01, 1.0, 0.0, "theory", deviation=1.0, freedom=15)
    >>> judge([close]).passed
    True
    """
    by_chance = [row for row in rows if row.tolerance is None]
    exact = [row for row in rows if row.tolerance is not None and not row.differs]
    wrong = [row for row in rows if row.differs]
    share = false_alarm / max(sum(row.points for row in by_chance), 1)
    failed = [row for row in rows if _fails(row, share)]
    sentences = []
    if by_chance:
        worst = min(by_chance, key=lambda row: (row.chance, -abs(row.deviation)))
        sentences.append(
            f"{_count(by_chance)} judged by chance, {sum(row.points for row in by_chance)} values in all; the least "
            f"likely is {_name(worst)} at {_number(worst.deviation)} standard errors, where "
            f"{worst.limit(share):.1f} is the threshold (Student's t, one false alarm in {1 / false_alarm:.0f} tables)."
        )
    if exact:
        worst = max(exact, key=lambda row: math.inf if math.isnan(row.deviation) else row.deviation / _tolerance(row))
        sentences.append(
            f"{_count(exact)} judged by a tolerance; the largest relative difference is {worst.deviation:.1e} in "
            f"{_name(worst)}, where {_tolerance(worst):.0e} is allowed."
        )
    if wrong:
        sentences.append(f"{_count(wrong)} beside a formula that is known to be wrong there.")
    if failed:
        names = "; ".join(_name(row) for row in failed[:5]) + ("; ..." if len(failed) > 5 else "")
        sentences.append(f"DISAGREEMENT in {len(failed)} of {len(rows)} rows: {names}.")
    else:
        sentences.append(f"All {len(rows)} rows agree." if len(rows) != 1 else "The row agrees.")
    return Verdict(failed, share, sentences)


def _tolerance(row: Row) -> float:
    return EXACT if row.tolerance is None else row.tolerance


def _fails(row: Row, share: float) -> bool:
    if row.tolerance is None:
        return row.chance < share
    return not (row.deviation > row.tolerance if row.differs else row.deviation <= row.tolerance)


def _count(rows: Sequence[Row]) -> str:
    return f"{len(rows)} row{'s' if len(rows) != 1 else ''}"


def _name(row: Row) -> str:
    return f"{row.system}, {row.quantity}"


def table(rows: Sequence[Row], share: float = 0.0, markdown: bool = False) -> str:
    """Return the rows as aligned text or as a Markdown table; rows that fail are marked.

    Parameters
    ----------
    rows : sequence of Row
    share : float
        `Verdict.share`.
    markdown : bool
    """
    cells = [list(HEADINGS), *[_cells(row, share) for row in rows]]
    widths = [max(len(line[i]) for line in cells) for i in range(len(HEADINGS))]

    def line(words: list[str]) -> str:
        padded = [
            word.rjust(width) if i in _RIGHT else word.ljust(width)
            for i, (word, width) in enumerate(zip(words, widths, strict=True))
        ]
        return "| " + " | ".join(padded) + " |" if markdown else "  ".join(padded).rstrip()

    rule = [("-" * (width - 1) + ":") if i in _RIGHT else "-" * width for i, width in enumerate(widths)]
    ruled = (
        "|" + "|".join(f" {part} " for part in rule) + "|" if markdown else "  ".join("-" * width for width in widths)
    )
    return "\n".join([line(cells[0]), ruled, *[line(words) for words in cells[1:]]])


def _cells(row: Row, share: float) -> list[str]:
    if row.differs:
        deviation = f"{row.deviation:.1e} rel., must differ"
    elif row.tolerance is not None:
        deviation = f"{row.deviation:.1e} rel."
    else:
        deviation = f"{_number(row.deviation)} s.e."
    if _fails(row, share):
        deviation = f"FAILS {deviation}"
    exact = row.tolerance is not None
    return [
        row.system,
        row.quantity,
        f"{row.value:.9g}" if exact else with_error(row.value, row.stderr),
        f"{row.reference:.9g}" if exact else with_error(row.reference, row.reference_stderr),
        row.kind,
        deviation,
        f"{row.seconds:.1f}",
    ]


def _number(deviation: float) -> str:
    return f"{deviation:+.1f}" if math.isfinite(deviation) else str(deviation)


def with_error(value: float, stderr: float) -> str:
    """Return a number and its error, the error with two digits.

    Examples
    --------
    >>> with_error(1.23456, 0.00123), with_error(1.0, float("nan"))
    ('1.2346 ± 0.0012', '1')
    """
    if not 0 < stderr < math.inf or not math.isfinite(value):
        return f"{value:.6g}"
    digits = 1 - math.floor(math.log10(stderr))
    if digits > 9:  # exact but for rounding
        return f"{value:.10g} ± {stderr:.1e}"
    return f"{round(value, digits):.{max(digits, 0)}f} ± {round(stderr, digits):.{max(digits, 0)}f}"
