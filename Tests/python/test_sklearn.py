"""Autoencoders as transformers of scikit-learn: its checks, its tools around them, values of any range."""

import copy
import inspect
import io
import pickle
import sys
import warnings

import libae
import numpy as np
import pytest

pytest.importorskip("sklearn", "1.6", reason="scikit-learn 1.6 is not installed (tools/requirements.txt)")

from libae import _rows  # noqa: E402
from libae.sklearn import Autoencoder, VariationalAutoencoder  # noqa: E402
from sklearn.base import clone  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402
from sklearn.exceptions import NotFittedError  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.model_selection import GridSearchCV, cross_val_score  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.utils.estimator_checks import check_estimator  # noqa: E402
from test_programs import blocks, checked, python_path, succeed  # noqa: E402
from threadpoolctl import threadpool_limits  # noqa: E402

TINY = {"hidden": (16,), "steps": 20}
# A network that learns something in a tenth of a second.
SMALL = {"hidden": (64,), "steps": 200, "random_state": 0}


@pytest.mark.parametrize(
    "estimator",
    [
        Autoencoder(latent_size=2, **TINY),
        Autoencoder(latent_size=2, scaling="feature", **TINY),
        Autoencoder(kind="pca", latent_size=1),
        VariationalAutoencoder(latent_size=2, **TINY),
    ],
    ids=repr,
)
def test_scikit_learns_own_checks_pass_without_exceptions(estimator):
    results = check_estimator(estimator, on_skip=None, on_fail=None)
    failed = {each["check_name"]: each["exception"] for each in results if each["status"] == "failed"}
    assert failed == {}
    # One is skipped unless the environment's SCIPY_ARRAY_API is set.
    assert sum(each["status"] == "passed" for each in results) > 40


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Threads that wait for each other would take the time of other tests."""
    before = libae.threads()
    libae.set_threads(1)
    with threadpool_limits(1):
        yield
    libae.set_threads(before)


@pytest.fixture(scope="module")
def digits():
    """(1797, 64) float64, 0 to 16, and their labels."""
    return load_digits(return_X_y=True)


@pytest.fixture(scope="module")
def fitted(digits):
    """An autoencoder of these rows; d = 8."""
    return Autoencoder(latent_size=8, **SMALL).fit(digits[0])


@pytest.fixture(scope="module")
def variational(digits):
    """A variational one of the same as images; d = 6."""
    return VariationalAutoencoder(latent_size=6, **SMALL).fit(digits[0].reshape(-1, 8, 8))


# ---- What comes out ----


def test_codes_are_the_models_and_reconstructions_are_in_the_range_of_the_rows(fitted, digits):
    rows, _ = digits
    codes = fitted.transform(rows)
    assert codes.shape == (1797, 8)
    assert codes.dtype == np.float64
    np.testing.assert_array_equal(codes, fitted.model_.encode((rows / 16).reshape(-1, 1, 64)))
    again = fitted.inverse_transform(codes)
    assert again.shape == rows.shape
    assert again.min() >= 0
    assert again.max() <= 16
    assert fitted.score(rows) == pytest.approx(-np.mean((again - rows) ** 2))
    # Far better than the mean of each feature, so values go where they came from.
    assert fitted.score(rows) > -0.6 * np.mean(np.var(rows, axis=0))


def test_attributes_say_what_was_learned(fitted):
    assert (fitted.data_min_, fitted.scale_) == (0.0, 16.0)
    assert fitted.n_features_in_ == 64
    assert fitted.options_["kind"] == "elu"
    assert fitted.options_["schedule"] == "one-cycle"
    assert fitted.options_["hidden"] == (64,)
    assert len(fitted.loss_curve_) == 100
    assert fitted.loss_curve_[-1] < fitted.loss_curve_[0] / 3
    assert isinstance(fitted.model_, libae.Model)
    assert fitted.get_feature_names_out()[-1] == "autoencoder7"


def test_the_model_leaves_as_a_weight_file(fitted, digits, tmp_path):
    fitted.model_.save(tmp_path / "mine.aew")
    model = libae.Model.open(tmp_path / "mine.aew")
    rows = digits[0][:5]
    np.testing.assert_array_equal(model.encode(rows / 16), fitted.transform(rows))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64, np.uint8, bool])
def test_types_of_codes_follow_those_of_samples(digits, dtype):
    rows = digits[0][:50].astype(dtype)
    estimator = Autoencoder(latent_size=3, **TINY).fit(rows)
    wanted = np.float32 if np.dtype(dtype) in (np.float16, np.float32, np.uint8) else np.float64
    codes = estimator.transform(rows)
    assert codes.dtype == wanted
    assert estimator.inverse_transform(codes).dtype == wanted


def test_the_last_steps_of_a_loss_curve_are_a_point_too(digits):
    for rows in (digits[0][:50], digits[0][:50].astype(np.uint8)):
        assert len(Autoencoder(latent_size=2, hidden=(4,), steps=203).fit(rows).loss_curve_) == 68


def test_verbose_prints_ten_lines(digits, capsys):
    for rows in (digits[0][:50], digits[0][:50].astype(np.uint8)):
        Autoencoder(latent_size=2, hidden=(4,), steps=100, verbose=True).fit(rows)
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 10
        assert lines[-1].startswith("[Autoencoder] step 100 of 100: loss 0.")


# ---- Ranges ----


@pytest.mark.parametrize("scaling", ["auto", "feature", (-1e6, 1e6)])
@pytest.mark.parametrize(("low", "span"), [(0, 1), (-3, 7), (1e9, 1), (-1e-9, 1e-12), (-1e5, 2e5)])
def test_a_scale_goes_to_the_unit_interval_and_back(scaling, low, span):
    if not isinstance(scaling, str):
        scaling = (low - span, low + 2 * span)
    rows = low + span * np.random.RandomState(0).random_sample((200, 7)) * np.arange(1, 8) / 7
    scale = _rows.Scale.learned(rows, scaling)
    unit = scale.to_unit(rows)
    assert unit.dtype == np.float32
    assert unit.min() >= 0
    assert unit.max() <= 1
    if scaling == "feature":
        assert (unit.min(axis=0) == 0).all()
        assert (unit.max(axis=0) == 1).all()
    # float32 in the unit interval, and what float64 has of the offset.
    np.testing.assert_allclose(
        scale.from_unit(unit, np.float64), rows, rtol=1e-15, atol=np.max(scale.span) * 2**-24
    )


def test_values_outside_the_range_are_clipped(fitted):
    rows = np.full((1, 64), 8.0)
    far, further = rows.copy(), rows.copy()
    far[0, 3], further[0, 3] = 16, 1e300
    np.testing.assert_array_equal(fitted.transform(far), fitted.transform(further))


def test_a_feature_that_never_changes_is_given_back_as_it_is():
    rows = np.random.RandomState(0).normal(size=(40, 3))
    rows[:, 1] = 5
    estimator = Autoencoder(latent_size=2, scaling="feature", **TINY).fit(rows)
    assert estimator.scale_[1] == 0
    other = rows.copy()
    other[:, 1] = -7
    np.testing.assert_array_equal(estimator.transform(other), estimator.transform(rows))
    assert (estimator.inverse_transform(estimator.transform(other))[:, 1] == 5).all()


def test_rows_that_are_all_alike_are_given_back():
    rows = np.full((30, 4), -2.5)
    estimator = Autoencoder(latent_size=2, **TINY).fit(rows)
    np.testing.assert_array_equal(estimator.inverse_transform(estimator.transform(rows)), rows)
    assert estimator.score(rows) == 0


def test_floats_are_not_rounded_to_bytes(digits):
    rows = digits[0][:100] / 16

    def weights(samples, **parameters):
        estimator = Autoencoder(latent_size=2, scaling=(0, 1), random_state=0, **{**TINY, **parameters})
        return estimator.fit(samples).model_.to_bytes()

    rounded = np.rint(rows * 255) / 255
    assert weights(rows) != weights(rounded)
    # But for components, which come of bytes.
    assert weights(rows, kind="pca", hidden=None) == weights(rounded, kind="pca", hidden=None)


def test_bytes_are_trained_on_as_they_are(digits):
    images = (digits[0] * 15).astype(np.uint8).reshape(-1, 8, 8)
    estimator = Autoencoder(latent_size=4, random_state=0, **TINY).fit(images)
    assert (estimator.data_min_, estimator.scale_) == (0.0, 255.0)
    # The same as the library's own training, given the same seed.
    seed = estimator.options_["seed"]
    model = libae.train(images, preset="quick", latent_size=4, seed=seed, codec=False, **TINY)
    assert model.to_bytes() == estimator.model_.to_bytes()
    np.testing.assert_array_equal(estimator.transform(images), model.encode(images))
    augmented = Autoencoder(latent_size=4, random_state=0, deformation=0.05, **TINY).fit(images)
    assert augmented.model_.to_bytes() != estimator.model_.to_bytes()


def test_the_components_of_a_pca_are_those_of_scikit_learn(digits):
    from sklearn.decomposition import PCA

    rows, _ = digits
    ours = Autoencoder(kind="pca", latent_size=10).fit(rows)
    theirs = PCA(10).fit(rows)
    loss = np.mean((theirs.inverse_transform(theirs.transform(rows)) - rows) ** 2)
    # Bytes cost hardly anything here, where values are whole numbers to 16. Decoders clip to the range.
    assert -1.001 * loss < ours.score(rows) < -0.9 * loss


# ---- Shapes ----


@pytest.mark.parametrize(
    ("features", "shape"),
    [(1, (1, 1)), (256, (1, 256)), (784, (28, 28)), (300, (15, 20)), (257, (2, 129)), (65536, (256, 256))],
)
def test_rows_become_images_with_as_few_pixels_more_as_can_be(features, shape):
    assert _rows.row_shape(features) == shape


def test_every_number_of_features_to_the_limit_has_an_image():
    for features in range(1, 65537, 97):
        height, width = _rows.row_shape(features)
        assert max(height, width) <= 256
        assert 0 <= height * width - features < height


def test_rows_of_a_prime_number_of_features_come_back_whole():
    rows = np.random.RandomState(0).random_sample((20, 307))
    estimator = Autoencoder(latent_size=2, **TINY).fit(rows)
    assert estimator.model_.image_shape == (2, 154)
    assert estimator.inverse_transform(estimator.transform(rows)).shape == (20, 307)


@pytest.mark.parametrize("shape", [(8, 6), (8, 6, 1), (8, 6, 3), (8, 6, 4)])
def test_images_and_the_same_as_rows_have_the_same_codes(shape):
    images = np.random.RandomState(0).random_sample((20, *shape))
    rows = images.reshape(20, -1)
    of_images = Autoencoder(latent_size=2, random_state=0, **TINY).fit(images)
    of_rows = Autoencoder(latent_size=2, random_state=0, image_shape=shape, **TINY).fit(rows)
    assert of_images.n_features_in_ == of_rows.n_features_in_ == rows.shape[1]
    codes = of_images.transform(images)
    for estimator in (of_images, of_rows):
        np.testing.assert_array_equal(estimator.transform(images), codes)
        np.testing.assert_array_equal(estimator.transform(rows), codes)
    # As they came in fit.
    assert of_images.inverse_transform(codes).shape == images.shape
    assert of_rows.inverse_transform(codes).shape == rows.shape
    assert of_images.score(images) == of_rows.score(rows)


def test_convolutions_take_rows_that_say_their_sides(digits):
    estimator = VariationalAutoencoder(
        kind="conv-vae", hidden=(4, 16), latent_size=3, steps=5, image_shape=(8, 8), random_state=0
    ).fit(digits[0][:100])
    assert estimator.model_.image_shape == (8, 8)
    assert estimator.model_.info.kind == "conv-vae"


def test_networks_of_ones_own_are_a_matter_of_options(digits):
    estimator = Autoencoder(
        kind="custom",
        encoder="dense(outputs=9,activation=elu);dense(outputs=2)",
        decoder="dense(outputs=64)",
        latent_size=2,
        preset=None,
        steps=5,
    ).fit(digits[0][:50])
    assert estimator.transform(digits[0][:3]).shape == (3, 2)


# ---- Variational ----


def test_a_variational_autoencoder_draws_samples_as_fit_saw_them(variational, digits):
    drawn = variational.sample(5, random_state=1)
    assert drawn.shape == (5, 8, 8)
    assert 0 <= drawn.min() < drawn.max() <= 16
    np.testing.assert_array_equal(variational.sample(3, random_state=1), drawn[:3])
    assert (variational.sample(5, random_state=2) != drawn).any()
    mean, log_variance = variational.posterior(digits[0])
    np.testing.assert_array_equal(mean, variational.transform(digits[0]))
    assert log_variance.shape == mean.shape
    assert variational.get_feature_names_out()[0] == "variationalautoencoder0"


def test_kinds_of_variational_autoencoders_are_variational(digits):
    rows = digits[0][:50]
    assert VariationalAutoencoder(**TINY).fit(rows).model_.info.kind == "vae"
    assert VariationalAutoencoder(kind="vae", preset=None, **TINY).fit(rows).model_.latent_size == 20
    with pytest.raises(libae.KindError, match="a variational one expected.*'elu' came"):
        VariationalAutoencoder(kind="elu", **TINY).fit(rows)
    with pytest.raises(libae.ArgumentError, match="n_samples: a number in"):
        VariationalAutoencoder(**TINY).fit(rows).sample(0)


# ---- scikit-learn's tools ----


def test_a_pipeline_classifies_codes(digits):
    rows, labels = digits
    pipeline = make_pipeline(
        Autoencoder(latent_size=12, **SMALL), StandardScaler(), LogisticRegression(max_iter=300)
    )
    assert cross_val_score(pipeline, rows, labels, cv=2).min() > 0.7


def test_a_grid_search_finds_that_more_latents_lose_less_here_and_in_worker_processes(digits):
    rows = digits[0][:400]
    alone, workers = (
        GridSearchCV(Autoencoder(threads=1, **SMALL), {"latent_size": [1, 8]}, cv=2, n_jobs=jobs).fit(rows)
        for jobs in (None, 2)
    )
    assert alone.best_params_ == {"latent_size": 8}
    scores = alone.cv_results_["mean_test_score"]
    assert scores[0] < scores[1] < 0
    np.testing.assert_array_equal(workers.cv_results_["mean_test_score"], scores)
    assert workers.best_estimator_.transform(rows[:3]).shape == (3, 8)


def test_data_frames_come_out_where_they_are_asked_for(digits):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame(digits[0][:50], index=range(100, 150)).add_prefix("pixel")
    estimator = Autoencoder(latent_size=3, **TINY).set_output(transform="pandas").fit(frame)
    codes = estimator.transform(frame)
    assert list(codes.columns) == ["autoencoder0", "autoencoder1", "autoencoder2"]
    assert codes.index[0] == 100
    assert estimator.feature_names_in_[1] == "pixel1"
    assert estimator.inverse_transform(codes).shape == (50, 64)
    with pytest.raises(ValueError, match="feature names"):
        estimator.transform(frame.add_prefix("x"))


def test_parameters_are_the_librarys_options_and_scikit_learns_words():
    names = set(inspect.signature(Autoencoder).parameters)
    keys = {option.key for option in libae.options("training") if not option.is_implied}
    own = {"image_shape", "scaling", "preset", "threads", "random_state", "verbose"}
    assert names == keys - {"seed", "validation_fraction"} | own
    assert set(Autoencoder().get_params()) == set(VariationalAutoencoder().get_params()) == names
    assert repr(Autoencoder(latent_size=4, beta=2)) == "Autoencoder(beta=2, latent_size=4)"
    for estimator in (Autoencoder, VariationalAutoencoder):
        assert "learning_rate: 1e-12 to 10; default 0.001" in estimator.__doc__
        assert "validation_fraction" not in estimator.__doc__
        assert "{options}" not in estimator.__doc__


@pytest.mark.parametrize("rows_type", [np.float64, np.uint8])
def test_random_states_decide_about_the_weights(digits, rows_type):
    rows = digits[0][:100].astype(rows_type)

    def weights(state, threads=None):
        estimator = Autoencoder(latent_size=3, random_state=state, threads=threads, **TINY)
        return estimator.fit(rows).model_.to_bytes()

    assert weights(0) == weights(0) == weights(0, threads=2) == weights(np.random.RandomState(0), threads=1)
    assert weights(0) != weights(1)
    np.random.seed(3)
    first = weights(None)
    assert weights(None) != first
    np.random.seed(3)
    assert weights(None) == first


# ---- Copies ----


def same(one, other, rows):
    """Whether two estimators are alike, and so are their models."""
    assert one.get_params() == other.get_params()
    assert one.options_ == other.options_
    assert one.loss_curve_ == other.loss_curve_
    np.testing.assert_array_equal(one.transform(rows), other.transform(rows))
    np.testing.assert_array_equal(
        one.inverse_transform(one.transform(rows)), other.inverse_transform(other.transform(rows))
    )
    return True


@pytest.mark.parametrize("scaling", ["auto", "feature"])
def test_pickle_joblib_and_copies_give_the_same_estimator(digits, scaling):
    joblib = pytest.importorskip("joblib")
    rows = digits[0][:60]
    estimator = Autoencoder(latent_size=3, scaling=scaling, threads=1, **TINY).fit(rows)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert same(pickle.loads(pickle.dumps(estimator, protocol)), estimator, rows)
    assert same(copy.deepcopy(estimator), estimator, rows)
    file = io.BytesIO()
    joblib.dump(estimator, file, compress=3)
    file.seek(0)
    assert same(joblib.load(file), estimator, rows)
    assert not hasattr(clone(estimator), "model_")
    # A pickle holds the weight file, and no call that opens one.
    assert estimator.__getstate__()["model_"] == estimator.model_.to_bytes()
    assert b"open" not in pickle.dumps(estimator).replace(estimator.model_.to_bytes(), b"")


@pytest.mark.parametrize("scaling", ["auto", "feature"])
def test_skops_trusts_the_estimator_by_its_name_alone(digits, scaling):
    skops = pytest.importorskip("skops.io", reason="skops is not installed")
    rows = digits[0][:60]
    estimator = VariationalAutoencoder(latent_size=3, scaling=scaling, **TINY).fit(rows)
    pipeline = make_pipeline(StandardScaler(with_std=False), estimator)
    pipeline[0].fit(rows)
    data = skops.dumps(pipeline)
    trusted = skops.get_untrusted_types(data=data)
    assert trusted == ["libae.sklearn.VariationalAutoencoder"]
    assert same(skops.loads(data, trusted=trusted)[1], estimator, rows)


# ---- Bad input ----


@pytest.mark.parametrize(
    ("parameters", "shape", "words"),
    [
        ({"image_shape": (8, 9)}, (5, 64), r"rows of 72 features, expected; rows of 64 features came"),
        ({"image_shape": (8, 8)}, (5, 4, 16), r"image_shape=\(8, 8\).*images of \(4, 16\) came"),
        ({"image_shape": 8}, (5, 64), r"image_shape: \(H, W\) or \(H, W, C\) expected, 8 came"),
        ({"image_shape": (8.0, 8)}, (5, 64), r"image_shape: integers expected"),
        ({"image_shape": (0, 8)}, (5, 64), r"image_shape: sides of 1 to 256 expected"),
        ({"image_shape": (8, 4, 2)}, (5, 64), r"1, 3 or 4 channels in the last place expected"),
        ({}, (5, 3, 8, 8), r"channels go last: numpy.moveaxis\(images, 1, -1\)"),
        ({}, (5, 2, 3, 8, 8), r"X: images: \(H, W\) or \(H, W, C\) expected"),
        ({}, (5, 300, 2), r"sides of 1 to 256 expected, \(300, 2\) came"),
        ({}, (5, 65537), r"at most 65536 features expected, 65537 came"),
        ({"scaling": "x"}, (5, 64), r"scaling: 'auto', 'feature' or \(low, high\) expected, 'x' came"),
        ({"scaling": (1, 1)}, (5, 64), r"low < high expected, \(1, 1\) came"),
        ({"scaling": (0, 1, 2)}, (5, 64), r"scaling: .* expected, \(0, 1, 2\) came"),
        ({"scaling": (0, float("inf"))}, (5, 64), r"low < high expected"),
        ({"preset": "slow"}, (5, 64), r'there is no preset "slow"'),
        ({"kind": "gan"}, (5, 64), r"kind takes one of pca, linear"),
        ({"kind": "conv-vae"}, (5, 64), r"is of images: image_shape=.*rows of 64 features came"),
        ({"latent_size": 0}, (5, 64), r"latent_size must be in 1 \.\.\. 4096, not 0"),
        ({"kind": "pca", "latent_size": 65}, (5, 64), r"latent size of a pca must be in 1 \.\.\. 64"),
        ({"binarize": True}, (5, 64), r"binarize: .* uint8, scaled from 0 to 255, expected; float64"),
        ({"deformation": 0.1}, (5, 64), r"deformation: is done to images in bytes alone"),
        ({"threads": 0}, (5, 64), r"threads: a number in \[1, 256\] expected, 0 came"),
    ],
)
def test_bad_parameters_and_shapes_are_told(parameters, shape, words):
    with pytest.raises(ValueError, match=words):
        Autoencoder(**{**TINY, **parameters}).fit(np.zeros(shape))


def test_bad_parameters_of_other_types_are_told():
    with pytest.raises(TypeError, match="latent_size: an integer expected, str came"):
        Autoencoder(latent_size="8", **TINY).fit(np.zeros((5, 4)))
    with pytest.raises(TypeError, match="no option 'step'; did you mean 'steps'"):
        Autoencoder(step=3)
    with pytest.raises(TypeError, match="no option 'seed'; there are .*random_state"):
        Autoencoder(seed=3)


def test_bad_samples_and_codes_are_told(fitted, variational):
    with pytest.raises(NotFittedError):
        Autoencoder().transform(np.zeros((2, 4)))
    with pytest.raises(ValueError, match="X has 63 features, but Autoencoder is expecting 64"):
        fitted.transform(np.zeros((2, 63)))
    with pytest.raises(libae.ShapeError, match=r"rows of 64 features or images of \(1, 64\) expected"):
        fitted.transform(np.zeros((2, 8, 8)))
    with pytest.raises(libae.ShapeError, match=r"of \(8, 8\) expected, as in fit; images of \(4, 16\) came"):
        variational.score(np.zeros((2, 4, 16)))
    with pytest.raises(libae.ShapeError, match="latent codes of 8 numbers expected, 7 came"):
        fitted.inverse_transform(np.zeros((2, 7)))
    with pytest.raises(ValueError, match="NaN"):
        fitted.transform(np.full((2, 64), np.nan))
    with pytest.raises(ValueError, match="too far apart for float64"):
        Autoencoder(**TINY).fit([[-1e308], [1e308]])
    with pytest.raises(ValueError, match="0 sample"):
        fitted.transform(np.zeros((0, 64)))


def test_a_fit_that_diverges_says_so_and_a_search_goes_on(digits):
    rows = digits[0][:100]
    parameters = {"hidden": (200,) * 8, "kind": "relu", "steps": 30, "schedule": "constant"}
    with pytest.raises(libae.DivergedError, match="the loss is not finite"):
        Autoencoder(learning_rate=10, **parameters).fit(rows)
    search = GridSearchCV(Autoencoder(**parameters), {"learning_rate": [10, 1e-4]}, cv=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(rows)
    assert search.best_params_ == {"learning_rate": 1e-4}


def test_without_scikit_learn_the_package_works_and_the_module_says_what_to_install():
    program = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import libae; libae.version()\n"
        "try: import libae.sklearn\n"
        "except ImportError as error: print(error)\n"
    )
    done = succeed([sys.executable, "-c", program], environment=python_path())
    said = done.stdout.decode()
    assert said == "libae.sklearn needs scikit-learn 1.6 or later: pip install 'libae[sklearn]'\n"


@pytest.mark.page
def test_the_code_in_the_docs_runs_and_gives_what_it_says(root, tmp_path):
    pytest.importorskip("skops.io", reason="skops is not installed")
    program = "\n".join(checked(code) for code in blocks(root / "docs" / "scikit-learn.md", "python"))
    assert program.count("assert") > 8
    environment = {**python_path(), "AE_THREADS": "1", "OMP_NUM_THREADS": "1"}
    succeed([sys.executable, "-c", program], cwd=tmp_path, environment=environment)
