"""The declarations of ae.h for ctypes: structs, callbacks, and the types of every function.

A test compares the structs, field by field, with what a C compiler makes of the header.
"""

from __future__ import annotations

import ctypes
from ctypes import (
    CFUNCTYPE,
    POINTER,
    c_char,
    c_char_p,
    c_double,
    c_int32,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any

KINDS = (
    *("pca", "linear", "sigmoid", "relu", "elu", "vae", "conv-vae", "predictor"),
    *("residual-vae", "custom"),
)
STORAGES = ("float32", "float16", "int8")
MODES = ("lossy", "lossless", "near-lossless")
METHODS = ("auto", "contexts", "scans", "predicted")
TABLES = ("training", "compression", "quantization", "lossless", "predictor", "shrinking")
TYPES = ("integer", "number", "flag", "choice", "text", "integers")

ABI_VERSION = 1
SAVE_DECODER_ONLY = 1
EXPORT_ENCODER = 1
STATUS_OK = 0
STATUS_ARGUMENT = 1
STATUS_KIND = 7
STATUS_BUFFER = 10
STATUS_STOPPED = 11


class ContextOptions(ctypes.Structure):
    """ae_context_options. The allocator is C's alone: Python's could not be called from every thread."""

    _fields_ = (
        ("struct_size", c_size_t),
        ("threads", c_int32),
        ("allocate", c_void_p),
        ("free", c_void_p),
        ("allocator", c_void_p),
        ("model_path", c_char_p),
    )


class OptionInformation(ctypes.Structure):
    """ae_option_information."""

    _fields_ = (
        ("struct_size", c_size_t),
        ("type", c_int32),
        ("is_implied", c_int32),
        ("minimum", c_double),
        ("maximum", c_double),
        ("key", c_char_p),
        ("default_value", c_char_p),
        ("automatic", c_char_p),
        ("choices", c_char_p),
        ("documentation", c_char_p),
        ("former_flags", c_char_p),
    )


class PresetInformation(ctypes.Structure):
    """ae_preset_information."""

    _fields_ = (
        ("struct_size", c_size_t),
        ("name", c_char_p),
        ("summary", c_char_p),
        ("options", c_char_p),
    )


class ModelInformation(ctypes.Structure):
    """ae_model_information."""

    _fields_ = (
        ("struct_size", c_size_t),
        ("kind", c_int32),
        ("storage", c_int32),
        ("width", c_int32),
        ("height", c_int32),
        ("channels", c_int32),
        ("latent_size", c_int32),
        ("has_encoder", c_int32),
        ("is_variational", c_int32),
        ("has_codec", c_int32),
        ("quality_count", c_int32),
        ("parameter_count", c_uint64),
        ("hash", c_char * 65),
        ("name", c_char * 65),
        ("has_lossless", c_int32),
        ("default_quality", c_int32),
        ("has_predictor", c_int64),
    )


class ShrinkReport(ctypes.Structure):
    """ae_shrink_report."""

    _fields_ = (
        ("struct_size", c_size_t),
        ("density", c_double),
        ("loss", c_double),
        ("held_out_count", c_uint64),
    )


class PredictorReport(ctypes.Structure):
    """ae_predictor_report."""

    _fields_ = (
        ("struct_size", c_size_t),
        ("contexts_bits", c_double),
        ("float_bits", c_double),
        ("integer_bits", c_double),
        ("coded_bits", c_double),
        ("held_out_count", c_uint64),
    )


class Tensor(ctypes.Structure):
    """ae_tensor."""

    _fields_ = (
        ("struct_size", c_size_t),
        ("name", c_char_p),
        ("values", c_void_p),
        ("count", c_size_t),
    )


class QualityInformation(ctypes.Structure):
    """ae_quality_information."""

    _fields_ = (
        ("struct_size", c_size_t),
        ("bytes_per_image", c_double),
        ("psnr", c_double),
        ("model_name", c_char * 65),
        ("is_default", c_int32),
    )


class ImageSetInformation(ctypes.Structure):
    """ae_imageset_information."""

    _fields_ = (
        ("struct_size", c_size_t),
        ("count", c_uint64),
        ("width", c_int32),
        ("height", c_int32),
        ("channels", c_int32),
        ("latent_size", c_int32),
        ("quality", c_int32),
        ("block_images", c_int32),
        ("has_labels", c_int32),
        ("has_names", c_int32),
        ("has_model", c_int32),
        ("byte_count", c_uint64),
        ("model_hash", c_char * 65),
        ("model_name", c_char * 65),
        ("mode", c_int32),
        ("max_error", c_int32),
        ("method", c_int32),
        ("needs_model", c_int32),
        ("kept_count", c_uint64),
        ("scale_quality", c_int32),
        ("needs_predictor", c_int64),
        ("predictor_hash", c_char * 65),
        ("predictor_name", c_char * 65),
    )


class Progress(ctypes.Structure):
    """ae_training_progress."""

    _fields_ = (
        ("struct_size", c_size_t),
        ("step", c_uint64),
        ("step_count", c_uint64),
        ("loss", c_double),
        ("mse", c_double),
        ("psnr", c_double),
        ("validation_mse", c_double),
        ("learning_rate", c_double),
        ("seconds", c_double),
    )


CountCallback = CFUNCTYPE(c_int32, c_void_p, c_uint64, c_uint64)
WriteCallback = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_size_t)
ReadCallback = CFUNCTYPE(c_int32, c_void_p, c_uint64, c_size_t, c_void_p)
ProgressCallback = CFUNCTYPE(c_int32, c_void_p, POINTER(Progress))
LogCallback = CFUNCTYPE(None, c_void_p, c_char_p)
PollCallback = CFUNCTYPE(c_int32, c_void_p)


class TrainerCallbacks(ctypes.Structure):
    """ae_trainer_callbacks."""

    _fields_ = (
        ("struct_size", c_size_t),
        ("progress_interval", c_uint64),
        ("progress", ProgressCallback),
        ("log", LogCallback),
        ("poll", PollCallback),
        ("context", c_void_p),
    )


# Handles and arrays are all c_void_p: addresses as plain integers. A handle that is written goes
# through POINTER(c_void_p).
_CONTEXT = c_void_p
_HANDLE = c_void_p
_ARRAY = c_void_p
_OUT_HANDLE = POINTER(c_void_p)
_OUT_SIZE = POINTER(c_size_t)
# Of file names.
_STRINGS = POINTER(c_char_p)

SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "ae_version": (c_uint32, ()),
    "ae_abi_version": (c_uint32, ()),
    "ae_build_info": (c_char_p, ()),
    "ae_status_string": (c_char_p, (c_int32,)),
    "ae_last_error": (c_char_p, ()),
    "ae_last_errno": (c_int32, ()),
    "ae_set_threads": (c_int32, (c_int32,)),
    "ae_threads": (c_int32, ()),
    "ae_release_memory": (None, ()),
    "ae_context_create": (c_int32, (POINTER(ContextOptions), _OUT_HANDLE)),
    "ae_context_free": (None, (_CONTEXT,)),
    "ae_options_create": (c_int32, (c_int32, _OUT_HANDLE)),
    "ae_options_free": (None, (_HANDLE,)),
    "ae_options_set": (c_int32, (_HANDLE, c_char_p, c_char_p)),
    "ae_options_set_integer": (c_int32, (_HANDLE, c_char_p, c_int64)),
    "ae_options_set_number": (c_int32, (_HANDLE, c_char_p, c_double)),
    "ae_options_get": (c_int32, (_HANDLE, c_char_p, _ARRAY, c_size_t, _OUT_SIZE)),
    "ae_option_count": (c_size_t, (c_int32,)),
    "ae_option_info": (c_int32, (c_int32, c_size_t, POINTER(OptionInformation))),
    "ae_preset_count": (c_size_t, ()),
    "ae_preset_info": (c_int32, (c_size_t, POINTER(PresetInformation))),
    "ae_model_open": (c_int32, (_CONTEXT, c_char_p, _OUT_HANDLE)),
    "ae_model_open_memory": (c_int32, (_CONTEXT, _ARRAY, c_size_t, _OUT_HANDLE)),
    "ae_model_default": (c_int32, (_CONTEXT, c_char_p, _OUT_HANDLE)),
    "ae_model_free": (None, (_HANDLE,)),
    "ae_model_info": (c_int32, (_HANDLE, POINTER(ModelInformation))),
    "ae_input_size": (c_size_t, (_HANDLE,)),
    "ae_latent_size": (c_size_t, (_HANDLE,)),
    "ae_model_save": (c_int32, (_HANDLE, c_int32, c_uint32, _ARRAY, c_size_t, _OUT_SIZE)),
    "ae_model_save_file": (c_int32, (_HANDLE, c_int32, c_uint32, c_char_p)),
    "ae_model_export_c": (c_int32, (_HANDLE, c_char_p, c_uint32, _ARRAY, c_size_t, _OUT_SIZE)),
    "ae_model_export_c_file": (c_int32, (_HANDLE, c_char_p, c_uint32, c_char_p)),
    "ae_model_create": (c_int32, (_CONTEXT, c_char_p, POINTER(Tensor), c_size_t, _OUT_HANDLE)),
    "ae_model_description": (c_int32, (_HANDLE, _ARRAY, c_size_t, _OUT_SIZE)),
    "ae_model_tensor": (c_int32, (_HANDLE, c_size_t, POINTER(Tensor))),
    "ae_model_quantize": (c_int32, (_CONTEXT, _HANDLE, _ARRAY, c_size_t, _HANDLE, _OUT_HANDLE)),
    "ae_model_fit_lossless": (
        c_int32,
        (_CONTEXT, _HANDLE, _ARRAY, c_size_t, _HANDLE, CountCallback, c_void_p, _OUT_HANDLE),
    ),
    "ae_model_shrink": (
        c_int32,
        (
            *(_CONTEXT, _HANDLE, _ARRAY, c_size_t, _HANDLE, CountCallback, c_void_p),
            *(POINTER(ShrinkReport), _OUT_HANDLE),
        ),
    ),
    "ae_predictor_fit": (
        c_int32,
        (
            *(_CONTEXT, _ARRAY, c_size_t, c_int32, c_int32, c_int32, _HANDLE, _HANDLE),
            *(CountCallback, c_void_p, POINTER(PredictorReport), _OUT_HANDLE),
        ),
    ),
    "ae_quality_count": (c_int32, (_HANDLE, _HANDLE)),
    "ae_quality_info": (c_int32, (_HANDLE, _HANDLE, c_int32, POINTER(QualityInformation))),
    "ae_encode": (c_int32, (_CONTEXT, _HANDLE, _ARRAY, c_size_t, _ARRAY)),
    "ae_encode_u8": (c_int32, (_CONTEXT, _HANDLE, _ARRAY, c_size_t, _ARRAY)),
    "ae_decode": (c_int32, (_CONTEXT, _HANDLE, _ARRAY, c_size_t, _ARRAY)),
    "ae_decode_u8": (c_int32, (_CONTEXT, _HANDLE, _ARRAY, c_size_t, _ARRAY)),
    "ae_posterior": (c_int32, (_CONTEXT, _HANDLE, _ARRAY, c_size_t, _ARRAY, _ARRAY)),
    "ae_posterior_u8": (c_int32, (_CONTEXT, _HANDLE, _ARRAY, c_size_t, _ARRAY, _ARRAY)),
    "ae_prior": (c_int32, (_CONTEXT, _HANDLE, c_size_t, c_uint64, _ARRAY)),
    "ae_sample": (c_int32, (_CONTEXT, _HANDLE, c_size_t, c_uint64, _ARRAY)),
    "ae_sample_u8": (c_int32, (_CONTEXT, _HANDLE, c_size_t, c_uint64, _ARRAY)),
    "vae_encode": (c_int32, (_CONTEXT, _HANDLE, _ARRAY, c_size_t, _ARRAY, _ARRAY)),
    "vae_sample": (c_int32, (_CONTEXT, _HANDLE, c_size_t, c_uint64, _ARRAY)),
    "ae_compress_bound": (c_int32, (_CONTEXT, _HANDLE, c_size_t, _HANDLE, _OUT_SIZE)),
    "ae_compress": (
        c_int32,
        (_CONTEXT, _HANDLE, _ARRAY, c_size_t, _ARRAY, _HANDLE, _ARRAY, c_size_t, _OUT_SIZE),
    ),
    "ae_writer_create": (c_int32, (_CONTEXT, _HANDLE, _HANDLE, WriteCallback, c_void_p, _OUT_HANDLE)),
    "ae_writer_create_like": (c_int32, (_CONTEXT, _HANDLE, WriteCallback, c_void_p, _OUT_HANDLE)),
    "ae_writer_create_file": (c_int32, (_CONTEXT, _HANDLE, _HANDLE, c_char_p, _OUT_HANDLE)),
    "ae_writer_append_file": (c_int32, (_CONTEXT, c_char_p, _HANDLE, _OUT_HANDLE)),
    "ae_writer_set_progress": (c_int32, (_HANDLE, CountCallback, c_void_p)),
    "ae_writer_add": (c_int32, (_HANDLE, _ARRAY, c_size_t, _ARRAY, _STRINGS)),
    "ae_writer_add_set": (c_int32, (_HANDLE, _HANDLE, c_uint64, c_uint64)),
    "ae_writer_finish": (c_int32, (_HANDLE,)),
    "ae_writer_free": (None, (_HANDLE,)),
    "ae_concatenate_files": (c_int32, (_CONTEXT, _STRINGS, c_size_t, c_char_p)),
    "ae_split_file": (c_int32, (_CONTEXT, c_char_p, c_uint64, c_uint64, c_char_p)),
    "ae_imageset_open": (c_int32, (_CONTEXT, c_char_p, _HANDLE, _OUT_HANDLE)),
    "ae_imageset_open_memory": (c_int32, (_CONTEXT, _ARRAY, c_size_t, _HANDLE, _OUT_HANDLE)),
    "ae_imageset_open_callback": (
        c_int32,
        (_CONTEXT, ReadCallback, c_void_p, c_uint64, _HANDLE, _OUT_HANDLE),
    ),
    "ae_imageset_free": (None, (_HANDLE,)),
    "ae_imageset_info": (c_int32, (_HANDLE, POINTER(ImageSetInformation))),
    "ae_imageset_read": (c_int32, (_HANDLE, c_uint64, c_size_t, _ARRAY)),
    "ae_imageset_salvage": (c_int32, (_HANDLE, c_uint64, c_size_t, _ARRAY, _ARRAY, _OUT_SIZE)),
    "ae_imageset_latents": (c_int32, (_HANDLE, c_uint64, c_size_t, _ARRAY)),
    "ae_imageset_labels": (c_int32, (_HANDLE, c_uint64, c_size_t, _ARRAY)),
    "ae_imageset_name": (c_int32, (_HANDLE, c_uint64, _ARRAY, c_size_t, _OUT_SIZE)),
    "ae_trainer_create": (c_int32, (_CONTEXT, _HANDLE, _OUT_HANDLE)),
    "ae_trainer_create_from": (c_int32, (_CONTEXT, _HANDLE, _HANDLE, _OUT_HANDLE)),
    "ae_trainer_set_callbacks": (c_int32, (_HANDLE, POINTER(TrainerCallbacks))),
    "ae_trainer_get_options": (c_int32, (_HANDLE, _OUT_HANDLE)),
    "ae_trainer_free": (None, (_HANDLE,)),
    "ae_trainer_fit": (c_int32, (_HANDLE, _ARRAY, c_size_t)),
    "ae_trainer_step": (c_int32, (_HANDLE, _ARRAY, c_size_t, POINTER(Progress))),
    "ae_trainer_model": (c_int32, (_HANDLE, _ARRAY, c_size_t, _OUT_HANDLE)),
    "ae_trainer_save": (c_int32, (_HANDLE, _ARRAY, c_size_t, _OUT_SIZE)),
    "ae_trainer_save_file": (c_int32, (_HANDLE, c_char_p)),
    "ae_trainer_resume": (c_int32, (_CONTEXT, _ARRAY, c_size_t, _OUT_HANDLE)),
    "ae_trainer_resume_file": (c_int32, (_CONTEXT, c_char_p, _OUT_HANDLE)),
}
