"""Trains networks with Keras and saves them, with rows that they never saw and what Keras answers for those.

.venv-tensorflow/bin/python python/frameworks/train_tensorflow.py FOLDER
"""

import os
import sys
from pathlib import Path

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}

import keras
import numpy as np
import tensorflow as tf
from keras import layers

ROWS = 40
WIDTHS = {"customer": 4, "usage": 3}


def plans(random):
    """Two inputs, two outputs, named by the user."""
    customer, usage = keras.Input((4,), name="customer"), keras.Input((3,), name="usage")
    both = layers.Concatenate()([layers.Dense(16, activation="relu")(customer), usage])
    both = layers.Dropout(0.3)(layers.BatchNormalization()(both))
    outputs = [layers.Dense(3, activation="softmax", name="plan")(both), layers.Dense(1, name="spend")(both)]
    model = keras.Model([customer, usage], outputs)
    model.compile("adam", loss={"plan": "sparse_categorical_crossentropy", "spend": "mse"})

    def rows(count):
        return {name: random.normal(size=(count, width)).astype("f4") for name, width in WIDTHS.items()}

    x = rows(400)
    total = x["customer"].sum(1) + x["usage"][:, 0]
    y = {"plan": np.digitize(total, [-1, 1]), "spend": total.astype("f4")}
    model.fit([x["customer"], x["usage"]], y, epochs=5, verbose=0)
    return model, rows(ROWS)


def pictures(random):
    """A convolutional network: where in the picture is the bright spot?"""
    model = keras.Sequential(
        [
            keras.Input((16, 16, 1), name="picture"),
            layers.Conv2D(8, 3, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Conv2D(8, 3, strides=2),
            layers.Flatten(),
            layers.Dense(4, activation="softmax", name="corner"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")

    def rows(count):
        corner, noise = random.integers(0, 4, count), random.random((count, 16, 16, 1)).astype("f4")
        for picture, place in zip(noise, corner, strict=True):
            picture[8 * (place // 2) : 8 * (place // 2) + 8, 8 * (place % 2) : 8 * (place % 2) + 8] += 1
        return noise, corner

    model.fit(*rows(256), epochs=3, verbose=0)
    return model, {"picture": rows(ROWS)[0]}


def words(random):
    """An embedding, and an LSTM in both directions that leaves padding out."""
    model = keras.Sequential(
        [
            keras.Input((12,), dtype="int32", name="tokens"),
            layers.Embedding(50, 8, mask_zero=True),
            layers.Bidirectional(layers.LSTM(6)),
            layers.Dropout(0.2),
            layers.Dense(1, activation="sigmoid", name="positive"),
        ]
    )
    model.compile("adam", "binary_crossentropy")

    def rows(count):
        tokens = random.integers(1, 50, (count, 12)).astype("i4")
        for line, length in zip(tokens, random.integers(1, 13, count), strict=True):
            line[length:] = 0
        return tokens

    x = rows(256)
    model.fit(x, (x > 25).sum(1) > 3, epochs=3, verbose=0)
    return model, {"tokens": rows(ROWS)}


def two_rows(random):
    """For batches of two rows, and no others."""
    model = keras.Sequential([keras.Input(batch_shape=(2, 5), name="pair"), layers.Dense(3, name="both")])
    return model, {"pair": random.normal(size=(ROWS, 5)).astype("f4")}


def lengths(random):
    """A series of any length, and a mask that has to be as long."""
    series, mask = keras.Input((None, 3), name="series"), keras.Input((None, 1), name="mask")
    found = layers.Conv1D(4, 2, padding="same", activation="relu")(series)
    found = layers.GlobalAveragePooling1D()(layers.Multiply()([found, mask]))
    model = keras.Model([series, mask], layers.Dense(2, name="means")(found))
    rows = {"series": random.normal(size=(ROWS, 9, 3)), "mask": random.integers(0, 2, (ROWS, 9, 1))}
    return model, {name: one.astype("f4") for name, one in rows.items()}


def shared(random):
    """A table within a model within a model, looked up by two inputs."""
    tokens = keras.Input((4,), dtype="int32")
    mean = keras.Model(tokens, layers.GlobalAveragePooling1D()(layers.Embedding(6, 3)(tokens)))
    one, other = keras.Input((4,), dtype="int32", name="one"), keras.Input((4,), dtype="int32", name="other")
    model = keras.Model([one, other], layers.Dense(2, name="both")(layers.Concatenate()([mean(one), mean(other)])))
    return model, {name: random.integers(0, 6, (ROWS, 4)).astype("i4") for name in ("one", "other")}


class Computed(tf.Module):
    """Places that it computes itself: in a table, in a list of zeros and a one, and a constant one from the end."""

    def __init__(self):
        super().__init__()
        self.table = tf.Variable(tf.random.normal((5, 3)))

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32, name=name) for name in ("a", "b")])
    def __call__(self, a, b):
        """The sums of what is found."""
        hot = tf.reduce_sum(tf.one_hot(a - b, 4), 1)
        return {"found": tf.reduce_sum(tf.gather(self.table, a - b), 1) + self.table[-1], "hot": hot}


class Hot(tf.Module):
    """TensorFlow answers zeros for what a class below zero is."""

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.int32, name="classes")])
    def __call__(self, classes):
        """Zeros and ones."""
        return {"hot": tf.one_hot(classes, 4)}


class Unknown(tf.Module):
    """With an operator that ONNX does not have."""

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def __call__(self, x):
        """The regularised incomplete beta function."""
        return {"y": tf.raw_ops.Betainc(a=tf.abs(x), b=tf.abs(x) + 1, x=tf.sigmoid(x))}


@keras.saving.register_keras_serializable("mine")
class Twice(layers.Layer):
    """A layer of the user's own."""

    def call(self, x):
        """Twice the input."""
        return 2 * x


def save(folder, name, model, rows):
    """The model in both forms, and what it answers."""
    model.save(folder / f"{name}.keras")
    model.save(folder / f"{name}.h5")
    given = list(rows.values()) if len(rows) > 1 else next(iter(rows.values()))
    found = model.predict(given, batch_size=model.inputs[0].shape[0], verbose=0)
    names = getattr(model, "output_names", None) or [model.layers[-1].name]
    answers = dict(zip(names, found if isinstance(found, list) else [found], strict=True))
    np.savez(folder / f"{name}.npz", **{f"in_{key}": one for key, one in rows.items()},
             **{f"out_{key}": one for key, one in answers.items()})  # fmt: skip


def main():
    """The command line."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(1)
    random = np.random.default_rng(1)
    for make in (plans, pictures, words, two_rows, lengths, shared):
        save(folder, make.__name__, *make(random))
    model, rows = plans(random)
    model.export(folder / "saved", verbose=False)
    served = tf.saved_model.load(folder / "saved").signatures["serving_default"]
    answers = served(**{name: tf.constant(one) for name, one in rows.items()})
    np.savez(folder / "saved.npz", **{f"in_{key}": one for key, one in rows.items()},
             **{f"out_{key}": one.numpy() for key, one in answers.items()})  # fmt: skip
    for name, module in (("unknown", Unknown()), ("computed", Computed()), ("hot", Hot())):
        tf.saved_model.save(module, folder / name, signatures=module.__call__)
    keras.Sequential([keras.Input((3,)), layers.Lambda(lambda x: x * 2, name="twice")]).save(folder / "lambda.keras")
    keras.Sequential([keras.Input((3,)), layers.Lambda(lambda x: x * 2, name="twice")]).save(folder / "lambda.h5")
    keras.Sequential([keras.Input((3,)), Twice(name="own")]).save(folder / "own.keras")
    pictures(random)[0].save_weights(folder / "only.weights.h5")


if __name__ == "__main__":
    main()
