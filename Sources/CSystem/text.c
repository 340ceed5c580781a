/* A text under way, one for each thread: see CSystem.h. */
#include "CSystem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Paths, which messages quote, have at most 4096 bytes. */
typedef struct text {
  size_t count;
  uint8_t bytes[6144];
} text;

#ifdef AE_EMBEDDED

/* Allocated, because the library has room for few words of a thread's own: system.c tells why. */
static _Thread_local text *own_text;

static text *get_text(void) {
  if (own_text) return own_text;
  own_text = malloc(sizeof *own_text);
  if (!own_text) own_text = cs_reserve_take(sizeof *own_text);
  if (own_text) own_text->count = 0;
  return own_text;
}

void cs_text_release(void) {
  if (!own_text) return;
  free(own_text);
  own_text = NULL;
}

size_t cs_text_count(void) { return own_text ? own_text->count : 0; }

const uint8_t *cs_text_bytes(void) {
  static const uint8_t none[1];
  return own_text ? own_text->bytes : none;
}

void cs_text_cut(size_t count) {
  if (own_text && count < own_text->count) own_text->count = count;
}

#else

static _Thread_local text own_text;

static text *get_text(void) { return &own_text; }

void cs_text_release(void) { own_text.count = 0; }

size_t cs_text_count(void) { return own_text.count; }

const uint8_t *cs_text_bytes(void) { return own_text.bytes; }

void cs_text_cut(size_t count) {
  if (count < own_text.count) own_text.count = count;
}

#endif

void cs_text_append(const uint8_t *from, size_t byte_count) {
  text *to = get_text();
  if (!to) return;
  size_t room = sizeof to->bytes - to->count;
  if (byte_count > room) {
    byte_count = room;
    while (byte_count > 0 && (from[byte_count] & 0xC0) == 0x80) byte_count--;
  }
  if (byte_count > 0) memcpy(to->bytes + to->count, from, byte_count);
  to->count += byte_count;
}

static void append_characters(const char *from) { cs_text_append((const uint8_t *)from, strlen(from)); }

void cs_text_append_signed(int64_t value) {
  char digits[32];
  snprintf(digits, sizeof digits, "%" PRId64, value);
  append_characters(digits);
}

void cs_text_append_unsigned(uint64_t value) {
  char digits[32];
  snprintf(digits, sizeof digits, "%" PRIu64, value);
  append_characters(digits);
}

void cs_text_append_number(double value) {
  char digits[64], plain[64];
  size_t count = 0;
  snprintf(digits, sizeof digits, "%.6g", value);
  /* A locale's decimal separator is no digit, letter or sign, and may have several bytes. */
  for (const char *at = digits; *at; at++) {
    int is_own = (*at >= '0' && *at <= '9') || (*at >= 'a' && *at <= 'z') || *at == '-' || *at == '+';
    if (is_own)
      plain[count++] = *at;
    else if (count == 0 || plain[count - 1] != '.')
      plain[count++] = '.';
  }
  cs_text_append((const uint8_t *)plain, count);
}
