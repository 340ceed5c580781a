"""libae.torch: image sets as datasets, in workers of every kind, and models as modules and back.

PyTorch is no part of the tests' environment: what needs it is skipped without it.
"""

import copy
import io
import os
import pickle
import subprocess
import sys
from pathlib import Path

import libae
import numpy as np
import pytest
import strokes
from libae import _lists
from test_programs import blocks, checked


@pytest.fixture(scope="module")
def torch():
    module = pytest.importorskip("torch", reason="skipped: torch is not installed")
    module.set_num_threads(1)
    return module


@pytest.fixture(scope="module")
def places(torch):
    """The module that is tested."""
    import libae.torch

    return libae.torch


def test_pytorch_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "libae.torch", raising=False)
    with pytest.raises(ImportError, match=r"libae\.torch needs PyTorch: pip install 'libae\[torch\]'"):
        __import__("libae.torch")


def test_the_package_does_without_pytorch():
    program = "import sys, libae; sys.exit('torch' in sys.modules or 'libae.torch' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(Path(libae.__file__).parents[1])}
    assert subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode == 0


# MARK: Datasets


@pytest.fixture(scope="module")
def decoded(packed, model):
    return libae.decompress(packed, model)


@pytest.fixture
def dataset(places, packed, model):
    return places.ImageSetDataset(packed, model)


def test_items_are_those_of_torchvisions_datasets(torch, dataset, decoded):
    assert len(dataset) == 700
    for index in (0, 5, -1, np.int64(64), torch.tensor(699)):
        image, label = dataset[index]
        assert (image.shape, image.dtype) == ((1, 12, 10), torch.float32)
        np.testing.assert_array_equal(image[0], decoded[int(index)] / np.float32(255))
        assert label == int(index) % 700 % 10
        assert type(label) is int
    with pytest.raises(IndexError):
        dataset[700]
    assert dataset.targets.dtype == torch.int64
    np.testing.assert_array_equal(dataset.targets, np.arange(700) % 10)
    assert dataset.classes == [str(label) for label in range(10)]
    assert dataset.class_to_idx["7"] == 7
    assert dataset.names is None
    assert "700 images" in repr(dataset)


def test_a_batch_decodes_a_block_once(torch, dataset, decoded):
    read = []
    called = dataset.images._call
    dataset.images._call = lambda call, first, *rest: read.append(first) or called(call, first, *rest)
    random = np.random.default_rng(1).permutation(700)[:128].tolist()
    items = dataset.__getitems__(random)
    assert sorted(read) == list(range(0, 700, 64))
    assert len(items) == 128
    for (image, label), place in zip(items, random):
        np.testing.assert_array_equal(image[0], decoded[place] / np.float32(255))
        assert label == place % 10
    # The DataLoader asks for batches so.
    assert dataset.__getitems__(random)
    assert len(read) == 11
    images, labels = next(iter(torch.utils.data.DataLoader(dataset, 200, shuffle=True)))
    assert len(read) == 11
    assert (images.shape, images.dtype) == ((200, 1, 12, 10), torch.float32)
    assert (labels.shape, labels.dtype) == ((200,), torch.int64)


def test_types_and_transforms(torch, places, packed, model, decoded):
    dataset = places.ImageSetDataset(packed, model, dtype=torch.uint8)
    assert dataset[3][0].dtype == torch.uint8
    np.testing.assert_array_equal(dataset[3][0][0], decoded[3])
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        image = places.ImageSetDataset(packed, model, dtype=dtype)[3][0]
        assert image.dtype == dtype
        np.testing.assert_allclose(image.double()[0], decoded[3] / 255, atol=3e-3)
    dataset = places.ImageSetDataset(
        packed, model, transform=lambda image: image.flip(-1) * 2 - 1, target_transform=lambda label: -label
    )
    expected = decoded[3, :, ::-1] / np.float32(255) * 2 - 1
    for image, label in (dataset[3], dataset.__getitems__([3])[0]):
        np.testing.assert_array_equal(image[0], expected)
        assert label == -3
    subset = torch.utils.data.Subset(dataset, range(0, 700, 7))
    images, labels = next(iter(torch.utils.data.DataLoader(subset, 100)))
    np.testing.assert_array_equal(-labels, np.arange(0, 700, 7) % 10)
    np.testing.assert_array_equal(images[1, 0], decoded[7, :, ::-1] / np.float32(255) * 2 - 1)
    for wrong in (torch.int64, torch.bool, np.float32, "float32"):
        with pytest.raises(TypeError, match="dtype: torch.uint8 or a floating-point type expected"):
            places.ImageSetDataset(packed, model, dtype=wrong)


def test_labels_and_classes(torch, places, model, images):
    plain = libae.compress(images[:6], model)
    dataset = places.ImageSetDataset(plain, model)
    assert isinstance(dataset[0], torch.Tensor)
    assert next(iter(torch.utils.data.DataLoader(dataset, 6))).shape == (6, 1, 12, 10)
    assert (dataset.targets, dataset.classes, dataset.class_to_idx) == (None, [], {})
    dataset = places.ImageSetDataset(plain, model, labels=[0, 1, 2, 1000, 4, 5])
    assert dataset[3][1] == 1000
    names = [f"{number}.png" for number in range(6)]
    named = libae.compress(images[:6], model, names=names, labels=[0, 1, 0, 1, 2, 0])
    dataset = places.ImageSetDataset(named, model, classes=("cat", "dog", "emu"))
    assert dataset.classes == ["cat", "dog", "emu"]
    assert dataset.class_to_idx == {"cat": 0, "dog": 1, "emu": 2}
    assert dataset.names == names
    assert places.ImageSetDataset(named, model).classes == ["0", "1", "2"]
    assert isinstance(places.ImageSetDataset(named, model, labels=False)[0], torch.Tensor)
    none = places.ImageSetDataset(libae.compress(images[:0], model, labels=[]), model)
    assert (len(none), none.classes) == (0, [])
    with pytest.raises(libae.KindError, match="labels"):
        places.ImageSetDataset(plain, model, labels=True)
    for wrong, error in (([1, 2], libae.ShapeError), (np.zeros(6), TypeError)):
        with pytest.raises(error, match="labels"):
            places.ImageSetDataset(plain, model, labels=wrong)
    with pytest.raises(libae.ShapeError, match="2 names came, and a label 2"):
        places.ImageSetDataset(named, model, classes=["a", "b"])


def test_sources_of_a_dataset(torch, places, packed, model, decoded, tmp_path):
    path = tmp_path / "set.aez"
    path.write_bytes(packed)
    with libae.ImageSet.open(packed, model) as opened:
        for dataset in (
            places.ImageSetDataset(path, model, cache_bytes=0),
            places.ImageSetDataset(io.BytesIO(packed), model),
            places.ImageSetDataset(opened),
        ):
            np.testing.assert_array_equal(dataset[650][0][0], decoded[650] / np.float32(255))
            again = pickle.loads(pickle.dumps(dataset))
            np.testing.assert_array_equal(again[650][0], dataset[650][0])
            assert again[650][1] == 0
        with pytest.raises(libae.ArgumentError, match="cache_bytes: the ImageSet that came has its own"):
            places.ImageSetDataset(opened, cache_bytes=0)
    colours = strokes.draw_colour(20, 8, 12, 3, seed=2)
    dataset = places.ImageSetDataset(libae.compress(colours, exact=True, labels=np.arange(20)))
    image, label = dataset[4]
    np.testing.assert_array_equal(image, np.moveaxis(colours[4], -1, 0) / np.float32(255))
    assert image.is_contiguous()
    assert label == 4


def test_a_block_sampler_gives_each_image_once_and_another_order_each_epoch(torch, places, packed, model):
    dataset = places.ImageSetDataset(packed, model, cache_bytes=3 * 64 * 120)
    sampler = places.BlockSampler(dataset, torch.Generator().manual_seed(3))
    assert len(sampler) == 700
    first, second = list(sampler), list(sampler)
    assert sorted(first) == sorted(second) == list(range(700))
    assert first != second
    assert first == list(places.BlockSampler(dataset.images, torch.Generator().manual_seed(3)))
    loader = torch.utils.data.DataLoader(dataset, 100, sampler=sampler)
    assert sorted(torch.cat([labels for _, labels in loader]).tolist()) == sorted(np.arange(700) % 10)


WORKERS = """
import sys
import libae, libae.torch, torch

def double(image):
    return image * 2

def threads(_):
    return libae.threads()

def main():
    model = libae.Model.open(sys.argv[1])
    sources = {"path": sys.argv[2], "bytes": open(sys.argv[2], "rb").read()}
    # A spawned one imports PyTorch, which takes seconds.
    for method, names in (("fork", ("path", "bytes")), ("spawn", ("path",))):
        for name, source in ((name, sources[name]) for name in names):
            dataset = libae.torch.ImageSetDataset(source, model, transform=double, cache_bytes=3 * 64 * 120)
            whole = dataset.__getitems__(range(700))
            expected = sum(float(image.sum()) for image, _ in whole)
            loader = torch.utils.data.DataLoader(
                dataset, 64, shuffle=True, num_workers=2, persistent_workers=name == "path",
                multiprocessing_context=method,
            )
            for epoch in range(2 if name == "path" else 1):
                total, marks = 0.0, []
                for images, labels in loader:
                    total += float(images.sum())
                    marks += labels.tolist()
                assert abs(total - expected) < 1, (method, name, total, expected)
                assert sorted(marks) == sorted(index % 10 for index in range(700))
    libae.set_threads(3)
    dataset = libae.torch.ImageSetDataset(sources["path"], model, labels=False, transform=threads)
    told = {int(each) for each in torch.utils.data.DataLoader(dataset, None, num_workers=1)}
    assert told == {1}, told
    assert libae.threads() == 3
    print("done")

if __name__ == "__main__":
    main()
"""


def run(program, arguments, folder):
    (folder / "program.py").write_text(program)
    environment = {**os.environ, "PYTHONPATH": str(Path(libae.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "program.py", *arguments],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_workers_forked_spawned_and_persistent_give_the_same(torch, packed, model, tmp_path):
    (tmp_path / "set.aez").write_bytes(packed)
    model.save(tmp_path / "model.aew")
    done = run(WORKERS, ["model.aew", "set.aez"], tmp_path)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


# MARK: Modules


def drawn(description, seed=1):
    """A model with drawn weights."""
    random = np.random.default_rng(seed)
    options = _lists.options_of(description)
    height, width, latent_size = (int(options[key]) for key in ("height", "width", "latent_size"))
    entries = (height, width, int(options.get("channels", "1"))), (1, 1, latent_size)
    tensors = {}
    for half, nodes, entry in zip(("encoder", "decoder"), _lists.halves(options), entries):
        for index, node in enumerate(nodes):
            if node.operation in _lists.WEIGHTED:
                shape = _lists.tensor_shape(nodes, index, entry)
                inputs = np.prod(shape) / shape[2 if node.operation == "transposed_convolution" else 0]
                tensors[f"{half}.{index}.weight"] = random.normal(0, 1.2 / np.sqrt(inputs), shape)
                outputs = np.prod(node.shape) if node.operation == "dense" else node.shape[2]
                tensors[f"{half}.{index}.bias"] = random.normal(0.2, 0.3, outputs)
    return libae.Model.from_tensors(description, tensors)


SIZE = "width=11 height=9 latent_size=4"
PRESETS = [
    f"kind={kind} {SIZE} hidden={hidden} output_activation={output} channels={channels}"
    for kind, hidden, output, channels in (
        ("pca", "none", "linear", 1),
        ("linear", "none", "linear", 3),
        ("sigmoid", "20,10", "linear", 1),
        ("relu", "20", "sigmoid", 1),
        ("elu", "20,15", "linear", 4),
        ("vae", "20", "sigmoid", 1),
        ("conv-vae", "4,4,8,20", "sigmoid", 1),
        ("conv-vae", "4,8,20", "sigmoid", 3),
        ("residual-vae", "4,4,8,8,20", "sigmoid", 1),
    )
]
CUSTOM = "kind=custom width=11 height=9 channels={} latent_size=6 variational={} encoder={} decoder={}"
# All operations and activations, windows that end early and late, branches, moves.
ENCODERS = (
    "convolution(channels=4,kernel=4,stride=2,padding=1,height=5,width=6,activation=tanh);"
    "max_pool(kernel=3,stride=2,padding=1);mean_pool(kernel=2,stride=1);channels_first();dense(outputs=6)",
    "convolution(channels=4,kernel=3,stride=2,height=3,width=4,activation=silu);"
    "max_pool(kernel=2,stride=2,height=2,width=2);convolution(channels=5,kernel=1);dense(outputs=6)",
    "convolution(channels=3,kernel=3,padding=1,activation=elu);max_pool(kernel=3,stride=2,padding=2);"
    "mean_pool(whole=true);dense(outputs=6)",
    "max_pool(kernel=3,stride=2,padding=2,height=6,width=7);max_pool(kernel=3,stride=3,height=1,width=2);"
    "dense(outputs=6)",
    "convolution(channels=4,kernel=3,padding=1,activation=elu);"
    "convolution(input,channels=4,kernel=5,padding=2,activation=relu);add(0,1,activation=gelu);concatenate(0,2);"
    "reshape(height=3,width=11,channels=24);dense(outputs=6)",
    "convolution(channels=3,kernel=3,padding=1,height=10,width=11);convolution(channels=2,kernel=2,stride=3,"
    "height=3,width=3);concatenate(1,1);dense(outputs=6)",
)
DECODERS = (
    "dense(height=3,width=4,channels=5,activation=gelu);convolution(channels=4,kernel=3,padding=2,"
    "activation=leaky_relu:0.2);transposed_convolution(channels=6,kernel=3,stride=2,padding=1,height=9,width=11,"
    "activation=gelu_tanh);transposed_convolution(channels={0},kernel=3,padding=1)",
    "dense(outputs=60,activation=tanh);channels_last(height=5,width=6,channels=2);upsample(factor=2);"
    "convolution(channels={0},kernel=2,height=9,width=11,activation=sigmoid)",
    "dense(height=8,width=10,channels=2,activation=silu);"
    "transposed_convolution(channels={0},kernel=3,stride=1,padding=1,height=9,width=11)",
)
LISTS = [
    CUSTOM.format(
        channels,
        "true" if variational else "false",
        encoder.replace("outputs=6)", "outputs=12)") if variational else encoder,
        decoder.format(channels) + " ",
    )
    for number, encoder in enumerate(ENCODERS)
    for channels, variational, decoder in [((1, 3, 4)[number % 3], number % 2, DECODERS[number % 3])]
]
LISTS = [
    f"{text} output_activation={'sigmoid' if 'activation=sigmoid)' in text else 'linear'}" for text in LISTS
]


def both(model, module, count=5):
    """The greatest differences of codes and pixels between a model and a module."""
    import torch

    images = np.random.default_rng(2).random((count, *model.image_shape), np.float32)
    given = torch.from_numpy(images)
    given = given[:, None] if images.ndim == 3 else given.permute(0, 3, 1, 2)
    with torch.no_grad():
        codes = module.encoder(given)
        expected = model.posterior(images) if model.info.is_variational else (model.encode(images),)
        codes = codes if isinstance(codes, tuple) else (codes,)
        assert len(codes) == len(expected)
        pixels = module.decoder(torch.from_numpy(expected[0])).numpy()
        whole = module(given).numpy()
    decoded = model.decode(expected[0])
    decoded = decoded[:, None] if images.ndim == 3 else np.moveaxis(decoded, -1, 1)
    np.testing.assert_allclose(whole, decoded, atol=3e-5)
    difference = max(np.abs(got.numpy() - wanted).max() for got, wanted in zip(codes, expected))
    return difference, np.abs(pixels - decoded).max()


@pytest.mark.parametrize("description", PRESETS + LISTS)
def test_every_kind_of_model_is_a_module_and_a_model_again(places, description):
    model = drawn(description)
    module = places.to_module(model).eval()
    assert max(both(model, module)) < 1e-5
    assert [name for name, _ in module.named_parameters()] == list(model.tensors())
    assert sum(each.numel() for each in module.parameters()) == model.info.parameter_count
    again = places.from_module(module)
    assert again.description == model.description
    for (name, first), (other, second) in zip(model.tensors().items(), again.tensors().items()):
        assert name == other
        np.testing.assert_array_equal(first, second)


# It takes seconds each.
@pytest.mark.parametrize("description", [PRESETS[7], LISTS[1], LISTS[3]])
def test_from_torch_makes_an_equal_model_of_the_modules(places, description):
    model = drawn(description)
    module = places.to_module(model)
    again = libae.from_torch(module, image_shape=module.image_shape)
    images = np.random.default_rng(2).random((5, *model.image_shape), np.float32)
    codes = model.encode(images)
    np.testing.assert_allclose(again.encode(images), codes, atol=1e-5)
    np.testing.assert_allclose(again.decode(codes), model.decode(codes), atol=1e-5)
    if model.info.is_variational:
        np.testing.assert_allclose(again.posterior(images)[1], model.posterior(images)[1], atol=1e-5)
    assert module.training


def test_a_module_is_trained_further_and_brought_back(torch, places, model, images):
    module = places.to_module(model).train()
    given = torch.tensor(images[:500])[:, None] / 255
    optimizer = torch.optim.Adam(module.parameters(), 1e-3)

    def error(candidate):
        reals = images[:500] / 255
        return np.mean((candidate.decode(candidate.encode(images[:500])) - reals) ** 2)

    for _ in range(60):
        loss = torch.nn.functional.mse_loss(module(given), given)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    tuned = places.from_module(module, name="tuned further")
    assert tuned.name == "tuned further"
    assert tuned.info.kind == model.info.kind
    assert error(tuned) < 0.97 * error(model)
    assert max(both(tuned, module.eval())) < 1e-5
    fitted = tuned.quantize(images)
    with libae.ImageSet.open(libae.compress(images, fitted), fitted) as opened:
        assert opened.shape == images.shape


def test_modules_go_where_modules_go(torch, places, vae, tmp_path):
    module = places.to_module(vae).eval()
    assert module.is_variational
    assert module.image_shape == (12, 10)
    images = torch.rand(3, 1, 12, 10)
    with torch.no_grad():
        expected = module(images)
        for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
            assert torch.equal(twin(images), expected)
        fresh = places.to_module(drawn(vae.description))
        assert not torch.equal(fresh.eval()(images), expected)
        fresh.load_state_dict(module.state_dict())
        assert torch.equal(fresh(images), expected)
        torch.testing.assert_close(copy.deepcopy(module).double()(images.double()).float(), expected)
        # Bytes as a dataset gives them.
        bytes_ = (images * 255).to(torch.uint8)
        torch.testing.assert_close(module(bytes_), module(bytes_ / 255))
        # Beyond [0, 1] in training alone.
        wide = torch.full((1, vae.latent_size), 9.0)
        assert 0 <= module.decoder(wide).min() <= module.decoder(wide).max() <= 1
    for half in (copy.deepcopy(module).half(), copy.deepcopy(module).double()):
        assert places.from_module(half).info.kind == "vae"
    with pytest.raises(libae.ShapeError, match=r"encoder takes \(N, 1, 12, 10\), \(3, 1, 10, 12\) came"):
        module(images.transpose(2, 3))
    with pytest.raises(TypeError, match=r"floating point or uint8 expected, torch.int64 came"):
        module(bytes_.long())


def test_what_has_no_module_is_refused(torch, places, model, int8, decoder):
    with pytest.raises(libae.KindError, match="int8"):
        places.to_module(int8)
    with pytest.raises(libae.KindError, match="predictor"):
        places.to_module(libae.default_model("universal"))
    with pytest.raises(TypeError, match="Linear came; libae.from_torch makes models of other modules"):
        places.from_module(torch.nn.Linear(2, 2))
    changed = places.to_module(model)
    setattr(changed.encoder, "0", torch.nn.Linear(120, 47))
    with pytest.raises(
        libae.ShapeError, match=r"encoder\.0\.weight: shape \(48, 120\) expected, \(47, 120\)"
    ):
        places.from_module(changed)


def test_a_decoder_alone_is_a_module_of_codes(torch, places, model, decoder):
    module = places.to_module(decoder).eval()
    assert module.encoder is None
    codes = np.random.default_rng(1).normal(size=(4, 6)).astype(np.float32)
    with torch.no_grad():
        np.testing.assert_allclose(module(torch.from_numpy(codes))[:, 0], decoder.decode(codes), atol=1e-5)
    again = places.from_module(module)
    assert not again.info.has_encoder
    np.testing.assert_array_equal(again.decode(codes), decoder.decode(codes))


# MARK: The page


@pytest.mark.page
def test_the_code_in_the_page_runs_and_gives_what_it_says(torch, root, tmp_path):
    (tmp_path / "digits.idx").write_bytes(strokes.idx(strokes.draw(1000, seed=9)))
    program = "\n".join(checked(code) for code in blocks(root / "docs" / "pytorch.md", "python"))
    assert program.count("assert") > 5
    done = run(program, [], tmp_path)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
