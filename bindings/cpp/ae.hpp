/*
 * ae.hpp - ae.h for C++17 programs: handles that free themselves, errors that are exceptions.
 *
 * It is one header over the C interface and adds nothing to what that can do; shapes, units and ranges
 * are those of ae.h. Synopsis:
 *
 *   ae::model model = ae::model::open("mnist.aew");
 *   std::vector<float> latents = model.encode(pixels); // std::vector<std::uint8_t> pixels
 *   std::vector<std::uint8_t> images = model.decode_u8(latents);
 *
 * Conventions
 *
 * - ae::model, ae::image_set and ae::trainer each own one C handle. They move and do not copy. One that
 *   has been moved from may only be assigned to or destroyed. get() gives the C handle, for calls of
 *   ae.h; release() gives it away.
 * - A failed call throws ae::error, whose what() is ae_last_error() and whose status() is the ae_status.
 *   std::bad_alloc comes only from the vectors.
 * - Calls come in two forms. Those that take pointers and a count of images write to the caller's
 *   memory and allocate nothing on this side. Those that take a std::vector derive the count from its
 *   size, throw AE_ERROR_SHAPE if that is not whole, and return one new vector of exactly the size of
 *   the result.
 * - Callbacks are std::functions. What they throw stops training and is thrown again by the call
 *   that trains; it never passes through C frames.
 * - Threads: as in ae.h. A const ae::model and a const ae::image_set may be used by many at a time.
 */
#ifndef AE_HPP
#define AE_HPP

#include <ae.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace ae {

/** error is what every failed call throws. */
class error : public std::runtime_error {
public:
  error(ae_status status, const std::string &message, std::int32_t system_errno = 0)
      : std::runtime_error(message), status_(status), system_errno_(system_errno) {}
  /** status() is the status of the call, such as AE_ERROR_FORMAT. */
  ae_status status() const noexcept { return status_; }
  /** name() is its name, such as "AE_ERROR_FORMAT". */
  const char *name() const noexcept { return ae_status_string(status_); }
  /** system_errno() is ae_last_errno(): of the system call that failed, such as ENOENT; 0 if none did. */
  std::int32_t system_errno() const noexcept { return system_errno_; }

private:
  ae_status status_;
  std::int32_t system_errno_;
};

/** check(status) throws the error for a status that is not AE_OK, with this thread's last message. */
inline void check(ae_status status) {
  if (status != AE_OK)
    throw error(status, ae_last_error(), ae_last_errno());
}

/** require_version() throws AE_ERROR_VERSION if the library loaded does not fit this header. */
inline void require_version() {
  constexpr std::uint32_t built = AE_VERSION_NUMBER;
  const std::uint32_t loaded = ae_version();
  if (ae_abi_version() != AE_ABI_VERSION)
    throw error(AE_ERROR_VERSION, "libae's ABI version is " + std::to_string(ae_abi_version()) +
                                      ", this program was built for " + std::to_string(AE_ABI_VERSION));
  // A later library of the same ABI version has all that this header knows.
  if (loaded / 1000 < built / 1000)
    throw error(AE_ERROR_VERSION, "libae's version number is " + std::to_string(loaded) +
                                      ", this program was built for " + std::to_string(built));
}

/** set_threads(threads) is ae_set_threads: how many threads a call may use, 0 for all processors. */
inline void set_threads(std::int32_t threads) { check(ae_set_threads(threads)); }

namespace detail {

/** count_of(size, item_size, what) is how many whole items an array holds. */
inline std::size_t count_of(std::size_t size, std::size_t item_size, const char *what) {
  if (item_size == 0 || size % item_size != 0)
    throw error(AE_ERROR_SHAPE, std::string(what) + ": a multiple of " + std::to_string(item_size) +
                                    " values expected, " + std::to_string(size) + " came");
  return size / item_size;
}

/** size_of(count, item_size) is the size of an array, or AE_ERROR_ARGUMENT if it does not fit. */
inline std::size_t size_of(std::uint64_t count, std::size_t item_size) {
  if (item_size != 0 && count > static_cast<std::size_t>(PTRDIFF_MAX) / sizeof(float) / item_size)
    throw error(AE_ERROR_ARGUMENT, "count: " + std::to_string(count) + " images do not fit in memory");
  return static_cast<std::size_t>(count) * item_size;
}

/** filled(call) is the bytes of a call that takes (out, capacity, size): asked first, then filled. */
template <class Call> std::vector<std::uint8_t> filled(Call &&call) {
  std::size_t size = 0;
  check(call(nullptr, std::size_t{0}, &size));
  std::vector<std::uint8_t> out(size);
  check(call(out.data(), out.size(), &size));
  out.resize(size);
  return out;
}

template <class Handle, void (*Free)(Handle *)> struct deleter {
  void operator()(Handle *handle) const noexcept { Free(handle); }
};

} // namespace detail

/** model is a trained network, immutable. */
class model {
public:
  /** model(handle) takes over a handle of ae.h. */
  explicit model(ae_model *handle) noexcept : handle_(handle) {}

  /** open(path) reads a weight file (.aew). */
  static model open(const std::string &path) {
    ae_model *handle = nullptr;
    check(ae_model_open(path.c_str(), &handle));
    return model(handle);
  }

  /** open(data, byte_count) reads a weight file in memory, which may go after the call. */
  static model open(const void *data, std::size_t byte_count) {
    ae_model *handle = nullptr;
    check(ae_model_open_memory(data, byte_count, &handle));
    return model(handle);
  }
  static model open(const std::vector<std::uint8_t> &data) { return open(data.data(), data.size()); }

  const ae_model *get() const noexcept { return handle_.get(); }
  ae_model *release() noexcept { return handle_.release(); }

  /** info() is ae_model_info. */
  ae_model_information info() const {
    ae_model_information information{};
    information.struct_size = sizeof information;
    check(ae_model_info(get(), &information));
    return information;
  }

  /** input_size() is the pixels of an image. */
  std::size_t input_size() const noexcept { return ae_input_size(get()); }
  /** latent_size() is the numbers in a latent code. */
  std::size_t latent_size() const noexcept { return ae_latent_size(get()); }

  /** encode(images, count, latents) is ae_encode: count * input_size() in, count * latent_size() out. */
  void encode(const float *images, std::size_t count, float *latents) const {
    check(ae_encode(get(), images, count, latents));
  }
  void encode(const std::uint8_t *images, std::size_t count, float *latents) const {
    check(ae_encode_u8(get(), images, count, latents));
  }
  std::vector<float> encode(const std::vector<float> &images) const { return encoded(images); }
  std::vector<float> encode(const std::vector<std::uint8_t> &images) const { return encoded(images); }

  /** decode(latents, count, images) is ae_decode: count * latent_size() in, count * input_size() out. */
  void decode(const float *latents, std::size_t count, float *images) const {
    check(ae_decode(get(), latents, count, images));
  }
  void decode(const float *latents, std::size_t count, std::uint8_t *images) const {
    check(ae_decode_u8(get(), latents, count, images));
  }
  std::vector<float> decode(const std::vector<float> &latents) const { return decoded<float>(latents); }
  std::vector<std::uint8_t> decode_u8(const std::vector<float> &latents) const {
    return decoded<std::uint8_t>(latents);
  }

  /** posterior(images, count, mean, log_variance) is vae_encode. */
  void posterior(const float *images, std::size_t count, float *mean, float *log_variance) const {
    check(vae_encode(get(), images, count, mean, log_variance));
  }
  void posterior(const std::uint8_t *images, std::size_t count, float *mean, float *log_variance) const {
    check(vae_encode_u8(get(), images, count, mean, log_variance));
  }

  /** gaussians are the posteriors of some images: latent_size() numbers each. */
  struct gaussians {
    std::vector<float> mean;
    std::vector<float> log_variance;
  };
  gaussians posterior(const std::vector<float> &images) const { return posteriors(images); }
  gaussians posterior(const std::vector<std::uint8_t> &images) const { return posteriors(images); }

  /** prior(count, seed, latents) is vae_prior. */
  void prior(std::size_t count, std::uint64_t seed, float *latents) const {
    check(vae_prior(get(), count, seed, latents));
  }
  std::vector<float> prior(std::size_t count, std::uint64_t seed) const {
    std::vector<float> latents(detail::size_of(count, latent_size()));
    prior(count, seed, latents.data());
    return latents;
  }

  /** sample(count, seed, images) is vae_sample. */
  void sample(std::size_t count, std::uint64_t seed, float *images) const {
    check(vae_sample(get(), count, seed, images));
  }
  void sample(std::size_t count, std::uint64_t seed, std::uint8_t *images) const {
    check(vae_sample_u8(get(), count, seed, images));
  }
  std::vector<float> sample(std::size_t count, std::uint64_t seed) const {
    return samples<float>(count, seed);
  }
  std::vector<std::uint8_t> sample_u8(std::size_t count, std::uint64_t seed) const {
    return samples<std::uint8_t>(count, seed);
  }

  /** save(path, storage, flags) is ae_model_save_file; by default the model's own storage. */
  void save(const std::string &path) const { save(path, info().storage); }
  void save(const std::string &path, std::int32_t storage, std::uint32_t flags = 0) const {
    check(ae_model_save_file(get(), storage, flags, path.c_str()));
  }

  /** to_bytes(storage, flags) is the weight file that save would write. */
  std::vector<std::uint8_t> to_bytes() const { return to_bytes(info().storage); }
  std::vector<std::uint8_t> to_bytes(std::int32_t storage, std::uint32_t flags = 0) const {
    return detail::filled([&](void *out, std::size_t capacity, std::size_t *size) {
      return ae_model_save(get(), storage, flags, out, capacity, size);
    });
  }

private:
  template <class Pixel> std::vector<float> encoded(const std::vector<Pixel> &images) const {
    const std::size_t count = detail::count_of(images.size(), input_size(), "images");
    std::vector<float> latents(detail::size_of(count, latent_size()));
    encode(images.data(), count, latents.data());
    return latents;
  }
  template <class Pixel> std::vector<Pixel> decoded(const std::vector<float> &latents) const {
    const std::size_t count = detail::count_of(latents.size(), latent_size(), "latents");
    std::vector<Pixel> images(detail::size_of(count, input_size()));
    decode(latents.data(), count, images.data());
    return images;
  }
  template <class Pixel> gaussians posteriors(const std::vector<Pixel> &images) const {
    const std::size_t count = detail::count_of(images.size(), input_size(), "images");
    const std::size_t size = detail::size_of(count, latent_size());
    gaussians result{std::vector<float>(size), std::vector<float>(size)};
    posterior(images.data(), count, result.mean.data(), result.log_variance.data());
    return result;
  }
  template <class Pixel> std::vector<Pixel> samples(std::size_t count, std::uint64_t seed) const {
    std::vector<Pixel> images(detail::size_of(count, input_size()));
    sample(count, seed, images.data());
    return images;
  }

  std::unique_ptr<ae_model, detail::deleter<ae_model, ae_model_free>> handle_;
};

/** compress_options is ae_compress_options with every default set. */
struct compress_options : ae_compress_options {
  compress_options() : ae_compress_options{} {
    check(ae_compress_options_init(this, sizeof(ae_compress_options)));
  }
};

/** compress(made_with, images, count, options) is ae_compress: the bytes of an image set (.aez). */
inline std::vector<std::uint8_t> compress(const model &made_with, const std::uint8_t *images,
                                          std::size_t count,
                                          const ae_compress_options &options = compress_options()) {
  return detail::filled([&](void *out, std::size_t capacity, std::size_t *size) {
    return ae_compress(made_with.get(), images, count, &options, out, capacity, size);
  });
}
inline std::vector<std::uint8_t> compress(const model &made_with, const std::vector<std::uint8_t> &images,
                                          const ae_compress_options &options = compress_options()) {
  const std::size_t count = detail::count_of(images.size(), made_with.input_size(), "images");
  return compress(made_with, images.data(), count, options);
}

/** compress(images, count, options) is ae_compress without a model: exact and near-exact sets, with the
 *  images' width and height in the options. */
inline std::vector<std::uint8_t> compress(const std::uint8_t *images, std::size_t count,
                                          const ae_compress_options &options) {
  return detail::filled([&](void *out, std::size_t capacity, std::size_t *size) {
    return ae_compress(nullptr, images, count, &options, out, capacity, size);
  });
}

/** compress_file(made_with, images, count, path, options) is ae_compress_file: the same bytes to a file. */
inline void compress_file(const model &made_with, const std::uint8_t *images, std::size_t count,
                          const std::string &path,
                          const ae_compress_options &options = compress_options()) {
  check(ae_compress_file(made_with.get(), images, count, &options, path.c_str()));
}
inline void compress_file(const model &made_with, const std::vector<std::uint8_t> &images,
                          const std::string &path,
                          const ae_compress_options &options = compress_options()) {
  const std::size_t count = detail::count_of(images.size(), made_with.input_size(), "images");
  compress_file(made_with, images.data(), count, path, options);
}

/** salvaged is what can be read of a set that may be damaged. */
struct salvaged {
  std::vector<std::uint8_t> images; /* those that are lost are black */
  std::vector<std::uint8_t> lost;   /* 1 for an image that is lost */
  std::size_t lost_count;
};

/** image_set is an open image set, immutable. */
class image_set {
public:
  /** image_set(handle) takes over a handle of ae.h. */
  explicit image_set(ae_imageset *handle) noexcept : handle_(handle) {}

  /** open(path) opens a set that has its model embedded; with a model, one made with that. */
  static image_set open(const std::string &path) { return opened(path, nullptr); }
  static image_set open(const std::string &path, const model &made_with) {
    return opened(path, made_with.get());
  }

  /** open(data, byte_count) is open for bytes in memory, which may go after the call. */
  static image_set open(const void *data, std::size_t byte_count) {
    return opened(data, byte_count, nullptr);
  }
  static image_set open(const void *data, std::size_t byte_count, const model &made_with) {
    return opened(data, byte_count, made_with.get());
  }
  static image_set open(const std::vector<std::uint8_t> &data) {
    return opened(data.data(), data.size(), nullptr);
  }
  static image_set open(const std::vector<std::uint8_t> &data, const model &made_with) {
    return opened(data.data(), data.size(), made_with.get());
  }

  const ae_imageset *get() const noexcept { return handle_.get(); }
  ae_imageset *release() noexcept { return handle_.release(); }

  /** info() is ae_imageset_info. */
  ae_imageset_information info() const {
    ae_imageset_information information{};
    information.struct_size = sizeof information;
    check(ae_imageset_info(get(), &information));
    return information;
  }

  /** size() is the count of images. */
  std::uint64_t size() const { return info().count; }

  /** read(first, count, images) is ae_imageset_read: count * width * height bytes, written. */
  void read(std::uint64_t first, std::size_t count, std::uint8_t *images) const {
    check(ae_imageset_read(get(), first, count, images));
  }
  std::vector<std::uint8_t> read(std::uint64_t first, std::size_t count) const {
    std::vector<std::uint8_t> images(detail::size_of(count, pixels(within(first, count))));
    read(first, count, images.data());
    return images;
  }
  /** read() is all images. */
  std::vector<std::uint8_t> read() const { return read(0, detail::size_of(size(), 1)); }

  /** salvage() is ae_imageset_salvage of all images. */
  salvaged salvage() const {
    const std::size_t count = detail::size_of(size(), 1);
    salvaged result{std::vector<std::uint8_t>(detail::size_of(count, pixels(info()))),
                    std::vector<std::uint8_t>(count), 0};
    check(ae_imageset_salvage(get(), 0, count, result.images.data(), result.lost.data(), &result.lost_count));
    return result;
  }

  /** latents(first, count, codes) is ae_imageset_latents: count * latent_size floats, written. */
  void latents(std::uint64_t first, std::size_t count, float *codes) const {
    check(ae_imageset_latents(get(), first, count, codes));
  }
  std::vector<float> latents(std::uint64_t first, std::size_t count) const {
    const auto latent_size = static_cast<std::size_t>(within(first, count).latent_size);
    std::vector<float> codes(detail::size_of(count, latent_size));
    latents(first, count, codes.data());
    return codes;
  }
  /** latents() is all codes. */
  std::vector<float> latents() const { return latents(0, detail::size_of(size(), 1)); }

  /** labels() is the label of each image; AE_ERROR_KIND if there are none. */
  std::vector<std::uint8_t> labels() const {
    std::vector<std::uint8_t> marks(detail::size_of(size(), 1));
    check(ae_imageset_labels(get(), 0, marks.size(), marks.data()));
    return marks;
  }

  /** name(index) is the file name of an image; AE_ERROR_KIND if there are none. */
  std::string name(std::uint64_t index) const {
    std::size_t byte_count = 0;
    check(ae_imageset_name(get(), index, nullptr, 0, &byte_count));
    std::string text(byte_count, '\0');
    check(ae_imageset_name(get(), index, text.data(), text.size(), &byte_count));
    text.resize(byte_count == 0 ? 0 : byte_count - 1); // without the NUL
    return text;
  }

private:
  static image_set opened(const std::string &path, const ae_model *made_with) {
    ae_imageset *handle = nullptr;
    check(ae_imageset_open(path.c_str(), made_with, &handle));
    return image_set(handle);
  }
  static image_set opened(const void *data, std::size_t byte_count, const ae_model *made_with) {
    ae_imageset *handle = nullptr;
    check(ae_imageset_open_memory(data, byte_count, made_with, &handle));
    return image_set(handle);
  }
  static std::size_t pixels(const ae_imageset_information &information) {
    return static_cast<std::size_t>(information.width) * static_cast<std::size_t>(information.height) *
           static_cast<std::size_t>(information.channels);
  }
  // Checked before a vector is made, so that a wrong count is this error and not std::bad_alloc.
  ae_imageset_information within(std::uint64_t first, std::size_t count) const {
    const ae_imageset_information information = info();
    if (first > information.count || count > information.count - first)
      throw error(AE_ERROR_ARGUMENT, std::to_string(count) + " images from " + std::to_string(first) +
                                         " on asked for, the set has " +
                                         std::to_string(information.count));
    return information;
  }

  std::unique_ptr<ae_imageset, detail::deleter<ae_imageset, ae_imageset_free>> handle_;
};

/**
 * trainer_options says what to train and how. The fields of ae_trainer_options that point somewhere
 * have owners here, which take their place: hidden, name, progress, log.
 */
struct trainer_options {
  trainer_options() { check(ae_trainer_options_init(&fields, sizeof fields)); }

  /** fields holds all the others; see ae.h. */
  ae_trainer_options fields{};
  /** hidden is the widths of the encoder's hidden layers; nothing: the default. */
  std::optional<std::vector<std::int32_t>> hidden;
  /** name is the model's; empty: the kind's name. */
  std::string name;
  /** progress returns true to go on and false to stop cleanly; it may throw. */
  std::function<bool(const ae_training_progress &)> progress;
  /** log gets lines of text; it may throw. */
  std::function<void(const char *)> log;
};

/** trainer is a network in training, used by one thread at a time. */
class trainer {
public:
  /** trainer(options) is ae_trainer_create. */
  explicit trainer(const trainer_options &options) : callbacks_(new callbacks(options)) {
    ae_trainer_options fields = connected(options);
    // Not NULL, which would ask for the default, even if there are none.
    static constexpr std::int32_t none = 0;
    if (options.hidden) {
      fields.hidden = options.hidden->empty() ? &none : options.hidden->data();
      fields.hidden_count = static_cast<std::int32_t>(options.hidden->size());
    }
    fields.name = options.name.empty() ? nullptr : options.name.c_str();
    ae_trainer *handle = nullptr;
    check(ae_trainer_create(&fields, &handle));
    handle_.reset(handle);
    pixels_ = static_cast<std::size_t>(fields.width) * static_cast<std::size_t>(fields.height);
  }

  /** resume(data, options) is ae_trainer_resume: of the options only the callbacks and their interval. */
  static trainer resume(const std::vector<std::uint8_t> &data, const trainer_options &options = {}) {
    return trainer(options, [&](const ae_trainer_options &fields, ae_trainer **handle) {
      return ae_trainer_resume(data.data(), data.size(), &fields, handle);
    });
  }
  /** resume_file(path, options) is resume for a file. */
  static trainer resume_file(const std::string &path, const trainer_options &options = {}) {
    return trainer(options, [&](const ae_trainer_options &fields, ae_trainer **handle) {
      return ae_trainer_resume_file(path.c_str(), &fields, handle);
    });
  }

  const ae_trainer *get() const noexcept { return handle_.get(); }

  /**
   * fit(images, count) trains until all steps are done and returns true, or false if progress stopped
   * it; called again it goes on. Throws what a callback threw.
   */
  bool fit(const std::uint8_t *images, std::size_t count) {
    const ae_status status = ae_trainer_fit(handle_.get(), images, count);
    rethrow();
    if (status == AE_ERROR_STOPPED)
      return false;
    check(status);
    return true;
  }
  bool fit(const std::vector<std::uint8_t> &images) {
    return fit(images.data(), detail::count_of(images.size(), pixels_, "images"));
  }

  /** step(images, count) makes one step on one batch, and tells how it went. */
  ae_training_progress step(const float *images, std::size_t count) {
    ae_training_progress progress{};
    progress.struct_size = sizeof progress;
    const ae_status status = ae_trainer_step(handle_.get(), images, count, &progress);
    rethrow();
    check(status);
    return progress;
  }
  ae_training_progress step(const std::vector<float> &images) {
    return step(images.data(), detail::count_of(images.size(), pixels_, "images"));
  }

  /** take_model(images, count) is ae_trainer_model; without images the model has no codec. */
  model take_model(const std::uint8_t *images, std::size_t count) const {
    ae_model *handle = nullptr;
    check(ae_trainer_model(get(), images, count, &handle));
    return model(handle);
  }
  model take_model(const std::vector<std::uint8_t> &images) const {
    return take_model(images.data(), detail::count_of(images.size(), pixels_, "images"));
  }
  model take_model() const { return take_model(nullptr, 0); }

  /** to_bytes() is a checkpoint, for resume. */
  std::vector<std::uint8_t> to_bytes() const {
    return detail::filled([&](void *out, std::size_t capacity, std::size_t *size) {
      return ae_trainer_save(get(), out, capacity, size);
    });
  }

  /** save(path) is ae_trainer_save_file: the same bytes to a file. */
  void save(const std::string &path) const { check(ae_trainer_save_file(get(), path.c_str())); }

private:
  // What C's context points to: on the heap, so that a trainer can be moved.
  struct callbacks {
    explicit callbacks(const trainer_options &options) : progress(options.progress), log(options.log) {}
    std::function<bool(const ae_training_progress &)> progress;
    std::function<void(const char *)> log;
    std::exception_ptr thrown;
  };

  template <class Resume>
  trainer(const trainer_options &options, Resume &&call) : callbacks_(new callbacks(options)) {
    const ae_trainer_options fields = connected(options);
    ae_trainer *handle = nullptr;
    check(call(fields, &handle));
    handle_.reset(handle);
    pixels_ = take_model().input_size();
  }

  ae_trainer_options connected(const trainer_options &options) const {
    ae_trainer_options fields = options.fields;
    fields.progress = on_progress;
    fields.log = options.log ? on_log : nullptr;
    fields.context = callbacks_.get();
    return fields;
  }

  static std::int32_t on_progress(void *context, const ae_training_progress *progress) noexcept {
    callbacks &to = *static_cast<callbacks *>(context);
    if (to.thrown)
      return 1;
    try {
      return !to.progress || to.progress(*progress) ? 0 : 1;
    } catch (...) {
      to.thrown = std::current_exception();
      return 1;
    }
  }

  static void on_log(void *context, const char *message) noexcept {
    callbacks &to = *static_cast<callbacks *>(context);
    if (to.thrown)
      return;
    try {
      to.log(message);
    } catch (...) {
      to.thrown = std::current_exception();
    }
  }

  void rethrow() {
    if (callbacks_->thrown)
      std::rethrow_exception(std::exchange(callbacks_->thrown, nullptr));
  }

  // Before the handle, so that they are still there when it is freed.
  std::unique_ptr<callbacks> callbacks_;
  std::unique_ptr<ae_trainer, detail::deleter<ae_trainer, ae_trainer_free>> handle_;
  std::size_t pixels_ = 0;
};

} // namespace ae

#endif // AE_HPP
