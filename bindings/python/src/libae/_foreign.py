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
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any

KINDS = ("pca", "linear", "sigmoid", "relu", "elu", "vae", "conv-vae")
STORAGES = ("float32", "float16", "int8")
LOSSES = ("mse", "bernoulli")
OUTPUTS = ("linear", "sigmoid")
SCHEDULES = ("constant", "cosine", "one-cycle")

ABI_VERSION = 1
SAVE_DECODER_ONLY = 1
STATUS_OK = 0
STATUS_KIND = 7
STATUS_BUFFER = 10
STATUS_STOPPED = 11


class ContextOptions(ctypes.Structure):
    """ae_context_options."""

    _fields_ = (
        ("struct_size", c_size_t),
        ("threads", c_int32),
        ("allocate", c_void_p),
        ("free", c_void_p),
        ("allocator", c_void_p),
        ("model_path", c_char_p),
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
    )


CountCallback = CFUNCTYPE(c_int32, c_void_p, c_uint64, c_uint64)


class CompressOptions(ctypes.Structure):
    """ae_compress_options."""

    _fields_ = (
        ("struct_size", c_size_t),
        ("quality", c_int32),
        ("embed_model", c_int32),
        ("block_images", c_int32),
        ("labels", c_void_p),
        ("layer", c_int32),
        ("max_error", c_int32),
        ("effort", c_int32),
        ("preview", c_int32),
        ("width", c_int32),
        ("height", c_int32),
        ("progress", CountCallback),
        ("context", c_void_p),
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
        ("layer", c_int32),
        ("max_error", c_int32),
        ("effort", c_int32),
        ("needs_model", c_int32),
        ("kept_count", c_uint64),
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


ProgressCallback = CFUNCTYPE(c_int32, c_void_p, POINTER(Progress))
LogCallback = CFUNCTYPE(None, c_void_p, c_char_p)
PollCallback = CFUNCTYPE(c_int32, c_void_p)


class TrainerOptions(ctypes.Structure):
    """ae_trainer_options."""

    _fields_ = (
        ("struct_size", c_size_t),
        ("kind", c_int32),
        ("width", c_int32),
        ("height", c_int32),
        ("latent_size", c_int32),
        ("hidden", POINTER(c_int32)),
        ("hidden_count", c_int32),
        ("loss", c_int32),
        ("output", c_int32),
        ("schedule", c_int32),
        ("batch_size", c_int32),
        ("step_count", c_uint64),
        ("seed", c_uint64),
        ("learning_rate", c_double),
        ("beta", c_double),
        ("beta_warmup_steps", c_uint64),
        ("noise", c_double),
        ("deformation", c_double),
        ("gradient_clip", c_double),
        ("weight_average", c_double),
        ("importance_samples", c_int32),
        ("binarize", c_int32),
        ("importance_warmup_steps", c_uint64),
        ("validation_fraction", c_double),
        ("progress_interval", c_uint64),
        ("progress", ProgressCallback),
        ("log", LogCallback),
        ("context", c_void_p),
        ("name", c_char_p),
        ("poll", PollCallback),
    )


# Handles and arrays are all c_void_p: addresses as plain integers. A handle that is written goes
# through POINTER(c_void_p).
_HANDLE = c_void_p
_ARRAY = c_void_p
_OUT_HANDLE = POINTER(c_void_p)
_OUT_SIZE = POINTER(c_size_t)

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
    "ae_context_options_init": (c_int32, (POINTER(ContextOptions), c_size_t)),
    "ae_context_create": (c_int32, (POINTER(ContextOptions), _OUT_HANDLE)),
    "ae_context_free": (None, (_HANDLE,)),
    "ae_model_open": (c_int32, (c_char_p, _OUT_HANDLE)),
    "ae_model_open_memory": (c_int32, (_ARRAY, c_size_t, _OUT_HANDLE)),
    "ae_model_free": (None, (_HANDLE,)),
    "ae_model_info": (c_int32, (_HANDLE, POINTER(ModelInformation))),
    "ae_input_size": (c_size_t, (_HANDLE,)),
    "ae_latent_size": (c_size_t, (_HANDLE,)),
    "ae_model_save": (c_int32, (_HANDLE, c_int32, c_uint32, _ARRAY, c_size_t, _OUT_SIZE)),
    "ae_model_save_file": (c_int32, (_HANDLE, c_int32, c_uint32, c_char_p)),
    "ae_encode": (c_int32, (_HANDLE, _ARRAY, c_size_t, _ARRAY)),
    "ae_encode_u8": (c_int32, (_HANDLE, _ARRAY, c_size_t, _ARRAY)),
    "ae_decode": (c_int32, (_HANDLE, _ARRAY, c_size_t, _ARRAY)),
    "ae_decode_u8": (c_int32, (_HANDLE, _ARRAY, c_size_t, _ARRAY)),
    "vae_encode": (c_int32, (_HANDLE, _ARRAY, c_size_t, _ARRAY, _ARRAY)),
    "vae_encode_u8": (c_int32, (_HANDLE, _ARRAY, c_size_t, _ARRAY, _ARRAY)),
    "vae_prior": (c_int32, (_HANDLE, c_size_t, c_uint64, _ARRAY)),
    "vae_sample": (c_int32, (_HANDLE, c_size_t, c_uint64, _ARRAY)),
    "vae_sample_u8": (c_int32, (_HANDLE, c_size_t, c_uint64, _ARRAY)),
    "ae_compress_options_init": (c_int32, (POINTER(CompressOptions), c_size_t)),
    "ae_compress_bound": (c_int32, (_HANDLE, c_size_t, POINTER(CompressOptions), _OUT_SIZE)),
    "ae_compress": (
        c_int32,
        (_HANDLE, _ARRAY, c_size_t, POINTER(CompressOptions), _ARRAY, c_size_t, _OUT_SIZE),
    ),
    "ae_compress_file": (c_int32, (_HANDLE, _ARRAY, c_size_t, POINTER(CompressOptions), c_char_p)),
    "ae_imageset_open": (c_int32, (c_char_p, _HANDLE, _OUT_HANDLE)),
    "ae_imageset_open_memory": (c_int32, (_ARRAY, c_size_t, _HANDLE, _OUT_HANDLE)),
    "ae_imageset_free": (None, (_HANDLE,)),
    "ae_imageset_info": (c_int32, (_HANDLE, POINTER(ImageSetInformation))),
    "ae_imageset_read": (c_int32, (_HANDLE, c_uint64, c_size_t, _ARRAY)),
    "ae_imageset_salvage": (c_int32, (_HANDLE, c_uint64, c_size_t, _ARRAY, _ARRAY, _OUT_SIZE)),
    "ae_imageset_latents": (c_int32, (_HANDLE, c_uint64, c_size_t, _ARRAY)),
    "ae_imageset_labels": (c_int32, (_HANDLE, c_uint64, c_size_t, _ARRAY)),
    "ae_imageset_name": (c_int32, (_HANDLE, c_uint64, _ARRAY, c_size_t, _OUT_SIZE)),
    "ae_trainer_options_init": (c_int32, (POINTER(TrainerOptions), c_size_t)),
    "ae_trainer_create": (c_int32, (POINTER(TrainerOptions), _OUT_HANDLE)),
    "ae_trainer_free": (None, (_HANDLE,)),
    "ae_trainer_fit": (c_int32, (_HANDLE, _ARRAY, c_size_t)),
    "ae_trainer_step": (c_int32, (_HANDLE, _ARRAY, c_size_t, POINTER(Progress))),
    "ae_trainer_model": (c_int32, (_HANDLE, _ARRAY, c_size_t, _OUT_HANDLE)),
    "ae_trainer_save": (c_int32, (_HANDLE, _ARRAY, c_size_t, _OUT_SIZE)),
    "ae_trainer_save_file": (c_int32, (_HANDLE, c_char_p)),
    "ae_trainer_resume": (c_int32, (_ARRAY, c_size_t, POINTER(TrainerOptions), _OUT_HANDLE)),
    "ae_trainer_resume_file": (c_int32, (c_char_p, POINTER(TrainerOptions), _OUT_HANDLE)),
}
