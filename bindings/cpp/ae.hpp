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
 * - ae::context, ae::options, ae::model, ae::image_set, ae::writer and ae::trainer each own one C handle.
 *   They move and do not copy. One that has been moved from may only be assigned to or destroyed. get() gives
 *   the C handle, for calls of ae.h; release() gives it away.
 * - Calls that work take an ae::context last, and none by default, as NULL in ae.h; it is not kept by models.
 * - A failed call throws ae::error, whose what() is ae_last_error() and whose status() is the ae_status.
 *   std::bad_alloc comes only from the vectors.
 * - Calls come in two forms. Those that take pointers and a count of images write to the caller's
 *   memory and allocate nothing on this side. Those that take a std::vector derive the count from its
 *   size, throw AE_ERROR_SHAPE if that is not whole, and return one new vector of exactly the size of
 *   the result.
 * - Callbacks are std::functions. What they throw stops the work and is thrown again by the call
 *   that works; it never passes through C frames.
 * - Threads: as in ae.h. A const ae::model and a const ae::image_set may be used by many at a time.
 */
#ifndef AE_HPP
#define AE_HPP

#include <ae.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <type_traits>
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

/** set_threads(threads) is ae_set_threads: how many threads a call without a context may use, 0 for all processors. */
inline void set_threads(std::int32_t threads) { check(ae_set_threads(threads)); }

/** release_memory() is ae_release_memory. */
inline void release_memory() { ae_release_memory(); }

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

/** text_of(call) is the string of a call that takes (out, capacity, size) and counts a closing NUL. */
template <class Call> std::string text_of(Call &&call) {
  std::size_t size = 0;
  check(call(nullptr, std::size_t{0}, &size));
  std::string text(size, '\0');
  check(call(text.data(), text.size(), &size));
  text.resize(size == 0 ? 0 : size - 1);
  return text;
}

template <class Handle, void (*Free)(Handle *)> struct deleter {
  void operator()(Handle *handle) const noexcept { Free(handle); }
};

/** thrown keeps what a callback threw, from any thread, until the call that it was for has returned. */
class thrown {
public:
  /** guard(call) runs a callback's body: what it returns, or 1, which stops, if it throws or one threw before. */
  template <class Call> std::int32_t guard(Call &&call) noexcept {
    try {
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (exception_)
          return 1;
      }
      return call();
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex_);
      exception_ = std::current_exception();
      return 1;
    }
  }
  /** check(status) throws what a callback threw, or else the error for the status. */
  void check(ae_status status) {
    rethrow();
    ae::check(status);
  }
  void rethrow() {
    std::exception_ptr exception;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      exception = std::exchange(exception_, nullptr);
    }
    if (exception)
      std::rethrow_exception(exception);
  }

private:
  std::mutex mutex_;
  std::exception_ptr exception_;
};

} // namespace detail

/** count_progress is told how many images (or steps) are done, and of how many, 0 if that is not known; true goes on. */
using count_progress = std::function<bool(std::uint64_t done, std::uint64_t count)>;

namespace detail {

/** counting is what the context of an ae_count_callback points to. */
struct counting {
  count_progress progress;
  detail::thrown thrown;
  static std::int32_t call(void *context, std::uint64_t done, std::uint64_t count) noexcept {
    counting &to = *static_cast<counting *>(context);
    return to.thrown.guard([&] { return !to.progress || to.progress(done, count) ? 0 : 1; });
  }
};

} // namespace detail

/** context says with how many threads and whose memory calls work, and where they look for models. */
class context {
public:
  /** context(threads, model_path) is ae_context_create; 0 and "" stand for the defaults. */
  explicit context(std::int32_t threads, const std::string &model_path = std::string())
      : context(fields(threads, model_path)) {}
  /** context(options) is ae_context_create with all its options; struct_size is set here. */
  explicit context(ae_context_options options) {
    options.struct_size = sizeof options;
    ae_context *handle = nullptr;
    check(ae_context_create(&options, &handle));
    handle_.reset(handle);
  }

  const ae_context *get() const noexcept { return handle_.get(); }
  /** A context is taken wherever ae.h takes one. */
  operator const ae_context *() const noexcept { return get(); }

private:
  static ae_context_options fields(std::int32_t threads, const std::string &model_path) {
    ae_context_options options{};
    options.threads = threads;
    options.model_path = model_path.empty() ? nullptr : model_path.c_str();
    return options;
  }

  std::unique_ptr<ae_context, detail::deleter<ae_context, ae_context_free>> handle_;
};

/** options holds values for the options of one table: ae::options(AE_OPTIONS_TRAINING).set("steps", 3000). */
class options {
public:
  /** options(table) is ae_options_create: all defaults. */
  explicit options(std::int32_t table) {
    ae_options *handle = nullptr;
    check(ae_options_create(table, &handle));
    handle_.reset(handle);
  }
  /** options(table, values) sets some from text: {{"kind", "vae"}, {"steps", "3000"}}. */
  options(std::int32_t table, std::initializer_list<std::pair<const char *, std::string>> values)
      : options(table) {
    for (const auto &[key, value] : values)
      set(key, value);
  }
  /** options(handle) takes over a handle of ae.h. */
  explicit options(ae_options *handle) noexcept : handle_(handle) {}

  const ae_options *get() const noexcept { return handle_.get(); }

  /** set(key, value) is ae_options_set, or ae_options_set_integer or _number for numbers, bool and AE_KIND_... */
  options &set(const std::string &key, const std::string &value) {
    check(ae_options_set(handle_.get(), key.c_str(), value.c_str()));
    return *this;
  }
  options &set(const std::string &key, const char *value) { return set(key, std::string(value)); }
  template <class Number, class = std::enable_if_t<std::is_arithmetic_v<Number> || std::is_enum_v<Number>>>
  options &set(const std::string &key, Number value) {
    if constexpr (std::is_floating_point_v<Number>)
      check(ae_options_set_number(handle_.get(), key.c_str(), static_cast<double>(value)));
    else if constexpr (std::is_unsigned_v<Number> && sizeof(Number) >= sizeof(std::int64_t))
      set(key, std::to_string(value)); // may not fit int64_t
    else
      check(ae_options_set_integer(handle_.get(), key.c_str(), static_cast<std::int64_t>(value)));
    return *this;
  }
  /** set(key, values) sets an option of type AE_OPTION_INTEGERS. */
  options &set(const std::string &key, const std::vector<std::int32_t> &values) {
    std::string text;
    for (const std::int32_t value : values)
      text += (text.empty() ? "" : ",") + std::to_string(value);
    return set(key, text.empty() ? std::string("none") : text);
  }

  /** value(key) is ae_options_get: a value as text. */
  std::string value(const std::string &key) const {
    return detail::text_of([&](char *out, std::size_t capacity, std::size_t *size) {
      return ae_options_get(get(), key.c_str(), out, capacity, size);
    });
  }

  /** list(table) is what there is to set; strings live as long as the library. */
  static std::vector<ae_option_information> list(std::int32_t table) {
    std::vector<ae_option_information> all(ae_option_count(table));
    for (std::size_t index = 0; index < all.size(); index++) {
      all[index].struct_size = sizeof all[index];
      check(ae_option_info(table, index, &all[index]));
    }
    return all;
  }

  /** presets() is the presets of training: names for set("preset", name). */
  static std::vector<ae_preset_information> presets() {
    std::vector<ae_preset_information> all(ae_preset_count());
    for (std::size_t index = 0; index < all.size(); index++) {
      all[index].struct_size = sizeof all[index];
      check(ae_preset_info(index, &all[index]));
    }
    return all;
  }

private:
  std::unique_ptr<ae_options, detail::deleter<ae_options, ae_options_free>> handle_;
};

namespace detail {
inline const ae_options *get(const options *given) noexcept { return given ? given->get() : nullptr; }
} // namespace detail

/** model is a trained network, immutable. */
class model {
public:
  /** model(handle) takes over a handle of ae.h. */
  explicit model(ae_model *handle) noexcept : handle_(handle) {}

  /** open(path) reads a weight file (.aew). */
  static model open(const std::string &path, const ae_context *in = nullptr) {
    ae_model *handle = nullptr;
    check(ae_model_open(in, path.c_str(), &handle));
    return model(handle);
  }

  /** open(data, byte_count) reads a weight file in memory, which may go after the call. */
  static model open(const void *data, std::size_t byte_count, const ae_context *in = nullptr) {
    ae_model *handle = nullptr;
    check(ae_model_open_memory(in, data, byte_count, &handle));
    return model(handle);
  }
  static model open(const std::vector<std::uint8_t> &data, const ae_context *in = nullptr) {
    return open(data.data(), data.size(), in);
  }

  /** included(name) is ae_model_default: a model that comes with libae; "" for the default one. */
  static model included(const std::string &name = std::string(), const ae_context *in = nullptr) {
    ae_model *handle = nullptr;
    check(ae_model_default(in, name.empty() ? nullptr : name.c_str(), &handle));
    return model(handle);
  }

  /** create(description, tensors) is ae_model_create; struct_size of the tensors is set here. */
  static model create(const std::string &description, std::vector<ae_tensor> tensors,
                      const ae_context *in = nullptr) {
    for (ae_tensor &each : tensors)
      each.struct_size = sizeof each;
    ae_model *handle = nullptr;
    check(ae_model_create(in, description.c_str(), tensors.data(), tensors.size(), &handle));
    return model(handle);
  }

  const ae_model *get() const noexcept { return handle_.get(); }
  ae_model *release() noexcept { return handle_.release(); }

  /** info() is ae_model_info. */
  ae_model_information info() const {
    ae_model_information information{};
    information.struct_size = sizeof information;
    check(ae_model_info(get(), &information));
    return information;
  }

  /** description() is what network it is, for create. */
  std::string description() const {
    return detail::text_of([&](char *out, std::size_t capacity, std::size_t *size) {
      return ae_model_description(get(), out, capacity, size);
    });
  }

  /** tensors() is the arrays of the model: names and values live as long as it does. */
  std::vector<ae_tensor> tensors() const {
    std::vector<ae_tensor> all;
    for (;;) {
      ae_tensor each{};
      each.struct_size = sizeof each;
      const ae_status status = ae_model_tensor(get(), all.size(), &each);
      if (status == AE_ERROR_ARGUMENT && !all.empty())
        return all;
      check(status);
      all.push_back(each);
    }
  }

  /** quantize(images, count, how) is ae_model_quantize: this model with integer networks and a codec. */
  model quantize(const std::uint8_t *images, std::size_t count, const options *how = nullptr,
                 const ae_context *in = nullptr) const {
    ae_model *handle = nullptr;
    check(ae_model_quantize(in, get(), images, count, detail::get(how), &handle));
    return model(handle);
  }
  model quantize(const std::vector<std::uint8_t> &images, const options *how = nullptr,
                 const ae_context *in = nullptr) const {
    return quantize(images.data(), detail::count_of(images.size(), input_size(), "images"), how, in);
  }

  /** fit_lossless(images, count, how, progress) is ae_model_fit_lossless: with a network for lossless coding. */
  model fit_lossless(const std::uint8_t *images, std::size_t count, const options *how = nullptr,
                     count_progress progress = nullptr, const ae_context *in = nullptr) const {
    detail::counting counting;
    counting.progress = std::move(progress);
    ae_model *handle = nullptr;
    counting.thrown.check(ae_model_fit_lossless(in, get(), images, count, detail::get(how),
                                                detail::counting::call, &counting, &handle));
    return model(handle);
  }
  model fit_lossless(const std::vector<std::uint8_t> &images, const options *how = nullptr,
                     count_progress progress = nullptr, const ae_context *in = nullptr) const {
    return fit_lossless(images.data(), detail::count_of(images.size(), input_size(), "images"), how,
                        std::move(progress), in);
  }

  /** shrink(images, count, how, report, progress) is ae_model_shrink: a model of few bytes. */
  model shrink(const std::uint8_t *images, std::size_t count, const options *how = nullptr,
               ae_shrink_report *report = nullptr, count_progress progress = nullptr,
               const ae_context *in = nullptr) const {
    detail::counting counting;
    counting.progress = std::move(progress);
    ae_model *handle = nullptr;
    counting.thrown.check(ae_model_shrink(in, get(), images, count, detail::get(how), detail::counting::call,
                                          &counting, report, &handle));
    return model(handle);
  }
  model shrink(const std::vector<std::uint8_t> &images, const options *how = nullptr,
               ae_shrink_report *report = nullptr, count_progress progress = nullptr,
               const ae_context *in = nullptr) const {
    return shrink(images.data(), detail::count_of(images.size(), input_size(), "images"), how, report,
                  std::move(progress), in);
  }

  /** predictor(images, count, width, height, channels, ...) is ae_predictor_fit: a model that predicts pixels. */
  static model predictor(const std::uint8_t *images, std::size_t count, int width, int height, int channels = 1,
                         const options *how = nullptr, const model *start = nullptr,
                         ae_predictor_report *report = nullptr, count_progress progress = nullptr,
                         const ae_context *in = nullptr) {
    detail::counting counting;
    counting.progress = std::move(progress);
    ae_model *handle = nullptr;
    counting.thrown.check(ae_predictor_fit(in, images, count, width, height, channels, detail::get(how),
                                           start == nullptr ? nullptr : start->get(), detail::counting::call,
                                           &counting, report, &handle));
    return model(handle);
  }

  /** qualities() is what ae_compress gives at qualities 1, 2, ... */
  std::vector<ae_quality_information> qualities() const { return qualities_of(get()); }
  /** included_qualities() is that of the scale over the models that come with libae. */
  static std::vector<ae_quality_information> included_qualities() { return qualities_of(nullptr); }

  /** input_size() is the pixels of an image. */
  std::size_t input_size() const noexcept { return ae_input_size(get()); }
  /** latent_size() is the numbers in a latent code. */
  std::size_t latent_size() const noexcept { return ae_latent_size(get()); }

  /** encode(images, count, latents) is ae_encode: count * input_size() in, count * latent_size() out. */
  void encode(const float *images, std::size_t count, float *latents, const ae_context *in = nullptr) const {
    check(ae_encode(in, get(), images, count, latents));
  }
  void encode(const std::uint8_t *images, std::size_t count, float *latents,
              const ae_context *in = nullptr) const {
    check(ae_encode_u8(in, get(), images, count, latents));
  }
  std::vector<float> encode(const std::vector<float> &images, const ae_context *in = nullptr) const {
    return encoded(images, in);
  }
  std::vector<float> encode(const std::vector<std::uint8_t> &images, const ae_context *in = nullptr) const {
    return encoded(images, in);
  }

  /** decode(latents, count, images) is ae_decode: count * latent_size() in, count * input_size() out. */
  void decode(const float *latents, std::size_t count, float *images, const ae_context *in = nullptr) const {
    check(ae_decode(in, get(), latents, count, images));
  }
  void decode(const float *latents, std::size_t count, std::uint8_t *images,
              const ae_context *in = nullptr) const {
    check(ae_decode_u8(in, get(), latents, count, images));
  }
  std::vector<float> decode(const std::vector<float> &latents, const ae_context *in = nullptr) const {
    return decoded<float>(latents, in);
  }
  std::vector<std::uint8_t> decode_u8(const std::vector<float> &latents, const ae_context *in = nullptr) const {
    return decoded<std::uint8_t>(latents, in);
  }

  /** posterior(images, count, mean, log_variance) is ae_posterior. */
  void posterior(const float *images, std::size_t count, float *mean, float *log_variance,
                 const ae_context *in = nullptr) const {
    check(ae_posterior(in, get(), images, count, mean, log_variance));
  }
  void posterior(const std::uint8_t *images, std::size_t count, float *mean, float *log_variance,
                 const ae_context *in = nullptr) const {
    check(ae_posterior_u8(in, get(), images, count, mean, log_variance));
  }

  /** gaussians are the posteriors of some images: latent_size() numbers each. */
  struct gaussians {
    std::vector<float> mean;
    std::vector<float> log_variance;
  };
  gaussians posterior(const std::vector<float> &images, const ae_context *in = nullptr) const {
    return posteriors(images, in);
  }
  gaussians posterior(const std::vector<std::uint8_t> &images, const ae_context *in = nullptr) const {
    return posteriors(images, in);
  }

  /** prior(count, seed, latents) is ae_prior. */
  void prior(std::size_t count, std::uint64_t seed, float *latents, const ae_context *in = nullptr) const {
    check(ae_prior(in, get(), count, seed, latents));
  }
  std::vector<float> prior(std::size_t count, std::uint64_t seed, const ae_context *in = nullptr) const {
    std::vector<float> latents(detail::size_of(count, latent_size()));
    prior(count, seed, latents.data(), in);
    return latents;
  }

  /** sample(count, seed, images) is ae_sample. */
  void sample(std::size_t count, std::uint64_t seed, float *images, const ae_context *in = nullptr) const {
    check(ae_sample(in, get(), count, seed, images));
  }
  void sample(std::size_t count, std::uint64_t seed, std::uint8_t *images,
              const ae_context *in = nullptr) const {
    check(ae_sample_u8(in, get(), count, seed, images));
  }
  std::vector<float> sample(std::size_t count, std::uint64_t seed, const ae_context *in = nullptr) const {
    return samples<float>(count, seed, in);
  }
  std::vector<std::uint8_t> sample_u8(std::size_t count, std::uint64_t seed,
                                      const ae_context *in = nullptr) const {
    return samples<std::uint8_t>(count, seed, in);
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

  /** save_c(path, prefix, flags) is ae_model_export_c_file. */
  void save_c(const std::string &path, const std::string &prefix = "decoder", std::uint32_t flags = 0) const {
    check(ae_model_export_c_file(get(), prefix.c_str(), flags, path.c_str()));
  }

  /** to_c(prefix, flags) is the decoder as C source: ae_model_export_c. */
  std::string to_c(const std::string &prefix = "decoder", std::uint32_t flags = 0) const {
    return detail::text_of([&](char *out, std::size_t capacity, std::size_t *size) {
      return ae_model_export_c(get(), prefix.c_str(), flags, out, capacity, size);
    });
  }

private:
  static std::vector<ae_quality_information> qualities_of(const ae_model *handle) {
    std::vector<ae_quality_information> all;
    for (std::int32_t quality = 1; quality <= ae_quality_count(nullptr, handle); quality++) {
      ae_quality_information each{};
      each.struct_size = sizeof each;
      check(ae_quality_info(nullptr, handle, quality, &each));
      all.push_back(each);
    }
    return all;
  }
  template <class Pixel>
  std::vector<float> encoded(const std::vector<Pixel> &images, const ae_context *in) const {
    const std::size_t count = detail::count_of(images.size(), input_size(), "images");
    std::vector<float> latents(detail::size_of(count, latent_size()));
    encode(images.data(), count, latents.data(), in);
    return latents;
  }
  template <class Pixel>
  std::vector<Pixel> decoded(const std::vector<float> &latents, const ae_context *in) const {
    const std::size_t count = detail::count_of(latents.size(), latent_size(), "latents");
    std::vector<Pixel> images(detail::size_of(count, input_size()));
    decode(latents.data(), count, images.data(), in);
    return images;
  }
  template <class Pixel> gaussians posteriors(const std::vector<Pixel> &images, const ae_context *in) const {
    const std::size_t count = detail::count_of(images.size(), input_size(), "images");
    const std::size_t size = detail::size_of(count, latent_size());
    gaussians result{std::vector<float>(size), std::vector<float>(size)};
    posterior(images.data(), count, result.mean.data(), result.log_variance.data(), in);
    return result;
  }
  template <class Pixel>
  std::vector<Pixel> samples(std::size_t count, std::uint64_t seed, const ae_context *in) const {
    std::vector<Pixel> images(detail::size_of(count, input_size()));
    sample(count, seed, images.data(), in);
    return images;
  }

  std::unique_ptr<ae_model, detail::deleter<ae_model, ae_model_free>> handle_;
};

namespace detail {

/** image_size(made_with, how) is the bytes of an image that a set is made of: as the options say, or the model. */
inline std::size_t image_size(const model &made_with, const options *how) {
  const ae_model_information of = made_with.info();
  /* A predictor is for images of any size: they are of 28 x 28 unless the options say. */
  const bool any = of.kind == AE_KIND_PREDICTOR;
  const std::pair<const char *, std::int32_t> sides[] = {
      {"width", any ? 28 : of.width}, {"height", any ? 28 : of.height}, {"channels", any ? 1 : of.channels}};
  std::size_t size = 1;
  for (const auto &[key, value] : sides) {
    const std::string told = how ? how->value(key) : "auto";
    size *= told == "auto" ? static_cast<std::size_t>(value) : static_cast<std::size_t>(std::stoul(told));
  }
  return size;
}

} // namespace detail

/**
 * compress(made_with, images, count, how, labels) is ae_compress: the bytes of an image set (.aez).
 *   images: count * width * height * channels bytes, as the options say, or the model.
 *   how:    of AE_OPTIONS_COMPRESSION; NULL for the defaults.
 *   labels: one for each image, or NULL.
 */
inline std::vector<std::uint8_t> compress(const model &made_with, const std::uint8_t *images,
                                          std::size_t count, const options *how = nullptr,
                                          const std::uint8_t *labels = nullptr,
                                          const ae_context *in = nullptr) {
  return detail::filled([&](void *out, std::size_t capacity, std::size_t *size) {
    return ae_compress(in, made_with.get(), images, count, labels, detail::get(how), out, capacity, size);
  });
}
inline std::vector<std::uint8_t> compress(const model &made_with, const std::vector<std::uint8_t> &images,
                                          const options *how = nullptr, const std::uint8_t *labels = nullptr,
                                          const ae_context *in = nullptr) {
  const std::size_t count = detail::count_of(images.size(), detail::image_size(made_with, how), "images");
  return compress(made_with, images.data(), count, how, labels, in);
}

/** compress(images, count, how, labels) is ae_compress with the models that come with libae, where one is needed. */
inline std::vector<std::uint8_t> compress(const std::uint8_t *images, std::size_t count,
                                          const options *how = nullptr, const std::uint8_t *labels = nullptr,
                                          const ae_context *in = nullptr) {
  return detail::filled([&](void *out, std::size_t capacity, std::size_t *size) {
    return ae_compress(in, nullptr, images, count, labels, detail::get(how), out, capacity, size);
  });
}

/** salvaged is what can be read of a set that may be damaged. */
struct salvaged {
  std::vector<std::uint8_t> images; /* the bytes of those that are lost are 0 */
  std::vector<std::uint8_t> lost;   /* 1 for an image that is lost */
  std::size_t lost_count;
};

/** image_set is an open image set, immutable. */
class image_set {
public:
  /** image_set(handle) takes over a handle of ae.h. */
  explicit image_set(ae_imageset *handle) noexcept : handle_(handle) {}

  /** open(path) opens a set whose model is embedded, comes with libae or is on the model path; else with its model. */
  static image_set open(const std::string &path, const ae_context *in = nullptr) {
    return opened(path, nullptr, in);
  }
  static image_set open(const std::string &path, const model &made_with, const ae_context *in = nullptr) {
    return opened(path, made_with.get(), in);
  }

  /** open(data, byte_count) is open for bytes in memory, which may go after the call. */
  static image_set open(const void *data, std::size_t byte_count, const ae_context *in = nullptr) {
    return opened(data, byte_count, nullptr, in);
  }
  static image_set open(const void *data, std::size_t byte_count, const model &made_with,
                        const ae_context *in = nullptr) {
    return opened(data, byte_count, made_with.get(), in);
  }
  static image_set open(const std::vector<std::uint8_t> &data, const ae_context *in = nullptr) {
    return opened(data.data(), data.size(), nullptr, in);
  }
  static image_set open(const std::vector<std::uint8_t> &data, const model &made_with,
                        const ae_context *in = nullptr) {
    return opened(data.data(), data.size(), made_with.get(), in);
  }

  /** reader reads `byte_count` bytes from `offset` on into out, from several threads at once; it may throw. */
  using reader = std::function<void(std::uint64_t offset, std::size_t byte_count, void *out)>;

  /** open(read, byte_count) is ae_imageset_open_callback: a set of `byte_count` bytes that is read by range. */
  static image_set open(reader read, std::uint64_t byte_count, const ae_context *in = nullptr) {
    return opened(std::move(read), byte_count, nullptr, in);
  }
  static image_set open(reader read, std::uint64_t byte_count, const model &made_with,
                        const ae_context *in = nullptr) {
    return opened(std::move(read), byte_count, made_with.get(), in);
  }

  const ae_imageset *get() const noexcept { return handle_.get(); }
  /** release() gives the handle away; not of a set that is read by a reader, which goes with this object. */
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

  /** read(first, count, images) is ae_imageset_read: count * width * height * channels bytes, written. */
  void read(std::uint64_t first, std::size_t count, std::uint8_t *images) const {
    run(ae_imageset_read(get(), first, count, images));
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
    run(ae_imageset_salvage(get(), 0, count, result.images.data(), result.lost.data(), &result.lost_count));
    return result;
  }

  /** latents(first, count, codes) is ae_imageset_latents: count * latent_size floats, written. */
  void latents(std::uint64_t first, std::size_t count, float *codes) const {
    run(ae_imageset_latents(get(), first, count, codes));
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
    run(ae_imageset_labels(get(), 0, marks.size(), marks.data()));
    return marks;
  }

  /** name(index) is the file name of an image; AE_ERROR_KIND if there are none. */
  std::string name(std::uint64_t index) const {
    return detail::text_of([&](char *out, std::size_t capacity, std::size_t *size) {
      return ae_imageset_name(get(), index, out, capacity, size);
    });
  }

private:
  // What C's context points to: on the heap, so that a set can be moved.
  struct reading {
    reader read;
    detail::thrown thrown;
    static std::int32_t call(void *context, std::uint64_t offset, std::size_t byte_count, void *out) noexcept {
      reading &to = *static_cast<reading *>(context);
      return to.thrown.guard([&] {
        to.read(offset, byte_count, out);
        return 0;
      });
    }
  };

  static image_set opened(const std::string &path, const ae_model *made_with, const ae_context *in) {
    ae_imageset *handle = nullptr;
    check(ae_imageset_open(in, path.c_str(), made_with, &handle));
    return image_set(handle);
  }
  static image_set opened(const void *data, std::size_t byte_count, const ae_model *made_with,
                          const ae_context *in) {
    ae_imageset *handle = nullptr;
    check(ae_imageset_open_memory(in, data, byte_count, made_with, &handle));
    return image_set(handle);
  }
  static image_set opened(reader read, std::uint64_t byte_count, const ae_model *made_with,
                          const ae_context *in) {
    image_set set(nullptr);
    set.reading_.reset(new reading);
    set.reading_->read = std::move(read);
    ae_imageset *handle = nullptr;
    set.run(ae_imageset_open_callback(in, reading::call, set.reading_.get(), byte_count, made_with, &handle));
    set.handle_.reset(handle);
    return set;
  }
  // Throws what the reader threw, or else the error for the status.
  void run(ae_status status) const {
    if (status == AE_OK)
      return;
    if (reading_)
      reading_->thrown.rethrow();
    check(status);
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

  // Before the handle, so that it is still there when that is freed.
  std::unique_ptr<reading> reading_;
  std::unique_ptr<ae_imageset, detail::deleter<ae_imageset, ae_imageset_free>> handle_;
};

/** writer writes an image set as images come. It is used by one thread at a time. */
class writer {
public:
  /** sink takes the next bytes of a set, front to back; it may throw, which ends the call. */
  using sink = std::function<void(const void *bytes, std::size_t byte_count)>;

  /** writer(path, made_with, how) is ae_writer_create_file: the file is there once finish() has returned. */
  explicit writer(const std::string &path, const model *made_with = nullptr, const options *how = nullptr,
                  const ae_context *in = nullptr) {
    start([&](ae_writer **handle) {
      return ae_writer_create_file(in, made_with ? made_with->get() : nullptr, detail::get(how), path.c_str(),
                                   handle);
    });
  }

  /** writer(write, made_with, how) is ae_writer_create: the bytes go to a function. */
  explicit writer(sink write, const model *made_with = nullptr, const options *how = nullptr,
                  const ae_context *in = nullptr) {
    calls_->write = std::move(write);
    start([&](ae_writer **handle) {
      return ae_writer_create(in, made_with ? made_with->get() : nullptr, detail::get(how), on_write,
                              calls_.get(), handle);
    });
  }

  /** like(set, write) is ae_writer_create_like: with the options of a set, for add_set. */
  static writer like(const image_set &set, sink write, const ae_context *in = nullptr) {
    writer made{empty()};
    made.calls_->write = std::move(write);
    made.start([&](ae_writer **handle) {
      return ae_writer_create_like(in, set.get(), on_write, made.calls_.get(), handle);
    });
    return made;
  }

  /** append(path, made_with) is ae_writer_append_file: goes on with the set in a file. */
  static writer append(const std::string &path, const model *made_with = nullptr,
                       const ae_context *in = nullptr) {
    writer made{empty()};
    made.start([&](ae_writer **handle) {
      return ae_writer_append_file(in, path.c_str(), made_with ? made_with->get() : nullptr, handle);
    });
    return made;
  }

  ae_writer *get() const noexcept { return handle_.get(); }

  /** set_progress(progress) sets who is told, and may stop with false, which is AE_ERROR_STOPPED; it may throw. */
  void set_progress(count_progress progress) { calls_->progress = std::move(progress); }

  /** add(images, count, labels, names) is ae_writer_add: count * width * height * channels bytes. */
  void add(const std::uint8_t *images, std::size_t count, const std::uint8_t *labels = nullptr,
           const char *const *names = nullptr) {
    calls_->thrown.check(ae_writer_add(get(), images, count, labels, names));
  }
  /** add(images, count, labels, names) takes vectors of as many labels and names as images, or none. */
  void add(const std::uint8_t *images, std::size_t count, const std::vector<std::uint8_t> &labels,
           const std::vector<std::string> &names = {}) {
    if ((!labels.empty() && labels.size() != count) || (!names.empty() && names.size() != count))
      throw error(AE_ERROR_SHAPE, "labels and names: one for each of " + std::to_string(count) +
                                      " images expected, " + std::to_string(labels.size()) + " and " +
                                      std::to_string(names.size()) + " came");
    std::vector<const char *> strings;
    for (const std::string &name : names)
      strings.push_back(name.c_str());
    add(images, count, labels.empty() ? nullptr : labels.data(), strings.empty() ? nullptr : strings.data());
  }

  /** add_set(set, first, count) is ae_writer_add_set: copies blocks. */
  void add_set(const image_set &set, std::uint64_t first, std::uint64_t count) {
    calls_->thrown.check(ae_writer_add_set(get(), set.get(), first, count));
  }
  void add_set(const image_set &set) { add_set(set, 0, set.size()); }

  /** finish() is ae_writer_finish: writes what is left. Without it a file stays as it was. */
  void finish() { calls_->thrown.check(ae_writer_finish(get())); }

private:
  struct empty {};
  explicit writer(empty) {}

  // What C's contexts point to: on the heap, so that a writer can be moved.
  struct calls : detail::counting {
    sink write;
  };

  static std::int32_t on_write(void *context, const void *bytes, std::size_t byte_count) noexcept {
    calls &to = *static_cast<calls *>(context);
    return to.thrown.guard([&] {
      to.write(bytes, byte_count);
      return 0;
    });
  }

  template <class Create> void start(Create &&create) {
    ae_writer *handle = nullptr;
    calls_->thrown.check(create(&handle));
    handle_.reset(handle);
    check(ae_writer_set_progress(handle, detail::counting::call, static_cast<detail::counting *>(calls_.get())));
  }

  // Before the handle, so that they are still there when it is freed.
  std::unique_ptr<calls> calls_{new calls};
  std::unique_ptr<ae_writer, detail::deleter<ae_writer, ae_writer_free>> handle_;
};

/** concatenate_files(paths, out_path) is ae_concatenate_files: sets, one after the other, as one. */
inline void concatenate_files(const std::vector<std::string> &paths, const std::string &out_path,
                              const ae_context *in = nullptr) {
  std::vector<const char *> strings;
  for (const std::string &path : paths)
    strings.push_back(path.c_str());
  check(ae_concatenate_files(in, strings.data(), strings.size(), out_path.c_str()));
}

/** split_file(path, first, count, out_path) is ae_split_file: some images of a set as a set. */
inline void split_file(const std::string &path, std::uint64_t first, std::uint64_t count,
                       const std::string &out_path, const ae_context *in = nullptr) {
  check(ae_split_file(in, path.c_str(), first, count, out_path.c_str()));
}

/** trainer_callbacks says whom to tell how training goes. */
struct trainer_callbacks {
  /** progress returns true to go on and false to stop cleanly; it may throw. */
  std::function<bool(const ae_training_progress &)> progress;
  /** log gets lines of text; it may throw. */
  std::function<void(const char *)> log;
  /** poll is asked some ten times a second; as progress, but told nothing. */
  std::function<bool()> poll;
  /** progress_interval is the steps between progress calls; 0: 500. */
  std::uint64_t progress_interval = 0;
};

/** trainer is a network in training, used by one thread at a time. */
class trainer {
public:
  /** trainer(how, callbacks) is ae_trainer_create: `how` is of AE_OPTIONS_TRAINING. */
  explicit trainer(const options &how, trainer_callbacks callbacks = {}, const ae_context *in = nullptr)
      : trainer(std::move(callbacks), [&](ae_trainer **handle) {
          return ae_trainer_create(in, how.get(), handle);
        }) {}

  /** trainer(start, how, callbacks) is ae_trainer_create_from: it starts from the weights of a model. */
  trainer(const model &start, const options &how, trainer_callbacks callbacks = {},
          const ae_context *in = nullptr)
      : trainer(std::move(callbacks), [&](ae_trainer **handle) {
          return ae_trainer_create_from(in, start.get(), how.get(), handle);
        }) {}

  /** resume(data, callbacks) is ae_trainer_resume: the trainer of a checkpoint, with its options. */
  static trainer resume(const std::vector<std::uint8_t> &data, trainer_callbacks callbacks = {},
                        const ae_context *in = nullptr) {
    return trainer(std::move(callbacks), [&](ae_trainer **handle) {
      return ae_trainer_resume(in, data.data(), data.size(), handle);
    });
  }
  /** resume_file(path, callbacks) is resume for a file. */
  static trainer resume_file(const std::string &path, trainer_callbacks callbacks = {},
                             const ae_context *in = nullptr) {
    return trainer(std::move(callbacks), [&](ae_trainer **handle) {
      return ae_trainer_resume_file(in, path.c_str(), handle);
    });
  }

  const ae_trainer *get() const noexcept { return handle_.get(); }

  /** set_callbacks(callbacks) tells these, instead of those before. */
  void set_callbacks(trainer_callbacks callbacks) {
    callbacks_->to = std::move(callbacks);
    ae_trainer_callbacks fields{};
    fields.struct_size = sizeof fields;
    fields.progress_interval = callbacks_->to.progress_interval;
    fields.progress = on_progress;
    fields.log = callbacks_->to.log ? on_log : nullptr;
    fields.poll = callbacks_->to.poll ? on_poll : nullptr;
    fields.context = callbacks_.get();
    check(ae_trainer_set_callbacks(handle_.get(), &fields));
  }

  /** how() is ae_trainer_get_options: a copy of its options. */
  options how() const {
    ae_options *handle = nullptr;
    check(ae_trainer_get_options(get(), &handle));
    return options(handle);
  }

  /**
   * fit(images, count) trains until all steps are done and returns true, or false if progress stopped
   * it; called again it goes on. Throws what a callback threw.
   */
  bool fit(const std::uint8_t *images, std::size_t count) {
    const ae_status status = ae_trainer_fit(handle_.get(), images, count);
    callbacks_->thrown.rethrow();
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
    callbacks_->thrown.check(ae_trainer_step(handle_.get(), images, count, &progress));
    return progress;
  }
  ae_training_progress step(const std::vector<float> &images) {
    return step(images.data(), detail::count_of(images.size(), pixels_, "images"));
  }

  /** take_model(images, count) is ae_trainer_model; without images the model has no codec. */
  model take_model(const std::uint8_t *images, std::size_t count) const {
    ae_model *handle = nullptr;
    callbacks_->thrown.check(ae_trainer_model(get(), images, count, &handle));
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
  struct calls {
    trainer_callbacks to;
    detail::thrown thrown;
  };

  template <class Create> trainer(trainer_callbacks callbacks, Create &&create) : callbacks_(new calls) {
    ae_trainer *handle = nullptr;
    check(create(&handle));
    handle_.reset(handle);
    set_callbacks(std::move(callbacks));
    const options given = how();
    pixels_ = static_cast<std::size_t>(std::stoul(given.value("width")) * std::stoul(given.value("height")));
  }

  static std::int32_t on_progress(void *context, const ae_training_progress *progress) noexcept {
    calls &self = *static_cast<calls *>(context);
    return self.thrown.guard([&] { return !self.to.progress || self.to.progress(*progress) ? 0 : 1; });
  }

  static std::int32_t on_poll(void *context) noexcept {
    calls &self = *static_cast<calls *>(context);
    return self.thrown.guard([&] { return self.to.poll() ? 0 : 1; });
  }

  static void on_log(void *context, const char *message) noexcept {
    calls &self = *static_cast<calls *>(context);
    self.thrown.guard([&] {
      self.to.log(message);
      return 0;
    });
  }

  // Before the handle, so that they are still there when it is freed.
  std::unique_ptr<calls> callbacks_;
  std::unique_ptr<ae_trainer, detail::deleter<ae_trainer, ae_trainer_free>> handle_;
  std::size_t pixels_ = 0;
};

} // namespace ae

#endif // AE_HPP
