"""Exercises that check themselves.

    from seqlib.grading import check
    assert check("lstm.peephole", peephole_step)

`python -m seqlib.grading check my.ipynb` marks a whole notebook.
"""

from seqlib.grading.compare import ensure as ensure
from seqlib.grading.compare import same as same
from seqlib.grading.questions import Case as Case
from seqlib.grading.questions import Question as Question
from seqlib.grading.report import check as check
from seqlib.grading.values import Wrong as Wrong
