// What ae.hpp promises, tried against the library: ownership, errors, vectors, callbacks that throw.
// Exit 0 if all holds; otherwise it says which line does not.

#include <ae.hpp>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <type_traits>

static_assert(!std::is_copy_constructible_v<ae::model> && std::is_nothrow_move_constructible_v<ae::model>);
static_assert(!std::is_copy_constructible_v<ae::image_set> && std::is_nothrow_move_assignable_v<ae::image_set>);
static_assert(!std::is_copy_constructible_v<ae::trainer> && std::is_nothrow_move_constructible_v<ae::trainer>);

#define EXPECT(condition)                                                                                    \
  do {                                                                                                       \
    if (!(condition)) {                                                                                      \
      std::fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                                           \
      std::exit(1);                                                                                          \
    }                                                                                                        \
  } while (false)

template <class Call> static ae_status status_of(Call &&call) {
  try {
    call();
  } catch (const ae::error &error) {
    EXPECT(error.what()[0] != '\0');
    return error.status();
  }
  return AE_OK;
}

constexpr int side = 8;
constexpr std::size_t pixels = side * side;

// A soft bar in each image, at one of many places, with a little noise so that codes are the smaller way
// to keep it.
static std::vector<std::uint8_t> bars(std::size_t count) {
  std::vector<std::uint8_t> images(count * pixels);
  std::uint32_t noise = 1;
  for (std::size_t i = 0; i < count * pixels; i++) {
    const double place = 1.5 + static_cast<double>(i / pixels % 17) * 0.25;
    const double distance = static_cast<double>(i % side) - place;
    noise = noise * 1664525 + 1013904223;
    images[i] = static_cast<std::uint8_t>(240 * std::exp(-distance * distance / 3) + (noise >> 29));
  }
  return images;
}

static ae::trainer_options small(std::int32_t kind) {
  ae::trainer_options options;
  options.fields.kind = kind;
  options.fields.width = options.fields.height = side;
  options.fields.latent_size = 3;
  options.fields.batch_size = 20;
  options.fields.step_count = 60;
  options.fields.progress_interval = 10;
  options.hidden = std::vector<std::int32_t>{12};
  options.name = "bars";
  return options;
}

static void models_and_sets() {
  const std::vector<std::uint8_t> images = bars(100);
  ae::trainer_options longer = small(AE_KIND_VAE);
  longer.fields.step_count = 1500;
  longer.fields.beta = 0.1;
  ae::trainer trainer(longer);
  EXPECT(trainer.fit(images));
  const ae::model model = trainer.take_model(images);
  EXPECT(std::string(model.info().name) == "bars" && model.input_size() == pixels && model.latent_size() == 3);

  const std::vector<float> latents = model.encode(images);
  EXPECT(latents.size() == 300);
  std::vector<float> same(300);
  model.encode(images.data(), 100, same.data());
  EXPECT(same == latents);
  EXPECT(model.decode(latents).size() == images.size() && model.decode_u8(latents).size() == images.size());
  const ae::model::gaussians posterior = model.posterior(images);
  EXPECT(posterior.mean.size() == 300 && posterior.log_variance.size() == 300);
  EXPECT(model.sample_u8(5, 9) == model.decode_u8(model.prior(5, 9)));
  EXPECT(model.encode(std::vector<std::uint8_t>()).empty() && model.sample(0, 1).empty());

  const ae::model again = ae::model::open(model.to_bytes());
  EXPECT(again.encode(images) == latents);
  const ae::model decoder = ae::model::open(model.to_bytes(AE_STORAGE_INT8, AE_SAVE_DECODER_ONLY));
  EXPECT(status_of([&] { decoder.encode(images); }) == AE_ERROR_KIND);
  model.save("bars.aew", AE_STORAGE_FLOAT16);
  EXPECT(ae::model::open("bars.aew").info().storage == AE_STORAGE_FLOAT16);

  EXPECT(status_of([] { ae::model::open("/nowhere.aew"); }) == AE_ERROR_IO);
  try {
    model.save("/nowhere/at/all.aew");
    EXPECT(!"reached");
  } catch (const ae::error &error) {
    EXPECT(error.system_errno() == ENOENT);
  }
  try {
    ae::model::open(std::vector<std::uint8_t>(100));
    EXPECT(!"reached");
  } catch (const ae::error &error) {
    EXPECT(error.system_errno() == 0);
  }
  EXPECT(status_of([] { ae::model::open(std::vector<std::uint8_t>(100)); }) == AE_ERROR_FORMAT);
  EXPECT(status_of([&] { model.encode(std::vector<float>(pixels + 1)); }) == AE_ERROR_SHAPE);
  EXPECT(status_of([&] { model.encode(std::vector<float>(pixels, NAN)); }) == AE_ERROR_ARGUMENT);
  EXPECT(status_of([&] { model.sample(SIZE_MAX, 1); }) == AE_ERROR_ARGUMENT);

  ae::compress_options options;
  const std::vector<std::uint8_t> labels(100, 7);
  options.labels = labels.data();
  options.block_images = 16;
  const std::vector<std::uint8_t> packed = ae::compress(model, images, options);
  ae::compress_file(model, images, "bars.aez", options);
  EXPECT(ae::image_set::open("bars.aez", model).info().byte_count == packed.size());
  EXPECT(ae::image_set::open("bars.aez", model).info().kept_count == 0);
  ae::image_set moved = ae::image_set::open(packed, model);
  const ae::image_set set = std::move(moved);
  const std::vector<std::uint8_t> decoded = set.read();
  EXPECT(set.size() == 100 && decoded.size() == images.size() && set.labels() == labels);
  EXPECT(set.read(33, 2) == std::vector<std::uint8_t>(decoded.begin() + 33 * pixels, decoded.begin() + 35 * pixels));
  EXPECT(set.latents().size() == 300 && set.latents(99, 1).size() == 3);
  EXPECT(status_of([&] { set.read(99, 2); }) == AE_ERROR_ARGUMENT);
  EXPECT(status_of([&] { set.read(0, SIZE_MAX); }) == AE_ERROR_ARGUMENT);
  EXPECT(status_of([&] { set.name(0); }) == AE_ERROR_KIND);
  EXPECT(status_of([&] { ae::image_set::open(packed); }) == AE_ERROR_MODEL);
  options.embed_model = 1;
  EXPECT(ae::image_set::open(ae::compress(model, images, options)).read() == decoded);
}

static void training() {
  const std::vector<std::uint8_t> images = bars(100);
  std::vector<std::uint64_t> steps;
  ae::trainer_options options = small(AE_KIND_ELU);
  options.progress = [&](const ae_training_progress &progress) {
    steps.push_back(progress.step);
    if (progress.step == 40)
      throw std::out_of_range("forty");
    return progress.step != 20;
  };
  ae::trainer first(options);
  EXPECT(!first.fit(images));
  ae::trainer trainer = std::move(first);
  try {
    trainer.fit(images);
    EXPECT(!"reached");
  } catch (const std::out_of_range &error) {
    EXPECT(std::string(error.what()) == "forty");
  }
  const std::vector<std::uint8_t> checkpoint = trainer.to_bytes();
  EXPECT(trainer.fit(images));
  EXPECT((steps == std::vector<std::uint64_t>{10, 20, 30, 40, 50, 60}));

  ae::trainer unbroken(small(AE_KIND_ELU));
  EXPECT(unbroken.fit(images));
  EXPECT(unbroken.take_model().to_bytes() == trainer.take_model().to_bytes());
  ae::trainer resumed = ae::trainer::resume(checkpoint);
  EXPECT(resumed.fit(images));
  resumed.save("bars.run");
  EXPECT(ae::trainer::resume_file("bars.run").take_model().to_bytes() == trainer.take_model().to_bytes());
  EXPECT(status_of([&] { resumed.save("/nowhere/at.all"); }) == AE_ERROR_IO);
  EXPECT(status_of([] { ae::trainer::resume_file("/nowhere/at.all"); }) == AE_ERROR_IO);
  EXPECT(resumed.take_model().to_bytes() == trainer.take_model().to_bytes());

  EXPECT(trainer.step(std::vector<float>(2 * pixels, 0.5f)).step == 61);
  EXPECT(status_of([&] { trainer.fit(std::vector<std::uint8_t>(pixels - 1)); }) == AE_ERROR_SHAPE);
  EXPECT(status_of([] { ae::trainer::resume(std::vector<std::uint8_t>(9)); }) != AE_OK);
  options.fields.latent_size = -1;
  EXPECT(status_of([&] { ae::trainer wrong(options); }) == AE_ERROR_ARGUMENT);
}

int main() {
  ae::require_version();
  ae::set_threads(2);
  models_and_sets();
  training();
  return 0;
}
