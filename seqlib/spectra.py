"""Gradient flow, measured: how the state of one step moves with the state of an earlier one.

    (jacobian)           J_t = dh_t / dh_{t-1}
    (jacobian-product)   dh_T / dh_{T-k} = J_T J_{T-1} ... J_{T-k+1}
    (lyapunov)           J_t Q_{t-1} = Q_t R_t,   lambda_i = (1 / T) sum_t ln |R_t[i, i]|

They hold for any recurrent module: all that is asked of it is `forward` and `backward`.  A state of
several arrays counts as one vector, array after array: the LSTM's is (h, c), of 2H numbers.
Formulas: chapters/04_gradient_flow.ipynb.
Sources: Pascanu, Mikolov and Bengio, On the difficulty of training recurrent neural networks, 2013;
Benettin, Galgani, Giorgilli and Strelcyn, Lyapunov characteristic exponents, 1980 (by QR).
B rows, T steps, S numbers of a state.  J[i, j] is the derivative of number i by number j.
"""

import numpy as np

from seqlib.scratch import checks, ops
from seqlib.scratch.state import as_rows, like, map_state


def jacobian(module, params, x_t, state=None):
    """The Jacobian of one step, for each row of a batch.

    One `forward` of a single step serves all rows; `backward` then turns row i of the identity into
    row i of every Jacobian.

    module  `forward(params, x, state)` and `backward(dh, dstate_T, cache)`, such as `scratch.rnn`
    x_t     (B, D)  the input of the step
    state   state before the step, of B rows; None means zeros

    Returns J (B, S, S).  Raises ValueError if a shape or dtype does not fit, or x_t or J is not
    finite.
    """
    x_t = checks.floats("x_t", x_t, params)
    checks.shape("x_t", x_t, (None, None))
    checks.finite("x_t", x_t)
    _, after, cache = module.forward(params, x_t[:, None], state)
    dstate = np.zeros_like(as_rows(after))
    B, S = dstate.shape
    J = np.empty((B, S, S), dtype=x_t.dtype)
    for i in range(S):
        dstate[:, i] = 1
        _, before, _ = module.backward(None, like(after, dstate), cache)
        J[:, i] = as_rows(before)  # (jacobian)
        dstate[:, i] = 0
    checks.finite("J", J)
    return J


def jacobians(module, params, x, state=None):
    """The Jacobians of all steps of one sequence; the steps are the rows of one batch.

    x      (T, D)
    state  state before the first step, of one row; None means zeros

    Returns J (T, S, S).  Raises ValueError if a shape or dtype does not fit, T is 0, or x is not
    finite.
    """
    x = checks.floats("x", x, params)
    checks.shape("x", x, (None, None))
    checks.finite("x", x)
    checks.sizes(T=len(x))
    if state is None:
        state = zero_state(module, params, x[:1])
    before = []
    for x_t in x:
        before.append(as_rows(state))
        _, after, _ = module.forward(params, x_t[None, None], state)
        state = after
    return jacobian(module, params, x, like(state, np.concatenate(before)))


def products(J):
    """How the last state moves with each earlier one.

    J  (T, S, S)  Jacobians of T steps

    Returns P (T + 1, S, S) in float64: P[k] = dh_T / dh_{T-k}; P[0] is the identity.
    Raises ValueError if J is not square or not finite, T is 0, or a product is too large for
    float64; `lyapunov` measures that one too.
    """
    J = square("J", J)
    T, S, _ = J.shape
    P = np.empty((T + 1, S, S))
    P[0] = np.eye(S)
    with np.errstate(over="ignore", invalid="ignore"):
        for k in range(1, T + 1):
            np.matmul(P[k - 1], J[T - k], out=P[k])  # (jacobian-product)
    checks.finite("P", P)
    return P


def singular_values(A):
    """The singular values of each matrix, the largest first.

    A  (N, S, S)

    Returns (N, S).  Rounding hides whatever is smaller than about 1e-16 of the largest; for the
    weak directions of a long product see `lyapunov`.
    Raises ValueError if A is not square or not finite, or N is 0.
    """
    return np.linalg.svd(square("A", A), compute_uv=False)


def spectral_radius(A):
    """The largest absolute value of an eigenvalue of each matrix.

    A  (N, S, S)

    Returns (N,).  Raises ValueError if A is not square or not finite, or N is 0.
    """
    return np.abs(np.linalg.eigvals(square("A", A))).max(axis=-1)


def lyapunov(J, every=5):
    """The Lyapunov exponents: mean growth per step, as logarithm, along each direction.

    In the long run exp(T lambda_i) is the i-th singular value of the whole product, also where the
    product itself could not hold it.  Several steps share one QR decomposition; where their growths
    are too far apart for that, each step has its own.

    J      (T, S, S)  Jacobians of T steps
    every  steps that share a QR decomposition

    Returns (S,), the largest first; -inf, or by rounding a large negative number, where a direction
    is lost altogether.
    Raises ValueError if J is not square or not finite, or T or `every` is less than 1.
    """
    J = square("J", J)
    checks.sizes(every=every)
    T, S, _ = J.shape
    Q, total = np.eye(S), np.zeros(S)
    for start in range(0, T, every):
        steps = J[start : start + every]
        after, logs = grow(Q, steps)
        if not logs.min() >= logs.max() - np.log(1e8):  # half of the smallest's digits are lost
            after, logs = Q, np.zeros(S)
            for t in range(len(steps)):
                after, more = grow(after, steps[t : t + 1])
                logs += more
        Q, total = after, total + logs
    if not (total < np.inf).all():
        raise ValueError(f"the growth over {T} steps is {total.max()}; J is too large for float64")
    return np.sort(total / T)[::-1]  # (lyapunov)


def grow(Q, steps):
    """Directions Q after a few steps, orthogonal again, and the logarithm of each one's growth."""
    with np.errstate(over="ignore", invalid="ignore"):
        for J_t in steps:
            Q = J_t @ Q
    Q, R = np.linalg.qr(Q)  # (lyapunov)
    with np.errstate(divide="ignore"):  # the logarithm of 0 is -inf, as it should be
        return Q, np.log(np.abs(np.diagonal(R)))


def state_gradients(module, params, x, dstate_T, state=None):
    """The gradient of a loss that is read at the end, with respect to every earlier state.

    x         (B, T, D)
    dstate_T  gradient reaching the final state, of B rows; None, also in a tuple, for a part that
              is not used
    state     state before the first step, of B rows; None means zeros

    Returns (T + 1, B, S): entry k is dL / dh_{T-k}, at the distance k.
    Raises ValueError if a shape or dtype does not fit, B or T is 0, or x or a gradient is not
    finite.
    """
    x = checks.floats("x", x, params)
    if x.ndim != 3 or 0 in x.shape[:2]:
        raise ValueError(f"x has shape {x.shape}; expected (B, T, D), B and T at least 1")
    checks.finite("x", x)
    caches = []
    for t in range(x.shape[1]):
        _, state, cache = module.forward(params, x[:, t : t + 1], state)
        caches.append(cache)
    dstate = with_zeros(dstate_T, state)
    gradients = [as_rows(dstate)]
    for cache in reversed(caches):
        _, dstate, _ = module.backward(None, dstate, cache)
        gradients.append(as_rows(dstate))
    gradients = np.stack(gradients)
    checks.finite("the gradients", gradients)
    return gradients


def gradient_norms(module, params, x, dstate_T, state=None):
    """Gradient norm against distance: the norms of `state_gradients`, whose arguments it takes.

    Returns (T + 1, B).
    """
    return ops.norm(state_gradients(module, params, x, dstate_T, state), axis=-1)


def half_life(f):
    """The steps after which a cell keeps half of a value, its forget gate held at f.

        (lstm-half-life)   k_1/2 = ln 2 / -ln f

    Formula: chapters/05_lstm.ipynb.

    f  any shape, 0 to 1

    Returns an array shaped like f; inf where f is 1.  Raises ValueError if f lies outside.
    """
    f = np.asarray(f, dtype=np.float64)
    if not ((f >= 0) & (f <= 1)).all():
        raise ValueError(f"f is {f.min()} to {f.max()}; a gate is 0 to 1")
    with np.errstate(divide="ignore"):  # f = 0 keeps nothing, f = 1 everything
        return np.log(2) / np.abs(np.log(f))  # (lstm-half-life)


def zero_state(module, params, x_t):
    """The state that None means: zeros, built as the module builds its states."""
    _, state, _ = module.forward(params, x_t[:, None])
    return map_state(np.zeros_like, state)


def with_zeros(dstate, state):
    """A gradient in which zeros stand for None, also inside a tuple."""
    if dstate is None:
        return map_state(np.zeros_like, state)
    if isinstance(dstate, tuple) and isinstance(state, tuple) and len(dstate) == len(state):
        return tuple(with_zeros(d, s) for d, s in zip(dstate, state, strict=True))
    return map_state(lambda d, _: np.asarray(d), dstate, state)


def square(name, A):
    """A as float64, (N, S, S) with N at least 1; a ValueError if it is not that, or not finite."""
    A = np.asarray(A, dtype=np.float64)
    if A.ndim != 3 or A.shape[1] != A.shape[2] or len(A) == 0:
        raise ValueError(f"{name} has shape {A.shape}; expected (N, S, S), N at least 1")
    if not np.isfinite(A).all():
        raise ValueError(f"{np.sum(~np.isfinite(A))} of {A.size} entries of {name} are not finite")
    return A


def reach(cell, encoder, decoder, x, y, rng):
    """How much of the gradient at each step of a decoder reaches each step that was read.

    cell              the recurrent module of both
    encoder, decoder  their parameters; the decoder starts from the encoder's final state
    x, y              (B, S, D), (B, T, D)  what is read, what the decoder is fed
    rng               draws the gradient that reaches the decoder's output, of one step at a time

    Returns (T, S): the length of the gradient with respect to x_s, as a mean over the batch.
    Raises ValueError if x, y or a gradient is not finite.
    """
    checks.finite("x", x)
    checks.finite("y", y)
    _, state, read = cell.forward(encoder, x)
    h, _, wrote = cell.forward(decoder, y, state)
    lengths = []
    for t in range(y.shape[1]):
        dh = np.zeros_like(h)
        dh[:, t] = rng.standard_normal(dh[:, t].shape)
        _, dstate, _ = cell.backward(dh, None, wrote)
        dx, _, _ = cell.backward(None, dstate, read)
        lengths.append(ops.norm(dx, axis=2).mean(axis=0))
    checks.finite("the lengths", np.array(lengths))
    return np.array(lengths)
