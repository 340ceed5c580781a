"""Training a predictor of pixels, with which lossless sets of images are smaller."""

from __future__ import annotations

import ctypes
from contextlib import closing
from typing import TYPE_CHECKING

import numpy.typing as npt

from . import _arrays, _foreign
from ._callbacks import Counting
from ._context import Context, Held
from ._library import lib, opened
from ._model import Model, PredictorReport
from ._options import PREDICTOR, taking
from ._progress import CountProgress

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._option_types import PredictorOptions


@taking(PREDICTOR)
def train_predictor(
    images: npt.ArrayLike,
    *,
    start: Model | None = None,
    progress: CountProgress = None,
    context: Context | None = None,
    **options: Unpack[PredictorOptions],
) -> Model:
    """Trains a predictor of pixels, with which lossless sets of such images are smaller.

    About a fiftieth of the images is held out and measured on; `Model.predictor_report` has the figures.

    Args:
        images: (N, H, W) or (N, H, W, C) `uint8` with 1, 3 or 4 channels; sides are 1 to 256.
        start: a model whose predictor's weights are started from, instead of those that `initial` says.
        progress: called on this thread with how many steps are done and how many there are. Returning False
            stops; what it raises stops, too, and is raised again here. True shows a bar, as in `train`.
        context: to work with.
    {options}

    Returns:
        A model of the kind "predictor", which has no size and no latent codes. It serves images of any size
        and channels.

    Raises:
        KindError: `start` has no predictor.
        StoppedError: `progress` returned False.
    """
    array = _arrays.byte_pixels(images)
    count, height, width, channels = _arrays.set_stack(array.shape)
    held = Held(context)
    how = PREDICTOR.handle(options)
    started = None if start is None else start._use()
    counting = Counting(progress, "train_predictor", "step")
    told = _foreign.PredictorReport(struct_size=ctypes.sizeof(_foreign.PredictorReport))
    with closing(counting), counting.running():
        handle = opened(
            lib.ae_model_free,
            lambda out: lib.ae_predictor_fit(
                held.pointer,
                _arrays.address(array),
                count,
                width,
                height,
                channels,
                how.pointer,
                None if started is None else started.pointer,
                counting.c_progress,
                None,
                ctypes.byref(told),
                out,
            ),
        )
        counting.finish()
    model = Model(handle, held)
    model._predictor_report = PredictorReport(
        contexts_bits=told.contexts_bits,
        float_bits=told.float_bits,
        integer_bits=told.integer_bits,
        coded_bits=told.coded_bits,
        held_out_count=told.held_out_count,
    )
    return model
