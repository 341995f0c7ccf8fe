"""What `python -m bench.decay` says of rates, and of which lives of versions."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from bench import decay


def test_bounds_are_exact() -> None:
    assert decay.exact_upper(0, 100, 0.025) == pytest.approx(0.0362, abs=1e-4)
    assert decay.exact_upper(5, 100, 0.025) == pytest.approx(0.1128, abs=1e-4)
    assert decay.by_chance(10, 1000)
    assert decay.by_chance(20, 1000)
    assert not decay.by_chance(25, 1000)


def test_lives_that_the_claim_covers_are_within_the_limit() -> None:
    for scene in decay.SCENES:
        seen = list(islice(scene.windows(np.random.default_rng(1)), 24 * 60))
        ratio = sum(bad for bad, _ in seen) / sum(total for _, total in seen)
        assert ratio < decay.LIMIT * 1.25, scene.name


def test_a_life_that_decays_fires_and_a_good_one_does_not() -> None:
    random = np.random.default_rng(1)
    assert decay.alarm(decay.steady(0.01, 1000)(random), 500) is None
    assert decay.alarm(decay.steady(0.2, 1000)(random), 500) is not None
    after = decay.changed(0.01, lambda number: 0.2, 1000)(random)
    found = decay.alarm(after, decay.GOOD_DAYS * decay.A_DAY + 100)
    assert found is not None
    assert found > decay.GOOD_DAYS * decay.A_DAY
