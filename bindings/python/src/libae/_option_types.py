"""Keywords of the library's tables of options, for type checkers. At run time the package asks the library.

Written by generate_options.py: not to be edited.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict


class TrainingOptions(TypedDict, total=False):
    """Options of training."""

    kind: Literal[
        "pca",
        "linear",
        "sigmoid",
        "relu",
        "elu",
        "vae",
        "conv-vae",
        "residual-vae",
        "custom",
    ] | None
    latent_size: int | None
    hidden: Sequence[int] | None
    encoder: str | None
    decoder: str | None
    variational: bool | None
    loss: Literal["mse", "bernoulli"] | None
    output_activation: Literal["linear", "sigmoid"] | None
    steps: int | None
    batch_size: int | None
    seed: int | None
    learning_rate: float | None
    schedule: Literal["constant", "cosine", "one-cycle"] | None
    optimizer: Literal["adam", "muon"] | None
    beta: float | None
    beta_warmup_steps: int | None
    importance_samples: int | None
    importance_warmup_steps: int | None
    rd_lambda: float | None
    noise: float | None
    deformation: float | None
    gradient_clip: float | None
    weight_average: float | None
    binarize: bool | None
    validation_fraction: float | None
    name: str | None


class CompressionOptions(TypedDict, total=False):
    """Options of compression."""

    mode: Literal["lossy", "lossless", "near-lossless"] | None
    quality: int | None
    bytes_per_image: float | None
    max_error: int | None
    method: Literal["auto", "contexts", "scans", "predicted"] | None
    priority: Literal["balanced", "speed", "size"] | None
    preview: bool | None
    embed_model: bool | None
    block_images: int | None
    search_passes: int | None


class QuantizationOptions(TypedDict, total=False):
    """Options of quantization."""

    rate_trained: bool | None
    weight_bits: int | None


class LosslessOptions(TypedDict, total=False):
    """Options of lossless."""

    hidden: Sequence[int] | None
    steps: int | None
    batch_size: int | None
    learning_rate: float | None
    weight_average: float | None
    seed: int | None


class PredictorOptions(TypedDict, total=False):
    """Options of predictor."""

    hidden: Sequence[int] | None
    steps: int | None
    batch_size: int | None
    learning_rate: float | None
    weight_average: float | None
    augment: bool | None
    initial: Literal["universal", "random"] | None
    name: str | None
    seed: int | None


class ShrinkingOptions(TypedDict, total=False):
    """Options of shrinking."""

    target_loss: float | None
    density: float | None
    weight_bits: int | None
    steps: int | None
    batch_size: int | None
    learning_rate: float | None
    rd_lambda: float | None
    deformation: float | None
    samples: int | None
    seed: int | None
    name: str | None
