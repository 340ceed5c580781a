/*
 * digits.cpp - digits.c in C++, with the wrapper ae.hpp.
 *
 *   digits-cpp MODEL.aew IMAGES.idx OUT.pgm
 *
 * encodes the first ten images of an IDX file, decodes them, and writes a PGM with the inputs in the
 * first row, the outputs in the second and, if the model is variational, ten new digits in the third.
 */
#include <ae.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

using bytes = std::vector<std::uint8_t>;

constexpr std::size_t columns = 10;

// The first images of an IDX file of width x height images.
static bytes read_idx(const std::string &path, int width, int height) {
  std::ifstream file(path, std::ios::binary);
  const bytes data{std::istreambuf_iterator<char>(file), {}};
  const std::size_t size = static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
  if (data.size() < 16 + size || bytes(data.begin(), data.begin() + 4) != bytes{0, 0, 8, 3} ||
      data[10] * 256 + data[11] != height || data[14] * 256 + data[15] != width)
    throw std::runtime_error(path + ": no IDX file of images of the model's size");
  const std::size_t count = std::min(columns, (data.size() - 16) / size);
  return bytes(data.begin() + 16, data.begin() + 16 + static_cast<std::ptrdiff_t>(count * size));
}

static void run(const std::string &weights, const std::string &idx, const std::string &out) {
  const ae::model model = ae::model::open(weights);
  const ae_model_information info = model.info();
  const std::size_t size = model.input_size(), width = static_cast<std::size_t>(info.width);

  const bytes inputs = read_idx(idx, info.width, info.height);
  const std::vector<float> latents = model.encode(inputs);
  std::vector<bytes> rows = {inputs, model.decode_u8(latents)};
  if (info.is_variational)
    rows.push_back(model.sample_u8(columns, 1));

  std::printf("%s: %d pixels to %d numbers; the first image is", info.name, static_cast<int>(size),
              info.latent_size);
  for (int i = 0; i < info.latent_size; i++)
    std::printf(" %.3f", static_cast<double>(latents[static_cast<std::size_t>(i)]));
  std::printf("\n");

  std::ofstream file(out, std::ios::binary);
  file << "P5\n" << columns * width << " " << rows.size() * size / width << "\n255\n";
  for (bytes &row : rows) {
    row.resize(columns * size); // fewer than ten images leave the rest black
    for (std::size_t y = 0; y < size; y += width)
      for (std::size_t x = 0; x < columns; x++)
        file.write(reinterpret_cast<const char *>(row.data() + x * size + y),
                   static_cast<std::streamsize>(width));
  }
  if (!file.flush())
    throw std::runtime_error(out + ": the picture cannot be written");
}

int main(int argc, char **argv) {
  try {
    if (argc != 4)
      throw std::runtime_error("usage: digits-cpp MODEL.aew IMAGES.idx OUT.pgm");
    run(argv[1], argv[2], argv[3]);
  } catch (const std::exception &error) {
    std::cerr << "digits-cpp: " << error.what() << "\n";
    return 1;
  }
}
