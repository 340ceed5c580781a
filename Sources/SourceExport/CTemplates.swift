// The C of exported networks: the arithmetic of docs/format-aew.md, a function an operation. A file gets those that its
// network needs. Indices are int32_t: no map has more than 2^23 numbers, no layer more than 2^28 weights.

/// Functions of the C file that not every network needs.
struct CFunctions: OptionSet {
  let rawValue: UInt32

  static let maps = CFunctions(rawValue: 1 << 0)
  static let denseSum = CFunctions(rawValue: 1 << 1)
  static let dense = CFunctions(rawValue: 1 << 2)
  static let convolutionSum = CFunctions(rawValue: 1 << 3)
  static let convolution = CFunctions(rawValue: 1 << 4)
  static let transposedSum = CFunctions(rawValue: 1 << 5)
  static let transposed = CFunctions(rawValue: 1 << 6)
  static let add = CFunctions(rawValue: 1 << 14)
  static let activate = CFunctions(rawValue: 1 << 15)
  static let concatenate = CFunctions(rawValue: 1 << 16)
  static let meanPool = CFunctions(rawValue: 1 << 17)
  static let maxPool = CFunctions(rawValue: 1 << 18)
  static let upsample = CFunctions(rawValue: 1 << 19)
  static let transpose = CFunctions(rawValue: 1 << 20)

  /// The same functions of layers, for inputs that are words.
  var ofWords: CFunctions { CFunctions(rawValue: rawValue << 7) }
}

enum CTemplates {
  static let common: StaticString = """

    /* The bytes that scaled sums become: up to first the first one, from last on the last one. */
    typedef struct {
      const uint8_t *bytes;
      int16_t first, last;
    } @_table;

    typedef struct {
      const int8_t *weights;
      const int32_t *bias, *multiplier;
      @_table table;
      uint8_t shift, zero;
    } @_layer;

    /* t / (1 << shift), to the nearest integer, halves up. */
    static int64_t @_scaled(int64_t t, int shift) {
      t += (int64_t)1 << (shift - 1);
      return t < 0 ? ~(~t >> shift) : t >> shift;
    }

    static uint8_t @_byte(const @_table *table, int64_t t) {
      return table->bytes[t <= table->first ? 0 : (int32_t)(t < table->last ? t : table->last) - table->first];
    }

    static uint8_t @_result(const @_layer *layer, int32_t channel, int32_t sum) {
      return @_byte(&layer->table, @_scaled((int64_t)sum * layer->multiplier[channel], layer->shift));
    }

    """

  static let map: StaticString = """

    /* From a map of height x width x channels to one of rows x columns x outputs, by windows of tall x wide pixels. */
    typedef struct {
      int32_t height, width, channels, rows, columns, outputs, tall, wide, stride, padding;
    } @_map;

    """

  // Of layers: ` is "bytes" or "words", ^ their type.

  static let denseSum: StaticString = """

    static int32_t @_dense_sum_`(const @_layer *layer, int32_t inputs, int32_t o, const ^ *x) {
      const int8_t *w = layer->weights + o * inputs;
      int32_t sum = layer->bias[o], i;
      for (i = 0; i < inputs; i++)
        sum += (int32_t)w[i] * x[i];
      return sum;
    }

    """

  static let dense: StaticString = """

    static void @_dense_`(const @_layer *layer, int32_t inputs, int32_t outputs, const ^ *x, uint8_t *y) {
      int32_t o;
      for (o = 0; o < outputs; o++)
        y[o] = @_result(layer, o, @_dense_sum_`(layer, inputs, o, x));
    }

    """

  /// Numbers of a window's row lie side by side, in the map and among the weights.
  static let convolutionSum: StaticString = """

    static int32_t @_convolution_sum_`(const @_layer *layer, const @_map *m, int32_t row, int32_t column, int32_t o,
                                       const ^ *x) {
      const int32_t top = row * m->stride - m->padding, left = column * m->stride - m->padding;
      const int32_t first = left < 0 ? -left : 0, end = m->width - left < m->wide ? m->width - left : m->wide;
      int32_t sum = layer->bias[o], i, j;
      for (i = 0; i < m->tall; i++) {
        const int8_t *w = layer->weights + ((o * m->tall + i) * m->wide + first) * m->channels;
        const ^ *from;
        if (top + i < 0 || top + i >= m->height)
          continue;
        from = x + ((top + i) * m->width + left + first) * m->channels;
        for (j = 0; j < (end - first) * m->channels; j++)
          sum += (int32_t)w[j] * (from[j] - layer->zero);
      }
      return sum;
    }

    """

  /// The pixels whose windows this one is in: a stride apart in the window.
  static let transposedSum: StaticString = """

    static int32_t @_transposed_sum_`(const @_layer *layer, const @_map *m, int32_t row, int32_t column, int32_t o,
                                      const ^ *x) {
      const int32_t bottom = row + m->padding, right = column + m->padding;
      int32_t sum = layer->bias[o], i, j, c;
      for (i = bottom % m->stride; i < m->tall && i <= bottom; i += m->stride) {
        const int32_t above = (bottom - i) / m->stride;
        if (above >= m->height)
          continue;
        for (j = right % m->stride; j < m->wide && j <= right; j += m->stride) {
          const int32_t before = (right - j) / m->stride;
          const int8_t *w = layer->weights + ((i * m->wide + j) * m->outputs + o) * m->channels;
          const ^ *from;
          if (before >= m->width)
            continue;
          from = x + (above * m->width + before) * m->channels;
          for (c = 0; c < m->channels; c++)
            sum += (int32_t)w[c] * (from[c] - layer->zero);
        }
      }
      return sum;
    }

    """

  /// Of both kinds of convolutions, which the first word of the name tells.
  static let convolutionHead: StaticString = """

    static void @_
    """
  static let convolutionMiddle: StaticString = """
    _`(const @_layer *layer, const @_map *m, const ^ *x, uint8_t *y) {
      int32_t row, column, o;
      for (row = 0; row < m->rows; row++)
        for (column = 0; column < m->columns; column++)
          for (o = 0; o < m->outputs; o++)
            *y++ = @_result(layer, o, @_
    """
  static let convolutionEnd: StaticString = """
    _sum_`(layer, m, row, column, o, x));
    }

    """

  static let add: StaticString = """

    typedef struct {
      int32_t multiplier[2];
      @_table table;
      uint8_t shift, zero[2];
    } @_addition;

    static void @_add(const @_addition *add, int32_t count, const uint8_t *x0, const uint8_t *x1, uint8_t *y) {
      int32_t i;
      for (i = 0; i < count; i++)
        y[i] = @_byte(&add->table, @_scaled((int64_t)(x0[i] - add->zero[0]) * add->multiplier[0] +
                                            (int64_t)(x1[i] - add->zero[1]) * add->multiplier[1], add->shift));
    }

    """

  static let activate: StaticString = """

    static void @_activate(const uint8_t *table, int32_t count, const uint8_t *x, uint8_t *y) {
      int32_t i;
      for (i = 0; i < count; i++)
        y[i] = table[x[i]];
    }

    """

  static let concatenate: StaticString = """

    static void @_concatenate(const uint8_t *table, int32_t pixels, int32_t channels0, int32_t channels1, const uint8_t *x0,
                              const uint8_t *x1, uint8_t *y) {
      int32_t i, c;
      for (i = 0; i < pixels; i++) {
        for (c = 0; c < channels0; c++)
          *y++ = table[*x0++];
        for (c = 0; c < channels1; c++)
          *y++ = table[256 + *x1++];
      }
    }

    """

  static let meanPool: StaticString = """

    static void @_mean_pool(const @_map *m, const uint8_t *x, uint8_t *y) {
      const uint32_t count = (uint32_t)(m->tall * m->wide);
      int32_t row, column, c, i, j;
      for (row = 0; row < m->rows; row++)
        for (column = 0; column < m->columns; column++)
          for (c = 0; c < m->channels; c++) {
            uint32_t sum = 0;
            for (i = row * m->stride; i < row * m->stride + m->tall; i++)
              for (j = column * m->stride; j < column * m->stride + m->wide; j++)
                sum += x[(i * m->width + j) * m->channels + c];
            *y++ = (uint8_t)((2 * sum + count) / (2 * count));
          }
    }

    """

  static let maxPool: StaticString = """

    static void @_max_pool(const @_map *m, const uint8_t *x, uint8_t *y) {
      int32_t row, column, c, i, j;
      for (row = 0; row < m->rows; row++)
        for (column = 0; column < m->columns; column++)
          for (c = 0; c < m->channels; c++) {
            const int32_t top = row * m->stride - m->padding, left = column * m->stride - m->padding;
            uint8_t most = 0;
            for (i = top < 0 ? 0 : top; i < top + m->tall && i < m->height; i++)
              for (j = left < 0 ? 0 : left; j < left + m->wide && j < m->width; j++) {
                const uint8_t here = x[(i * m->width + j) * m->channels + c];
                most = here > most ? here : most;
              }
            *y++ = most;
          }
    }

    """

  static let upsample: StaticString = """

    static void @_upsample(const @_map *m, const uint8_t *x, uint8_t *y) {
      int32_t row, column, c;
      for (row = 0; row < m->rows; row++)
        for (column = 0; column < m->columns; column++)
          for (c = 0; c < m->channels; c++)
            *y++ = x[(row / m->stride * m->width + column / m->stride) * m->channels + c];
    }

    """

  static let transpose: StaticString = """

    static void @_transpose(int32_t rows, int32_t columns, const uint8_t *x, uint8_t *y) {
      int32_t row, column;
      for (column = 0; column < columns; column++)
        for (row = 0; row < rows; row++)
          *y++ = x[row * columns + column];
    }

    """

  // The encoder's two ends.

  static let encode: StaticString = """

    void @_encode(const uint8_t *pixels, int16_t *code, void *scratch) {
      const uint8_t *x = @_hidden(pixels, (uint8_t *)scratch);
      int32_t i, channel;
      for (i = 0; i < @_LATENT_COUNT; i++) {
        const int32_t sum = @_last(x, i, &channel);
        const int64_t t = @_scaled((int64_t)sum * @_encoder_$.multiplier[channel], @_encoder_$.shift);
        code[i] = (int16_t)(t < -16383 ? -16383 : t > 16383 ? 16383 : t);
      }
    }

    void @_encode_sums(const uint8_t *pixels, int32_t *sums, void *scratch) {
      const uint8_t *x = @_hidden(pixels, (uint8_t *)scratch);
      int32_t i, channel;
      for (i = 0; i < @_LATENT_COUNT; i++)
        sums[i] = @_last(x, i, &channel);
    }

    """

  // Floats, for those who ask for them.

  static let fromFloats: StaticString = """

    void @_from_floats(const float *latents, int16_t *code) {
      int32_t i;
      for (i = 0; i < @_LATENT_COUNT; i++) {
        double v = (double)latents[i] / (double)@_scales[i] * 256.0;
        int32_t n;
        v = v > -16383.0 ? v < 16383.0 ? v : 16383.0 : -16383.0;
        n = (int32_t)v;
        v -= (double)n;
        code[i] = (int16_t)(n + (v >= 0.5) - (v <= -0.5));
      }
    }

    """

  static let toFloats: StaticString = """

    void @_to_floats(const int32_t *sums, float *latents) {
      int32_t i;
      for (i = 0; i < @_LATENT_COUNT; i++)
        latents[i] = (float)sums[i] * @_sum_scales[i];
    }

    """

  static let module: StaticString = """

    #ifdef @_WASM
    /* A module of its own, with the memory that it works in. */
    #define @_EXPORT(name) __attribute__((export_name(name)))
    static int16_t @_wasm_code[@_LATENT_COUNT];
    static uint8_t @_wasm_pixels[@_IMAGE_SIZE], @_wasm_scratch[@_SCRATCH_SIZE];
    @_EXPORT("width") int32_t @_wasm_width(void) { return @_WIDTH; }
    @_EXPORT("height") int32_t @_wasm_height(void) { return @_HEIGHT; }
    @_EXPORT("channels") int32_t @_wasm_channels(void) { return @_CHANNELS; }
    @_EXPORT("latent_count") int32_t @_wasm_latent_count(void) { return @_LATENT_COUNT; }
    @_EXPORT("code") int16_t *@_wasm_code_place(void) { return @_wasm_code; }
    @_EXPORT("pixels") uint8_t *@_wasm_pixels_place(void) { return @_wasm_pixels; }
    @_EXPORT("decode") void @_wasm_decode(void) { @_decode(@_wasm_code, @_wasm_pixels, @_wasm_scratch); }

    """

  static let moduleEncoder: StaticString = """
    @_EXPORT("encode") void @_wasm_encode(void) { @_encode(@_wasm_pixels, @_wasm_code, @_wasm_scratch); }

    """
}
