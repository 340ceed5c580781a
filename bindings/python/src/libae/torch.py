"""For PyTorch: image sets as datasets, and models as modules and back.

`import libae.torch` needs PyTorch (`pip install 'libae[torch]'`); `import libae` does not. `import torch`
means PyTorch in this file, too.
"""

from __future__ import annotations

import importlib
import math
import operator
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Callable

import numpy as np
import numpy.typing as npt

import libae

from . import _lists
from ._arrays import Array
from ._errors import ArgumentError, KindError, ShapeError
from ._imageset import ImageSet
from ._lists import Map, Node
from ._model import Model

if TYPE_CHECKING:
    from ._context import Context

try:
    torch: Any = importlib.import_module("torch")
    importlib.import_module("torch.utils.data")
except ImportError as error:
    raise ImportError("libae.torch needs PyTorch: pip install 'libae[torch]'") from error

__all__ = ["Autoencoder", "BlockSampler", "ImageSetDataset", "from_module", "to_module"]


# MARK: Datasets


class ImageSetDataset(torch.utils.data.Dataset):  # type: ignore[misc]
    """An image set for `torch.utils.data.DataLoader`: map-style, as the datasets of torchvision are.

    An item is (image, label): a tensor (C, H, W), and the label as an `int`, which a DataLoader makes `int64`
    tensors of. Items of a set without labels are the image alone. A DataLoader asks for a batch at once
    (`__getitems__`), which decodes a block once, however many of its images are in the batch.

    Works in workers, forked, spawned or persistent. Forked ones share the decoded blocks of a set that fits
    `cache_bytes`, also with those of later epochs; all others have a cache each. They decode with one thread,
    as PyTorch computes there, unless a context or `libae.set_threads` says otherwise. Can be pickled, if the
    set and the transforms can.

    Args:
        source: an `ImageSet`, or what `ImageSet.open` takes: a path, bytes, an open file.
        model: as in `ImageSet.open`.
        labels: (N) integers to be used instead of the set's own; False for images alone; None for the set's.
        dtype: of images: a floating-point type for values in [0, 1], or `torch.uint8` for 0 to 255, which is
            a quarter to hand from a worker and to a device.
        transform: called with each image, such as one of torchvision.transforms.v2. What makes tensors of
            pictures (`ToTensor`) is not needed: images are tensors.
        target_transform: called with each label.
        classes: names of the labels, from 0 on; None for the numbers as text. Sets do not hold any.
        cache_bytes: as in `ImageSet.open`.
        context: as in `ImageSet.open`.

    Raises:
        ArgumentError: `model`, `cache_bytes` or `context` beside an `ImageSet`, which has its own.
        ShapeError: not one label for each image.
        TypeError: `dtype` is no type of images.
    """

    def __init__(
        self,
        source: ImageSet | str | os.PathLike[Any] | bytes | Any,
        model: Model | None = None,
        *,
        labels: npt.ArrayLike | bool | None = None,
        dtype: Any = torch.float32,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        classes: Sequence[str] | None = None,
        cache_bytes: int | None = None,
        context: Context | None = None,
    ) -> None:
        if not isinstance(dtype, torch.dtype) or not (dtype.is_floating_point or dtype == torch.uint8):
            raise TypeError(f"dtype: torch.uint8 or a floating-point type expected, {dtype} came")
        if isinstance(source, ImageSet):
            given = {"model": model, "cache_bytes": cache_bytes, "context": context}
            for name, value in given.items():
                if value is not None:
                    raise ArgumentError(f"{name}: the ImageSet that came has its own")
            self.images = source
        else:
            options = {} if cache_bytes is None else {"cache_bytes": cache_bytes}
            self.images = ImageSet.open(source, model, context=context, **options)
        # Before workers are forked.
        self.images._make_room()
        self.dtype = dtype
        self.transform = transform
        self.target_transform = target_transform
        self._labels = _labels_of(self.images, labels)
        self._classes = None if classes is None else [str(name) for name in classes]
        if self._classes is not None and self._labels is not None and self._labels.size:
            last = int(self._labels.max())
            if last >= len(self._classes):
                raise ShapeError(
                    f"classes: a name for each label expected, {len(self._classes)} names came, "
                    f"and a label {last}"
                )
        self._process = os.getpid()
        self._threads = libae.threads()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: Any) -> Any:
        place = operator.index(index)
        self._settle()
        image = self._tensors(self.images[place][None])[0]
        return self._item(image, None if self._labels is None else int(self._labels[place]))

    def __getitems__(self, indices: Sequence[Any]) -> list[Any]:
        """The items of a batch, which a DataLoader asks for at once: each block is decoded once."""
        self._settle()
        places = np.asarray(indices, np.int64)
        images = self._tensors(self.images[places])
        if self._labels is None:
            return [self._item(image) for image in images.unbind()]
        labels = self._labels[places].tolist()
        return [self._item(image, label) for image, label in zip(images.unbind(), labels)]

    def _item(self, image: Any, label: Any = None) -> Any:
        if self.transform is not None:
            image = self.transform(image)
        if self._labels is None:
            return image
        if self.target_transform is not None:
            label = self.target_transform(label)
        return image, label

    def _tensors(self, images: npt.NDArray[np.uint8]) -> Any:
        """(n, C, H, W) of (n, H, W) or (n, H, W, C)."""
        images = images[:, None] if images.ndim == 3 else np.ascontiguousarray(np.moveaxis(images, -1, 1))
        if self.dtype == torch.uint8:
            return torch.from_numpy(images)
        # By numpy: PyTorch would wake threads for a batch, which takes longer than the batch.
        wide = np.float64 if self.dtype == torch.float64 else np.float32
        return torch.from_numpy(np.divide(images, wide(255), dtype=wide)).to(self.dtype)

    def _settle(self) -> None:
        """In a worker, at its first batch."""
        if self._process == os.getpid():
            return
        self._process = os.getpid()
        inside = torch.utils.data.get_worker_info() is not None
        # Threads of all workers would stand in each other's way. What was set in the worker is left.
        if inside and libae.threads() == self._threads and self.images._held.context is None:
            libae.set_threads(1)

    @property
    def targets(self) -> Any:
        """The labels, (N) `torch.int64`, before `target_transform`; None if there are none."""
        return None if self._labels is None else torch.from_numpy(self._labels.copy())

    @property
    def classes(self) -> list[str]:
        """The name of each label, from 0 on; [] if there are no labels."""
        if self._labels is None:
            return []
        if self._classes is not None:
            return list(self._classes)
        return [str(label) for label in range(int(self._labels.max(initial=-1)) + 1)]

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The label of each name."""
        return {name: label for label, name in enumerate(self.classes)}

    @property
    def names(self) -> list[str] | None:
        """The images' file names, or None if the set has none."""
        return self.images.names

    def __repr__(self) -> str:
        return f"<libae.torch.ImageSetDataset: {self.images._sentence()}, as {self.dtype}>"


def _labels_of(images: ImageSet, given: npt.ArrayLike | bool | None) -> npt.NDArray[np.int64] | None:
    if given is False:
        return None
    if given is None or given is True:
        own = images.labels
        if own is None and given:
            raise KindError("labels: the set has none")
        return None if own is None else own.astype(np.int64)
    labels = np.asarray(given)
    if labels.dtype.kind not in "iu":
        raise TypeError(f"labels: integers expected, {labels.dtype} came")
    if labels.shape != (len(images),):
        raise ShapeError(f"labels: one for each of {len(images)} images expected, {labels.shape} came")
    return labels.astype(np.int64)


class BlockSampler(torch.utils.data.Sampler):  # type: ignore[misc]
    """Gives the images of a set in a random order in which each block is decoded once an epoch: for sets
    whose images are more than the cache of decoded blocks holds.

    It is that of `ImageSet.shuffled`: blocks in random order, as many at a time as the cache holds, and the
    images of these in random order. Of a set that fits the cache it is any order, as of `RandomSampler`.

    Args:
        dataset: an `ImageSetDataset`, or an `ImageSet`.
        generator: a `torch.Generator` for another order each epoch; None for PyTorch's own.
    """

    def __init__(self, dataset: ImageSetDataset | ImageSet, generator: Any = None) -> None:
        self.images = dataset.images if isinstance(dataset, ImageSetDataset) else dataset
        self.generator = generator

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[int]:
        seed = int(torch.randint(2**63 - 1, (), generator=self.generator))
        yield from self.images.shuffled(seed).tolist()


# MARK: Models as modules


def to_module(model: Model) -> Autoencoder:
    """Gives a model's networks as modules of PyTorch, whose parameters are its weights, to train further.

    In evaluation they give what `Model.encode`, `Model.posterior` and `Model.decode` give, to 1e-5.
    `from_module` makes a model of them again, and so does `libae.from_torch`, also where they became parts of
    other modules.

    Args:
        model: of any kind, stored as float32 or float16.

    Raises:
        KindError: the model is stored as int8, and has no floats; or it is a predictor, which has no codes.
    """
    if model.info.kind == "predictor":
        raise KindError("a predictor of pixels has no encoder and no decoder to make modules of")
    return Autoencoder(model.description, model.tensors())


def from_module(module: Autoencoder, *, name: str | None = None, context: Context | None = None) -> Model:
    """Makes a model of the modules that `to_module` gave, with the weights as they are now.

    It is of the kind that it was, and without PyTorch's rounding: what was not trained comes back bit for
    bit. It has no codec: `Model.quantize` adds one. Of modules whose structure has changed, or of the user's
    own, `libae.from_torch` makes models.

    Args:
        module: of `to_module`, with weights of any floating-point type, on any device.
        name: of the model; None for that of the one before.
        context: that the model works with.

    Raises:
        TypeError: it is not one of `to_module`.
        ShapeError: a layer has another shape than before; the message names it.
    """
    if not isinstance(module, Autoencoder):
        raise TypeError(
            f"module: what libae.torch.to_module gives expected, {type(module).__name__} came; "
            "libae.from_torch makes models of other modules"
        )
    description = module.description
    if name is not None:
        description = f"{description.partition(' name=')[0]} name={name}"
    tensors: dict[str, Array] = {}
    for half in (module.encoder, module.decoder):
        if half is not None:
            tensors.update(half.tensors())
    return Model.from_tensors(description, tensors, context=context)


class Autoencoder(torch.nn.Module):  # type: ignore[misc]
    """A model's networks: what `to_module` gives.

    Called with images, (N, C, H, W) in [0, 1] or `uint8`, it gives their reconstructions, (N, C, H, W); one
    without encoder is called with codes, (N, d). The parameters have the names of `Model.tensors`, such as
    "encoder.0.weight".

    Attributes:
        encoder: a module that gives codes, (N, d), of images; a variational one gives (mean, log-variance),
            (N, d) each. None for a decoder alone.
        decoder: a module that gives images of codes: in evaluation within [0, 1], in training as the last
            layer gives them, so that gradients reach what is beyond.
        description: which network it is; see `Model.description`.
        image_shape: (H, W), or (H, W, C) in colour, as `libae.from_torch` takes it.
        is_variational: whether the encoder gives (mean, log-variance).
    """

    def __init__(self, description: str, tensors: dict[str, Array]) -> None:
        """For the use of this package; see `to_module`."""
        super().__init__()
        options = _lists.options_of(description)
        height, width, latent_size = (int(options[key]) for key in ("height", "width", "latent_size"))
        channels = int(options.get("channels", "1"))
        image = (height, width, channels)
        self.description = description
        self.image_shape = image if channels > 1 else image[:2]
        self.latent_size = latent_size
        encoder, decoder = _lists.halves(options)
        self.is_variational = math.prod(encoder[-1].shape) == 2 * latent_size
        has_encoder = any(key.startswith("encoder.") for key in tensors)
        self.encoder = (
            Network("encoder", encoder, image, tensors, None, self.is_variational) if has_encoder else None
        )
        self.decoder = Network("decoder", decoder, (1, 1, latent_size), tensors, image)

    def forward(self, x: Any) -> Any:
        if self.encoder is None:
            return self.decoder(x)
        codes = self.encoder(x)
        return self.decoder(codes[0] if self.is_variational else codes)


_ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "identity": lambda x: x,
    "sigmoid": torch.sigmoid,
    "relu": torch.nn.functional.relu,
    "elu": torch.nn.functional.elu,
    "tanh": torch.tanh,
    "silu": torch.nn.functional.silu,
    "gelu": torch.nn.functional.gelu,
    "gelu_tanh": lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
}


class Network(torch.nn.Module):  # type: ignore[misc]
    """One half of a model, a list of nodes; the layers are `Linear`, `Conv2d` and `ConvTranspose2d`, named by
    their numbers in the list.

    Maps are (N, C, H, W), vectors (N, n). The engine has channels last: columns and rows of dense layers are
    permuted to fit, and nothing else is moved.
    """

    def __init__(
        self,
        name: str,
        nodes: list[Node],
        entry: Map,
        tensors: dict[str, Array],
        image: Map | None,
        is_halved: bool = False,
    ) -> None:
        """`image` is what a decoder gives, `is_halved` says that an encoder gives two things."""
        super().__init__()
        self.name, self.nodes, self.entry, self.image, self.is_halved = name, nodes, entry, image, is_halved
        for index, node in enumerate(nodes):
            if node.operation in _lists.WEIGHTED:
                key = f"{name}.{index}"
                layer = self._layer(index, node)
                weight = np.asarray(tensors[f"{key}.weight"]).reshape(
                    _lists.tensor_shape(nodes, index, entry)
                )
                with torch.no_grad():
                    layer.weight.copy_(_tensor(self._outward(index, weight)))
                    bias = np.asarray(tensors[f"{key}.bias"]).reshape(-1)
                    layer.bias.copy_(_tensor(bias[self._rows(node)]))
                self.add_module(str(index), layer)

    # Weights

    def _shape(self, index: int) -> Map:
        return self.entry if index < 0 else self.nodes[index].shape

    def _layer(self, index: int, node: Node) -> Any:
        """A layer without its numbers yet."""
        shape = self._shape(node.sources[0])
        with torch.device("cpu"):
            if node.operation == "dense":
                return torch.nn.utils.skip_init(torch.nn.Linear, math.prod(shape), math.prod(node.shape))
            options: dict[str, Any] = {"stride": node.stride, "padding": node.padding}
            kind = torch.nn.Conv2d
            if node.operation == "transposed_convolution":
                kind = torch.nn.ConvTranspose2d
                beyond = _beyond(node, shape)
                if max(beyond) < node.stride:
                    options["output_padding"] = beyond
            elif max(_beyond(node, shape)) > 0:
                options["padding"] = 0
            return torch.nn.utils.skip_init(kind, shape[2], node.shape[2], node.kernel, **options)

    @staticmethod
    def _rows(node: Node) -> Any:
        """Which number of the engine's a layer's outputs are."""
        return _lists.channels_first(node.shape) if node.operation == "dense" else slice(None)

    def _outward(self, index: int, weight: Array) -> Array:
        """PyTorch's weights of the engine's."""
        node = self.nodes[index]
        if node.operation == "dense":
            columns = _lists.channels_first(self._shape(node.sources[0]))
            weight = weight[self._rows(node)][:, columns]
            return weight
        return weight.transpose((0, 3, 1, 2) if node.operation == "convolution" else (3, 2, 0, 1))

    def tensors(self) -> dict[str, Array]:
        """The weights by the names and in the order of `Model.tensors`, (outputs, inputs) and so on,
        `float32`.

        Raises:
            ShapeError: a layer has another shape than it had.
        """
        found: dict[str, Array] = {}
        for index, node in enumerate(self.nodes):
            if node.operation not in _lists.WEIGHTED:
                continue
            layer = getattr(self, str(index))
            weight, bias = _array(layer.weight), _array(layer.bias)
            expected = self._outward(index, _nothing(_lists.tensor_shape(self.nodes, index, self.entry)))
            if weight.shape != expected.shape:
                raise ShapeError(
                    f"{self.name}.{index}.weight: shape {expected.shape} expected, {weight.shape} came"
                )
            key = f"{self.name}.{index}"
            if node.operation == "dense":
                rows = np.argsort(_lists.channels_first(node.shape))
                columns = np.argsort(_lists.channels_first(self._shape(node.sources[0])))
                found[f"{key}.weight"], found[f"{key}.bias"] = weight[rows][:, columns], bias[rows]
            else:
                axes = (0, 2, 3, 1) if node.operation == "convolution" else (2, 3, 1, 0)
                found[f"{key}.weight"], found[f"{key}.bias"] = weight.transpose(axes), bias
        return found

    # Computing

    def forward(self, x: Any) -> Any:
        if not x.is_floating_point():
            if x.dtype != torch.uint8:
                raise TypeError(f"{self.name}: floating point or uint8 expected, {x.dtype} came")
            x = x.to(next(self.parameters()).dtype) / 255
        height, width, channels = self.entry
        expected = (channels,) if self.image is not None else (channels, height, width)
        if tuple(x.shape[1:]) != expected:
            words = ", ".join(map(str, ("N", *expected)))
            raise ShapeError(f"the {self.name} takes ({words}), {tuple(x.shape)} came")
        # The entry of an encoder may be a vector, too.
        values = [x.flatten(1) if height == width == 1 else x]
        for index, node in enumerate(self.nodes):
            values.append(self._node(index, node, values))
        return self._finished(values[-1])

    def _finished(self, x: Any) -> Any:
        last = self.nodes[-1]
        if self.image is None:
            x = _flat(x, last.shape)
            return tuple(x.chunk(2, dim=1)) if self.is_halved else x
        if last.shape != self.image or last.shape[:2] == (1, 1):
            # The last node's numbers are pixels, whatever its map is.
            x = _moved(x, last.shape, self.image, is_map=True)
        return x if self.training or last.activation == "sigmoid" else x.clamp(0, 1)

    def _node(self, index: int, node: Node, values: list[Any]) -> Any:
        functional = torch.nn.functional
        source = node.sources[0]
        x, shape = values[source + 1], self._shape(source)
        height, width, channels = node.shape
        if node.operation == "dense":
            x = getattr(self, str(index))(x.flatten(1))
            if (height, width) != (1, 1):
                x = x.unflatten(1, (channels, height, width))
        elif node.operation == "convolution":
            x = _cropped(getattr(self, str(index))(self._padded(node, _map(x, shape), shape)), node)
        elif node.operation == "transposed_convolution":
            x = _map(x, shape)
            beyond = _beyond(node, shape)
            if max(beyond) >= node.stride:
                # More than output_padding may be: windows of zeros below and to the right.
                down, right = (-(-rows // node.stride) for rows in beyond)
                x = functional.pad(x, (0, right, 0, down))
            x = _cropped(getattr(self, str(index))(x), node)
        elif node.operation == "add":
            x = x + values[node.sources[1] + 1]
        elif node.operation == "concatenate":
            x = torch.cat([x, values[node.sources[1] + 1]], 1)
        elif node.operation == "upsample":
            x = functional.interpolate(_map(x, shape), scale_factor=node.stride, mode="nearest")
        elif node.operation == "mean_pool":
            x = _map(x, shape)
            x = x.mean((2, 3)) if node.kernel == 0 else functional.avg_pool2d(x, node.kernel, node.stride)
            x = _cropped(x, node)
        elif node.operation == "max_pool":
            x = _cropped(self._max_pool(node, _map(x, shape), shape), node)
        elif node.operation == "channels_first":
            # They lie so already.
            x = x.flatten(1)
        elif node.operation == "channels_last":
            x = _flat(x, shape)
            x = x if (height, width) == (1, 1) else x.unflatten(1, (channels, height, width))
        elif node.operation == "reshape":
            x = _moved(x, shape, node.shape, is_map=False)
        if node.activation == "leaky_relu":
            return functional.leaky_relu(x, node.slope)
        return _ACTIVATIONS[node.activation](x)

    @staticmethod
    def _padded(node: Node, x: Any, shape: Map) -> Any:
        """With the padding that windows need beyond what the layer does itself."""
        if max(_beyond(node, shape)) == 0:
            return x
        down, right = (max(0, rows) for rows in _lists.padding_after(node, shape))
        return torch.nn.functional.pad(x, (node.padding, right, node.padding, down))

    def _max_pool(self, node: Node, x: Any, shape: Map) -> Any:
        pool = torch.nn.functional.max_pool2d

        def windows(side: int) -> int:
            """With one that reaches beyond the edge, as `ceil_mode` has it."""
            count = -(-(side + 2 * node.padding - node.kernel) // node.stride) + 1
            return count - 1 if (count - 1) * node.stride >= side + node.padding else count

        if node.padding <= node.kernel // 2:
            if max(_beyond(node, shape)) == 0:
                return pool(x, node.kernel, node.stride, node.padding)
            if all(wanted <= windows(side) for wanted, side in zip(node.shape[:2], shape[:2])):
                return pool(x, node.kernel, node.stride, node.padding, ceil_mode=True)
        # PyTorch pads by half a window at most, and below as much as above.
        down, right = (max(0, rows) for rows in _lists.padding_after(node, shape))
        x = torch.nn.functional.pad(x, (node.padding, right, node.padding, down), value=-math.inf)
        return pool(x, node.kernel, node.stride)


def _tensor(array: Array) -> Any:
    return torch.from_numpy(np.array(array, np.float32, order="C"))


def _array(tensor: Any) -> Array:
    array: Array = tensor.detach().to("cpu", torch.float32).numpy()
    return array


def _nothing(shape: tuple[int, ...]) -> Array:
    """An array of a shape that takes no memory."""
    nothing: Array = np.broadcast_to(np.float32(0), shape)
    return nothing


def _beyond(node: Node, shape: Map) -> tuple[int, int]:
    """Rows and columns more than windows usually give, where more are asked for."""
    usual = _lists.usual_sides(node, shape)
    return max(0, node.shape[0] - usual[0]), max(0, node.shape[1] - usual[1])


def _map(x: Any, shape: Map) -> Any:
    """A vector as a map of one pixel."""
    return x[:, :, None, None] if shape[:2] == (1, 1) else x


def _cropped(x: Any, node: Node) -> Any:
    """The rows and columns that a node gives; a map of one pixel as a vector."""
    height, width, _ = node.shape
    if x.dim() == 4 and tuple(x.shape[2:]) != (height, width):
        x = x[:, :, :height, :width]
    return x.flatten(1) if x.dim() == 4 and height == width == 1 else x


def _flat(x: Any, shape: Map) -> Any:
    """A map as a vector with channels last, as the engine has it."""
    height, width, channels = shape
    if channels > 1 and height * width > 1:
        x = x.permute(0, 2, 3, 1)
    return x.flatten(1)


def _moved(x: Any, before: Map, after: Map, is_map: bool) -> Any:
    """The same numbers, channels last, as another map; one of one pixel is a vector unless `is_map`."""
    height, width, channels = after
    flat = _flat(x, before)
    if height == width == 1:
        return flat[:, :, None, None] if is_map else flat
    if channels == 1:
        return flat.unflatten(1, (1, height, width))
    return flat.unflatten(1, (height, width, channels)).permute(0, 3, 1, 2)
