"""What mistakes do to a decoder that runs free, and what training on its own words changes.

python benchmarks/exposure.py      about three minutes; writes benchmarks/exposure.json

Two tasks, each with rows as they are and with mistyped symbols in the training rows; and scheduled
sampling.  Every model is tested on rows without errors: under teacher forcing, running free, and
running free with one wrong symbol slipped in.  The tasks are small enough to be learned whole, so
that what is measured is not a matter of too little training, where it is not said.
"""

from typing import NamedTuple

import record  # first: it sets one thread before NumPy is imported

# isort: split
import numpy as np

from seqlib import exposure, optim, tasks, text, train
from seqlib.scratch import gru
from seqlib.scratch.seq2seq import Sutskever

SEEDS, K, B, TEST = (0, 1, 2, 3, 4), 12, 64, 500
WARM_UP, RATE, CLIP = 30, 1e-2, 1.0
LONG, SHORT = 20, 8  # symbols of a progression, of a row to reverse
PLACES = {"progressions": 5, "reversal": 2}  # of the symbol that is slipped in
SYMBOLS = np.arange(len(text.SPECIALS), len(text.SPECIALS) + K)
MODEL = Sutskever(K + 3, K + 3, 16, 48, gru)


class Plan(NamedTuple):
    task: str
    updates: int
    wrong: float = 0.0  # share of symbols mistyped in training
    own: float = 0.0  # share of inputs that are the model's own at the end of the ramp
    since: float = 0.0  # part of the training without own words; the ramp takes half of the rest


PLANS = [
    Plan("progressions", 150),
    Plan("progressions", 150, own=1.0),
    Plan("progressions", 500),
    Plan("progressions", 500, own=1.0),
    Plan("progressions", 500, wrong=0.15),
    Plan("reversal", 800),
    Plan("reversal", 800, own=0.5, since=0.4),
    Plan("reversal", 800, own=1.0, since=0.4),
    Plan("reversal", 800, wrong=0.15),
]
DRAW = {
    "progressions": lambda rng, count: tasks.progressions(rng, count, LONG, K),
    "reversal": lambda rng, count: tasks.reversal(rng, count, SHORT, SHORT, K),
}


def drawn(plan, rng):
    """The batches of a training."""
    for k in range(plan.updates):
        batch, done = DRAW[plan.task](rng, B), k / plan.updates
        if plan.wrong:
            batch = exposure.mistyped(batch, plan.wrong, SYMBOLS, rng)
        ramp = (done - plan.since) / (0.5 * (1 - plan.since))
        yield batch._replace(own=plan.own * min(1.0, max(0.0, ramp)))


def trained(plan, seed):
    """A row of the record."""
    rng = np.random.default_rng(seed)
    params = MODEL.init(rng, np.float32)
    last = plan.updates + 1

    def rate(k):
        return RATE * min(k / WARM_UP, (last - k) / (last - WARM_UP))

    steps = train.train(MODEL, params, drawn(plan, rng), optim.adam(rate), clip=CLIP, rng=rng)
    *_, end = steps
    test, place = DRAW[plan.task](np.random.default_rng((1, seed)), TEST), PLACES[plan.task]
    later = np.s_[:, place + 1 :]
    free = exposure.hits(MODEL, end.params, test, own=1.0)[later]
    slip = exposure.slipped(
        MODEL, end.params, test, place, SYMBOLS, np.random.default_rng((2, seed))
    )[later]
    found = {
        **exposure.scores(MODEL, end.params, test)._asdict(),
        "no_slip": free[test.mask[later]].mean(),
        "slip": slip[test.mask[later]].mean(),
    }
    rounded = {k: None if np.isnan(v) else round(float(v), 4) for k, v in found.items()}
    return plan._asdict() | {"seed": seed} | rounded


def main():
    rows = []
    print("task          updates wrong  own seed   forced   free  exact  without and with a slip")
    for plan in PLANS:
        for seed in SEEDS:
            rows.append(trained(plan, seed))
            print(
                "{task:13}{updates:8}{wrong:6.2f}{own:5.1f}{seed:5}{forced:9.3f}{free:7.3f}"
                "{exact:7.3f}{no_slip:9.3f}{slip:9.3f}".format(**rows[-1]),
                flush=True,
            )
    recipe = {
        "model": {"name": "Sutskever", "cell": "gru", "D": MODEL.D, "H": MODEL.H, "K": K},
        "optimizer": "Adam, rate up and down in straight lines",
        "rate": RATE,
        "warm_up": WARM_UP,
        "clip_norm": CLIP,
        "batch": B,
        "lengths": {"progressions": LONG, "reversal": SHORT},
        "places": PLACES,
        "test": TEST,
        "dtype": "float32",
    }
    record.write("exposure", recipe, {"runs": rows})


if __name__ == "__main__":
    main()
