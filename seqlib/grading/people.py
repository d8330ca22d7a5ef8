"""Whose a submission is, and when it came, as far as its name tells.

Moodle, Canvas and Brightspace write both into the names of what they let a teacher download.
"""

import re
import unicodedata
from datetime import datetime
from typing import NamedTuple

from seqlib.grading.values import clean

MOODLE = re.compile(
    r"(?P<name>[^_]+)_(?P<number>\d+)_assignsubmission_(?:file|onlinetext)(?:_.*)?", re.DOTALL
)
CANVAS = re.compile(r"(?P<name>[^_]+)_(?:LATE_)?(?P<number>\d{2,})_\d{2,}_.+", re.DOTALL)
BRIGHTSPACE = re.compile(
    r"(?P<number>\d+)-\d+ - (?P<name>.+?) - (?P<time>[A-Z][a-z]+ \d{1,2}, \d{4} \d{1,4} [AP]M)"
    r"(?: - .*)?",
    re.DOTALL,
)
ENDING = re.compile(r"(\.(ipynb|json|txt|zip|tar|gz|tgz|bz2|xz))+$|\.\w{1,5}$", re.IGNORECASE)


class Person(NamedTuple):
    name: str
    number: str = ""  # that the system gives: Moodle's participant, Canvas' user
    time: datetime | None = None  # of this submission, without a zone

    @property
    def key(self):
        """One for each person, whatever is handed in."""
        return f"{self.name} {self.number}".strip()


def person(entry, is_file=False):
    """The Person whom the name of a file or folder tells.

    entry    its name
    is_file  whether it may have an ending
    """
    entry = unicodedata.normalize("NFC", entry)
    for pattern in (MOODLE, BRIGHTSPACE, CANVAS):
        found = pattern.fullmatch(entry)
        if found:
            told = found.groupdict()
            return Person(clean(told["name"].strip()), told["number"], moment(told.get("time")))
    if is_file:
        entry = ENDING.sub("", entry) or entry
    return Person(clean(entry))


def moment(text):
    """Brightspace's "Oct 3, 2024 1152 PM" as a time without a zone, or None."""
    if not text:
        return None
    month, day, year, hour, half = re.split(r"[, ]+", text)
    text = f"{month[:3]} {day} {year} {hour.zfill(4)} {half}"
    try:
        return datetime.strptime(text, "%b %d %Y %I%M %p")
    except ValueError:
        return None


def squeezed(name):
    """A name as Canvas writes it into file names: letters and digits alone, in small letters."""
    return "".join(sign for sign in name.casefold() if sign.isalnum())
