"""Dates written in many ways, to be rewritten in one: year-month-day."""

import datetime

from seqlib import text
from seqlib.scratch import checks

MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August"),
    *("September", "October", "November", "December"),
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# The ways to write a date; numbers alone stand in the order day, month, year or year, month, day.
STYLES = (
    "{day} {month} {year}",
    "{day} {mon} {year}",
    "{month} {day}, {year}",
    "{mon} {day}, {year}",
    "{nth} {month} {year}",
    "the {nth} of {month}, {year}",
    "{month} the {nth}, {year}",
    "{weekday}, {day} {month} {year}",
    "{weekday}, {month} {nth}, {year}",
    "{wday} {day} {mon} {year}",
    "{day}/{m}/{year}",
    "{day:02}/{m:02}/{year}",
    "{day}.{m}.{year}",
    "{day:02}-{mon}-{year}",
    "{year}/{m:02}/{day:02}",
    "{year} {month} {day}",
)
DATE_CHARACTERS = text.Vocabulary.of(
    "".join((*MONTHS, *DAYS, "0123456789 ,/.-stndrdthof")), text.SPECIALS
)
ISO_CHARACTERS = text.Vocabulary.of("0123456789-", text.SPECIALS)
FIRST_YEAR, LAST_YEAR = 1900, 2099


def nth(day):
    """1st, 2nd, 3rd, 4th ... 31st."""
    endings = {1: "st", 2: "nd", 3: "rd"}
    return f"{day}{'th' if 10 < day < 14 else endings.get(day % 10, 'th')}"


def write_date(date, style):
    """A datetime.date in one of STYLES.

    >>> write_date(datetime.date(2024, 2, 3), "the {nth} of {month}, {year}")
    'the 3rd of February, 2024'
    """
    month, weekday = MONTHS[date.month - 1], DAYS[date.weekday()]
    return style.format(
        day=date.day,
        m=date.month,
        year=date.year,
        month=month,
        mon=month[:3],
        nth=nth(date.day),
        weekday=weekday,
        wday=weekday[:3],
    )


def dates(rng, B):
    """Dates between 1900 and 2099 to rewrite, character by character, as in 2024-02-03.

    Day and style are drawn evenly.  Nothing is ambiguous: where a month is a number, it stands
    between the day and the year.

    B  dates

    Returns a text.TranslationBatch of ids of DATE_CHARACTERS to read, ISO_CHARACTERS to write.
    Raises ValueError if B is less than 1.

    >>> import numpy as np
    >>> batch = dates(np.random.default_rng(1), B=1)
    >>> "".join(DATE_CHARACTERS.decode(batch.source[0]))
    'Sunday, August 21st, 1994'
    >>> "".join(ISO_CHARACTERS.decode(batch.targets[0, :-1]))
    '1994-08-21'
    """
    checks.sizes(B=B)
    first = datetime.date(FIRST_YEAR, 1, 1).toordinal()
    last = datetime.date(LAST_YEAR, 12, 31).toordinal()
    sources, targets = [], []
    for day, style in zip(
        rng.integers(first, last + 1, B), rng.integers(len(STYLES), size=B), strict=True
    ):
        date = datetime.date.fromordinal(int(day))
        sources.append(DATE_CHARACTERS.encode(write_date(date, STYLES[style])))
        targets.append(ISO_CHARACTERS.encode(date.isoformat()))
    return text.translation_batch(sources, targets)
