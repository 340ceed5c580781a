/*
 * A template (see each_path.h): dense layers in integers. A tile is a few images by up to 64 outputs;
 * groups of four inputs that are zero in all of its images are left out, which is most of a picture's
 * edge and changes no sum.
 *
 * On AVX-512 and AVX-VNNI bytes are multiplied four inputs an instruction, and on Arm by dot products of signed bytes:
 * there an input is 128 less than it is, and 128 times the weights are added. On AVX2, weights in -63 ... 63 are multiplied
 * as bytes two inputs at a time, whose sum, at most 2 * 63 * 255, fits in 16 bits; and so do the sums of as many as their
 * reaches allow. Everywhere else, and for words, two at a time as 16-bit integers: of each group's inputs 0..3, 0 and 2
 * make one pair and 1 and 3 the other, for that is how shifts take packed weights apart. Neither saturates: |w x| <=
 * 127 * 16383, twice, fits int32.
 */
#define LANES VL
#if CK_IS_AVX512 || CK_IS_AVXVNNI
#define IMAGES 6
#define VNNI 1
#elif CK_REGISTERS == 32
#define IMAGES 4
#if CK_IS_DOTPROD
#define DOTPROD 1
#endif
#elif CK_IS_AVX2
#define IMAGES 4
#define NARROW 1
#else
#define IMAGES 2
#endif
/* Vectors of outputs a tile sums at once; 64 outputs are one or more such. */
#if CK_REGISTERS == 32
#define WIDTH 4
#else
#define WIDTH 2
#endif

#ifndef VNNI
#define VNNI 0
#endif
#ifndef DOTPROD
#define DOTPROD 0
#endif
#ifndef NARROW
#define NARROW 0
#endif

#define vi FN(int_vector)
#define vs FN(short_vector)
#define vl FN(long_vector)
typedef int32_t vi __attribute__((vector_size(LANES * 4)));
typedef int16_t vs __attribute__((vector_size(LANES * 4)));
typedef int64_t vl __attribute__((vector_size(LANES * 8)));
typedef int32_t FN(unaligned_int) __attribute__((vector_size(LANES * 4), aligned(4)));

/* Sums of products of neighbours: lane i is w[2i] x[2i] + w[2i+1] x[2i+1]. */
CK_INLINE vi FN(pairs)(vs w, vs x) {
#if CK_IS_AVX512
  return (vi)_mm512_madd_epi16((__m512i)w, (__m512i)x);
#elif CK_IS_AVX2
  return (vi)_mm256_madd_epi16((__m256i)w, (__m256i)x);
#elif defined(__SSE2__)
  return (vi)_mm_madd_epi16((__m128i)w, (__m128i)x);
#else
  return (((vi)w << 16) >> 16) * (((vi)x << 16) >> 16) + ((vi)w >> 16) * ((vi)x >> 16);
#endif
}

/* A vector of groups' weights as 16-bit integers: inputs 0 and 2, 1 and 3. */
CK_INLINE vs FN(even)(vs four) {
#if CK_IS_AVX2
  return (vs)_mm256_maddubs_epi16(_mm256_set1_epi16(1), (__m256i)four);
#else
  return (four << 8) >> 8;
#endif
}
CK_INLINE vs FN(odd)(vs four) {
  return four >> 8;
}

#if VNNI
/* sum += the sums of products of four bytes each. */
CK_INLINE vi FN(quads)(vi sum, uint32_t bytes, vi weights) {
#if CK_IS_AVX512
  return (vi)_mm512_dpbusd_epi32((__m512i)sum, _mm512_set1_epi32((int32_t)bytes), (__m512i)weights);
#elif defined(CK_VNNI_AS_AVX512)
  return (vi)_mm256_dpbusd_epi32((__m256i)sum, _mm256_set1_epi32((int32_t)bytes), (__m256i)weights);
#else
  return (vi)_mm256_dpbusd_avx_epi32((__m256i)sum, _mm256_set1_epi32((int32_t)bytes), (__m256i)weights);
#endif
}
#endif

/* Sums of `vectors` vectors of outputs from `first` of the tile on, for `images` images from `image` on, += what
   the listed groups contribute; both counts and whether the list is of bytes are constants where this is inlined. `block` is the
   distance in bytes between blocks of weights. */
CK_INLINE void FN(add_groups)(const size_t images, const size_t vectors, const int bytes, const integer_list *list,
                              size_t image, const int8_t *weights, size_t block, size_t first, int32_t *sums) {
  vi sum[IMAGES][WIDTH];
  const int8_t *w[WIDTH];
  sums += image * INTEGER_TILE + first;
#pragma clang loop unroll(full)
  for (size_t j = 0; j < vectors; j++) {
    size_t at = first + j * LANES;
    w[j] = weights + at / INTEGER_BLOCK * block + at % INTEGER_BLOCK * 4;
#pragma clang loop unroll(full)
    for (size_t i = 0; i < images; i++)
      sum[i][j] = *(const FN(unaligned_int) *)(sums + i * INTEGER_TILE + j * LANES);
  }
#if CK_IS_DOTPROD
  /* Sums of the weights, which all images share. */
  int32x4_t offset[WIDTH];
  for (size_t j = 0; j < WIDTH; j++)
    offset[j] = vdupq_n_s32(0);
#endif
  for (size_t p = 0; p < list->count; p++) {
    size_t at = (size_t)list->group[p] * (INTEGER_BLOCK * 4);
    vi four[WIDTH];
#pragma clang loop unroll(full)
    for (size_t j = 0; j < vectors; j++)
      four[j] = *(const FN(unaligned_int) *)(w[j] + at);
    (void)bytes;
#if CK_IS_DOTPROD
    if (bytes) {
#pragma clang loop unroll(full)
      for (size_t j = 0; j < vectors; j++)
        offset[j] = vdotq_s32(offset[j], (int8x16_t)four[j], vdupq_n_s8(1));
#pragma clang loop unroll(full)
      for (size_t i = 0; i < images; i++) {
        int8x16_t x = vreinterpretq_s8_u32(vdupq_n_u32(list->bytes[image + i][p]));
#pragma clang loop unroll(full)
        for (size_t j = 0; j < vectors; j++)
          sum[i][j] = (vi)vdotq_s32((int32x4_t)sum[i][j], (int8x16_t)four[j], x);
      }
      continue;
    }
#endif
#if VNNI
    if (bytes) {
#pragma clang loop unroll(full)
      for (size_t i = 0; i < images; i++)
#pragma clang loop unroll(full)
        for (size_t j = 0; j < vectors; j++)
          sum[i][j] = FN(quads)(sum[i][j], list->bytes[image + i][p], four[j]);
      continue;
    }
#endif
    vs even[WIDTH], odd[WIDTH];
#pragma clang loop unroll(full)
    for (size_t j = 0; j < vectors; j++) {
      even[j] = FN(even)((vs)four[j]);
      odd[j] = FN(odd)((vs)four[j]);
    }
#pragma clang loop unroll(full)
    for (size_t i = 0; i < images; i++)
#pragma clang loop unroll(full)
      for (size_t j = 0; j < vectors; j++) {
        sum[i][j] += FN(pairs)(even[j], (vs)((vi){} + list->even[image + i][p]));
        sum[i][j] += FN(pairs)(odd[j], (vs)((vi){} + list->odd[image + i][p]));
      }
  }
#if CK_IS_DOTPROD
  if (bytes)
#pragma clang loop unroll(full)
    for (size_t i = 0; i < images; i++)
#pragma clang loop unroll(full)
      for (size_t j = 0; j < vectors; j++)
        sum[i][j] = (vi)vaddq_s32((int32x4_t)sum[i][j], vshlq_n_s32(offset[j], 7));
#endif
#pragma clang loop unroll(full)
  for (size_t i = 0; i < images; i++)
#pragma clang loop unroll(full)
    for (size_t j = 0; j < vectors; j++)
      *(FN(unaligned_int) *)(sums + i * INTEGER_TILE + j * LANES) = sum[i][j];
}

#if NARROW
/* Adds to the sums of a block the products of `length` groups, which may be added up in 16 bits: one group's weights are at
   `first`, others at `second` and from there on. */
CK_INLINE void FN(add_run)(const size_t images, const size_t length, const integer_list *list, size_t image, size_t p,
                           const int8_t *first, const int8_t *second, vi sum[2][2]) {
  __m256i part[2][2];
#pragma clang loop unroll(full)
  for (size_t g = 0; g < length; g++) {
    const __m256i *w = (const __m256i *)(g ? second + (g - 1) * INTEGER_BLOCK * 4 : first);
    __m256i low = _mm256_loadu_si256(w), high = _mm256_loadu_si256(w + 1);
#pragma clang loop unroll(full)
    for (size_t i = 0; i < images; i++) {
      __m256i x = _mm256_set1_epi32((int32_t)list->bytes[image + i][p + g]);
      __m256i a = _mm256_maddubs_epi16(x, low), b = _mm256_maddubs_epi16(x, high);
      part[i][0] = g ? _mm256_add_epi16(part[i][0], a) : a;
      part[i][1] = g ? _mm256_add_epi16(part[i][1], b) : b;
    }
  }
#pragma clang loop unroll(full)
  for (size_t i = 0; i < images; i++)
#pragma clang loop unroll(full)
    for (size_t j = 0; j < 2; j++)
      sum[i][j] += (vi)_mm256_madd_epi16(part[i][j], _mm256_set1_epi16(1));
}

/* add_groups for narrow weights, of one block and one image or two, for which there are registers. */
CK_INLINE void FN(add_narrow)(const size_t images, const integer_list *list, size_t image, const int8_t *weights,
                              const uint8_t *reaches, const uint8_t *runs, int32_t *sums) {
  enum { GROUP = INTEGER_BLOCK * 4 };
  vi sum[2][2];
  size_t p = 0;
  sums += image * INTEGER_TILE;
#pragma clang loop unroll(full)
  for (size_t i = 0; i < images; i++)
#pragma clang loop unroll(full)
    for (size_t j = 0; j < 2; j++)
      sum[i][j] = *(const FN(unaligned_int) *)(sums + i * INTEGER_TILE + j * LANES);
  if (list->all)
    for (; p + INTEGER_RUN <= list->count; p += INTEGER_RUN, runs++) {
      const int8_t *w = weights + p * GROUP;
      if (__builtin_expect(*runs == INTEGER_RUN, 1)) {
        FN(add_run)(images, INTEGER_RUN, list, image, p, w, w + GROUP, sum);
      } else if (*runs == 2) {
        FN(add_run)(images, 2, list, image, p, w, w + GROUP, sum);
        FN(add_run)(images, 2, list, image, p + 2, w + 2 * GROUP, w + 3 * GROUP, sum);
      } else {
#pragma clang loop unroll(disable)
        for (size_t g = 0; g < INTEGER_RUN; g++)
          FN(add_run)(images, 1, list, image, p + g, w + g * GROUP, w, sum);
      }
    }
  for (; p + 2 <= list->count; p += 2) {
    size_t a = list->group[p], b = list->group[p + 1];
    const int8_t *one = weights + a * GROUP, *other = weights + b * GROUP;
    if (__builtin_expect(reaches[a] + reaches[b] <= INTEGER_REACH, 1)) {
      FN(add_run)(images, 2, list, image, p, one, other, sum);
    } else {
      FN(add_run)(images, 1, list, image, p, one, one, sum);
      FN(add_run)(images, 1, list, image, p + 1, other, other, sum);
    }
  }
  if (p < list->count) {
    const int8_t *one = weights + (size_t)list->group[p] * GROUP;
    FN(add_run)(images, 1, list, image, p, one, one, sum);
  }
#pragma clang loop unroll(full)
  for (size_t i = 0; i < images; i++)
#pragma clang loop unroll(full)
    for (size_t j = 0; j < 2; j++)
      *(FN(unaligned_int) *)(sums + i * INTEGER_TILE + j * LANES) = sum[i][j];
}

/* Blocks of a tile; `input` is the first one of the list. */
static void FN(add_narrow_any)(const ck_integer_layer *layer, size_t images, size_t first, size_t width, size_t input,
                               const integer_list *list, int32_t *sums) {
  size_t groups = (layer->inputs + 3) / 4, blocks = (layer->outputs + INTEGER_BLOCK - 1) / INTEGER_BLOCK;
  size_t all = images > IMAGES / 2 ? IMAGES : images; /* of the list */
  const int8_t *packed = layer->packed;
  const uint8_t *reaches = (const uint8_t *)packed + blocks * groups * INTEGER_BLOCK * 4, *runs = reaches + blocks * groups;
  for (size_t o = 0; o < width; o += INTEGER_BLOCK) {
    size_t block = (first + o) / INTEGER_BLOCK;
    const int8_t *w = packed + (block * groups + input / 4) * INTEGER_BLOCK * 4;
    const uint8_t *reach = reaches + block * groups + input / 4;
    const uint8_t *run = runs + block * ((groups + INTEGER_RUN - 1) / INTEGER_RUN) + input / (4 * INTEGER_RUN);
    for (size_t i = 0; i + 2 <= all; i += 2)
      FN(add_narrow)(2, list, i, w, reach, run, sums + o);
    if (all % 2)
      FN(add_narrow)(1, list, all - 1, w, reach, run, sums + o);
  }
}
#endif

/* A full tile, or a few images one by one; `width` outputs: every size unrolled would be 20 KB of code. A width is
   a multiple of 16, so only the widest vectors can be fewer than WIDTH; those few are taken one by one. */
static void FN(add_groups_any)(size_t images, size_t width, int bytes, const integer_list *list,
                               const int8_t *weights, size_t block, int32_t *sums) {
#define ADD(V, FIRST)                                                                                        \
  for (size_t first = FIRST; first + (V) * LANES <= width; first += (V) * LANES) {                           \
    if (images > IMAGES / 2) {                                                                               \
      if ((VNNI || DOTPROD) && bytes)                                                                        \
        FN(add_groups)(IMAGES, V, 1, list, 0, weights, block, first, sums);                                  \
      else                                                                                                   \
        FN(add_groups)(IMAGES, V, 0, list, 0, weights, block, first, sums);                                  \
      continue;                                                                                              \
    }                                                                                                        \
    for (size_t i = 0; i < images; i++)                                                                      \
      if ((VNNI || DOTPROD) && bytes)                                                                        \
        FN(add_groups)(1, V, 1, list, i, weights, block, first, sums);                                       \
      else                                                                                                   \
        FN(add_groups)(1, V, 0, list, i, weights, block, first, sums);                                       \
  }
  ADD(WIDTH, 0)
#if WIDTH * LANES > 16
  ADD(1, width / (WIDTH * LANES) * (WIDTH * LANES))
#endif
#undef ADD
}

#if CK_IS_AVX512
/* list_groups for bytes, 64 at a time. An image that the tile lacks is its last one again. */
static void FN(list_bytes)(const uint8_t *x, size_t row, size_t images, size_t inputs, int all, int bytes, int slack,
                           integer_list *list) {
  size_t count = 0;
  (void)all, (void)bytes, (void)slack;
  __m512i group = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  for (size_t i = 0; i < inputs; i += 64) {
    size_t left = inputs - i;
    __mmask64 part = left >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << left) - 1;
    __m512i four[IMAGES], any = _mm512_setzero_si512();
#pragma clang loop unroll(full)
    for (size_t j = 0; j < IMAGES; j++) {
      four[j] = _mm512_maskz_loadu_epi8(part, x + (j < images ? j : images - 1) * row + i);
      any = _mm512_or_si512(any, four[j]);
    }
    __mmask16 used = _mm512_test_epi32_mask(any, any);
#pragma clang loop unroll(full)
    for (size_t j = 0; j < IMAGES; j++)
      _mm512_storeu_si512(list->bytes[j] + count, _mm512_maskz_compress_epi32(used, four[j]));
    _mm512_storeu_si512(list->group + count, _mm512_maskz_compress_epi32(used, group));
    group = _mm512_add_epi32(group, _mm512_set1_epi32(16));
    count += (size_t)__builtin_popcount(used);
  }
  list->count = count;
}
#elif CK_IS_AVX2
/* list_groups for bytes, 32 at a time: whole vectors are stored, and what is used of them moved together. An image
   that a full tile lacks is its last one again. With `all`, none is left out. */
static void FN(list_bytes)(const uint8_t *x, size_t row, size_t images, size_t inputs, int all, int bytes, int slack,
                           integer_list *list) {
  size_t count = 0, last = images - 1;
  images = images > IMAGES / 2 ? IMAGES : images;
  for (size_t i = 0; i < inputs; i += 32) {
    size_t left = inputs - i;
    __m256i any = _mm256_setzero_si256();
    for (size_t j = 0; j < images; j++) {
      const uint8_t *p = x + (j < last ? j : last) * row + i;
      uint8_t part[32] = {0};
      if (left < sizeof part && !slack)
        p = memcpy(part, p, left);
      __m256i four = _mm256_loadu_si256((const __m256i *)p);
      any = _mm256_or_si256(any, four);
      if (bytes) {
        _mm256_storeu_si256((__m256i *)(list->bytes[j] + count), four);
        continue;
      }
      _mm256_storeu_si256((__m256i *)(list->even[j] + count), _mm256_and_si256(four, _mm256_set1_epi16(255)));
      _mm256_storeu_si256((__m256i *)(list->odd[j] + count), _mm256_srli_epi16(four, 8));
    }
    __m256i group = _mm256_add_epi32(_mm256_set1_epi32((int)(i / 4)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    _mm256_storeu_si256((__m256i *)(list->group + count), group);
    int unused = _mm256_movemask_ps((__m256)_mm256_cmpeq_epi32(any, _mm256_setzero_si256()));
    if (left < 32)
      unused |= 255 << (left + 3) / 4 & 255;
    if (unused == 0 || all) {
      count += left < 32 ? (left + 3) / 4 : 8;
      continue;
    }
    size_t from = count;
    for (int used = ~unused & 255; used; used >>= 1, from++)
      if (used & 1) {
        list->group[count] = list->group[from];
        for (size_t j = 0; j < images; j++) {
          /* Bytes lie where the even ones do. */
          list->even[j][count] = list->even[j][from];
          if (!bytes)
            list->odd[j][count] = list->odd[j][from];
        }
        count++;
      }
  }
  list->count = count;
}
#endif

/* Lists the groups of `inputs` inputs from `first` on that are not zero in all images. `bytes` says whether as bytes. */
static void FN(list_groups)(const integer_tile *tile, size_t first, size_t inputs, int bytes, integer_list *list) {
  size_t count = 0, row = tile->row, images = tile->images;
  list->all = 0;
#if VNNI || CK_IS_AVX2
  if (!tile->wide) {
    const uint8_t *x = (const uint8_t *)tile->x + first;
    FN(list_bytes)(x, row, images, inputs, 0, bytes, tile->slack, list);
    /* To add up four known groups at once is worth more than to leave out a few. */
    size_t groups = (inputs + 3) / 4;
    list->all = NARROW && bytes && 6 * list->count >= 5 * groups;
    if (list->all && list->count < groups)
      FN(list_bytes)(x, row, images, inputs, 1, bytes, tile->slack, list);
    return;
  }
#endif
  (void)bytes;
  for (size_t i = 0; i < inputs; i += 4) {
    size_t size = inputs - i < 4 ? inputs - i : 4;
    uint64_t any = 0;
    for (size_t j = 0; j < images; j++) {
      size_t at = j * row + first + i;
      uint32_t even, odd;
      if (tile->wide) {
        const int16_t *x = (const int16_t *)tile->x + at;
        uint16_t word[4] = {0};
        for (size_t l = 0; l < size; l++)
          word[l] = (uint16_t)x[l];
        even = word[0] | (uint32_t)word[2] << 16;
        odd = word[1] | (uint32_t)word[3] << 16;
        any |= even | odd;
      } else {
        const uint8_t *x = (const uint8_t *)tile->x + at;
        uint32_t four = 0;
        if (size == 4)
          four = x[0] | (uint32_t)x[1] << 8 | (uint32_t)x[2] << 16 | (uint32_t)x[3] << 24;
        else
          for (size_t l = 0; l < size; l++)
            four |= (uint32_t)x[l] << (8 * l);
        any |= four;
        /* Less 128 each, as signed bytes: what the union's `bytes` are where there is no VNNI. */
        even = DOTPROD ? four ^ 0x80808080 : four & 0x00FF00FF;
        odd = four >> 8 & 0x00FF00FF;
      }
      list->even[j][count] = (int32_t)even;
      list->odd[j][count] = (int32_t)odd;
    }
    for (size_t j = images; j < IMAGES && images > IMAGES / 2; j++) {
      list->even[j][count] = list->even[0][count];
      list->odd[j][count] = list->odd[0][count];
    }
    list->group[count] = (uint32_t)(i / 4);
    count += any != 0;
  }
  list->count = count;
}

/* (sum * multiplier + 2^(shift-1)) >> shift, in low ... high. */
CK_INLINE vi FN(scale)(vi sum, vi multiplier, int shift, int32_t low, int32_t high) {
#if CK_IS_AVX512
  /* Even and odd lanes apart: that is how the processor multiplies into 64 bits. */
  const __m512i half = _mm512_set1_epi64((int64_t)1 << (shift - 1));
  const __m128i by = _mm_cvtsi32_si128(shift);
  const __m512i least = _mm512_set1_epi64(low), most = _mm512_set1_epi64(high);
  __m512i even = _mm512_mul_epi32((__m512i)sum, (__m512i)multiplier);
  __m512i odd =
      _mm512_mul_epi32(_mm512_srli_epi64((__m512i)sum, 32), _mm512_srli_epi64((__m512i)multiplier, 32));
  even = _mm512_sra_epi64(_mm512_add_epi64(even, half), by);
  odd = _mm512_sra_epi64(_mm512_add_epi64(odd, half), by);
  even = _mm512_min_epi64(_mm512_max_epi64(even, least), most);
  odd = _mm512_min_epi64(_mm512_max_epi64(odd, least), most);
  return (vi)_mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64(odd, 32));
#elif CK_IS_AVX2
  /* Likewise. With 2^62 added, what is shifted is in 0 ... 2^64 - 1, so that a logical shift serves; what it makes of that
     is taken off again. */
  const __m256i half = _mm256_set1_epi64x(((int64_t)1 << (shift - 1)) + ((int64_t)1 << 62));
  const __m256i off = _mm256_set1_epi64x(((int64_t)1 << 62) >> shift);
  __m256i even = _mm256_mul_epi32((__m256i)sum, (__m256i)multiplier);
  __m256i odd = _mm256_mul_epi32(_mm256_srli_epi64((__m256i)sum, 32), _mm256_srli_epi64((__m256i)multiplier, 32));
  even = _mm256_add_epi64(even, half), odd = _mm256_add_epi64(odd, half);
  __m256i t;
  if (__builtin_expect(shift >= 32, 1)) {
    /* Less than 2^31 in magnitude: only now are they clamped. The odd ones are shifted to where they belong. */
    even = _mm256_srl_epi64(even, _mm_cvtsi32_si128(shift));
    odd = _mm256_srl_epi64(odd, _mm_cvtsi32_si128(shift - 32));
    t = _mm256_sub_epi32(_mm256_blend_epi32(even, odd, 0xAA), _mm256_shuffle_epi32(off, 0xA0));
  } else {
    even = _mm256_sub_epi64(_mm256_srl_epi64(even, _mm_cvtsi32_si128(shift)), off);
    odd = _mm256_sub_epi64(_mm256_srl_epi64(odd, _mm_cvtsi32_si128(shift)), off);
    const __m256i least = _mm256_set1_epi64x(low), most = _mm256_set1_epi64x(high);
    even = _mm256_blendv_epi8(even, most, _mm256_cmpgt_epi64(even, most));
    odd = _mm256_blendv_epi8(odd, most, _mm256_cmpgt_epi64(odd, most));
    even = _mm256_blendv_epi8(even, least, _mm256_cmpgt_epi64(least, even));
    odd = _mm256_blendv_epi8(odd, least, _mm256_cmpgt_epi64(least, odd));
    t = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
  }
  return (vi)_mm256_min_epi32(_mm256_max_epi32(t, _mm256_set1_epi32(low)), _mm256_set1_epi32(high));
#else
  vl product = __builtin_convertvector(sum, vl) * __builtin_convertvector(multiplier, vl);
  product = (product + ((int64_t)1 << (shift - 1))) >> (int64_t)shift;
  product = __builtin_elementwise_min(__builtin_elementwise_max(product, (vl){} + (int64_t)low),
                                      (vl){} + (int64_t)high);
  return __builtin_convertvector(product, vi);
#endif
}

/* Stores one image's sums of `count` outputs from `first` on as what the caller asked for. `multiplier` has
   those of a whole tile. */
static void FN(store_outputs)(const integer_tile *tile, size_t image, size_t first, size_t count,
                              const int32_t *sums, const int32_t *multiplier) {
  const ck_integer_layer *layer = tile->layer;
  size_t at = image * layer->outputs + first;
  if (tile->kind == INTEGER_SUMS) {
    memcpy((int32_t *)tile->y + at, sums, count * sizeof *sums);
    return;
  }
  if (tile->kind == INTEGER_FLOATS) {
    for (size_t o = 0; o < count; o++)
      ((float *)tile->y)[at + o] = (float)sums[o] * tile->scales[first + o];
    return;
  }
  int32_t low = tile->kind == INTEGER_BYTES ? -2048 : -16383, high = tile->kind == INTEGER_BYTES ? 2047 : 16383;
  _Alignas(64) int32_t t[INTEGER_TILE];
  for (size_t o = 0; o < count; o += LANES)
    *(vi *)(t + o) = FN(scale)(*(const vi *)(sums + o), *(const FN(unaligned_int) *)(multiplier + o), layer->shift, low, high);
  if (tile->kind == INTEGER_BYTES) {
    uint8_t *y = (uint8_t *)tile->y + at;
    const uint8_t *table = layer->table + 2048;
    /* Through memory: taking a vector's lanes apart costs more. */
    __asm__ volatile("" : "+m"(t));
#pragma clang loop vectorize(disable) unroll_count(8)
    for (size_t o = 0; o < count; o++)
      y[o] = table[t[o]];
  } else {
    int16_t *y = (int16_t *)tile->y + at;
    for (size_t o = 0; o < count; o++)
      y[o] = (int16_t)t[o];
  }
}

static void FN(tile)(const integer_tile *tile) {
  const ck_integer_layer *layer = tile->layer;
  size_t images = tile->images, groups = (layer->inputs + 3) / 4;
  int bytes = !tile->wide && (VNNI || DOTPROD || (NARROW && layer->narrow));
  integer_list list;
  _Alignas(64) int32_t sums[IMAGES * INTEGER_TILE];
  /* What lies beyond the last output is summed up, but not stored. */
  int32_t biases[INTEGER_TILE], multipliers[INTEGER_TILE];
  for (size_t first = 0; first < layer->outputs; first += INTEGER_TILE) {
    size_t count = layer->outputs - first < INTEGER_TILE ? layer->outputs - first : INTEGER_TILE;
    size_t width = (count + INTEGER_BLOCK - 1) / INTEGER_BLOCK * INTEGER_BLOCK;
    const int8_t *weights = (const int8_t *)layer->packed + first * groups * 4;
    const int32_t *bias = layer->bias + first, *multiplier = layer->multiplier + first;
    if (count < width) {
      memset(biases, 0, sizeof biases);
      memset(multipliers, 0, sizeof multipliers);
      bias = memcpy(biases, bias, count * sizeof *bias);
      multiplier = memcpy(multipliers, multiplier, count * sizeof *multiplier);
    }
    /* Of all images that sums are made of, listed or not. */
    for (size_t o = 0; o < width; o += LANES) {
      vi from = *(const FN(unaligned_int) *)(bias + o);
      for (size_t i = 0; i < IMAGES; i++)
        *(vi *)(sums + i * INTEGER_TILE + o) = from;
    }
    for (size_t input = 0; input < layer->inputs; input += INTEGER_DEPTH) {
      size_t inputs = layer->inputs - input < INTEGER_DEPTH ? layer->inputs - input : INTEGER_DEPTH;
      /* One list serves all outputs unless there are more inputs than fit in it. */
      if (first == 0 || layer->inputs > INTEGER_DEPTH)
        FN(list_groups)(tile, input, inputs, bytes, &list);
#if NARROW
      if (bytes) {
        FN(add_narrow_any)(layer, images, first, width, input, &list, sums);
        continue;
      }
#endif
      FN(add_groups_any)(images, width, bytes, &list, weights + input * INTEGER_BLOCK,
                         groups * INTEGER_BLOCK * 4, sums);
    }
    for (size_t i = 0; i < images; i++)
      FN(store_outputs)(tile, i, first, count, sums + i * INTEGER_TILE, multiplier);
  }
}

static const integer_kernels FN(kernels) = {IMAGES, FN(tile)};

#undef LANES
#undef IMAGES
#undef WIDTH
#undef VNNI
#undef DOTPROD
#undef NARROW
#undef vi
#undef vs
#undef vl
