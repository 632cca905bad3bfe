"""Writes weights as the reference systems do: their names and shapes, random numbers, and what comes out for an input.

This is a program for an environment of its own with TensorFlow 2 (no segprep in it):

    python published_graphs.py NETWORK FOLDER
    python published_graphs.py small FOLDER

The first leaves `weights.*` in the folder, and `case.npz` with `inputs` (uint8 RGB pictures) and `logits`. The second
leaves the small files that tests/train/network/published.zip holds. What the graphs are made of is written from
descriptions of the networks; only the names of their variables are those of the programs.
"""
# TensorFlow has no types, and is not there where types are checked.
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN003, ANN201, ANN202

import argparse
import itertools
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf
from published_layers import conv, enlarge, kernel, layer, norm, pool, variable  # beside this program

CLASSES = 3
FC_CHANNELS = 1024  # published: 4096, which needs 8 GB here
MEAN = np.array([123.68, 116.779, 103.939], np.float32)
SIZE = (64, 96)


# -- AdapNet++ and SSMA ------------------------------------------------------------------------------------------------


def expert(x):
    with tf.variable_scope("conv0"):
        x = norm(x, mean=(100, 140), variance=(3000, 4000))
    x = pool(layer(x, "conv1", 64, 7, 2))
    ends = []
    for block, (width, units) in enumerate(((256, 3), (512, 4), (1024, 6), (2048, 3)), 1):
        for unit in range(1, units + 1):
            first, stride = unit == 1, 2 if unit == 1 and block in (2, 3) else 1
            normed = x  # the first unit of blocks 1 to 3 begins without a norm of its own
            if not first or block == 4:
                before = f"block{block}/unit_{unit - 1}" if not first else "block3/unit_6"
                with tf.variable_scope(f"{before}/bottleneck_v1/conv3"):
                    normed = tf.nn.relu(norm(x))
            split = {2: unit == 4, 3: unit > 2, 4: True}.get(block, False)
            rates = ((2, 2) if block == 4 else (1, 2)) if split else (1,)
            with tf.variable_scope(f"block{block}/unit_{unit}/bottleneck_v1"):
                reduced = layer(normed, "conv1", width // 4, 1)
                y = layer(reduced, "conv2", width // 4, 3, stride, rates)
                with tf.variable_scope("conv3"):
                    y = conv(y, width, 1)
                if first:
                    with tf.variable_scope("shortcut"):
                        x = conv(reduced if block == 1 else normed, width, 1, stride)
            x = x + y
        if block != 3:
            with tf.variable_scope(f"block{block}/unit_{units}/bottleneck_v1/conv3"):
                end = tf.nn.relu(norm(x))
            ends.append(end)
            x = end
    quarter, eighth, last = ends
    skips = layer(quarter, "conv32", 24, 1, relu=False), layer(eighth, "conv174", 24, 1, relu=False)
    branches = [layer(last, "conv256", 256, 1)]
    for rate, (first, second, third, fourth) in ((3, (70, 7, 247, 71)), (6, (80, 8, 248, 81)), (12, (90, 9, 249, 91))):
        y = layer(last, f"conv{first}", 64, 1)
        y = layer(layer(y, f"conv{second}", 64, 3, 1, (rate,)), f"conv{third}", 64, 3, 1, (rate,))
        branches.append(layer(y, f"conv{fourth}", 256, 1))
    whole = layer(tf.reduce_mean(last, [1, 2], keepdims=True), "conv57", 256, 1)
    branches.append(tf.tile(whole, [1, int(last.shape[1]), int(last.shape[2]), 1]))
    return layer(tf.concat(branches, 3), "conv10", 256, 1, relu=False), skips[1], skips[0]


def decoder(x, eighth, quarter, correlated):
    steps = (eighth, "conv41", "conv550", (89, 96)), (quarter, "conv16", "conv551", (88, 95))
    for skip, scope, weigh, refine in steps:
        x = enlarge(x, scope, 256, 2)
        if correlated:
            skip = skip * layer(tf.reduce_mean(x, [1, 2], keepdims=True), weigh, 24, 1)
        x = tf.concat([x, skip], 3)
        for number in refine:
            x = layer(x, f"conv{number}", 256, 3)
    return enlarge(layer(x, "conv78", CLASSES, 1), "conv5", CLASSES, 4)


def blue_first(picture):
    return tf.constant(picture[..., ::-1].astype(np.float32))


def adapnet(pictures):
    tf.get_variable("Global_Step", initializer=7, trainable=False)
    with tf.variable_scope("resnet_v1_50"):
        logits = decoder(*expert(blue_first(pictures[0])), correlated=False)
        for scope in ("conv911", "conv912"):  # auxiliary heads, which only training looks at
            layer(tf.zeros((1, 1, 1, 256)), scope, CLASSES, 1, relu=False)
    return logits


def ssma(pictures):
    found = []
    for scope, picture in zip(("rgb", "depth"), pictures, strict=True):
        with tf.variable_scope(f"{scope}/resnet_v1_50"):
            found.append(expert(blue_first(picture)))
    fused = []
    for pair, reduced, numbers in zip(
        zip(*found, strict=True), (32, 8, 8), ((511, 512), (513, 514), (518, 519)), strict=True
    ):
        joined = tf.concat(pair, 3)
        with tf.variable_scope(f"conv{numbers[0]}"):
            y = tf.nn.relu(conv(joined, reduced, 3, bias=True))
        with tf.variable_scope(f"conv{numbers[1]}"):
            fused.append(joined * tf.sigmoid(conv(y, int(joined.shape[3]), 3, bias=True)))
    easpp = layer(fused[0], "conv515", 256, 1, relu=False)
    skips = []
    for scope, gated in zip(("conv552", "conv553"), fused[1:], strict=True):
        with tf.variable_scope(scope):
            skips.append(conv(gated, 24, 3, bias=True))
    return decoder(easpp, *skips, correlated=True)


# -- SMSnet ------------------------------------------------------------------------------------------------------------


def unit(x, scope, width, stride=1, rates=(1,), projected=False):
    with tf.variable_scope(f"{scope}/bottleneck_v1"):
        y = layer(x, "conv1", width // 4, 1, stride)
        y = layer(layer(y, "conv2", width // 4, 3, 1, rates), "conv3", width, 1, relu=False)
        if projected:
            x = layer(x, "shortcut", width, 1, stride, relu=False)
    return tf.nn.relu(x + y)


def smsnet(pictures):
    image, motion = pictures
    tf.get_variable("global_step", initializer=7, trainable=False)
    with tf.variable_scope("resnet_v1_50"):
        x = pool(layer(layer(blue_first(image), "conv0", 3, 3), "conv1", 64, 7, 2))
        for block, (width, units) in enumerate(((256, 3), (512, 4), (1024, 6), (2048, 3)), 1):
            for i in range(units):
                split = {2: i == 3, 3: i > 1, 4: True}.get(block, False)
                rates = ((2, 2) if block == 4 else (1, 2)) if split else (1,)
                x = unit(x, f"block{block}/unit_{i + 1}", width, 2 if i == 0 and block in (2, 3) else 1, rates, i == 0)
    # Their program takes 128 from numbers of 8 bits, which wrap.
    wrapped = np.concatenate([motion[..., :2] - np.uint8(128), motion[..., 2:]], 3).astype(np.float32)
    with tf.variable_scope("SMSnet"):
        y = pool(layer(tf.constant(wrapped), "conv1", 64, 7, 2))
        for i in range(3):
            y = unit(y, f"block1/unit_{i + 1}", 256, projected=i == 0)
        for i, stride in enumerate((2, 1, 2), 1):
            y = unit(y, f"block2/unit_{i}", 512, stride, projected=stride == 2)
        y = tf.concat([x, y], 3)
        for i in range(4, 7):
            y = unit(y, f"block2/unit_{i}", 512, 1, (2,), i == 4)
        for i, rates in enumerate(((2, 2), (2, 4), (2, 8)), 1):
            y = unit(y, f"block3/unit_{i}", 1024, 1, rates, i == 1)
        for i in (1, 2):
            y = unit(y, f"block4/unit_{i}", 2048, 1, (4, 16), i == 1)
        return enlarge(layer(y, "conv3", CLASSES, 1, relu=False), "conv5", CLASSES, 16)


# -- PARIS -------------------------------------------------------------------------------------------------------------


def frrn(pictures, base=8):
    def block(x, number, width):
        with tf.variable_scope(f"resblock_v2_{number}"):
            skip = x
            if int(x.shape[-1]) != width:
                with tf.variable_scope("res_skip1x1_conv"):
                    skip = conv(x, width, 1)
            y = x
            for i in (1, 2):
                y = tf.nn.relu(norm(y, "BatchNorm" if i == 1 else "BatchNorm_1"))
                with tf.variable_scope(f"res_conv{i}"):
                    y = conv(y, width, 3)
        return y + skip

    numbers, skips = itertools.count(1), []
    with tf.variable_scope("input_conv"):
        x = conv(tf.constant((pictures[0].astype(np.float32) - 128) / 128), base, 3)
    for blocks, units in ((2, 1), (3, 2), (4, 4), (2, 8)):
        for _ in range(blocks):
            x = block(x, next(numbers), units * base)
        skips.append(x)
        x = pool(x, 2)
    for _ in range(2):
        x = block(x, next(numbers), 8 * base)
    for units, skip in zip((4, 4, 2, 1), skips[::-1], strict=True):
        x = tf.image.resize_nearest_neighbor(x, [2 * int(x.shape[1]), 2 * int(x.shape[2])])
        x = tf.concat([x[:, : skip.shape[1], : skip.shape[2]], skip], 3)
        for _ in range(2):
            x = block(x, next(numbers), units * base)
    x = tf.nn.relu(norm(x))
    with tf.variable_scope("output_conv"):
        return conv(x, CLASSES, 3, bias=True)


# -- FCN-8s ------------------------------------------------------------------------------------------------------------


def fcn8s(pictures):
    x = tf.constant((pictures[0].astype(np.float32) - MEAN)[..., ::-1].copy())
    pools = []
    for block, (width, count) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), 1):
        for i in range(1, count + 1):
            with tf.variable_scope(f"conv{block}_{i}"):
                x = tf.nn.relu(conv(x, width, 3, bias=True, name="filter"))
        x = pool(x, 2)
        pools.append(x)
    for scope, size in (("fc6", 7), ("fc7", 1)):
        with tf.variable_scope(scope):
            x = tf.nn.relu(conv(x, FC_CHANNELS, size, bias=True))
    scores = []
    for i, feature in enumerate((pools[2], pools[3], x)):
        with tf.variable_scope(f"conv2d_{i}" if i else "conv2d"):
            scores.append(conv(feature, CLASSES, 1, bias=True, name="kernel", biases="bias"))
    x = scores.pop()
    for i, factor in enumerate((2, 2, 8)):
        with tf.variable_scope(f"conv2d_transpose_{i}" if i else "conv2d_transpose"):
            weights = kernel("kernel", (2 * factor, 2 * factor, CLASSES, CLASSES), 4 * CLASSES)
            shape = [1, int(x.shape[1]) * factor, int(x.shape[2]) * factor, CLASSES]
            x = tf.nn.conv2d_transpose(x, weights, shape, factor, "SAME") + variable("bias", (CLASSES,))
        if scores:
            x = x + scores.pop()
    return x


# -- ResNet50-SegNet ---------------------------------------------------------------------------------------------------


def segnet(folder, pictures):
    from tensorflow import keras

    layers = keras.layers

    def normed(x, name=None):
        return layers.BatchNormalization(name=name)(x)

    def block(x, width, name, stride):
        y = x
        branches = ("2a", width // 4, 1, stride), ("2b", width // 4, 3, 1), ("2c", width, 1, 1)
        for branch, channels, size, step in branches:
            y = layers.Conv2D(channels, size, step, padding="same", name=f"res{name}_branch{branch}")(y)
            y = normed(y, f"bn{name}_branch{branch}")
            y = y if branch == "2c" else layers.Activation("relu")(y)
        if name.endswith("a"):
            x = normed(layers.Conv2D(width, 1, stride, name=f"res{name}_branch1")(x), f"bn{name}_branch1")
        return layers.Activation("relu")(layers.add([x, y]))

    given = layers.Input((*SIZE, 3))
    x = layers.Conv2D(64, 7, 2, name="conv1")(layers.ZeroPadding2D(3)(given))
    x = layers.MaxPooling2D(3, 2)(layers.Activation("relu")(normed(x, "bn_conv1")))
    for stage, (width, letters) in enumerate(((256, "abc"), (512, "abcd"), (1024, "abcdef")), 2):
        for letter in letters:
            x = block(x, width, f"{stage}{letter}", 2 if letter == "a" and stage > 2 else 1)
    for i, width in enumerate((512, 256, 128, 64)):
        x = layers.UpSampling2D(2)(x) if i else x
        x = normed(layers.Conv2D(width, 3)(layers.ZeroPadding2D(1)(x)))
    model = keras.Model(given, layers.Conv2D(CLASSES, 3, padding="same")(x))
    rng = np.random.default_rng(0)
    for each in model.layers:
        values = []
        for weight in each.weights:
            low, high = {"gamma": (0.7, 1.1), "moving_variance": (0.5, 1.5)}.get(weight.name, (-0.1, 0.1))
            if weight.name == "kernel":
                high = np.sqrt(1 / np.prod(weight.shape[:3]))
                low = -high
            values.append(rng.uniform(low, high, weight.shape).astype(np.float32))
        each.set_weights(values)
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)  # its slots stand in the file, too
    model.save(folder / "weights.h5")
    return model.predict(pictures[0].astype(np.float32) - MEAN, verbose=0)


# -- the program -------------------------------------------------------------------------------------------------------


GRAPHS = {"adapnet": adapnet, "ssma": ssma, "smsnet": smsnet, "frrn": frrn, "fcn8s": fcn8s}
FROZEN = ("frrn", "fcn8s")


def write_graph(name, folder, pictures, slots, **options):
    graph = tf.Graph()
    with graph.as_default(), tf.Session(graph=graph) as session:
        logits = GRAPHS[name](pictures, **options)
        variables = tf.trainable_variables()
        if slots:  # those of Adam, without the gradients that would fill them
            for variable_ in variables:
                for slot in ("Adam", "Adam_1"):
                    tf.Variable(tf.zeros(variable_.shape), name=f"{variable_.op.name}/{slot}", trainable=False)
            tf.Variable(0.9, name="beta1_power", trainable=False)
            tf.Variable(0.999, name="beta2_power", trainable=False)
        session.run(tf.global_variables_initializer())
        found = session.run(logits)
        if name in FROZEN:
            output = logits.op.name
            constant = tf.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), [output])
            (folder / "weights.pb").write_bytes(constant.SerializeToString())
        if name != "fcn8s":
            tf.train.Saver().save(session, str(folder / "weights.ckpt"), global_step=7, write_meta_graph=False)
    return found


def write_small(folder):
    """PARIS' network one channel wide, the first layers of Keras' ResNet50, and strided layers at all sizes."""
    from tensorflow import keras

    pictures = np.random.default_rng(1).integers(0, 256, (1, 1, 19, 27, 3), dtype=np.uint8)
    given = keras.layers.Input((19, 27, 3))
    x = keras.layers.Conv2D(64, 7, 2, name="conv1")(keras.layers.ZeroPadding2D(3)(given))
    model = keras.Model(given, keras.layers.BatchNormalization(name="bn_conv1")(x))
    rng = np.random.default_rng(0)
    values = [rng.uniform(0.2, 0.7, weight.shape).astype(np.float32) for weight in model.weights]
    model.set_weights(values)
    model.save(folder / "keras.h5")
    features = model.predict(pictures[0].astype(np.float32) - MEAN, verbose=0)
    tf.disable_v2_behavior()
    logits = write_graph("frrn", folder, pictures, slots=True, base=1)
    found = {"inputs": pictures, "logits": logits, "features": features[..., ::16]}
    x = rng.normal(size=(1, 9, 9, 2)).astype(np.float32)
    with tf.Session() as session:
        for size in range(1, 10):
            part = tf.constant(x[:, :size, : 10 - size])
            for kernel_size in (3, 7):
                weights = rng.normal(size=(kernel_size, kernel_size, 2, 1)).astype(np.float32)
                found[f"kernel_{kernel_size}_{size}"] = weights
                found[f"conv_{kernel_size}_{size}"] = session.run(tf.nn.conv2d(part, weights, 2, "SAME"))
            found[f"pool_{size}"] = session.run(pool(part))
    np.savez_compressed(folder / "case.npz", layers=x, **found)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("network", choices=[*GRAPHS, "segnet", "small"])
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    if arguments.network == "small":
        return write_small(arguments.folder)
    count = 2 if arguments.network in ("ssma", "smsnet") else 1
    pictures = np.random.default_rng(1).integers(0, 256, (count, 1, *SIZE, 3), dtype=np.uint8)
    if arguments.network == "segnet":
        logits = segnet(arguments.folder, pictures)
    else:
        tf.disable_v2_behavior()
        logits = write_graph(
            arguments.network, arguments.folder, pictures, slots=arguments.network not in ("ssma", "fcn8s")
        )
    return np.savez_compressed(arguments.folder / "case.npz", inputs=pictures, logits=logits)


if __name__ == "__main__":
    main()
