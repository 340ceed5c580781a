// What ae.hpp promises, tried against the library: ownership, errors, vectors, callbacks that throw.
// Exit 0 if all holds; otherwise it says which line does not.

#include <ae.hpp>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <type_traits>

static_assert(!std::is_copy_constructible_v<ae::model> && std::is_nothrow_move_constructible_v<ae::model>);
static_assert(!std::is_copy_constructible_v<ae::image_set> && std::is_nothrow_move_assignable_v<ae::image_set>);
static_assert(!std::is_copy_constructible_v<ae::trainer> && std::is_nothrow_move_constructible_v<ae::trainer>);
static_assert(!std::is_copy_constructible_v<ae::writer> && std::is_nothrow_move_constructible_v<ae::writer>);
static_assert(!std::is_copy_constructible_v<ae::options> && std::is_nothrow_move_constructible_v<ae::options>);
static_assert(!std::is_copy_constructible_v<ae::context> && std::is_nothrow_move_constructible_v<ae::context>);

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

static std::vector<std::uint8_t> file(const char *path) {
  std::ifstream stream(path, std::ios::binary);
  return std::vector<std::uint8_t>(std::istreambuf_iterator<char>(stream), {});
}

static ae::options small(const char *kind) {
  ae::options options(AE_OPTIONS_TRAINING, {{"kind", kind}, {"name", "bars"}});
  options.set("width", side).set("height", side).set("latent_size", 3).set("batch_size", 20).set("steps", 60);
  options.set("hidden", std::vector<std::int32_t>{12});
  return options;
}

static void tables() {
  ae::options options(AE_OPTIONS_TRAINING);
  EXPECT(options.value("steps") == "50000" && options.value("hidden") == "auto");
  options.set("steps", std::size_t{3000}).set("learning_rate", 0.25).set("binarize", true).set("seed", UINT64_MAX);
  EXPECT(options.value("steps") == "3000" && options.value("learning_rate") == "0.25");
  EXPECT(options.value("binarize") == "true" && options.value("seed") == std::to_string(UINT64_MAX));
  EXPECT(options.set("hidden", std::vector<std::int32_t>{}).value("hidden") == "none");
  EXPECT(options.set("hidden", std::vector<std::int32_t>{5, 6}).value("hidden") == "5,6");
  EXPECT(options.set("schedule", "cosine").value("schedule") == "cosine");
  EXPECT(options.set("kind", AE_KIND_VAE).value("kind") == "vae");
  EXPECT(status_of([&] { options.set("step", 3); }) == AE_ERROR_ARGUMENT);
  EXPECT(std::string(ae_last_error()).find("steps") != std::string::npos);
  EXPECT(status_of([&] { options.set("steps", -1); }) == AE_ERROR_ARGUMENT);
  EXPECT(status_of([] { ae::options none(99); }) == AE_ERROR_ARGUMENT);
  for (const std::int32_t table : {AE_OPTIONS_TRAINING, AE_OPTIONS_COMPRESSION, AE_OPTIONS_QUANTIZATION,
                                   AE_OPTIONS_LOSSLESS, AE_OPTIONS_PREDICTOR}) {
    const ae::options all(table);
    EXPECT(!ae::options::list(table).empty());
    for (const ae_option_information &each : ae::options::list(table))
      EXPECT(all.value(each.key) == each.default_value && each.documentation[0] != '\0');
  }
  for (const ae_preset_information &each : ae::options::presets())
    EXPECT(status_of([&] { ae::options(AE_OPTIONS_TRAINING).set("preset", each.name); }) == AE_OK);
}

static void models_and_sets() {
  const ae::context two(2);
  const std::vector<std::uint8_t> images = bars(100);
  ae::options longer = small("vae");
  longer.set("steps", 1500).set("beta", 0.1);
  ae::trainer trainer(longer, {}, two);
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
  EXPECT(model.to_c("bars").find("void bars_decode(") != std::string::npos);
  EXPECT(model.to_c("bars", AE_EXPORT_ENCODER).find("void bars_encode(") != std::string::npos);
  model.save_c("bars.c", "bars");
  EXPECT(status_of([&] { model.save_c("/nowhere/bars.c"); }) == AE_ERROR_IO);
  EXPECT(status_of([&] { decoder.to_c("bars", AE_EXPORT_ENCODER); }) == AE_ERROR_KIND);
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

  EXPECT(model.encode(images, two) == latents && again.decode_u8(latents, two) == model.decode_u8(latents));
  const ae::model made = ae::model::create(model.description(), model.tensors());
  EXPECT(made.encode(images) == latents && made.description() == model.description());
  EXPECT(made.tensors().size() == 8 && std::string(made.tensors()[0].name) == "encoder.0.weight");
  EXPECT(status_of([&] { ae::model::create(model.description(), {}); }) == AE_ERROR_SHAPE);
  EXPECT(status_of([&] { ae::compress(made, images); }) == AE_ERROR_KIND);
  const ae::model fitted = made.quantize(images);
  EXPECT(ae::compress(fitted, images).size() < images.size());
  EXPECT(status_of([&] { made.fit_lossless(images); }) == AE_ERROR_KIND);
  EXPECT(static_cast<std::int32_t>(model.qualities().size()) == model.info().quality_count);
  EXPECT(made.qualities().empty());

  ae::options options(AE_OPTIONS_COMPRESSION);
  options.set("block_images", 16);
  const std::vector<std::uint8_t> labels(100, 7);
  const std::vector<std::uint8_t> packed = ae::compress(model, images, &options, labels.data());
  EXPECT(ae::compress(model, images, &options, labels.data(), two) == packed);
  ae::image_set moved = ae::image_set::open(packed, model);
  const ae::image_set set = std::move(moved);
  EXPECT(set.info().byte_count == packed.size() && set.info().kept_count == 0);
  EXPECT(set.info().mode == AE_MODE_LOSSY);
  const std::vector<std::uint8_t> decoded = set.read();
  EXPECT(set.size() == 100 && decoded.size() == images.size() && set.labels() == labels);
  EXPECT(set.read(33, 2) == std::vector<std::uint8_t>(decoded.begin() + 33 * pixels, decoded.begin() + 35 * pixels));
  EXPECT(set.latents().size() == 300 && set.latents(99, 1).size() == 3);
  EXPECT(status_of([&] { set.read(99, 2); }) == AE_ERROR_ARGUMENT);
  EXPECT(status_of([&] { set.read(0, SIZE_MAX); }) == AE_ERROR_ARGUMENT);
  EXPECT(status_of([&] { set.name(0); }) == AE_ERROR_KIND);
  EXPECT(status_of([&] { ae::image_set::open(packed); }) == AE_ERROR_MODEL);
  options.set("embed_model", true);
  EXPECT(ae::image_set::open(ae::compress(model, images, &options)).read() == decoded);
  options = ae::options(AE_OPTIONS_COMPRESSION, {{"mode", "lossless"}});
  options.set("width", side).set("height", side);
  EXPECT(ae::image_set::open(ae::compress(images.data(), 100, &options)).read() == images);
  // In colour: as many bytes are a third of the images, with a model, too, which is of no use to them.
  options.set("channels", 3);
  const std::vector<std::uint8_t> colours(images.begin(), images.begin() + 99 * pixels);
  const ae::image_set colour = ae::image_set::open(ae::compress(model, colours, &options));
  EXPECT(colour.size() == 33 && colour.info().channels == 3 && colour.read() == colours);
  EXPECT(colour.read(32, 1) == std::vector<std::uint8_t>(colours.end() - 3 * pixels, colours.end()));
  EXPECT(colour.salvage().images == colours);
  EXPECT(status_of([&] { ae::compress(model, images, &options); }) == AE_ERROR_SHAPE);
  EXPECT(status_of([&] { options.set("channels", 2); }) == AE_ERROR_ARGUMENT);

  // As images come.
  options = ae::options(AE_OPTIONS_COMPRESSION, {{"block_images", "16"}});
  std::vector<std::uint8_t> written;
  const ae::writer::sink take = [&](const void *bytes, std::size_t count) {
    const auto *first = static_cast<const std::uint8_t *>(bytes);
    written.insert(written.end(), first, first + count);
  };
  ae::writer first(take, &model, &options, two);
  ae::writer writer = std::move(first);
  writer.add(images.data(), 33, labels.data());
  writer.add(images.data() + 33 * pixels, 67, labels.data());
  writer.finish();
  EXPECT(written == packed);
  {
    ae::writer unfinished("bars.aez", &model, &options);
    unfinished.add(images.data(), 100);
  }
  EXPECT(file("bars.aez").empty());
  ae::writer to_file("bars.aez", &model, &options);
  to_file.add(images.data(), 64, std::vector<std::uint8_t>(64, 7), std::vector<std::string>(64, "name"));
  EXPECT(status_of([&] { to_file.add(images.data(), 9, labels); }) == AE_ERROR_SHAPE);
  to_file.finish();
  EXPECT(ae::image_set::open("bars.aez", model).name(63) == "name");
  ae::writer more = ae::writer::append("bars.aez", &model);
  more.add(images.data() + 64 * pixels, 36, std::vector<std::uint8_t>(36, 7), std::vector<std::string>(36, "name"));
  more.finish();
  EXPECT(ae::image_set::open("bars.aez", model).read() == decoded);
  written.clear();
  ae::writer like = ae::writer::like(set, take);
  like.add_set(set, 0, 32);
  EXPECT(status_of([&] { like.add_set(set, 40, 8); }) == AE_ERROR_ARGUMENT);
  like.add_set(set, 32, 68);
  like.finish();
  EXPECT(written == packed);
  ae::split_file("bars.aez", 0, 32, "left.aez");
  ae::split_file("bars.aez", 32, 68, "right.aez", two);
  ae::concatenate_files({"left.aez", "right.aez"}, "whole.aez");
  EXPECT(file("whole.aez") == file("bars.aez"));
  EXPECT(status_of([] { ae::concatenate_files({}, "none.aez"); }) == AE_ERROR_ARGUMENT);

  // What callbacks throw.
  bool caught = false;
  try {
    ae::writer broken([](const void *, std::size_t) { throw std::out_of_range("full"); }, &model, &options);
    broken.add(images.data(), 100);
    broken.finish();
  } catch (const std::out_of_range &error) {
    caught = std::string(error.what()) == "full";
  }
  EXPECT(caught);
  ae::writer told(take, &model, &options);
  told.set_progress([](std::uint64_t, std::uint64_t) { return true; });
  told.add(images.data(), 100);
  told.finish();

  // Read by range.
  bool gone = false;
  const ae::image_set::reader read = [&](std::uint64_t offset, std::size_t count, void *out) {
    if (gone)
      throw std::out_of_range("gone");
    std::memcpy(out, packed.data() + offset, count);
  };
  ae::image_set ranged_first = ae::image_set::open(read, packed.size(), model, two);
  const ae::image_set ranged = std::move(ranged_first);
  EXPECT(ranged.read() == decoded && ranged.labels() == labels);
  gone = true;
  caught = false;
  try {
    ranged.read(0, 1);
  } catch (const std::out_of_range &) {
    caught = true;
  }
  EXPECT(caught);
  gone = false;
  EXPECT(ranged.read() == decoded);
}

static void training() {
  const std::vector<std::uint8_t> images = bars(100);
  std::vector<std::uint64_t> steps;
  ae::options options = small("elu");
  ae::trainer_callbacks callbacks;
  callbacks.progress_interval = 10;
  callbacks.progress = [&](const ae_training_progress &progress) {
    steps.push_back(progress.step);
    if (progress.step == 40)
      throw std::out_of_range("forty");
    return progress.step != 20;
  };
  ae::trainer first(options, callbacks);
  EXPECT(first.how().value("steps") == "60" && first.how().value("name") == "bars");
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

  ae::trainer unbroken(small("elu"));
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
  options.set("loss", "bernoulli").set("output_activation", "linear");
  EXPECT(status_of([&] { ae::trainer wrong(options); }) == AE_ERROR_ARGUMENT);
  EXPECT(status_of([&] { ae::trainer wrong{ae::options(AE_OPTIONS_COMPRESSION)}; }) == AE_ERROR_ARGUMENT);

  // From a model's weights, with callbacks that are changed.
  const ae::model start = trainer.take_model();
  ae::trainer warm(start, small("elu"));
  EXPECT(warm.take_model().encode(images) == start.encode(images));
  std::size_t lines = 0;
  bool was_polled = false;
  callbacks.progress = nullptr;
  callbacks.log = [&](const char *line) { lines += line[0] != '\0'; };
  callbacks.poll = [&] { return was_polled = true; };
  warm.set_callbacks(callbacks);
  EXPECT(warm.fit(images) && lines > 0);
}

int main() {
  ae::require_version();
  ae::set_threads(2);
  tables();
  models_and_sets();
  training();
  return 0;
}
