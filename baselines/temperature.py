"""One number that makes probabilities as sure as they are right (Guo et al. 2017, arXiv:1706.04599).

The logarithms of all probabilities are divided by a temperature, chosen on objects that were kept apart.
What is most probable stays so.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import softmax

__all__ = ["best_temperature", "log_loss", "tempered"]

LIMITS = (0.1, 10.0)
"""Of temperatures: beyond these something else is wrong. Our choice."""

After = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def tempered(logits: NDArray, temperature: float) -> NDArray[np.float64]:
    """(..., class) probabilities at a temperature, from logits or the logarithms of probabilities.

    Examples:
        >>> tempered(np.log([0.8, 0.2]), 2.0).round(3).tolist()
        [0.667, 0.333]
    """
    return np.asarray(softmax(np.asarray(logits, np.float64) / temperature, axis=-1))


def log_loss(
    logits: NDArray, classes: NDArray[np.int64], temperature: float = 1.0, after: After | None = None
) -> float:
    """Mean of -ln p of the true class; p is the mean over samples, where there are some.

    Arguments:
        logits: (object, class) or (sample, object, class).
        classes: (object,) codes.
        after: what becomes of probabilities of the shape of `logits` once they are tempered; nothing by
            default.
    """
    p = tempered(logits, temperature)
    p = p if after is None else after(p)
    p = p.mean(axis=0) if p.ndim == 3 else p
    told = np.take_along_axis(p, classes[:, None], axis=1)
    return float(-np.log(np.maximum(told, np.finfo(float).tiny)).mean())


def best_temperature(logits: NDArray, classes: NDArray[np.int64], after: After | None = None) -> float:
    """The temperature with the least `log_loss`, within `LIMITS`.

    One temperature serves all classes and samples: samples are tempered first and averaged then, so that the
    average is as sure as it should be.

    Raises:
        ValueError: if there are no objects.
    """
    if not len(classes):
        raise ValueError("there is no object to choose a temperature on: keep some apart")

    def loss(ln: float) -> float:
        return log_loss(logits, classes, float(np.exp(ln)), after)

    found = minimize_scalar(loss, bounds=np.log(LIMITS), method="bounded", options={"xatol": 1e-3})
    return float(np.exp(found.x))
