"""Layers of the graphs of `published_graphs.py`: TensorFlow's, with random weights and the published variables' names.

For the same environment with TensorFlow 2; no part of the tests' own.
"""
# TensorFlow has no types, and is not there where types are checked.
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201

import zlib

import numpy as np
import tensorflow.compat.v1 as tf


def variable(name, shape, low=-0.1, high=0.1):
    shape = tuple(map(int, shape))
    rng = np.random.default_rng(zlib.crc32(f"{tf.get_variable_scope().name}/{name}".encode()))
    return tf.get_variable(name, dtype=tf.float32, initializer=rng.uniform(low, high, shape).astype(np.float32))


def kernel(name, shape, inputs):
    bound = np.sqrt(2 / inputs)  # small logits: differences are then seen as they are
    return variable(name, shape, -bound, bound)


def norm(x, scope="BatchNorm", mean=(-0.1, 0.1), variance=(0.5, 1.5), epsilon=1e-5):
    width = x.shape[-1]
    with tf.variable_scope(scope):
        gamma, beta = variable("gamma", (width,), 0.7, 1.1), variable("beta", (width,))
        moving = variable("moving_mean", (width,), *mean), variable("moving_variance", (width,), *variance)
    return tf.nn.batch_normalization(x, *moving, beta, gamma, epsilon)


def conv(x, width, size, stride=1, rates=(1,), bias=False, name="weights", biases="biases"):
    """A convolution whose equal parts have their own dilation; its kernel is called `name` in the present scope."""
    inputs = int(x.shape[-1])
    whole = kernel(name, (size, size, inputs, width), size * size * inputs)
    parts = [
        tf.nn.conv2d(x, part, stride, "SAME", dilations=rate)
        for part, rate in zip(tf.split(whole, len(rates), 3), rates, strict=True)
    ]
    y = tf.concat(parts, 3) if len(parts) > 1 else parts[0]
    return y + variable(biases, (width,)) if bias else y


def layer(x, scope, width, size, stride=1, rates=(1,), relu=True):
    with tf.variable_scope(scope):
        y = norm(conv(x, width, size, stride, rates))
    return tf.nn.relu(y) if relu else y


def enlarge(x, scope, width, factor, normed=True):
    inputs = int(x.shape[-1])
    with tf.variable_scope(scope):
        weights = kernel("weights", (2 * factor, 2 * factor, width, inputs), 4 * inputs)
        shape = [int(x.shape[0]), int(x.shape[1]) * factor, int(x.shape[2]) * factor, width]
        y = tf.nn.conv2d_transpose(x, weights, shape, factor, "SAME")
        return norm(y) if normed else y


def pool(x, size=3):
    return tf.nn.max_pool2d(x, size, 2, "SAME")
