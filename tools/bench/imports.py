"""Autoencoders as people write them, brought along: the table of docs/import.md.

usage: imports.py [--steps N] [NAME...]

Ten architectures in the manner of public repositories for MNIST, Fashion-MNIST and CIFAR, written anew from
what such pages say of layers and sizes, with weights of their own. Each is trained for N steps, imported
through PyTorch and through ONNX, compared with PyTorch in floats, fitted to integers, and a set is packed
with it and restored. Needs torch, onnx and a libae.so (LIBAE_LIBRARY). Images are strokes that are drawn
here, grey or each in a colour, so that no data set is needed.
"""

import argparse
import io
import sys
import time
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "bindings" / "python" / "src"), str(ROOT / "Tests" / "python")]

import libae  # noqa: E402
import numpy as np  # noqa: E402
import strokes  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402


class Tanh784(nn.Module):
    """Dense to three numbers; images normalised to [-1, 1], tanh at the end."""

    about = "L1aoXingyu/pytorch-beginner, simple autoencoder: dense 784-128-64-12-3, tanh, normalised"
    shape, scale = (28, 28), (0.5, 0.5)

    def __init__(self):
        super().__init__()
        sizes = [784, 128, 64, 12, 3]
        layers = []
        for a, b in zip(sizes, sizes[1:]):
            layers += [nn.Linear(a, b), nn.ReLU(True)]
        self.encoder = nn.Sequential(*layers[:-1])
        layers = []
        for a, b in zip(sizes[::-1], sizes[-2::-1]):
            layers += [nn.Linear(a, b), nn.ReLU(True)]
        self.decoder = nn.Sequential(*layers[:-1], nn.Tanh())


class StridedMaps(nn.Module):
    """Codes are maps of 8 channels behind a pool."""

    about = (
        "L1aoXingyu/pytorch-beginner, Binney1/AutoEncoder: strided and transposed convolutions, pools, tanh"
    )
    shape, scale = (28, 28), (0.5, 0.5)

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=3, padding=1),
            nn.ReLU(True),
            nn.MaxPool2d(2, stride=2),
            nn.Conv2d(16, 8, 3, stride=2, padding=1),
            nn.ReLU(True),
            nn.MaxPool2d(2, stride=1),
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(8, 16, 3, stride=2),
            nn.ReLU(True),
            nn.ConvTranspose2d(16, 8, 5, stride=3, padding=1),
            nn.ReLU(True),
            nn.ConvTranspose2d(8, 1, 2, stride=2, padding=1),
            nn.Tanh(),
        )


class ExampleVAE(nn.Module):
    """Two heads, a clamped sigmoid."""

    about = "pytorch/examples, vae: dense 784-400-20, two heads, sigmoid clamped"
    shape, scale = (28, 28), None

    def __init__(self):
        super().__init__()
        self.body, self.mean, self.spread = nn.Linear(784, 400), nn.Linear(400, 20), nn.Linear(400, 20)
        self.up, self.out = nn.Linear(20, 400), nn.Linear(400, 784)

    def encode(self, x):
        h = F.relu(self.body(x.view(-1, 784)))
        return self.mean(h), self.spread(h)

    def decode(self, z):
        return torch.clamp(torch.sigmoid(self.out(F.relu(self.up(z)))), min=1e-4, max=1 - 1e-4)


class PooledUpsampled(nn.Module):
    """Pools on the way down, nearest upsampling on the way up, functions of F."""

    about = "udacity/deep-learning-v2-pytorch, s3nh/pytorch-cookbook: pools down, F.interpolate up, sigmoid"
    shape, scale = (28, 28), None

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 16, 3, padding=1), nn.Conv2d(16, 4, 3, padding=1)
        self.conv4, self.conv5 = nn.Conv2d(4, 16, 3, padding=1), nn.Conv2d(16, 1, 3, padding=1)
        self.pool = nn.MaxPool2d(2, 2)

    def encode(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        return self.pool(F.relu(self.conv2(x)))

    def decode(self, x):
        x = F.relu(self.conv4(F.interpolate(x, scale_factor=2, mode="nearest")))
        return torch.sigmoid(self.conv5(F.interpolate(x, scale_factor=2, mode="nearest")))


class NormalisedUnflatten(nn.Module):
    """Convolutions, batch normalisation, nn.Unflatten, output_padding."""

    about = "Fashion-MNIST tutorials: strided convolutions, batch normalisation, Unflatten, output_padding"
    shape, scale = (28, 28), None

    def __init__(self, d=16):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, padding=1),
            nn.ReLU(True),
            nn.Conv2d(8, 16, 3, stride=2, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(True),
            nn.Conv2d(16, 32, 3, stride=2),
            nn.ReLU(True),
            nn.Flatten(1),
            nn.Linear(3 * 3 * 32, 128),
            nn.ReLU(True),
            nn.Linear(128, d),
        )
        self.decoder = nn.Sequential(
            nn.Linear(d, 128),
            nn.ReLU(True),
            nn.Linear(128, 3 * 3 * 32),
            nn.ReLU(True),
            nn.Unflatten(1, (32, 3, 3)),
            nn.ConvTranspose2d(32, 16, 3, stride=2),
            nn.BatchNorm2d(16),
            nn.ReLU(True),
            nn.ConvTranspose2d(16, 8, 3, stride=2, padding=1, output_padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(True),
            nn.ConvTranspose2d(8, 1, 3, stride=2, padding=1, output_padding=1),
            nn.Sigmoid(),
        )


class CifarStrided(nn.Module):
    """Large strides; the code is a map of 48 channels."""

    about = "chenjie/PyTorch-CIFAR-10-autoencoder: strides 4 and 3, codes of 48 x 4 x 4, sigmoid"
    shape, scale = (3, 32, 32), None

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 32, 4, stride=4), nn.ReLU(), nn.Conv2d(32, 48, 3, stride=3, padding=2), nn.ReLU()
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(48, 32, 3, stride=3, padding=2),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 3, 4, stride=4),
            nn.Sigmoid(),
        )


class CifarGelu(nn.Module):
    """GELU everywhere, a dense code, tanh on images in [-1, 1]."""

    about = (
        "UvA deep learning tutorial 9: convolutions with GELU, a dense code, output_padding, tanh, normalised"
    )
    shape, scale = (3, 32, 32), (0.5, 0.5)

    def __init__(self, c=16, d=64):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, c, 3, padding=1, stride=2),
            nn.GELU(),
            nn.Conv2d(c, c, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(c, 2 * c, 3, padding=1, stride=2),
            nn.GELU(),
            nn.Conv2d(2 * c, 2 * c, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(2 * c, 2 * c, 3, padding=1, stride=2),
            nn.GELU(),
            nn.Flatten(),
            nn.Linear(32 * c, d),
        )
        self.linear = nn.Sequential(nn.Linear(d, 32 * c), nn.GELU())
        self.net = nn.Sequential(
            nn.ConvTranspose2d(2 * c, 2 * c, 3, output_padding=1, padding=1, stride=2),
            nn.GELU(),
            nn.Conv2d(2 * c, 2 * c, 3, padding=1),
            nn.GELU(),
            nn.ConvTranspose2d(2 * c, c, 3, output_padding=1, padding=1, stride=2),
            nn.GELU(),
            nn.Conv2d(c, c, 3, padding=1),
            nn.GELU(),
            nn.ConvTranspose2d(c, 3, 3, output_padding=1, padding=1, stride=2),
            nn.Tanh(),
        )

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        x = self.linear(z)
        x = x.reshape(x.shape[0], -1, 4, 4)
        return self.net(x)


class VanillaVAE(nn.Module):
    """Stages of strided convolutions with batch normalisation and leaky ReLU."""

    about = (
        "AntixK/PyTorch-VAE, vanilla: stages of stride 2, batch normalisation, leaky ReLU, two heads, tanh"
    )
    shape, scale = (3, 32, 32), (0.5, 0.5)

    def __init__(self, d=32, widths=(16, 32, 64)):
        super().__init__()
        stages, channels = [], 3
        for width in widths:
            stages.append(
                nn.Sequential(nn.Conv2d(channels, width, 3, 2, 1), nn.BatchNorm2d(width), nn.LeakyReLU())
            )
            channels = width
        self.encoder = nn.Sequential(*stages)
        self.fc_mu, self.fc_var = nn.Linear(widths[-1] * 16, d), nn.Linear(widths[-1] * 16, d)
        self.decoder_input = nn.Linear(d, widths[-1] * 16)
        stages = []
        for a, b in zip(widths[::-1], (*widths[-2::-1], widths[0])):
            stages.append(
                nn.Sequential(
                    nn.ConvTranspose2d(a, b, 3, 2, 1, output_padding=1), nn.BatchNorm2d(b), nn.LeakyReLU()
                )
            )
        self.decoder = nn.Sequential(*stages)
        self.final_layer = nn.Sequential(nn.Conv2d(widths[0], 3, 3, padding=1), nn.Tanh())

    def encode(self, x):
        x = torch.flatten(self.encoder(x), start_dim=1)
        return [self.fc_mu(x), self.fc_var(x)]

    def decode(self, z):
        x = self.decoder_input(z).view(-1, 64, 4, 4)
        return self.final_layer(self.decoder(x))


class ResNetBlock(nn.Module):
    """Two convolutions and a shortcut; `up` before both where the map grows."""

    def __init__(self, inputs, outputs, stride=1, up=1):
        super().__init__()
        self.up = up
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.shortcut = nn.Sequential()
        if inputs != outputs or stride != 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x):
        if self.up > 1:
            x = F.interpolate(x, scale_factor=self.up)
        out = torch.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.shortcut(x)
        return torch.relu(out)


class ResNetVAE(nn.Module):
    """A residual encoder, global pooling, slices for the heads, a decoder that resizes and convolves."""

    about = "julianstastny/VAE-ResNet18-PyTorch, narrower: residual blocks, slices, resizing"
    shape, scale = (3, 32, 32), None

    def __init__(self, d=24):
        super().__init__()
        self.d = d
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(16)
        self.layers = nn.Sequential(ResNetBlock(16, 16), ResNetBlock(16, 32, 2), ResNetBlock(32, 64, 2))
        self.linear = nn.Linear(64, 2 * d)
        self.start = nn.Linear(d, 64)
        self.ups = nn.Sequential(ResNetBlock(64, 64), ResNetBlock(64, 32, up=2), ResNetBlock(32, 16, up=2))
        self.last = nn.Conv2d(16, 3, 3, padding=1)

    def encode(self, x):
        x = self.layers(torch.relu(self.bn1(self.conv1(x))))
        x = F.adaptive_avg_pool2d(x, 1)
        x = self.linear(x.view(x.size(0), -1))
        return x[:, : self.d], x[:, self.d :]

    def decode(self, z):
        x = self.start(z).view(z.size(0), 64, 1, 1)
        x = self.ups(F.interpolate(x, scale_factor=4))
        x = torch.sigmoid(self.last(F.interpolate(x, scale_factor=2)))
        return x.view(x.size(0), 3, 32, 32)


class View(nn.Module):
    """A view as a module."""

    def __init__(self, *size):
        super().__init__()
        self.size = size

    def forward(self, x):
        return x.view(self.size)


class BetaVAE(nn.Module):
    """Convolutions to one pixel and back, mean and log-variance in one tensor, no output activation."""

    about = "1Konny/Beta-VAE: convolutions to 1 x 1 and back, views as modules, 2 d numbers in one tensor"
    shape, scale = (32, 32), None

    def __init__(self, d=10):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 4, 2, 1),
            nn.ReLU(True),
            nn.Conv2d(16, 32, 4, 2, 1),
            nn.ReLU(True),
            nn.Conv2d(32, 32, 4, 2, 1),
            nn.ReLU(True),
            nn.Conv2d(32, 128, 4, 1),
            nn.ReLU(True),
            View(-1, 128),
            nn.Linear(128, 2 * d),
        )
        self.decoder = nn.Sequential(
            nn.Linear(d, 128),
            View(-1, 128, 1, 1),
            nn.ReLU(True),
            nn.ConvTranspose2d(128, 32, 4),
            nn.ReLU(True),
            nn.ConvTranspose2d(32, 32, 4, 2, 1),
            nn.ReLU(True),
            nn.ConvTranspose2d(32, 16, 4, 2, 1),
            nn.ReLU(True),
            nn.ConvTranspose2d(16, 1, 4, 2, 1),
        )


NETWORKS = (
    Tanh784,
    StridedMaps,
    ExampleVAE,
    PooledUpsampled,
    NormalisedUnflatten,
    BetaVAE,
    CifarStrided,
    CifarGelu,
    VanillaVAE,
    ResNetVAE,
)


class Half(nn.Module):
    """A method as a module, for the exporter."""

    def __init__(self, owner, function):
        super().__init__()
        self.owner, self.function = owner, function

    def forward(self, x):
        return self.function(x)


class Subject:
    """A network, its images, and what PyTorch makes of them."""

    def __init__(self, kind, steps):
        torch.manual_seed(1)
        self.kind, self.module = kind, kind().train()
        self.encode, self.decode = (
            (self.module.encode, self.module.decode)
            if hasattr(self.module, "encode")
            else (self.module.encoder, self.module.decoder)
        )
        sides = kind.shape if len(kind.shape) == 3 else (1, *kind.shape)
        self.images = strokes.draw_colour(1500, sides[1], sides[2], sides[0], seed=4)
        self.mean, self.std = kind.scale or (0.0, 1.0)
        x = torch.tensor(np.moveaxis(self.images, -1, 1) / np.float32(255), dtype=torch.float32)
        self.x = (x - self.mean) / self.std
        if kind is Tanh784:
            self.x = self.x.flatten(1)
        optimizer = torch.optim.Adam(self.module.parameters(), 2e-3)
        for _ in range(steps):
            batch = self.x[torch.randint(len(self.x), (32,))]
            loss = F.mse_loss(self.decode(self.code(batch)).reshape(batch.shape), batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        self.module.eval()

    def code(self, x):
        """The mean where there are two."""
        given = self.encode(x)
        given = given[0] if isinstance(given, (tuple, list)) else given
        return given[:, :10] if self.kind is BetaVAE else given

    def options(self):
        """Of the imports."""
        scale = self.kind.scale
        more = {} if scale is None else {"input_mean": scale[0], "input_std": scale[1]}
        # Whoever normalises and ends in tanh says both.
        more |= {} if scale is None else {"output_mean": scale[0], "output_std": scale[1]}
        return {"image_shape": self.kind.shape, "name": self.kind.__name__, **more}

    def reference(self, count):
        """Codes and pixels by PyTorch."""
        with torch.no_grad():
            code = self.code(self.x[:count])
            pixels = self.decode(code).reshape(count, *np.moveaxis(self.images[:1], -1, 1).shape[1:])
        pixels = np.moveaxis(pixels.numpy(), 1, -1) * self.std + self.mean
        return code.flatten(1).numpy(), np.clip(pixels, 0, 1)

    def onnx(self):
        """Both graphs."""
        import onnx

        with torch.no_grad():
            code = self.code(self.x[:2])
        found = []
        for function, example in ((self.encode, self.x[:2]), (self.decode, code)):
            file = io.BytesIO()
            torch.onnx.export(
                Half(self.module, function).eval(),
                (example,),
                file,
                dynamo=False,
                opset_version=17,
                input_names=["x"],
                dynamic_axes={"x": {0: "N"}},
            )
            found.append(onnx.load_from_string(file.getvalue()))
        return found


def psnr(a, b):
    """In dB, of values in [0, 1]."""
    return -10 * np.log10(np.mean((np.float64(a) - b) ** 2))


def measured(kind, steps):
    """A row of the table."""
    subject = Subject(kind, steps)
    began = time.perf_counter()
    by_torch = libae.from_torch(subject.module, **subject.options())
    seconds = time.perf_counter() - began
    by_onnx = libae.from_onnx(*subject.onnx(), **subject.options())
    images = subject.images if subject.images.shape[-1] > 1 else subject.images[..., 0]
    codes, pixels = subject.reference(200)
    differences = []
    for model in (by_torch, by_onnx):
        found = model.encode(images[:200])
        decoded = model.decode(codes).reshape(pixels.shape)
        differences.append(
            max(np.abs(found - codes).max() / max(1, np.abs(codes).max()), np.abs(decoded - pixels).max())
        )
    fitted = by_torch.quantize(images)
    integers = libae.Model.open(fitted.to_bytes("int8"))
    reals = images / 255
    by_float = psnr(by_torch.decode(by_torch.encode(images)), reals)
    by_integer = psnr(integers.decode(integers.encode(images)), reals)
    try:
        packed = libae.compress(images, fitted)
        restored = libae.decompress(packed, fitted)
        size = f"{len(packed) / len(images):.1f} | {psnr(restored / 255, reals):.1f}"
    except libae.Error as error:
        size = f"{error} | "
    return (
        f"| {kind.about} | {differences[0]:.1e} | {differences[1]:.1e} | {by_float:.1f} | "
        f"{by_float - by_integer:+.2f} | {size} | {seconds:.1f} |"
    )


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("names", nargs="*")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print(
        "| network | greatest difference, PyTorch | ONNX | dB | loss in int8, dB | bytes an image "
        "| dB restored | import, s |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for kind in NETWORKS:
        if not given.names or kind.__name__ in given.names:
            print(measured(kind, given.steps), flush=True)


if __name__ == "__main__":
    main()
