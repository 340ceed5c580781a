/* A text under way, one for each thread: see CSystem.h. */
#define _GNU_SOURCE
#include "CSystem.h"

#include <inttypes.h>
#include <locale.h>
#include <stdatomic.h>
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

/* Copies digits as printf made them, with a point for the locale's decimal separator, which is no digit, letter or
   sign, and may have several bytes. */
static size_t plain_number(const char *digits, char *plain) {
  size_t count = 0;
  for (const char *at = digits; *at; at++) {
    int is_own = (*at >= '0' && *at <= '9') || (*at >= 'a' && *at <= 'z') || *at == '-' || *at == '+';
    if (is_own)
      plain[count++] = *at;
    else if (count == 0 || plain[count - 1] != '.')
      plain[count++] = '.';
  }
  plain[count] = 0;
  return count;
}

void cs_text_append_number(double value) {
  char digits[64], plain[64];
  snprintf(digits, sizeof digits, "%.6g", value);
  cs_text_append((const uint8_t *)plain, plain_number(digits, plain));
}

/* The "C" locale, made at the first use and kept; two threads may each make one, and one of them stays. */
static locale_t c_locale(void) {
  static _Atomic(locale_t) kept;
  locale_t locale = atomic_load(&kept);
  if (locale) return locale;
  locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  locale_t none = (locale_t)0;
  if (locale && !atomic_compare_exchange_strong(&kept, &none, locale)) {
    freelocale(locale);
    locale = none;
  }
  return locale;
}

int cs_parse_number(const char *text, double *value) {
  char first = *text == '-' || *text == '+' ? text[1] : *text;
  if (!(first == '.' || (first >= '0' && first <= '9'))) return 0;
  for (const char *at = text; *at; at++)
    if (*at == 'x' || *at == 'X') return 0;
  locale_t locale = c_locale();
  if (!locale) return 0;
  char *end;
  *value = strtod_l(text, &end, locale);
  return end != text && *end == 0;
}

void cs_print_number(double value, char text[32]) {
  for (int digits = 15; digits <= 17; digits++) {
    char printed[64], plain[64];
    double back = 0;
    snprintf(printed, sizeof printed, "%.*g", digits, value);
    size_t count = plain_number(printed, plain);
    memcpy(text, plain, count + 1);
    if (cs_parse_number(text, &back) && back == value) return;
  }
}
