"""Models that come from elsewhere: PyTorch, ONNX, safetensors; and ONNX graphs of models.

PyTorch is no part of the tests' environment: what needs it is skipped without it. What its exporter made of
the same networks is in Tests/golden/imports, and both frontends must make the same list of a network.
"""

import subprocess
import sys

import libae
import numpy as np
import pytest
import reference_network
import strokes
from libae import _lists

NAMES = ("DenseGelu", "Residual", "ColourVariational", "MapCodes", "Written")
TANH = {"output_mean": 0.5, "output_std": 0.5}
SCALES = {
    "Residual": {"input_mean": 0.4, "input_std": 0.3, **TANH},
    "MapCodes": TANH,
    "Written": {
        "input_mean": [0.5, 0.4, 0.3],
        "input_std": [0.2, 0.25, 0.3],
        "output_mean": 0,
        "output_std": 1,
    },
}
SHAPES = {
    "DenseGelu": (12, 10, 1),
    "Residual": (16, 12, 1),
    "ColourVariational": (16, 16, 3),
    "MapCodes": (28, 28, 1),
    "Written": (8, 8, 3),
}


@pytest.fixture(scope="module")
def onnx():
    return pytest.importorskip("onnx", reason="skipped: onnx is not installed")


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="skipped: torch is not installed")


def golden(root, name):
    """The files of a network."""
    folder = root / "Tests" / "golden" / "imports"
    return [folder / f"{name}.{half}.onnx" for half in ("encoder", "decoder")]


def imported(root, name):
    """The model of a network's files."""
    return libae.from_onnx(*golden(root, name), image_shape=SHAPES[name], name=name, **SCALES.get(name, {}))


def pictures(name, count=40, seed=3):
    """(count, H, W, C) uint8"""
    height, width, channels = SHAPES[name]
    return strokes.draw_colour(count, height, width, channels, seed=seed)


def psnr(a, b):
    return -10 * np.log10(np.mean((np.float64(a) - b) ** 2))


def run(onnx, graph, x):
    """What a graph gives, by ONNX Runtime, or else by ONNX's own reference implementation."""
    graph = onnx.load(graph) if hasattr(graph, "parts") else graph
    try:
        import onnxruntime
    except ImportError:
        evaluator = onnx.reference.ReferenceEvaluator(graph)
    else:
        session = onnxruntime.InferenceSession(graph.SerializeToString())
        return session.run(None, {session.get_inputs()[0].name: np.ascontiguousarray(x)})
    return evaluator.run(None, {evaluator.input_names[0]: x})


def scaled(name, images):
    """(N, C, H, W) as the encoder of a network takes them."""
    scale = SCALES.get(name, {})
    x = np.moveaxis(np.float32(images) / np.float32(255), -1, 1)
    mean, std = (np.reshape(scale.get(f"input_{key}", key == "std"), (-1, 1, 1)) for key in ("mean", "std"))
    return np.float32((x - mean) / std)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_of_onnx_gives_what_the_graphs_give(root, onnx, name):
    model = imported(root, name)
    images = pictures(name)
    encoder, decoder = golden(root, name)
    if name == "ColourVariational":
        # The one that draws has another output for each run; mean and log-variance are its last ones.
        _, mean, log_variance = run(onnx, encoder, scaled(name, images))
        found = model.posterior(images)
        np.testing.assert_allclose(found[1], log_variance, atol=1e-5)
    else:
        mean = run(onnx, encoder, scaled(name, images))[0]
    given = mean
    mean = mean.reshape(len(images), -1)
    codes = model.encode(images)
    np.testing.assert_allclose(codes, mean, atol=1e-5)
    pixels = run(onnx, decoder, given)[0].reshape(len(images), SHAPES[name][2], *SHAPES[name][:2])
    pixels = pixels * SCALES.get(name, {}).get("output_std", 1) + SCALES.get(name, {}).get("output_mean", 0)
    decoded = model.decode(codes).reshape(images.shape)
    np.testing.assert_allclose(decoded, np.clip(np.moveaxis(pixels, 1, -1), 0, 1), atol=1e-5)


@pytest.fixture(scope="module")
def restore(c_program):
    return c_program("restore")


@pytest.mark.parametrize("name", NAMES)
def test_an_imported_model_runs_in_integers_and_packs_sets(root, onnx, name, restore, tmp_path):
    model = imported(root, name)
    images = pictures(name, 600, seed=5)
    fitted = model.quantize(images)
    integers = libae.Model.open(fitted.to_bytes("int8"))
    reals = images / 255
    by_float = model.decode(model.encode(images)).reshape(images.shape)
    by_integer = integers.decode(integers.encode(images)).reshape(images.shape)
    assert psnr(by_integer, reals) > psnr(by_float, reals) - 0.2
    packed = libae.compress(images if SHAPES[name][2] > 1 else images[..., 0], fitted)
    restored = libae.decompress(packed, fitted).reshape(images.shape)
    assert psnr(restored / 255, reals) > psnr(by_float, reals) - 1.5
    # And a C program restores the same pixels.
    fitted.save(tmp_path / "model.aew", storage="int8")
    (tmp_path / "set.aez").write_bytes(packed)
    subprocess.run([restore, *(tmp_path / part for part in ("set.aez", "model.aew", "pixels"))], check=True)
    assert (tmp_path / "pixels").read_bytes() == restored.tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_an_imported_model_runs_as_the_interpreter_of_its_list(root, onnx, name):
    model = imported(root, name)
    images = pictures(name)
    codes = reference_network.encode(model.description, model.tensors(), images / 255)
    np.testing.assert_allclose(model.encode(images), codes[:, : model.latent_size], atol=1e-5)
    pixels = reference_network.decode(model.description, model.tensors(), model.encode(images))
    np.testing.assert_allclose(model.decode(model.encode(images)).reshape(images.shape), pixels, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_graphs_of_a_model_make_the_same_model_again(root, onnx, name, tmp_path):
    model = imported(root, name)
    images = pictures(name, 8)
    graphs = model.to_onnx(tmp_path / "graphs")
    x = np.moveaxis(np.float32(images) / np.float32(255), -1, 1)
    codes = run(onnx, graphs["encoder"], x)[0][:, : model.latent_size]
    np.testing.assert_allclose(codes, model.encode(images), atol=1e-5)
    pixels = run(onnx, graphs["decoder"], codes)[0]
    np.testing.assert_allclose(
        np.moveaxis(pixels, 1, -1), model.decode(codes).reshape(images.shape), atol=1e-5
    )
    again = libae.from_onnx(tmp_path / "graphs", name=name)
    np.testing.assert_allclose(again.encode(images), model.encode(images), atol=1e-5)
    np.testing.assert_allclose(again.decode(codes), model.decode(codes), atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("pca", {}),
        ("elu", {"hidden": (20, 12)}),
        ("vae", {"hidden": (20,)}),
        ("conv-vae", {"hidden": (4, 4, 6, 16)}),
        ("residual-vae", {"hidden": (4, 4, 6, 16)}),
    ],
)
def test_presets_go_to_onnx_too(onnx, kind, options):
    images = strokes.draw(64, 11, 14, seed=2)
    model = libae.train(images, kind=kind, latent_size=5, steps=3, codec=False, **options)
    graphs = model.to_onnx()
    codes = run(onnx, graphs["encoder"], np.float32(images[:, None]) / np.float32(255))[0][:, :5]
    np.testing.assert_allclose(codes, model.encode(images), atol=2e-5)
    pixels = run(onnx, graphs["decoder"], codes)[0]
    np.testing.assert_allclose(pixels[:, 0], model.decode(codes), atol=1e-5)


# MARK: Graphs made by hand


def graph(onnx, nodes, given, constants=None, opset=17):
    """A graph of ("Operation", inputs, outputs, attributes)."""
    helper = onnx.helper
    made = [helper.make_node(name, inputs, outputs, **more) for name, inputs, outputs, more in nodes]
    kind = onnx.TensorProto.FLOAT
    weights = [
        onnx.numpy_helper.from_array(np.asarray(value), key) for key, value in (constants or {}).items()
    ]
    whole = helper.make_graph(
        made,
        "made",
        [helper.make_tensor_value_info("x", kind, given)],
        [helper.make_tensor_value_info("y", kind, None)],
        weights,
    )
    return helper.make_model(whole, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(0, 0.3, shape).astype(np.float32)


def decoded_of(onnx, nodes, given, constants, image, count=4):
    """Decoders alone are tried: a graph, its model's pixels, and ONNX's."""
    decoder = graph(onnx, nodes, given, constants)
    size = int(np.prod(given[1:]))
    encoder = graph(
        onnx,
        [("Flatten", ["x"], ["f"], {}), ("Gemm", ["f", "w"], ["y"], {"transB": 1})],
        ["N", image[2], *image[:2]],
        {"w": drawn(size, int(np.prod(image)))},
    )
    model = libae.from_onnx(encoder, decoder, image_shape=image)
    codes = np.random.default_rng(1).normal(0, 1, (count, size)).astype(np.float32)
    expected = run(onnx, decoder, codes.reshape(count, *given[1:]))[0].reshape(count, image[2], *image[:2])
    found = model.decode(codes).reshape(count, *image)
    np.testing.assert_allclose(found, np.clip(np.moveaxis(expected, 1, -1), 0, 1), atol=1e-5)
    return model


@pytest.mark.parametrize(
    ("operation", "weight", "attributes"),
    [
        ("Conv", (3, 4, 3, 3), {"pads": [1, 1, 1, 1]}),
        ("Conv", (3, 4, 1, 3), {"pads": [0, 1, 0, 1]}),
        ("Conv", (3, 4, 3, 2), {"pads": [0, 0, 2, 1]}),
        ("Conv", (3, 4, 3, 3), {"pads": [2, 2, 2, 2], "dilations": [2, 2]}),
        ("Conv", (3, 4, 4, 4), {"auto_pad": "SAME_UPPER"}),
        ("Conv", (3, 4, 2, 2), {"auto_pad": "SAME_LOWER"}),
        ("Conv", (4, 2, 3, 3), {"pads": [1, 1, 1, 1], "group": 2}),
        ("Conv", (4, 1, 3, 3), {"pads": [1, 1, 1, 1], "group": 4}),
        ("ConvTranspose", (4, 3, 4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
        ("ConvTranspose", (4, 3, 3, 3), {"strides": [2, 2], "output_padding": [1, 1]}),
        ("ConvTranspose", (4, 3, 3, 3), {"strides": [2, 2], "pads": [1, 0, 1, 1], "output_padding": [1, 0]}),
        ("ConvTranspose", (4, 1, 2, 3), {"pads": [0, 1, 0, 1], "group": 4}),
        ("ConvTranspose", (4, 1, 3, 3), {"dilations": [2, 2], "pads": [2, 2, 2, 2]}),
        ("ConvTranspose", (4, 3, 3, 3), {"strides": [3, 3], "output_shape": [15, 18]}),
    ],
)
def test_convolutions_of_every_shape_are_the_same(onnx, operation, weight, attributes):
    # Of 4 x 5 x 6 numbers.
    channels = weight[0] if operation == "Conv" else weight[1] * attributes.get("group", 1)
    nodes = [
        ("Gemm", ["x", "start"], ["v"], {}),
        ("Reshape", ["v", "shape"], ["m"], {}),
        ("Relu", ["m"], ["r"], {}),
        (operation, ["r", "w", "b"], ["c"], attributes),
        ("Flatten", ["c"], ["f"], {}),
        ("Gemm", ["f", "end"], ["y"], {"transB": 1}),
    ]
    constants = {
        "start": drawn(7, 120),
        "shape": np.array([0, 4, 5, 6]),
        "w": drawn(*weight, seed=1),
        "b": drawn(channels, seed=2),
    }
    probe = graph(onnx, nodes[:5], ["N", 7], constants)
    probe.graph.output[0].name = "f"
    size = run(onnx, probe, drawn(1, 7))[0].shape[1]
    constants["end"] = drawn(12, size, seed=3)
    decoded_of(onnx, nodes, ["N", 7], constants, (4, 3, 1))


@pytest.mark.parametrize(
    ("nodes", "constants"),
    [
        ([("LeakyRelu", ["m"], ["a"], {"alpha": 0.15})], {}),
        ([("Sigmoid", ["m"], ["s"], {}), ("Mul", ["m", "s"], ["a"], {})], {}),
        ([("MaxPool", ["m"], ["a"], {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1})], {}),
        ([("AveragePool", ["m"], ["a"], {"kernel_shape": [2, 3], "strides": [1, 1]})], {}),
        ([("GlobalAveragePool", ["m"], ["a"], {})], {}),
        ([("ReduceMean", ["m"], ["a"], {"axes": [2, 3], "keepdims": 0})], {}),
        ([("Transpose", ["m"], ["a"], {"perm": [0, 2, 3, 1]})], {}),
        ([("Transpose", ["m"], ["a"], {"perm": [0, 3, 1, 2]})], {}),
        ([("DepthToSpace", ["m"], ["a"], {"blocksize": 2, "mode": "DCR"})], {}),
        ([("DepthToSpace", ["m"], ["a"], {"blocksize": 2, "mode": "CRD"})], {}),
        ([("Concat", ["m", "m"], ["a"], {"axis": 1})], {}),
        ([("Add", ["m", "c"], ["a"], {})], {"c": drawn(4, 1, 1, seed=7)}),
        ([("Mul", ["c", "m"], ["t"], {}), ("Tanh", ["t"], ["a"], {})], {"c": drawn(1, 4, 1, 1, seed=7)}),
        (
            [("Relu", ["m"], ["r"], {}), ("Sub", ["c", "r"], ["d"], {}), ("Elu", ["d"], ["a"], {})],
            {"c": drawn(4, 1, 1)},
        ),
        ([("Slice", ["m", "from", "to", "axes"], ["a"], {})], {"from": [1], "to": [3], "axes": [1]}),
        ([("Pad", ["m", "pads"], ["a"], {})], {"pads": [0, 0, 1, 2, 0, 0, 0, 1]}),
    ],
)
def test_operations_are_the_same(onnx, nodes, constants):
    before = [
        ("Gemm", ["x", "start"], ["v"], {}),
        ("Reshape", ["v", "shape"], ["q"], {}),
        ("Elu", ["q"], ["m"], {}),
    ]
    after = [("Flatten", ["a"], ["f"], {}), ("Gemm", ["f", "end"], ["y"], {"transB": 1})]
    constants = {
        "start": drawn(7, 120),
        "shape": np.array([0, 4, 5, 6]),
        **{key: np.asarray(value) for key, value in constants.items()},
    }
    probe = graph(onnx, [*before, *nodes, after[0]], ["N", 7], constants)
    probe.graph.output[0].name = "f"
    size = run(onnx, probe, drawn(1, 7))[0].shape[1]
    constants["end"] = drawn(12, size, seed=3)
    decoded_of(onnx, [*before, *nodes, *after], ["N", 7], constants, (4, 3, 1))


def test_a_decoder_may_end_in_anything(onnx):
    for end in ("Relu", "Sigmoid", "Elu"):
        nodes = [
            ("Gemm", ["x", "start"], ["v"], {}),
            ("Reshape", ["v", "shape"], ["m"], {}),
            (end, ["m"], ["e"], {}),
            (
                "Resize",
                ["e", "", "scales"],
                ["y"],
                {"mode": "nearest", "nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"},
            ),
        ]
        constants = {
            "start": drawn(5, 36),
            "shape": np.array([-1, 3, 3, 4]),
            "scales": np.float32([1, 1, 2, 2]),
        }
        decoded_of(onnx, nodes, ["N", 5], constants, (6, 8, 3))


def test_what_is_not_supported_is_named_with_its_place(onnx, root):
    nodes = [("Gemm", ["x", "w"], ["v"], {}), ("Softmax", ["v"], ["y"], {"axis": 1})]
    bad = graph(onnx, nodes, ["N", 144], {"w": drawn(144, 5)})
    with pytest.raises(
        libae.UnsupportedError, match=r"decoder, node .*Softmax of 'y' is not supported; Add, .*Conv"
    ) as caught:
        libae.from_onnx(golden(root, "DenseGelu")[0], bad, image_shape=(12, 10))
    assert isinstance(caught.value, (ValueError, NotImplementedError))
    with pytest.raises(libae.ArgumentError, match="tanh.*output_mean"):
        libae.from_onnx(*golden(root, "MapCodes"), image_shape=(28, 28))
    with pytest.raises(libae.ArgumentError, match="input_mean"):
        libae.from_onnx(*golden(root, "Written"), image_shape=(8, 8, 3), input_mean=[1, 2])
    with pytest.raises(libae.ShapeError, match="variational=True"):
        libae.from_onnx(*golden(root, "DenseGelu"), image_shape=(12, 10), variational=True)


def test_missing_extras_are_named(monkeypatch, model, tmp_path):
    for name in ("torch", "onnx", "safetensors"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"libae\[torch\]"):
        libae.from_torch(None, None, image_shape=(2, 2))
    with pytest.raises(ImportError, match=r"libae\[onnx\]"):
        model.to_onnx()
    with pytest.raises(ImportError, match=r"libae\[safetensors\]"):
        model.to_safetensors(tmp_path / "model.safetensors")


def test_safetensors_hold_the_whole_model(model, vae, tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy", reason="skipped: safetensors is not installed")
    for each in (model, vae):
        path = tmp_path / "model.safetensors"
        each.to_safetensors(path)
        again = libae.from_safetensors(path)
        assert again.description == each.description
        for name, array in each.tensors().items():
            np.testing.assert_array_equal(again.tensors()[name], array)
    safetensors.save_file({"a": np.zeros(3, np.float32)}, path)
    with pytest.raises(libae.FormatError, match="no description"):
        libae.from_safetensors(path)
    path.write_bytes(b"no such file")
    with pytest.raises(libae.FormatError, match="no safetensors file"):
        libae.from_safetensors(path)


def test_lists_are_taken_apart_with_their_shapes():
    text = (
        "convolution(channels=4,kernel=3,stride=2,padding=1,activation=leaky_relu:0.2);max_pool(kernel=2);"
        "convolution(channels=4,kernel=3,padding=1);add(1,2,activation=gelu);concatenate(3,1);upsample(factor=2);"
        "transposed_convolution(channels=2,kernel=4,stride=2,padding=1);mean_pool(whole=true);dense(outputs=5)"
    )
    nodes = _lists.parsed(text, (15, 9, 3))
    shapes = [node.shape for node in nodes]
    assert shapes[:4] == [(8, 5, 4), (4, 2, 4), (4, 2, 4), (4, 2, 4)]
    assert shapes[4:] == [(4, 2, 8), (8, 4, 8), (16, 8, 2), (1, 1, 2), (1, 1, 5)]
    assert (nodes[0].activation, nodes[0].slope, nodes[3].sources) == ("leaky_relu", 0.2, (1, 2))
    assert _lists.tensor_shape(nodes, 6, (15, 9, 3)) == (4, 4, 2, 8)


# MARK: PyTorch


@pytest.mark.parametrize("name", NAMES)
def test_a_model_of_torch_gives_what_the_modules_give(torch, name):
    import torch_networks

    kind = getattr(torch_networks, name)
    module = torch_networks.drawn(kind).train()
    model = libae.from_torch(module, image_shape=kind.shape, **SCALES.get(name, {}))
    assert module.training
    module.eval()
    encode, decode = torch_networks.halves(module)
    images = pictures(name)
    with torch.no_grad():
        given = encode(torch.tensor(scaled(name, images)))
        mean = given[-2] if isinstance(given, (tuple, list)) else given
        pixels = decode(mean).reshape(len(images), SHAPES[name][2], *SHAPES[name][:2]).numpy()
    codes = model.encode(images)
    np.testing.assert_allclose(codes, mean.flatten(1), atol=1e-5)
    pixels = pixels * SCALES.get(name, {}).get("output_std", 1) + SCALES.get(name, {}).get("output_mean", 0)
    decoded = model.decode(codes).reshape(images.shape)
    np.testing.assert_allclose(decoded, np.clip(np.moveaxis(pixels, 1, -1), 0, 1), atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_both_frontends_make_the_same_list(root, torch, onnx, name):
    import torch_networks

    kind = getattr(torch_networks, name)
    model = libae.from_torch(
        torch_networks.drawn(kind), image_shape=kind.shape, name=name, **SCALES.get(name, {})
    )
    assert model.description == imported(root, name).description


def test_torch_operations_that_are_not_supported_are_named_with_module_and_line(torch):
    class Encoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.body = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(20, 4), torch.nn.Softplus())

        def forward(self, x):
            return self.body(x)

    decoder = torch.nn.Linear(4, 20)
    with pytest.raises(
        libae.UnsupportedError, match=r"encoder, body\.2 \(Softplus\).*softplus is not supported; Linear"
    ):
        libae.from_torch(Encoder(), decoder, image_shape=(4, 5))
    with pytest.raises(libae.ShapeError, match="takes no images"):
        libae.from_torch(torch.nn.Linear(21, 4), decoder, image_shape=(4, 5))
    with pytest.raises(libae.ArgumentError, match="encode and decode"):
        libae.from_torch(decoder, image_shape=(4, 5))
