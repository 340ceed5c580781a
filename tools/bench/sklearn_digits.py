"""Codes of scikit-learn's 8 x 8 digits beside PCA's: how well classifiers do on them, and what they lose.

Each row is a search, `GridSearchCV` over the number of components of a pipeline: the transformer, a scaler, a
classifier. Its folds and its classifiers are the same for all. The table in docs/scikit-learn.md is what this
prints.

usage: python tools/bench/sklearn_digits.py [--folds N] [--steps N] [--jobs N]
       The package `libae` and scikit-learn have to be importable.
"""

from __future__ import annotations

import argparse
import tempfile

import libae
import numpy as np
import sklearn
from libae.sklearn import Autoencoder, VariationalAutoencoder
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

SIZES = (2, 4, 8, 16, 24)
CLASSIFIERS = {
    "logistic regression": LogisticRegression(max_iter=2000),
    "5 nearest neighbours": KNeighborsClassifier(5),
}


def transformers(steps: int) -> dict[str, tuple[object, str]]:
    """Each by its name in the table, with the parameter that is its number of components."""
    common = {"hidden": (256, 64), "steps": steps, "random_state": 0}
    return {
        "PCA": (PCA(random_state=0), "n_components"),
        "Autoencoder": (Autoencoder(**common, loss="bernoulli", noise=0.1), "latent_size"),
        "VariationalAutoencoder": (VariationalAutoencoder(**common, beta=0.2), "latent_size"),
    }


class Keeping:
    """A score that also measures what a pipeline's transformer loses: both come of one fit."""

    def __call__(self, pipeline, images, labels) -> dict[str, float]:
        transformer = pipeline[0]
        again = transformer.inverse_transform(transformer.transform(images))
        return {
            "accuracy": pipeline.score(images, labels),
            # Values are 0 to 16.
            "error": float(np.mean((again - images) ** 2)) / 256,
        }


def searched(transformer, parameter: str, classifier, folds: int, jobs: int, memory: str) -> dict:
    """The results of the search. What a transformer learned is kept in the folder `memory`."""
    images, labels = load_digits(return_X_y=True)
    pipeline = make_pipeline(transformer, StandardScaler(), classifier, memory=memory)
    search = GridSearchCV(
        pipeline,
        {f"{type(transformer).__name__.lower()}__{parameter}": SIZES},
        scoring=Keeping(),
        refit=False,
        cv=StratifiedKFold(folds, shuffle=True, random_state=0),
        n_jobs=jobs,
        error_score="raise",
    )
    search.fit(images, labels)
    return search.cv_results_


def row(cells) -> str:
    """A line of a table."""
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as memory:
        for title, classifier in CLASSIFIERS.items():
            for name, (transformer, parameter) in transformers(options.steps).items():
                found[title, name] = searched(
                    transformer, parameter, classifier, options.folds, options.jobs, memory
                )

    def cells(title, name, measure, text):
        results = found[title, name]
        return [
            text.format(mean, deviation)
            for mean, deviation in zip(results[f"mean_test_{measure}"], results[f"std_test_{measure}"])
        ]

    print(
        f"libae {libae.__version__}, scikit-learn {sklearn.__version__}: 1,797 digits, {options.folds} "
        f"folds, {options.steps} steps\n"
    )
    head = ["d", *map(str, SIZES)]
    print(row(head), row(["---"] * len(head)), sep="\n")
    names = list(transformers(1))
    for title in CLASSIFIERS:
        for name in names:
            print(row([f"{name}, {title}", *cells(title, name, "accuracy", "{:.3f} ± {:.3f}")]))
    title = next(iter(CLASSIFIERS))
    for name in names:
        errors = found[title, name]["mean_test_error"]
        print(row([f"{name}, mean squared error on the [0, 1] scale", *(f"{error:.4f}" for error in errors)]))
    print()
    for name in names:
        seconds = found[title, name]["mean_fit_time"]
        print(f"{name}: {seconds.min():.2f} to {seconds.max():.2f} s a fit, {title} included")


if __name__ == "__main__":
    main()
