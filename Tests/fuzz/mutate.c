/*
 * The mutator: takes a file apart as docs/format-aew.md, docs/format-aez.md and the formats of images say, changes
 * fields, inflated bytes, sections and blocks, and puts it together again with sizes, checksums and hashes that
 * match, now and then but for one. It is its own because it must not share code with the readers that it tries.
 */
#include "mutate.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

const char *const format_names[FORMAT_COUNT] = {"aew", "checkpoint", "aez", "idx", "npy", "pgm", "png", "gzip", "json"};
const seed_file *mutate_seeds;
size_t mutate_seed_count;
const known_model *mutate_models;
size_t mutate_model_count;
int (*mutate_hash)(const uint8_t *bytes, size_t count, uint8_t hash[32]);

/* ---- Random numbers: SplitMix64 (Steele, Lea, Flood 2014) ---- */

static uint64_t state;

static uint64_t word(void) {
  uint64_t z = state += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

static size_t below(size_t bound) { return bound > 0 ? (size_t)(word() % bound) : 0; }
static int one_in(size_t n) { return below(n) == 0; }

/* A number of something: mostly few, now and then many. */
static size_t few(size_t most) {
  size_t bits = below(8);
  size_t value = 1 + below((size_t)1 << bits);
  return value < most ? value : most;
}

/* ---- Memory for one file at work: given back all at once ---- */

enum { ARENA = 48 << 20, LARGEST_PART = 4 << 20 };
static uint8_t arena[ARENA];
static size_t arena_used;

typedef struct bytes {
  uint8_t *at;
  size_t count, room;
} bytes;

static uint8_t *take(size_t count) {
  size_t start = (arena_used + 15) & ~(size_t)15;
  if (start > ARENA || count > ARENA - start) return NULL;
  arena_used = start + count;
  return arena + start;
}

/* Makes room for so many bytes in all; 0 if there is none, and then nothing has changed. */
static int reserve(bytes *b, size_t count) {
  if (count <= b->room) return 1;
  if (count > LARGEST_PART) return 0;
  size_t room = count + count / 2 + 64;
  uint8_t *at = take(room);
  if (at == NULL) return 0;
  if (b->count > 0) memcpy(at, b->at, b->count);
  b->at = at;
  b->room = room;
  return 1;
}

static int append(bytes *b, const void *from, size_t count) {
  if (!reserve(b, b->count + count)) return 0;
  if (count > 0) memcpy(b->at + b->count, from, count);
  b->count += count;
  return 1;
}

/* A view becomes a copy of its own before it is changed. */
static bytes view(const uint8_t *at, size_t count) { return (bytes){(uint8_t *)at, count, 0}; }
static bytes copy_of(const uint8_t *at, size_t count) {
  bytes b = {NULL, 0, 0};
  append(&b, at, count);
  return b;
}
static void own(bytes *b) {
  if (b->room == 0) *b = copy_of(b->at, b->count);
}

static uint64_t get(const uint8_t *at, size_t width) {
  uint64_t value = 0;
  for (size_t i = 0; i < width; i++) value |= (uint64_t)at[i] << 8 * i;
  return value;
}
static void put(uint8_t *at, size_t width, uint64_t value) {
  for (size_t i = 0; i < width; i++) at[i] = (uint8_t)(value >> 8 * i);
}
static uint64_t get_big(const uint8_t *at, size_t width) {
  uint64_t value = 0;
  for (size_t i = 0; i < width; i++) value = value << 8 | at[i];
  return value;
}
static void put_big(uint8_t *at, size_t width, uint64_t value) {
  for (size_t i = 0; i < width; i++) at[width - 1 - i] = (uint8_t)(value >> 8 * i);
}
static uint32_t crc_of(const uint8_t *at, size_t count) { return (uint32_t)crc32(0, at, (uInt)count); }

/* ---- Deflate and inflate by zlib, whose states are kept: they are large ---- */

static void deflate_into(const bytes *raw, bytes *out, int window_bits) {
  static z_stream streams[2][3];
  static int is_open[2][3];
  static const int levels[3] = {0, 1, 6};
  size_t level = one_in(8) ? 0 : one_in(8) ? 2 : 1, kind = window_bits > 15;
  z_stream *stream = &streams[kind][level];
  if (!is_open[kind][level]) {
    if (deflateInit2(stream, levels[level], Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) != Z_OK) return;
    is_open[kind][level] = 1;
  } else {
    deflateReset(stream);
  }
  if (!reserve(out, out->count + deflateBound(stream, raw->count) + 64)) return;
  static uint8_t none;
  stream->next_in = raw->count > 0 ? raw->at : &none;
  stream->avail_in = (uInt)raw->count;
  stream->next_out = out->at + out->count;
  stream->avail_out = (uInt)(out->room - out->count);
  deflate(stream, Z_FINISH);
  out->count = out->room - stream->avail_out;
}

/* What a stream holds, as far as it can be inflated; *used says how many bytes it took. */
static int inflate_from(const uint8_t *at, size_t count, int window_bits, bytes *raw, size_t *used) {
  static z_stream streams[2];
  static int is_open[2];
  z_stream *stream = &streams[window_bits > 15];
  if (!is_open[window_bits > 15]) {
    if (inflateInit2(stream, window_bits) != Z_OK) return 0;
    is_open[window_bits > 15] = 1;
  } else {
    inflateReset(stream);
  }
  int status = Z_OK;
  stream->next_in = (uint8_t *)at;
  stream->avail_in = (uInt)count;
  while (status == Z_OK && raw->count < LARGEST_PART) {
    if (!reserve(raw, raw->count < 1024 ? 4096 : raw->count * 2)) break;
    stream->next_out = raw->at + raw->count;
    stream->avail_out = (uInt)(raw->room - raw->count);
    status = inflate(stream, Z_NO_FLUSH);
    raw->count = raw->room - stream->avail_out;
    if (stream->avail_in == 0 && stream->avail_out > 0) break;
  }
  *used = count - stream->avail_in;
  return status == Z_STREAM_END;
}

/* ---- Changes that know nothing of a format ---- */

static const uint64_t edges[] = {0,          1,          2,          7,          8,          15,         16,
                                 31,         32,         63,         64,         65,         127,        128,
                                 255,        256,        257,        512,        1023,       1024,       1025,
                                 4095,       4096,       4097,       16383,      16384,      32767,      32768,
                                 65535,      65536,      65537,      1u << 20,   1u << 24,   1u << 28,   (1u << 28) + 1,
                                 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF, 1ull << 32, 1ull << 61, 1ull << 62,
                                 0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0xFFFFFFFFFFFFFFFE, 0xFFFFFFFFFFFFFFFF};
static const double numbers[] = {0.0,    -0.0,   1.0,    -1.0,    0.5,    1e-3,   1e-30, 1e-45, 5e-324, 1e30,
                                 3.4e38, 3.5e38, 1e300, 1.7e308, -1e300, 1e9,    64.0,  255.0, 256.0,  0.9999999};

static uint64_t near_value(uint64_t value, size_t width) {
  switch (below(8)) {
  case 0: return value + 1;
  case 1: return value - 1;
  case 2: return value * 2;
  case 3: return value / 2;
  case 4: return word() >> (below(8 * width) & 63);
  case 5: return value ^ (uint64_t)1 << below(8 * width);
  case 6: return value + below(33) - 16;
  default: return edges[below(sizeof edges / sizeof *edges)];
  }
}

static void put_number(uint8_t *at, size_t width) {
  if (width == 4) {
    double value = numbers[below(sizeof numbers / sizeof *numbers)];
    float narrow = value > 3.4e38 ? (float)(1e38 * 10) : value < -3.4e38 ? -(float)(1e38 * 10) : (float)value;
    uint32_t bits = one_in(6) ? 0x7FC00000u : 0;
    if (bits == 0) memcpy(&bits, &narrow, 4);
    put(at, 4, bits);
  } else {
    double value = numbers[below(sizeof numbers / sizeof *numbers)];
    uint64_t bits;
    memcpy(&bits, &value, 8);
    static const uint64_t special[] = {0x7FF8000000000000u, 0x7FF0000000000000u, 0xFFF0000000000000u};
    if (one_in(6)) bits = special[below(3)];
    put(at, 8, bits);
  }
}

/* One change of bytes. The donor, which may be empty, is where runs of foreign bytes come from. */
static void change_bytes(bytes *b, bytes donor) {
  own(b);
  size_t at = below(one_in(3) && b->count > 64 ? 64 : b->count);
  size_t width = (size_t)1 << below(4);
  size_t length;
  if (b->count == 0 || one_in(24)) {
    length = few(4096);
    if (!reserve(b, b->count + length)) return;
    memmove(b->at + at + length, b->at + at, b->count - at);
    uint8_t value = (uint8_t)word();
    for (size_t i = 0; i < length; i++) b->at[at + i] = value & 1 ? value : (uint8_t)word();
    b->count += length;
    return;
  }
  switch (below(14)) {
  case 0:
  case 1: b->at[at] ^= (uint8_t)(1u << below(8)); break;
  case 2: b->at[at] = (uint8_t)word(); break;
  case 3: b->at[at] = (uint8_t)(b->at[at] + below(17) - 8); break;
  case 4:
    if (at + width > b->count) break;
    if (one_in(2)) put(b->at + at, width, near_value(get(b->at + at, width), width));
    else put_big(b->at + at, width, near_value(get_big(b->at + at, width), width));
    break;
  case 5:
    width = one_in(2) ? 4 : 8;
    if (at + width <= b->count) put_number(b->at + at, width);
    break;
  case 6: /* less */
    length = few(b->count - at);
    memmove(b->at + at, b->at + at + length, b->count - at - length);
    b->count -= length;
    break;
  case 7: /* a run twice */
    length = few(b->count - at);
    if (!reserve(b, b->count + length)) break;
    memmove(b->at + at + length, b->at + at, b->count - at);
    b->count += length;
    break;
  case 8: { /* a run over another */
    size_t from = below(b->count);
    length = few(b->count - (from > at ? from : at));
    memmove(b->at + at, b->at + from, length);
    break;
  }
  case 9: /* one value */
    length = few(b->count - at);
    memset(b->at + at, one_in(2) ? (one_in(2) ? 0 : 255) : (int)below(256), length);
    break;
  case 10: /* noise */
    length = few(b->count - at);
    for (size_t i = 0; i < length; i++) b->at[at + i] = (uint8_t)word();
    break;
  case 11: b->count = at + one_in(2); break;
  default: /* foreign bytes, over or in between */
    if (donor.count == 0) break;
    {
      size_t from = below(donor.count);
      length = few(donor.count - from);
      if (one_in(2)) {
        if (length > b->count - at) length = b->count - at;
      } else {
        if (!reserve(b, b->count + length)) break;
        memmove(b->at + at + length, b->at + at, b->count - at);
        b->count += length;
      }
      memmove(b->at + at, donor.at + from, length);
    }
  }
}

/* One change of bytes that are as many as before, where another number of them would be refused at once. */
static void change_values(bytes *b, bytes donor) {
  own(b);
  if (b->count == 0) return;
  size_t at = below(b->count), width = (size_t)1 << below(4), length = few(b->count - at);
  switch (below(8)) {
  case 0:
  case 1: b->at[at] ^= (uint8_t)(1u << below(8)); break;
  case 2:
    if (at + width <= b->count) put(b->at + at, width, near_value(get(b->at + at, width), width));
    break;
  case 3: memmove(b->at + at, b->at + below(b->count - length + 1), length); break;
  case 4: memset(b->at + at, one_in(2) ? (one_in(2) ? 0 : 255) : (int)below(256), length); break;
  case 5:
    for (size_t i = 0; i < length; i++) b->at[at + i] = (uint8_t)word();
    break;
  case 6:
    if (donor.count >= length) memmove(b->at + at, donor.at + below(donor.count - length + 1), length);
    break;
  default: /* numbers a little off, many of them */
    for (size_t i = 0; i < length; i++) b->at[at + i] = (uint8_t)(b->at[at + i] + below(3) - 1);
  }
}

typedef struct field {
  uint16_t offset;
  uint8_t width;
  uint8_t is_number; /* a float */
} field;

static void change_field(bytes *b, const field *fields, size_t count) {
  own(b);
  const field *f = &fields[below(count)], *other = &fields[below(count)];
  if ((size_t)f->offset + f->width > b->count || (size_t)other->offset + other->width > b->count) return;
  uint8_t *at = b->at + f->offset;
  if (f->is_number && !one_in(4)) put_number(at, f->width);
  else if (one_in(12)) put(at, f->width, get(b->at + other->offset, other->width));
  else put(at, f->width, near_value(get(at, f->width), f->width));
}

/* A seed of a format; NULL if there is none. */
static const seed_file *other_seed(format kind) {
  for (int tries = 0; tries < 64 && mutate_seed_count > 0; tries++) {
    const seed_file *seed = &mutate_seeds[below(mutate_seed_count)];
    if (seed->format == kind || (kind == FORMAT_WEIGHTS && seed->format == FORMAT_CHECKPOINT)) return seed;
  }
  return NULL;
}

static void change_any(const bytes *in, bytes *out, int depth);

/* ---- Weight files ---- */

enum { SECTIONS = 80 };

typedef struct section {
  uint8_t tag[4];
  uint32_t encoding, reserved;
  uint64_t raw_count; /* as the file says */
  bytes stored;
  bytes raw;    /* if it is open */
  int is_open;  /* raw is what counts */
  int is_dirty; /* and has changed */
} section;

typedef struct weights {
  bytes header; /* 32 bytes */
  section sections[SECTIONS];
  size_t count;
} weights;

static int read_weights(bytes file, weights *w) {
  if (file.count < 64) return 0;
  size_t count = (size_t)get(file.at + 24, 4), offset = 32 + 32 * count;
  if (count == 0 || count > 64 || offset > file.count) return 0;
  w->header = copy_of(file.at, 32);
  w->count = 0;
  for (size_t i = 0; i < count; i++) {
    const uint8_t *line = file.at + 32 + 32 * i;
    section *s = &w->sections[w->count];
    memset(s, 0, sizeof *s);
    memcpy(s->tag, line, 4);
    s->encoding = (uint32_t)get(line + 4, 4);
    s->raw_count = get(line + 16, 8);
    s->reserved = (uint32_t)get(line + 28, 4);
    uint64_t stored = get(line + 8, 8);
    if (stored > file.count - offset) stored = file.count - offset;
    s->stored = view(file.at + offset, (size_t)stored);
    offset += (size_t)stored;
    w->count++;
  }
  return w->header.at != NULL;
}

static bytes *open_section(section *s) {
  if (!s->is_open && s->encoding == 1) {
    size_t used;
    bytes raw = {NULL, 0, 0};
    if (inflate_from(s->stored.at, s->stored.count, 15, &raw, &used)) {
      s->raw = raw;
      s->is_open = 1;
    }
  } else if (!s->is_open && s->encoding == 0) {
    s->raw = s->stored;
    s->is_open = 1;
  }
  s->is_dirty = 1;
  /* What cannot be inflated is changed as it is. */
  return s->is_open ? &s->raw : &s->stored;
}

static int is_tag(const section *s, const char *tag) { return memcmp(s->tag, tag, 4) == 0; }

/* A node of one of the lists that version 2 has behind name and provenance. */
static void change_node(bytes *raw) {
  static const field fields[] = {{0, 1, 0}, {1, 1, 0},  {2, 2, 0},  {4, 2, 0},  {6, 2, 0}, {8, 1, 0},
                                 {9, 1, 0}, {10, 1, 0}, {12, 2, 0}, {14, 2, 0}, {16, 4, 0}};
  size_t at = 12 + 2 * (size_t)raw->at[3];
  if (at >= raw->count) return;
  at += 1 + raw->at[at];
  if (at + 1 >= raw->count) return;
  at += 2 + (size_t)get(raw->at + at, 2) + 2;
  for (size_t list = below(2); at + 2 <= raw->count; list--) {
    size_t count = (size_t)get(raw->at + at, 2);
    if (list == 0) {
      if (count == 0 || at + 2 + 20 * count > raw->count) return;
      own(raw);
      const field *f = &fields[below(sizeof fields / sizeof *fields)];
      uint8_t *place = raw->at + at + 2 + 20 * below(count) + f->offset;
      put(place, f->width, one_in(3) ? below(count + 2) : near_value(get(place, f->width), f->width));
      return;
    }
    at += 2 + 20 * count;
  }
}

static void change_architecture(bytes *raw) {
  if (raw->count > 12 && raw->at[2] == 2 && !one_in(4)) {
    change_node(raw);
    return;
  }
  static const field fields[] = {{0, 1, 0}, {1, 1, 0}, {2, 1, 0},  {3, 1, 0},  {4, 2, 0},
                                 {6, 2, 0}, {8, 2, 0}, {10, 2, 0}, {12, 2, 0}, {14, 2, 0}};
  change_field(raw, fields, sizeof fields / sizeof *fields);
}

static void change_training(bytes *raw) {
  static const field fields[] = {{0, 2, 0},  {2, 1, 0},  {3, 1, 0},  {4, 1, 0},  {5, 1, 0},   {6, 4, 0},   {10, 8, 0},
                                 {18, 8, 0}, {26, 8, 0}, {34, 8, 0}, {42, 8, 1}, {50, 8, 1},  {58, 8, 1},  {66, 8, 1},
                                 {74, 8, 1}, {82, 8, 1}, {90, 8, 1}, {98, 8, 1}, {106, 8, 0}, {114, 4, 0}, {118, 8, 0}};
  change_field(raw, fields, sizeof fields / sizeof *fields);
}

static void change_codec(bytes *raw) {
  own(raw);
  if (raw->count < 8) return;
  switch (below(4)) {
  case 0: raw->at[below(2)] = (uint8_t)near_value(raw->at[0], 1); break;
  case 1: put_number(raw->at + 2 + 4 * below((raw->count - 2) / 4 > 8 ? 8 : (raw->count - 2) / 4), 4); break;
  case 2: { /* a step or a table's number */
    size_t at = 2 + 2 * below((raw->count - 2) / 2);
    put(raw->at + at, 2, near_value(get(raw->at + at, 2), 2));
    break;
  }
  default: { /* one frequency more, another one less: the sum stays */
    size_t a = 2 + 2 * below((raw->count - 2) / 2), b = 2 + 2 * below((raw->count - 2) / 2);
    uint64_t by = below(8);
    put(raw->at + a, 2, get(raw->at + a, 2) + by);
    put(raw->at + b, 2, get(raw->at + b, 2) - by);
  }
  }
}

static void change_weights_once(weights *w) {
  static const char *const tags[] = {"ARCH", "FE32", "FE16", "FD32", "FD16", "IENC",
                                     "IDEC", "CODC", "SCAN", "bitp", "trnr", "NEWS", "xtra"};
  static const field header[] = {{8, 2, 0}, {10, 2, 0}, {12, 4, 0}};
  section *s = &w->sections[below(w->count)];
  size_t other = below(w->count);
  section temporary;
  bytes none = {NULL, 0, 0};
  switch (w->count == 0 ? 50 : below(48)) {
  case 0:
    if (one_in(4)) change_field(&w->header, header, 3);
    break;
  case 1: /* twice */
    if (w->count == SECTIONS) break;
    w->sections[w->count++] = *s;
    break;
  case 2: /* one less */
    memmove(s, s + 1, (size_t)(w->sections + w->count - s - 1) * sizeof *s);
    w->count--;
    break;
  case 3: /* another order */
    temporary = *s;
    *s = w->sections[other];
    w->sections[other] = temporary;
    break;
  case 4: memcpy(s->tag, tags[below(sizeof tags / sizeof *tags)], 4); break;
  case 5:
    if (one_in(4)) s->tag[below(4)] = (uint8_t)word();
    break;
  case 6: /* deflated or not */
    open_section(s);
    if (s->is_open) s->encoding ^= 1;
    break;
  case 7:
  case 8: { /* a section of another file, or all of a kind */
    const seed_file *seed = other_seed(FORMAT_WEIGHTS);
    static weights donor;
    if (seed == NULL || !read_weights(view(seed->bytes, seed->count), &donor)) break;
    section *from = &donor.sections[below(donor.count)];
    for (size_t i = 0; i < w->count; i++)
      if (memcmp(w->sections[i].tag, from->tag, 4) == 0) {
        if (one_in(2)) change_bytes(open_section(&w->sections[i]), *open_section(from));
        else w->sections[i] = *from;
        return;
      }
    if (w->count < SECTIONS) {
      size_t at = one_in(2) ? w->count : below(w->count + 1);
      memmove(w->sections + at + 1, w->sections + at, (w->count - at) * sizeof *w->sections);
      w->sections[at] = *from;
      w->count++;
    }
    break;
  }
  case 9: /* the bytes as they are deflated */
    if (s->encoding == 1 && !s->is_open) change_bytes(&s->stored, none);
    break;
  default: {
    bytes *raw = open_section(s);
    bytes donor = w->sections[other].stored;
    if (is_tag(s, "ARCH") && !one_in(4)) change_architecture(raw);
    else if (is_tag(s, "trnr") && !one_in(3)) change_training(raw);
    else if (is_tag(s, "CODC") && !one_in(4)) change_codec(raw);
    else if (!one_in(12)) change_values(raw, donor);
    else change_bytes(raw, donor);
  }
  }
}

static void write_weights(weights *w, bytes *out) {
  size_t start = out->count, table = start + 32;
  static const uint8_t zeros[32];
  append(out, w->header.at, 32);
  for (size_t i = 0; i < w->count; i++) append(out, zeros, 32);
  if (out->count != table + 32 * w->count) return;
  for (size_t i = 0; i < w->count; i++) {
    section *s = &w->sections[i];
    size_t at = out->count, line = table + 32 * i;
    uint64_t raw_count = s->raw_count;
    if (s->is_open && s->is_dirty) {
      raw_count = s->raw.count;
      if (s->encoding == 1) deflate_into(&s->raw, out, 15);
      else append(out, s->raw.at, s->raw.count);
    } else {
      append(out, s->stored.at, s->stored.count);
      if (s->encoding == 0) raw_count = s->stored.count;
    }
    memcpy(out->at + line, s->tag, 4);
    put(out->at + line + 4, 4, s->encoding);
    put(out->at + line + 8, 8, out->count - at);
    put(out->at + line + 16, 8, raw_count);
    put(out->at + line + 24, 4, crc_of(out->at + at, out->count - at));
    put(out->at + line + 28, 4, s->reserved);
  }
  put(out->at + start + 16, 8, out->count - start);
  put(out->at + start + 24, 4, w->count);
  /* Now and then one number is wrong after all. */
  if (one_in(24) && w->count > 0) {
    uint8_t *line = out->at + table + 32 * below(w->count);
    static const uint8_t places[] = {4, 8, 16, 24, 28}, widths[] = {4, 8, 8, 4, 4};
    size_t which = below(5);
    put(line + places[which], widths[which], near_value(get(line + places[which], widths[which]), widths[which]));
  } else if (one_in(100)) {
    put(out->at + start + 16, 8, near_value(get(out->at + start + 16, 8), 8));
  }
  uLong crc = crc32(0, out->at + start, 28);
  if (!one_in(200)) put(out->at + start + 28, 4, crc32(crc, out->at + table, (uInt)(32 * w->count)));
}

static int change_weights(bytes in, bytes *out) {
  static weights w;
  if (!read_weights(in, &w)) return 0;
  for (size_t n = 1 + below(one_in(4) ? 6 : 2); n > 0; n--) change_weights_once(&w);
  write_weights(&w, out);
  return 1;
}

/* ---- Image sets ---- */

enum { BLOCKS = 2048 };

typedef struct block {
  uint8_t kind;
  bytes stored;
  /* If it is open: a mixed block's list of images, the pixels that a stream makes, codes, an exact block's run. */
  bytes list, pixels, codes, run;
  int is_open;
} block;

typedef struct image_set {
  bytes header; /* 132 bytes and the name */
  bytes parts[3]; /* model, labels, names as they are stored */
  uint64_t raw_counts[3];
  bytes raw[3]; /* if open */
  int is_open[3];
  block blocks[BLOCKS];
  size_t count;
} image_set;

static int read_set(bytes file, image_set *s) {
  if (file.count < 140) return 0;
  size_t header = 132 + (size_t)file.at[23];
  uint64_t images = get(file.at + 32, 8), per_block = get(file.at + 24, 4);
  if (header + 8 > file.count || per_block == 0 || images > 1u << 28) return 0;
  uint64_t blocks = (images + per_block - 1) / per_block;
  if (blocks > BLOCKS || header + 8 + 9 * blocks > file.count) return 0;
  size_t index = header + 4, offset = index + 9 * (size_t)blocks + 4;
  s->header = copy_of(file.at, header);
  s->count = (size_t)blocks;
  for (size_t i = 0; i < 3; i++) {
    uint64_t stored = get(file.at + 72 + 20 * i, 8);
    if (stored > file.count - offset) stored = file.count - offset;
    s->parts[i] = view(file.at + offset, (size_t)stored);
    s->raw_counts[i] = get(file.at + 80 + 20 * i, 8);
    s->is_open[i] = 0;
    offset += (size_t)stored;
  }
  for (size_t i = 0; i < blocks; i++) {
    uint64_t stored = get(file.at + index + 9 * i + 1, 4);
    if (stored > file.count - offset) stored = file.count - offset;
    memset(&s->blocks[i], 0, sizeof s->blocks[i]);
    s->blocks[i].kind = file.at[index + 9 * i];
    s->blocks[i].stored = view(file.at + offset, (size_t)stored);
    offset += (size_t)stored;
  }
  return s->header.at != NULL;
}

static void open_block(block *b) {
  size_t used;
  const bytes *s = &b->stored;
  if (b->is_open) return;
  if (b->kind == 1) {
    b->is_open = inflate_from(s->at, s->count, 15, &b->pixels, &used);
  } else if (b->kind == 3 && s->count >= 8) {
    uint64_t kept = get(s->at, 4), stream = get(s->at + 4, 4);
    if (8 + 2 * kept + stream > s->count) return;
    b->list = copy_of(s->at + 8, 2 * (size_t)kept);
    b->is_open = inflate_from(s->at + 8 + 2 * kept, (size_t)stream, 15, &b->pixels, &used);
    b->codes = copy_of(s->at + 8 + 2 * kept + stream, s->count - 8 - 2 * (size_t)kept - (size_t)stream);
  } else if (b->kind == 4 && s->count >= 4) {
    uint64_t codes = get(s->at, 4);
    if (4 + codes > s->count) return;
    b->codes = copy_of(s->at + 4, (size_t)codes);
    b->run = copy_of(s->at + 4 + codes, s->count - 4 - (size_t)codes);
    b->is_open = 1;
  }
}

static void change_block(block *b, bytes donor) {
  if (!one_in(8)) open_block(b);
  if (!b->is_open) {
    change_bytes(&b->stored, donor);
    return;
  }
  bytes *parts[4];
  size_t count = 0;
  if (b->list.count > 0) parts[count++] = &b->list;
  if (b->kind == 1 || b->kind == 3) parts[count++] = &b->pixels;
  if (b->codes.count > 0) parts[count++] = &b->codes;
  if (b->kind == 4) parts[count++] = &b->run;
  bytes *part = count > 0 ? parts[below(count)] : NULL;
  if (part == NULL) return;
  if ((part == &b->pixels || part == &b->list) && !one_in(6)) change_values(part, donor);
  else change_bytes(part, donor);
}

static bytes *open_part(image_set *s, size_t i) {
  if (!s->is_open[i]) {
    size_t used;
    bytes raw = {NULL, 0, 0};
    if (s->parts[i].count == s->raw_counts[i]) raw = s->parts[i];
    else if (!inflate_from(s->parts[i].at, s->parts[i].count, 15, &raw, &used)) raw = s->parts[i];
    s->raw[i] = raw;
    s->is_open[i] = 1;
  }
  return &s->raw[i];
}

/* Another number of images, or of images in a block: blocks, labels and names follow, mostly. */
static void change_count(image_set *s) {
  uint64_t images = get(s->header.at + 32, 8), per_block = get(s->header.at + 24, 4);
  if (per_block == 0) return;
  if (one_in(2)) {
    per_block = one_in(16) ? near_value(per_block, 4) : 1 + few(512);
    if (one_in(64)) per_block = 65536;
  }
  if (per_block == 0) per_block = 1;
  /* As many images as the blocks are for, or some more blocks. */
  if (!one_in(12)) images = s->count == 0 ? few(600) : (s->count - 1) * per_block + 1 + below((size_t)per_block);
  else images = near_value(images, 8);
  uint64_t blocks = per_block > 0 ? (images + per_block - 1) / per_block : 0;
  while (s->count < blocks && s->count < 64 && s->count > 0) {
    s->blocks[s->count] = s->blocks[below(s->count)];
    s->count++;
  }
  put(s->header.at + 24, 4, per_block);
  put(s->header.at + 32, 8, images);
  uint64_t flags = get(s->header.at + 10, 2);
  if ((flags & 2) && images < LARGEST_PART && !one_in(6)) {
    bytes *labels = open_part(s, 1);
    own(labels);
    if (reserve(labels, (size_t)images)) {
      if (labels->count < images) memset(labels->at + labels->count, 7, (size_t)images - labels->count);
      labels->count = (size_t)images;
    }
  }
  if ((flags & 4) && images < LARGEST_PART && !one_in(6)) {
    bytes *names = open_part(s, 2);
    own(names);
    size_t told = 0;
    for (size_t at = 0; at < names->count && told < images; told++) {
      at += 1 + (size_t)names->at[at];
      if (told + 1 == images && at < names->count) names->count = at;
    }
    /* Successors of the last one. */
    while (told++ < images && reserve(names, names->count + 1)) names->at[names->count++] = 0;
  }
}

static void drop_model(image_set *s) {
  memset(s->header.at + 18, 0, 2);
  s->header.at[20] = 0;
  memset(s->header.at + 40, 0, 32);
  s->header.count = 132;
  s->header.at[23] = 0;
  s->header.at[29] = s->header.at[22] > 0;
  s->is_open[0] = 1;
  s->raw[0].count = 0;
}

static void give_model(image_set *s) {
  if (mutate_model_count == 0) return;
  const known_model *m = &mutate_models[below(mutate_model_count)];
  if (!one_in(3)) put(s->header.at + 12, 2, m->width), put(s->header.at + 14, 2, m->height);
  put(s->header.at + 18, 2, m->latents);
  if (s->header.at[20] == 0) s->header.at[20] = 1;
  memcpy(s->header.at + 40, m->hash, 32);
  if (one_in(2)) {
    s->is_open[0] = 1;
    s->raw[0] = view(m->bytes, m->count);
  }
}

static void change_set_once(image_set *s) {
  static const field header[] = {{8, 2, 0},  {10, 2, 0}, {12, 2, 0}, {14, 2, 0}, {16, 2, 0}, {18, 2, 0}, {20, 1, 0},
                                 {21, 1, 0}, {22, 1, 0}, {24, 4, 0}, {28, 1, 0}, {29, 1, 0}, {30, 2, 0}, {32, 8, 0}};
  static const field usual[] = {{12, 2, 0}, {14, 2, 0}, {20, 1, 0}, {21, 1, 0}, {28, 1, 0}};
  block *b = &s->blocks[below(s->count)], temporary;
  bytes donor = s->count > 0 ? s->blocks[below(s->count)].stored : (bytes){NULL, 0, 0};
  switch (below(20)) {
  case 0:
    if (one_in(3)) change_field(&s->header, header, sizeof header / sizeof *header);
    break;
  case 1: change_field(&s->header, usual, sizeof usual / sizeof *usual); break;
  case 2: change_count(s); break;
  case 3: { /* the embedded model, taken apart in turn */
    bytes *model = open_part(s, 0), out = {NULL, 0, 0};
    if (model->count == 0) {
      give_model(s);
    } else if (change_weights(*model, &out)) {
      *model = out;
    }
    break;
  }
  case 4: {
    bytes *labels = open_part(s, 1);
    if (labels->count > 0 && !one_in(6)) change_values(labels, donor);
    else change_bytes(labels, donor);
    if (one_in(2)) put(s->header.at + 10, 2, get(s->header.at + 10, 2) | 2);
    break;
  }
  case 5:
  case 6: {
    bytes *names = open_part(s, 2);
    if (names->count > 0 && one_in(2)) {
      static const char *const words[] = {"/", "..", ".", "\0", "9", "99999999", "\xff", "\xed\xa0\x80", "\xc0\xaf", "\xd8\x80.png"};
      const char *text = words[below(10)];
      size_t length = strlen(text) + (*text == 0), at = below(names->count);
      own(names);
      if (length <= names->count - at) memcpy(names->at + at, text, length);
    } else {
      change_bytes(names, donor);
    }
    break;
  }
  case 7: /* blocks twice, away, in another order */
    if (s->count == 0 || s->count == BLOCKS) break;
    if (one_in(3)) s->blocks[s->count++] = *b;
    else if (one_in(2)) memmove(b, b + 1, (size_t)(s->blocks + s->count - b - 1) * sizeof *b), s->count--;
    else temporary = *b, *b = s->blocks[s->count - 1], s->blocks[s->count - 1] = temporary;
    if (!one_in(3)) change_count(s);
    break;
  case 8:
    if (s->count > 0 && !b->is_open && one_in(3)) b->kind = (uint8_t)below(6);
    break;
  case 9: { /* a block of another set */
    const seed_file *seed = one_in(2) ? other_seed(FORMAT_SET) : NULL;
    static image_set other;
    if (seed == NULL || s->count == 0 || !read_set(view(seed->bytes, seed->count), &other) || other.count == 0) break;
    *b = other.blocks[below(other.count)];
    if (one_in(2)) memcpy(s->header.at + 8, other.header.at + 8, 10), memcpy(s->header.at + 28, other.header.at + 28, 2);
    break;
  }
  case 10:
    if (one_in(3)) drop_model(s);
    else give_model(s);
    break;
  case 11: { /* another method */
    if (!one_in(3)) break;
    static const uint8_t methods[][4] = {{1, 0, 0, 0}, {2, 1, 0, 1}, {2, 2, 1, 1}, {2, 2, 32, 2}, {2, 1, 0, 2}, {2, 1, 0, 0}};
    const uint8_t *m = methods[below(6)];
    put(s->header.at + 8, 2, m[0]);
    s->header.at[22] = m[1];
    s->header.at[28] = m[2];
    s->header.at[29] = m[3];
    break;
  }
  default:
    if (s->count > 0) change_block(b, donor);
  }
}

static void write_set(image_set *s, bytes *out) {
  size_t start = out->count, header = s->header.count, index = start + header + 4;
  s->header.at[23] = (uint8_t)(header - 132);
  if (!append(out, s->header.at, header) || !reserve(out, index + 9 * s->count + 4)) return;
  out->count = index + 9 * s->count + 4;
  uint64_t flags = get(out->at + start + 10, 2);
  for (size_t i = 0; i < 3; i++) {
    size_t at = out->count, line = start + 72 + 20 * i;
    uint64_t raw_count = s->raw_counts[i];
    if (s->is_open[i]) {
      raw_count = s->raw[i].count;
      deflate_into(&s->raw[i], out, 15);
      /* Only what becomes smaller is deflated, and the model never. */
      if (i == 0 || out->count - at >= raw_count) {
        out->count = at;
        append(out, s->raw[i].at, s->raw[i].count);
      }
      if (raw_count > 0) flags |= 1u << i;
    } else {
      append(out, s->parts[i].at, s->parts[i].count);
    }
    if (out->count == at) {
      memset(out->at + line, 0, 20);
      if (!one_in(8)) flags &= ~(uint64_t)(1u << i);
      continue;
    }
    put(out->at + line, 8, out->count - at);
    put(out->at + line + 8, 8, raw_count);
    if (one_in(100)) put(out->at + line + 8 * below(2), 8, near_value(raw_count, 8));
    put(out->at + line + 16, 4, crc_of(out->at + at, out->count - at));
    if (i == 0 && mutate_hash != NULL) mutate_hash(out->at + at, out->count - at, out->at + start + 40);
  }
  put(out->at + start + 10, 2, flags);
  for (size_t i = 0; i < s->count; i++) {
    block *b = &s->blocks[i];
    size_t at = out->count, line = index + 9 * i;
    uint8_t numbers[8];
    if (!b->is_open) {
      append(out, b->stored.at, b->stored.count);
    } else if (b->kind == 1) {
      deflate_into(&b->pixels, out, 15);
    } else if (b->kind == 3) {
      bytes stream = {NULL, 0, 0};
      deflate_into(&b->pixels, &stream, 15);
      put(numbers, 4, one_in(40) ? near_value(b->list.count / 2, 4) : b->list.count / 2);
      put(numbers + 4, 4, one_in(40) ? near_value(stream.count, 4) : stream.count);
      append(out, numbers, 8);
      append(out, b->list.at, b->list.count);
      append(out, stream.at, stream.count);
      append(out, b->codes.at, b->codes.count);
    } else {
      put(numbers, 4, one_in(40) ? near_value(b->codes.count, 4) : b->codes.count);
      append(out, numbers, 4);
      append(out, b->codes.at, b->codes.count);
      append(out, b->run.at, b->run.count);
    }
    out->at[line] = b->kind;
    put(out->at + line + 1, 4, out->count - at);
    put(out->at + line + 5, 4, crc_of(out->at + at, out->count - at));
    if (one_in(200)) put(out->at + line + 1, 4, near_value(out->count - at, 4));
  }
  /* The hash of a model of that shape, for sets without one of their own. */
  if ((flags & 1) == 0 && get(out->at + start + 18, 2) > 0 && !one_in(20)) {
    size_t first = below(mutate_model_count);
    for (size_t i = 0; i < mutate_model_count; i++) {
      const known_model *m = &mutate_models[(first + i) % mutate_model_count];
      if (get(out->at + start + 12, 2) != m->width || get(out->at + start + 14, 2) != m->height ||
          get(out->at + start + 18, 2) != m->latents)
        continue;
      memcpy(out->at + start + 40, m->hash, 32);
      break;
    }
  }
  if (!one_in(200)) put(out->at + index + 9 * s->count, 4, crc_of(out->at + index, 9 * s->count));
  if (!one_in(200)) put(out->at + start + header, 4, crc_of(out->at + start, header));
}

/* ---- Image sets of version 3: a header, parts with heads, an index that repeats these, a footer ---- */

typedef struct part {
  unsigned kind;
  uint64_t count, extra; /* images of a block if it says so, and what a mixed block or names say beside */
  int has_count;
  block body; /* a model, labels and names, too; raw if open */
} part;

typedef struct stream {
  bytes header; /* without its checksum */
  uint64_t block_images, count;
  part parts[BLOCKS + 4];
  size_t part_count;
} stream;

/* A number as version 3 writes it; returns 0 if there is none. */
static int read_varint(bytes file, size_t *at, uint64_t *value) {
  *value = 0;
  for (unsigned shift = 0; shift < 42 && *at < file.count; shift += 7) {
    uint8_t byte = file.at[(*at)++];
    *value |= (uint64_t)(byte & 127) << shift;
    if (byte < 128) return 1;
  }
  return 0;
}

static void append_varint(bytes *out, uint64_t value) {
  uint8_t text[10];
  size_t count = 0;
  do {
    text[count++] = (uint8_t)((value & 127) | (value > 127 ? 128 : 0));
    value >>= 7;
  } while (value > 0);
  /* Now and then one byte more than it needs. */
  if (one_in(2000)) text[count - 1] |= 128, text[count++] = 0;
  append(out, text, count);
}

static int read_stream(bytes file, stream *s) {
  uint64_t number, tag;
  size_t at = 12;
  if (file.count < 41) return 0;
  for (int i = 0; i < 4; i++) {
    if (!read_varint(file, &at, &number)) return 0;
  }
  s->block_images = number;
  at += ((file.at[10] & 3) == 2) + ((file.at[10] & 8) != 0);
  if (file.at[10] & 4) {
    if (!read_varint(file, &at, &number) || at + 33 > file.count) return 0;
    at += 33 + (size_t)file.at[at + 32];
  }
  if (at + 4 > file.count) return 0;
  s->header = copy_of(file.at, at);
  s->part_count = 0;
  s->count = 0;
  at += 4;
  while (at < file.count && s->part_count < BLOCKS) {
    part *p = &s->parts[s->part_count];
    memset(p, 0, sizeof *p);
    if (!read_varint(file, &at, &tag)) break;
    p->kind = tag & 15;
    p->has_count = (tag & 16) != 0;
    if (p->has_count && !read_varint(file, &at, &p->count)) break;
    if ((p->kind == 3 || p->kind == 10) && !read_varint(file, &at, &p->extra)) break;
    at += 4;
    if (p->kind == 15 || at > file.count) break;
    uint64_t size = tag >> 5;
    if (size > file.count - at) size = file.count - at;
    p->body.kind = p->kind == 5 ? 4 : p->kind;
    p->body.stored = view(file.at + at, (size_t)size);
    at += (size_t)size;
    if (p->kind < 8) s->count += p->has_count ? p->count : s->block_images;
    s->part_count++;
  }
  return s->header.at != NULL;
}

/* A section's raw bytes. */
static bytes *raw_of(stream *s, part *p) {
  if (!p->body.is_open) {
    size_t used;
    bytes raw = {NULL, 0, 0};
    uint64_t raw_count = p->kind == 9 ? s->count : p->kind == 10 ? p->extra : p->body.stored.count;
    if (p->body.stored.count == raw_count || !inflate_from(p->body.stored.at, p->body.stored.count, 15, &raw, &used))
      raw = p->body.stored;
    p->body.pixels = raw;
    p->body.is_open = 1;
  }
  return &p->body.pixels;
}

static void change_stream_once(stream *s) {
  if (s->part_count == 0 || one_in(8)) {
    if (s->header.count > 15 && one_in(2)) s->header.at[10 + below(6)] ^= (uint8_t)(1u << below(8));
    else change_bytes(&s->header, (bytes){NULL, 0, 0});
    return;
  }
  size_t i = below(s->part_count);
  part *p = &s->parts[i], other;
  bytes donor = s->parts[below(s->part_count)].body.stored;
  switch (below(12)) {
  case 0: /* another number of images */
    if (p->kind >= 8 && !one_in(8)) break;
    s->count -= p->has_count ? p->count : s->block_images;
    p->has_count = !one_in(4);
    p->count = one_in(8) ? near_value(p->count, 4) : 1 + few(600);
    s->count += p->has_count ? p->count : s->block_images;
    break;
  case 1: p->extra = one_in(2) ? near_value(p->extra, 4) : few(64); break;
  case 2:
    p->kind = one_in(4) ? (unsigned)below(16) : (unsigned)below(6);
    break;
  case 3: /* parts twice, away, in another order */
    if (one_in(3)) {
      s->parts[s->part_count++] = *p;
    } else if (one_in(2)) {
      memmove(p, p + 1, (s->part_count - i - 1) * sizeof *p);
      s->part_count--;
    } else {
      size_t j = below(s->part_count);
      other = *p, *p = s->parts[j], s->parts[j] = other;
    }
    break;
  default:
    if (p->kind == 8) {
      bytes out = {NULL, 0, 0}, *model = raw_of(s, p);
      if (change_weights(*model, &out)) *model = out;
    } else if (p->kind > 8) {
      bytes *raw = raw_of(s, p);
      if (one_in(2)) change_values(raw, donor);
      else change_bytes(raw, donor);
    } else {
      change_block(&p->body, donor);
    }
  }
}

static void write_stream(stream *s, bytes *out) {
  size_t start = out->count;
  bytes index = {NULL, 0, 0}, body;
  uint8_t numbers[24];
  if (!append(out, s->header.at, s->header.count)) return;
  put(numbers, 4, crc_of(s->header.at, s->header.count) + one_in(200));
  append(out, numbers, 4);
  for (size_t i = 0; i <= s->part_count; i++) {
    part index_part = {0}, *p = &s->parts[i];
    if (i == s->part_count) {
      p = &index_part;
      p->kind = 15;
      p->body.stored = index;
    }
    block *b = &p->body;
    memset(&body, 0, sizeof body);
    if (!b->is_open) {
      append(&body, b->stored.at, b->stored.count);
    } else if (p->kind >= 8) {
      if (p->kind != 8 && !one_in(3)) deflate_into(&b->pixels, &body, 15);
      if (body.count == 0 || body.count >= b->pixels.count) body.count = 0, append(&body, b->pixels.at, b->pixels.count);
      p->extra = b->pixels.count;
    } else if (b->kind == 1) {
      deflate_into(&b->pixels, &body, 15);
    } else if (b->kind == 3) {
      bytes kept = {NULL, 0, 0};
      deflate_into(&b->pixels, &kept, 15);
      put(numbers, 4, one_in(40) ? near_value(b->list.count / 2, 4) : b->list.count / 2);
      put(numbers + 4, 4, one_in(40) ? near_value(kept.count, 4) : kept.count);
      append(&body, numbers, 8);
      append(&body, b->list.at, b->list.count);
      append(&body, kept.at, kept.count);
      append(&body, b->codes.at, b->codes.count);
      if (!one_in(20)) p->extra = b->list.count / 2;
    } else {
      put(numbers, 4, one_in(40) ? near_value(b->codes.count, 4) : b->codes.count);
      append(&body, numbers, 4);
      append(&body, b->codes.at, b->codes.count);
      append(&body, b->run.at, b->run.count);
    }
    size_t head = out->count;
    uint64_t size = one_in(300) ? near_value(body.count, 4) : body.count;
    append_varint(out, size << 5 | (p->has_count ? 16u : 0) | p->kind);
    if (p->has_count) append_varint(out, p->count);
    if (p->kind == 3 || p->kind == 10) append_varint(out, p->extra);
    size_t head_count = out->count - head;
    if (p->kind == 8 && mutate_hash != NULL && (s->header.at[10] & 4) != 0 && s->header.count > 60) {
      size_t at = 16 + ((s->header.at[10] & 3) == 2) + ((s->header.at[10] & 8) != 0) + (s->block_images > 127) + 1;
      mutate_hash(body.at, body.count, out->at + start + at);
      put(out->at + start + s->header.count, 4, crc_of(out->at + start, s->header.count));
    }
    if (p->kind != 15 || i < s->part_count) append(&index, out->at + head, head_count);
    bytes checked = {NULL, 0, 0};
    append(&checked, out->at + head, head_count);
    append(&checked, body.at, body.count);
    put(numbers, 4, crc_of(checked.at, checked.count) + one_in(300));
    append(out, numbers, 4);
    append(out, body.at, body.count);
    if (i == s->part_count) {
      put(numbers, 8, one_in(100) ? near_value(head - start, 8) : head - start);
      put(numbers + 8, 4, one_in(100) ? near_value(s->count, 4) : s->count);
      put(numbers + 12, 4, crc_of(numbers, 12) + one_in(200));
      memcpy(numbers + 16, "ZEA\x89", 4);
      append(out, numbers, 20);
    }
  }
}

static int change_stream(bytes in, bytes *out) {
  static stream s;
  if (!read_stream(in, &s)) return 0;
  for (size_t n = 1 + below(one_in(4) ? 6 : 2); n > 0 && s.part_count < BLOCKS; n--) change_stream_once(&s);
  write_stream(&s, out);
  return 1;
}

static int change_set(bytes in, bytes *out) {
  static image_set s;
  if (in.count > 10 && in.at[8] == 3) return change_stream(in, out);
  if (!read_set(in, &s)) return 0;
  for (size_t n = 1 + below(one_in(4) ? 6 : 2); n > 0; n--) change_set_once(&s);
  write_set(&s, out);
  return 1;
}

/* ---- PNG ---- */

enum { CHUNKS = 64 };

typedef struct chunk {
  uint8_t type[4];
  bytes data;
} chunk;

static int change_png(bytes in, bytes *out) {
  static chunk chunks[CHUNKS + 4];
  size_t count = 0, offset = 8, used;
  bytes stream = {NULL, 0, 0}, pixels = {NULL, 0, 0};
  int is_inflated = 0, is_dirty = 0;
  if (in.count < 20) return 0;
  while (offset + 12 <= in.count && count < CHUNKS) {
    size_t length = (size_t)get_big(in.at + offset, 4);
    if (length > in.count - offset - 12) break;
    if (memcmp(in.at + offset + 4, "IDAT", 4) == 0) append(&stream, in.at + offset + 8, length);
    if (memcmp(in.at + offset + 4, "IDAT", 4) != 0 || stream.count == length) {
      memcpy(chunks[count].type, in.at + offset + 4, 4);
      chunks[count++].data = view(in.at + offset + 8, length);
    }
    offset += 12 + length;
  }
  if (count == 0) return 0;
  for (size_t n = 1 + below(3); n > 0; n--) {
    chunk *c = &chunks[below(count)], temporary;
    bytes donor = stream;
    switch (below(10)) {
    case 0:
    case 1: { /* the header's numbers: sides, depth, colour, methods */
      static const uint8_t values[][6] = {{1, 2, 4, 8, 16, 3}, {0, 2, 3, 4, 6, 1}, {0, 1, 0, 0, 0, 255}};
      own(&chunks[0].data);
      if (chunks[0].data.count < 13) break;
      size_t which = below(7);
      if (which < 2) put_big(chunks[0].data.at + 4 * which, 4, near_value(get_big(chunks[0].data.at + 4 * which, 4), 4));
      else if (which < 4) chunks[0].data.at[6 + which] = values[which - 2][below(6)];
      else chunks[0].data.at[6 + which] = values[2][below(6)];
      break;
    }
    case 2:
      if (count < CHUNKS) chunks[count++] = *c;
      break;
    case 3: temporary = *c, *c = chunks[count - 1], chunks[count - 1] = temporary; break;
    case 4: { /* another kind of chunk */
      static const char *const types[] = {"IHDR", "PLTE", "IDAT", "IEND", "tRNS", "gAMA", "cHRM", "sRGB", "iCCP", "sBIT",
                                          "bKGD", "hIST", "tEXt", "zTXt", "iTXt", "pHYs", "tIME", "sPLT", "eXIf", "AbCd"};
      if (count == CHUNKS) break;
      chunks[count] = *c;
      if (one_in(2)) chunks[count].data = (bytes){NULL, 0, 0}, change_bytes(&chunks[count].data, donor);
      memcpy(chunks[count++].type, types[below(20)], 4);
      temporary = chunks[count - 1];
      size_t at = below(count);
      memmove(chunks + at + 1, chunks + at, (count - 1 - at) * sizeof *chunks);
      chunks[at] = temporary;
      break;
    }
    case 5: change_bytes(&c->data, donor); break;
    default: /* what the stream makes: filters and samples */
      if (!is_inflated) is_inflated = inflate_from(stream.at, stream.count, 15, &pixels, &used) + 1;
      if (is_inflated == 2) change_bytes(&pixels, donor), is_dirty = 1;
      else change_bytes(&stream, donor);
    }
  }
  if (is_dirty) stream.count = 0, stream.room = 0, deflate_into(&pixels, &stream, 15);
  append(out, in.at, 8);
  if (one_in(100)) out->at[below(8)] ^= 1;
  for (size_t i = 0; i < count; i++) {
    chunk *c = &chunks[i];
    bytes data = c->data;
    if (memcmp(c->type, "IDAT", 4) == 0 && is_dirty) data = stream;
    uint8_t number[4];
    put_big(number, 4, one_in(200) ? near_value(data.count, 4) : data.count);
    append(out, number, 4);
    size_t at = out->count;
    append(out, c->type, 4);
    append(out, data.at, data.count);
    put_big(number, 4, crc_of(out->at + at, out->count - at) ^ one_in(200));
    append(out, number, 4);
  }
  return 1;
}

/* ---- gzip ---- */

static int change_gzip(bytes in, bytes *out, int depth) {
  bytes raw = {NULL, 0, 0}, changed = {NULL, 0, 0}, none = {NULL, 0, 0};
  size_t used;
  if (!inflate_from(in.at, in.count, 31, &raw, &used)) return 0;
  if (depth < 3 && !one_in(3)) change_any(&raw, &changed, depth + 1);
  else changed = raw;
  /* One member or more. */
  size_t members = one_in(4) ? 1 + below(4) : 1, from = 0;
  for (size_t i = 0; i < members; i++) {
    size_t to = i + 1 == members ? changed.count : below(changed.count + 1), start = out->count;
    if (to < from) to = from;
    bytes piece = view(changed.at + from, to - from);
    deflate_into(&piece, out, 31);
    from = to;
    if (one_in(5) && out->count > start + 10) { /* fields that a header may have */
      uint8_t extra[64];
      size_t length = 0, flags = below(16) << 1;
      if (flags & 4) length = 2 + below(20), put(extra, 2, one_in(6) ? 60000 : length - 2);
      if (flags & 8) memcpy(extra + length, "name", 5), length += 5;
      if (flags & 16) memcpy(extra + length, "words", 6), length += 6;
      if (flags & 2) put(extra + length, 2, word()), length += 2;
      if (!reserve(out, out->count + length)) break;
      out->at[start + 3] = (uint8_t)flags;
      memmove(out->at + start + 10 + length, out->at + start + 10, out->count - start - 10);
      memcpy(out->at + start + 10, extra, length);
      out->count += length;
      if (flags & 2) {
        /* Its checksum is that of the header before it. */
        put(out->at + start + 8 + length, 2, crc_of(out->at + start, 8 + length));
      }
    }
    if (one_in(40)) {
      bytes tail = copy_of(out->at + start, out->count - start);
      change_bytes(&tail, none);
      out->count = start;
      append(out, tail.at, tail.count);
    }
  }
  if (one_in(12)) {
    static const uint8_t zeros[64];
    append(out, zeros, below(64));
  }
  return 1;
}

/* ---- Images in plain files ---- */

static void change_idx(bytes in, bytes *out) {
  append(out, in.at, in.count);
  for (size_t n = 1 + below(3); n > 0; n--) {
    size_t dimensions = out->count > 3 ? out->at[3] : 0, header = 4 + 4 * dimensions;
    if (out->count < header + 4 || dimensions > 8 || one_in(3)) {
      change_bytes(out, in);
    } else if (one_in(3)) {
      static const uint8_t types[] = {8, 9, 11, 12, 13, 14};
      if (one_in(2)) out->at[2] = types[below(6)];
      else out->at[3] = (uint8_t)below(6);
    } else {
      size_t at = 4 + 4 * below(dimensions);
      put_big(out->at + at, 4, near_value(get_big(out->at + at, 4), 4));
    }
    /* As many elements as the header says, mostly. */
    if (out->count > 16 && !one_in(3)) {
      uint64_t elements = 1;
      dimensions = out->at[3];
      if (dimensions > 4 || out->count < 4 + 4 * dimensions) continue;
      for (size_t i = 0; i < dimensions; i++) elements = elements > 1u << 20 ? elements : elements * get_big(out->at + 4 + 4 * i, 4);
      if (elements > 1u << 16 || !reserve(out, 4 + 4 * dimensions + (size_t)elements)) continue;
      for (size_t i = out->count; i < 4 + 4 * dimensions + (size_t)elements; i++) out->at[i] = (uint8_t)i;
      out->count = 4 + 4 * dimensions + (size_t)elements;
    }
  }
}

static void replace(bytes *b, size_t at, size_t old, const char *text) {
  size_t length = strlen(text);
  if (at > b->count || old > b->count - at || !reserve(b, b->count + length)) return;
  memmove(b->at + at + length, b->at + at + old, b->count - at - old);
  memcpy(b->at + at, text, length);
  b->count += length - old;
}

static void change_npy(bytes in, bytes *out) {
  append(out, in.at, in.count);
  size_t header = in.count > 10 ? 10 + (size_t)get(in.at + 8, 2) : 0;
  if (header == 0 || header > in.count || one_in(6)) {
    change_bytes(out, in);
    return;
  }
  size_t data = in.count - header;
  if (one_in(2)) {
    /* Another shape or type, and data to match, mostly. */
    static const char *const types[] = {"|u1", "<f4", "<f8", "<u1", ">f4", "|i1", "<i8", "|O", "<U3", "=f4"};
    static const char *const orders[] = {"False", "False", "False", "True", "0", "None"};
    size_t sizes[4], dimensions = one_in(8) ? below(5) : 2 + below(2), which = one_in(2) ? below(3) : below(10);
    uint64_t elements = 1;
    char text[256], shape[128] = "";
    for (size_t i = 0; i < dimensions; i++) {
      sizes[i] = one_in(20) ? (size_t)(near_value(28, 8) & INT64_MAX) : below(9);
      elements = elements > 1u << 20 ? elements : elements * sizes[i];
      snprintf(shape + strlen(shape), sizeof shape - strlen(shape), "%zu%s", sizes[i], one_in(40) ? "L, " : dimensions == 1 || i + 1 < dimensions ? ", " : "");
    }
    snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': %s, 'shape': (%s)%s}", types[which], orders[below(6)], shape,
             one_in(2) ? ", " : "");
    size_t length = strlen(text);
    out->count = 0;
    append(out, in.at, 10);
    append(out, text, length);
    while ((out->count + 1) % 64 != 0 && !one_in(200)) append(out, " ", 1);
    append(out, "\n", 1);
    put(out->at + 8, 2, out->count - 10);
    static const uint8_t widths[] = {1, 4, 8, 1, 4, 1, 8, 8, 12, 4};
    elements = elements > 1u << 16 ? below(64) : elements * widths[which] + one_in(30);
    for (uint64_t i = 0; i < elements; i++) {
      uint8_t byte = widths[which] == 1 ? (uint8_t)word() : 0;
      append(out, &byte, 1);
    }
    if (widths[which] >= 4 && elements >= 8 && one_in(3)) put_number(out->at + out->count - widths[which], widths[which] == 8 ? 8 : 4);
  } else if (one_in(2)) {
    /* Words of the header in each other's place; its length is made right. */
    static const char *const words[] = {"'descr'", "'shape'", "'fortran_order'", "True", "(", ")", "{", "}", ",", "'", "\"", "-1",
                                        "18446744073709551616", "9223372036854775807", "()", "(3,)", "\\", "\n", "#", "1e3", "0x10"};
    bytes text = copy_of(in.at + 10, header - 10);
    for (size_t n = 1 + below(3); n > 0; n--) replace(&text, below(text.count), below(3), words[below(21)]);
    out->count = 0;
    append(out, in.at, 10);
    append(out, text.at, text.count);
    put(out->at + 8, 2, out->count - 10);
    append(out, in.at + header, data);
    if (one_in(10)) out->at[6] = (uint8_t)below(5);
  } else {
    for (size_t n = 1 + below(3); n > 0; n--) change_bytes(out, in);
  }
}

static void change_text(bytes in, bytes *out, const char *const *words, size_t count) {
  append(out, in.at, in.count);
  for (size_t n = 1 + below(4); n > 0; n--) {
    if (one_in(3)) {
      change_bytes(out, in);
      continue;
    }
    /* A word in another's place, mostly near the beginning. */
    size_t at = below(one_in(2) && out->count > 24 ? 24 : out->count), old = 0;
    while (at + old < out->count && old < 8 && out->at[at + old] > ' ' && !one_in(6)) old++;
    replace(out, at, old, words[below(count)]);
  }
}

static void change_pgm(bytes in, bytes *out) {
  static const char *const words[] = {"P2", "P3", "P5", "P6", "P7\n", "0", "1", "2", "3", "15", "255", "256", "65535", "65536", "-1", " ", "\n", "#x\n",
                                      "99999999999999999999", "18446744073709551616", "\t", "\r", "4294967297", "00", "+1", "2 2\n255\n",
                                      "WIDTH 1\n", "HEIGHT", "DEPTH 4", "MAXVAL 1\n", "TUPLTYPE RGB_ALPHA\n", "GRAYSCALE", "ENDHDR\n"};
  if (one_in(3)) {
    /* A file of its own, whose sides and data match, mostly. */
    char text[128];
    size_t width = below(9), height = below(9), largest = one_in(2) ? 255 : (size_t)(near_value(255, 4) & 0xFFFFF);
    int is_text = one_in(2);
    size_t depth = one_in(2) ? 1 : one_in(2) ? 3 : 1 + below(5);
    if (depth == 1 || depth == 3) {
      snprintf(text, sizeof text, "P%d%s%zu %zu\n%zu\n", (is_text ? 2 : 5) + (depth == 3), one_in(3) ? "\n# a word\n" : "\n", width,
               height, largest);
    } else {
      is_text = 0;
      snprintf(text, sizeof text, "P7\nWIDTH %zu\nHEIGHT %zu\nDEPTH %zu\nMAXVAL %zu\n%sENDHDR\n", width, height, depth, largest,
               depth == 4 && one_in(2) ? "TUPLTYPE RGB_ALPHA\n" : "");
    }
    append(out, text, strlen(text));
    size_t samples = width * height * depth + (one_in(10) ? below(3) : 0);
    for (size_t i = 0; i < samples; i++) {
      size_t value = one_in(50) ? below(70000) : below(largest + 1);
      uint8_t both[2] = {(uint8_t)(value >> 8), (uint8_t)value};
      if (is_text) snprintf(text, sizeof text, "%zu%c", value, one_in(5) ? '\n' : ' '), append(out, text, strlen(text));
      else if (largest > 255) append(out, both, 2);
      else append(out, both + 1, 1);
    }
    return;
  }
  change_text(in, out, words, sizeof words / sizeof *words);
}

/* A list of nodes, as options have it: numbers and words for others of their kind, nodes more and nodes less. */
static void change_list(bytes in, bytes *out) {
  static const char *const nodes[] = {"add(0,0)", "concatenate(0,0)", "concatenate(input,input)", "upsample(factor=2)",
                                      "mean_pool(whole=true)", "max_pool(kernel=2,padding=1)", "channels_first()",
                                      "activation(activation=tanh)", "dense(outputs=3)", "dense(outputs=65536)",
                                      "reshape(height=1,width=90,channels=1)", "channels_last(height=5,width=6,channels=3)",
                                      "convolution(input,channels=3,kernel=5,padding=4)", "upsample(factor=16)"};
  static const char *const numbers[] = {"0", "1", "2", "3", "5", "6", "7", "16", "17", "65535", "999999999", "input", "-1", ""};
  static const char *const names[] = {"dense", "convolution", "transposed_convolution", "activation", "add", "max_pool",
                                      "mean_pool", "kernel", "stride", "padding", "height", "width", "channels", "outputs",
                                      "relu", "gelu", "leaky_relu:0.999", "identity", ";", "(", ")", "="};
  append(out, in.at, in.count);
  for (size_t n = 1 + below(3); n > 0; n--) {
    if (one_in(8)) {
      change_bytes(out, in);
      continue;
    }
    /* A piece between two marks. */
    size_t start = below(out->count + 1), end;
    while (start > 0 && strchr(";(),=", out->at[start - 1]) == NULL) start--;
    for (end = start; end < out->count && strchr(";(),=", out->at[end]) == NULL;) end++;
    if (end > start && out->at[start] <= '9') replace(out, start, end - start, numbers[below(sizeof numbers / sizeof *numbers)]);
    else if (start == 0 || out->at[start - 1] == ';') {
      char text[80];
      snprintf(text, sizeof text, "%s;", nodes[below(sizeof nodes / sizeof *nodes)]);
      while (one_in(2) && end < out->count && out->at[end] != ';') end++;
      replace(out, start, one_in(2) ? 0 : end - start, text);
    } else {
      replace(out, start, end - start, names[below(sizeof names / sizeof *names)]);
    }
  }
}

static void change_json(bytes in, bytes *out) {
  static const char *const words[] = {"{", "}", "[", "]", ",", ":", "\"", "\\", "\\u0000", "\\ud800", "\\udc00", "\\ud83d\\ude00",
                                      "null", "true", "false", "1e999", "-0", "1E-400", "9223372036854775808", "0x1", "NaN", "\"a\":",
                                      "[[[[[[[[[[[[[[[[", "]]]]]]]]]]]]]]]]", "{\"a\":{\"a\":{\"a\":", "\xff", "\xed\xa0\x80", "\t", "-", "."};
  change_text(in, out, words, sizeof words / sizeof *words);
}

/* ---- All ---- */

format format_of(const uint8_t *b, size_t count) {
  static const uint8_t png[] = {0x89, 'P', 'N', 'G'}, aew[] = {0x89, 'A', 'E', 'W'}, aez[] = {0x89, 'A', 'E', 'Z'};
  if (count >= 4 && memcmp(b, aew, 4) == 0) {
    size_t sections = count >= 32 ? (size_t)get(b + 24, 4) : 0;
    for (size_t i = 0; i < sections && i < 64 && 64 + 32 * i <= count; i++)
      if (memcmp(b + 32 + 32 * i, "trnr", 4) == 0) return FORMAT_CHECKPOINT;
    return FORMAT_WEIGHTS;
  }
  if (count >= 4 && memcmp(b, aez, 4) == 0) return FORMAT_SET;
  if (count >= 4 && memcmp(b, png, 4) == 0) return FORMAT_PNG;
  if (count >= 2 && b[0] == 0x1F && b[1] == 0x8B) return FORMAT_GZIP;
  if (count >= 6 && memcmp(b, "\x93NUMPY", 6) == 0) return FORMAT_NPY;
  if (count >= 4 && b[0] == 0 && b[1] == 0) return FORMAT_IDX;
  if (count >= 2 && b[0] == 'P' && b[1] != 0 && strchr("23567", b[1]) != NULL) return FORMAT_PGM;
  return FORMAT_JSON;
}

static void change_any(const bytes *in, bytes *out, int depth) {
  bytes none = {NULL, 0, 0};
  int is_done = 0;
  if (!one_in(50)) {
    switch (format_of(in->at, in->count)) {
    case FORMAT_WEIGHTS:
    case FORMAT_CHECKPOINT: is_done = change_weights(*in, out); break;
    case FORMAT_SET: is_done = change_set(*in, out); break;
    case FORMAT_PNG: is_done = change_png(*in, out); break;
    case FORMAT_GZIP: is_done = change_gzip(*in, out, depth); break;
    case FORMAT_IDX: change_idx(*in, out), is_done = 1; break;
    case FORMAT_NPY: change_npy(*in, out), is_done = 1; break;
    case FORMAT_PGM: change_pgm(*in, out), is_done = 1; break;
    default:
      if (in->count > 0 && in->at[0] >= 'a' && in->at[0] <= 'z') change_list(*in, out);
      else change_json(*in, out);
      is_done = 1;
    }
  }
  if (is_done) return;
  append(out, in->at, in->count);
  for (size_t n = 1 + below(4); n > 0; n--) change_bytes(out, none);
}

size_t mutate(const seed_file *file, uint64_t random, uint8_t *out, size_t room) {
  state = random;
  arena_used = 0;
  bytes in = view(file->bytes, file->count), made = {NULL, 0, 0};
  change_any(&in, &made, 0);
  /* Now and then something is cut or follows. */
  if (one_in(150) && made.count > 0) made.count = below(made.count);
  else if (one_in(150)) append(&made, &random, 1 + below(8));
  size_t count = made.count < room ? made.count : room;
  if (count > 0) memcpy(out, made.at, count);
  return count;
}
