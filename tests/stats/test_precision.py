"""float64 inside the decorator, float32 outside, also in threads."""

import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stats.precision import in_float64


@in_float64
def tiny_difference(x):
    assert jax.config.jax_enable_x64
    return (jnp.asarray(x) + 1e-12) - jnp.asarray(x)


def test_double_precision_inside_and_numpy_out():
    result = tiny_difference(np.float32(1.0))
    assert isinstance(result, np.ndarray)
    assert result.dtype == np.float64
    assert float(result) == pytest.approx(1e-12, rel=1e-3)
    assert jnp.asarray(1.0).dtype == jnp.float32


def test_integers_and_nested_records_keep_their_kind():
    out = in_float64(lambda tree: {"n": jnp.asarray(tree["n"]), "x": jnp.asarray(tree["x"])})(
        {"n": np.int32(3), "x": np.float32(0.5)}
    )
    assert out["n"].dtype.kind == "i"
    assert out["x"].dtype == np.float64


def test_the_mode_does_not_leak_after_an_error():
    @in_float64
    def fail():
        raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fail()
    assert jnp.asarray(1.0).dtype == jnp.float32


def test_a_worker_thread_enters_the_mode_itself():
    seen = []
    thread = threading.Thread(target=lambda: seen.append(tiny_difference(np.float64(1.0))))
    thread.start()
    thread.join()
    assert seen[0].dtype == np.float64
    assert float(seen[0]) > 0


def test_generators_are_refused():
    def generate():
        yield 1

    with pytest.raises(TypeError, match="generator"):
        in_float64(generate)
