"""Autoencoders in PyTorch, small, with drawn weights: what `from_torch` is tested with, and golden/imports
was made of.

`python Tests/python/torch_networks.py` writes those files again, by torch.onnx.
"""

from pathlib import Path

import strokes
import torch
import torch.nn.functional as F
from torch import nn

FOLDER = Path(__file__).parents[1] / "golden" / "imports"


class DenseGelu(nn.Module):
    """Dense, GELU in both forms, batch normalisation on vectors; images come as maps and go as vectors."""

    shape = (12, 10)

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Flatten(), nn.Linear(120, 24), nn.GELU(), nn.BatchNorm1d(24), nn.Dropout(0.2), nn.Linear(24, 6)
        )
        self.decoder = nn.Sequential(
            nn.Linear(6, 24), nn.BatchNorm1d(24), nn.GELU("tanh"), nn.Linear(24, 120), nn.Sigmoid()
        )


class Block(nn.Module):
    """A residual block, with what is done in place."""

    def __init__(self, channels):
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, groups=2, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=2, dilation=2)

    def forward(self, x):
        y = F.relu(self.norm(self.first(x)), inplace=True)
        y = self.second(y)
        y += x
        return F.leaky_relu(y, 0.2)


class Residual(nn.Module):
    """Convolutions, normalisation, residual blocks, all pools, nearest upsampling, joined branches, tanh at
    the end."""

    shape = (16, 12)
    scale = {"input_mean": 0.4, "input_std": 0.3, "output_mean": 0.5, "output_std": 0.5}

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 6, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.block = Block(6)
        self.branch = nn.Conv2d(6, 2, 1)
        self.mean = nn.Conv2d(8, 8, 2)
        self.head = nn.Linear(8 * 6, 5)
        self.start = nn.Linear(5, 4 * 4 * 3)
        self.up = nn.Upsample(scale_factor=2)
        self.wide = nn.ConvTranspose2d(4, 6, 3, padding=1)
        self.last = nn.ConvTranspose2d(6, 1, 3, stride=2, padding=1, output_padding=1)

    def encode(self, x):
        x = F.max_pool2d(F.elu(self.norm(self.first(x))), 2, stride=1, padding=1)[:, :, :8, :6]
        x = self.block(x)
        if x.shape[-1] != 6:
            raise ValueError(x.shape)
        x = torch.cat([x, torch.tanh(self.branch(x))], 1)
        x = F.avg_pool2d(x, 2)
        x = F.silu(self.mean(x))
        return self.head(x.view(x.size(0), -1))

    def decode(self, z):
        x = F.silu(self.start(z)).reshape(-1, 4, 4, 3)
        x = torch.relu(self.wide(self.up(x)))
        return torch.tanh(self.last(x))


class ColourVariational(nn.Module):
    """A variational one in colour, which draws inside, with two convolutional heads and a pixel shuffle."""

    shape = (3, 16, 16)

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 4, 2, 1),
            nn.MaxPool2d(2),
            nn.BatchNorm2d(8),
            nn.ReLU(True),
            nn.Conv2d(8, 10, 3, padding="same"),
            nn.SiLU(),
            nn.AdaptiveAvgPool2d(1),
        )
        self.mean, self.spread = nn.Conv2d(10, 4, 1), nn.Conv2d(10, 4, 1)
        self.decoder = nn.Sequential(
            nn.Unflatten(1, (4, 1, 1)),
            nn.ConvTranspose2d(4, 8, 4),
            nn.LeakyReLU(),
            nn.BatchNorm2d(8),
            nn.Conv2d(8, 12, 1),
            nn.PixelShuffle(2),
            nn.Upsample(scale_factor=2, mode="nearest"),
            nn.Conv2d(3, 3, 3, padding=1),
            nn.Sigmoid(),
        )

    def encode(self, x):
        x = self.body(x)
        mean, spread = self.mean(x).flatten(1), self.spread(x).flatten(1)
        return mean + torch.randn_like(mean) * torch.exp(0.5 * spread), mean, spread

    def decode(self, z):
        return self.decoder(z)


class MapCodes(nn.Module):
    """Codes that are maps, behind a pool."""

    shape = (1, 28, 28)
    scale = {"output_mean": 0.5, "output_std": 0.5}

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 6, 3, stride=3, padding=1),
            nn.ReLU(True),
            nn.MaxPool2d(2, stride=2),
            nn.Conv2d(6, 4, 3, stride=2, padding=1),
            nn.ReLU(True),
            nn.MaxPool2d(2, stride=1),
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(4, 6, 3, stride=2),
            nn.ReLU(True),
            nn.ConvTranspose2d(6, 4, 5, stride=3, padding=1),
            nn.ReLU(True),
            nn.ConvTranspose2d(4, 1, 2, stride=2, padding=1),
            nn.Tanh(),
        )


class Written(nn.Module):
    """What people write out: gates, parts, constants, activations at the ends, chunks."""

    shape = (3, 8, 8)
    scale = {"input_mean": [0.5, 0.4, 0.3], "input_std": [0.2, 0.25, 0.3], "output_mean": 0, "output_std": 1}

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(192, 16), nn.Linear(16, 12), nn.Linear(6, 192)
        self.norm = nn.BatchNorm1d(16)

    def encode(self, x):
        h = torch.relu(self.a(x.flatten(1)))
        h = self.norm(h * torch.sigmoid(h))
        h = torch.cat([h, torch.tanh(h)], dim=1)[:, 8:24]
        return self.b(h / 2 + 0.25).chunk(2, dim=1)

    def decode(self, z):
        z = F.relu(z)
        z = torch.cat((z[:, :3], 0.5 * z[:, 3:] - 0.1), 1)
        return torch.clamp(torch.sigmoid(self.c(z)), 1e-4, 1 - 1e-4).view(-1, 3, 8, 8)


CLASSES = (DenseGelu, Residual, ColourVariational, MapCodes, Written)


def drawn(kind):
    """One of the classes with drawn weights and statistics."""
    torch.manual_seed(len(kind.__name__))
    module = kind()
    for each in module.modules():
        if isinstance(each, (nn.BatchNorm1d, nn.BatchNorm2d)):
            each.running_mean.normal_(0, 0.3)
            each.running_var.uniform_(0.5, 2)
            nn.init.normal_(each.weight, 1, 0.2)
            nn.init.normal_(each.bias, 0, 0.2)
    return module.eval()


class _Half(nn.Module):
    def __init__(self, owner, function):
        super().__init__()
        self.owner, self.function = owner, function

    def forward(self, x):
        return self.function(x)


def halves(module):
    """Encoder and decoder as functions."""
    if hasattr(module, "encode"):
        return module.encode, module.decode
    return module.encoder, module.decoder


def trained(kind, steps=400):
    """One of the classes after a little training on strokes, in the scale that it says."""
    module = drawn(kind).train()
    encode, decode = halves(module)
    channels, height, width = kind.shape if len(kind.shape) == 3 else (1, *kind.shape)
    images = (
        torch.tensor(strokes.draw_colour(2000, height, width, channels, seed=8)).permute(0, 3, 1, 2) / 255
    )
    scale = {"input_mean": 0, "input_std": 1, **getattr(kind, "scale", {})}
    mean, spread = (torch.tensor(scale[f"input_{each}"]).reshape(-1, 1, 1) for each in ("mean", "std"))
    optimizer = torch.optim.Adam(module.parameters(), 3e-3)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 5e-3 * (1 - step / steps)
        batch = images[torch.randint(len(images), (32,))]
        given = encode((batch - mean) / spread)
        code = given[-2] if isinstance(given, (tuple, list)) else given
        output = decode(code).reshape(batch.shape) * scale.get("output_std", 1) + scale.get("output_mean", 0)
        loss = F.mse_loss(output, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(kind.__name__, f"{-10 * loss.log10().item():.2f} dB")
    return module.eval()


def main():
    """Writes the golden files."""
    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for kind in CLASSES:
        module = trained(kind)
        encode, decode = halves(module)
        sides = kind.shape if len(kind.shape) == 3 else (1, *kind.shape)
        images = torch.rand(3, *sides)
        with torch.no_grad():
            given = encode(images)
        code = given[-2] if isinstance(given, (tuple, list)) else given
        for name, function, example in (("encoder", encode, images), ("decoder", decode, code)):
            torch.onnx.export(
                _Half(module, function).eval(),
                (example,),
                str(FOLDER / f"{kind.__name__}.{name}.onnx"),
                dynamo=False,
                input_names=["x"],
                opset_version=17,
                dynamic_axes={"x": {0: "N"}},
            )


if __name__ == "__main__":
    main()
