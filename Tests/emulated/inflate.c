/*
 * What the reading half of the library asks of zlib, for processors that this machine has no zlib for: checksums, and
 * streams in one piece whose output has room. Simple and slow, after RFC 1951; it trusts the golden files it is given.
 */
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>
uLong crc32_z(uLong crc, const Bytef *p, z_size_t n) {
  uint32_t c = ~(uint32_t)crc;
  while (n--) { c ^= *p++; for (int k = 0; k < 8; k++) c = c >> 1 ^ (0xedb88320u & -(c & 1)); }
  return (uint32_t)~c;
}
typedef struct { const uint8_t *in; size_t n, at; uint32_t bits; int have; uint8_t *out; size_t cap, len; int bad; } S;
static int bits(S *s, int n) {
  uint32_t v = s->bits;
  while (s->have < n) { if (s->at == s->n) { s->bad = 1; return 0; } v |= (uint32_t)s->in[s->at++] << s->have; s->have += 8; }
  s->bits = n ? v >> n : v; s->have -= n;
  return v & ((1u << n) - 1);
}
typedef struct { short count[16], symbol[288]; } H;
static void make(H *h, const short *len, int n) {
  short offs[16];
  for (int i = 0; i < 16; i++) h->count[i] = 0;
  for (int i = 0; i < n; i++) h->count[len[i]]++;
  offs[1] = 0;
  for (int i = 1; i < 15; i++) offs[i + 1] = offs[i] + h->count[i];
  for (int i = 0; i < n; i++) if (len[i]) h->symbol[offs[len[i]]++] = i;
}
static int sym(S *s, const H *h) {
  int code = 0, first = 0, index = 0;
  for (int l = 1; l < 16; l++) {
    code |= bits(s, 1); int c = h->count[l];
    if (code - c < first) return h->symbol[index + code - first];
    index += c; first = (first + c) << 1; code <<= 1; if (s->bad) return 256;
  }
  s->bad = 1; return 256;
}
static void put(S *s, int b) { if (s->len == s->cap) s->bad = 1; else s->out[s->len++] = b; }
static void run(S *s) {
  static const short lb[] = {3,4,5,6,7,8,9,10,11,13,15,17,19,23,27,31,35,43,51,59,67,83,99,115,131,163,195,227,258}, lx[] = {0,0,0,0,0,0,0,0,1,1,1,1,2,2,2,2,3,3,3,3,4,4,4,4,5,5,5,5,0},
    db[] = {1,2,3,4,5,7,9,13,17,25,33,49,65,97,129,193,257,385,513,769,1025,1537,2049,3073,4097,6145,8193,12289,16385,24577}, dx[] = {0,0,0,0,1,1,2,2,3,3,4,4,5,5,6,6,7,7,8,8,9,9,10,10,11,11,12,12,13,13};
  static const short order[19] = {16,17,18,0,8,7,9,6,10,5,11,4,12,3,13,2,14,1,15};
  int last;
  do {
    last = bits(s, 1); int type = bits(s, 2);
    if (type == 0) {
      s->bits = 0; s->have = 0; int n = s->in[s->at] | s->in[s->at + 1] << 8; s->at += 4;
      while (n-- && !s->bad) put(s, s->in[s->at++]);
      continue;
    }
    H lh, dh; short len[320];
    if (type == 1) { for (int i = 0; i < 288; i++) len[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8; make(&lh, len, 288); for (int i = 0; i < 30; i++) len[i] = 5; make(&dh, len, 30); }
    else {
      int nl = bits(s, 5) + 257, nd = bits(s, 5) + 1, nc = bits(s, 4) + 4, i;
      for (i = 0; i < 19; i++) len[order[i]] = i < nc ? bits(s, 3) : 0;
      make(&lh, len, 19); i = 0;
      while (i < nl + nd && !s->bad) { int y = sym(s, &lh); if (y < 16) len[i++] = y; else { int v = y == 16 ? len[i - 1] : 0, r = y == 16 ? 3 + bits(s, 2) : y == 17 ? 3 + bits(s, 3) : 11 + bits(s, 7); while (r-- && i < 320) len[i++] = v; } }
      make(&dh, len + nl, nd); make(&lh, len, nl);
    }
    for (;;) { int y = sym(s, &lh); if (s->bad || y == 256) break; if (y < 256) put(s, y); else { y -= 257; int n = lb[y] + bits(s, lx[y]); int d = sym(s, &dh); size_t dist = db[d] + bits(s, dx[d]); if (dist > s->len) { s->bad = 1; break; } while (n-- && !s->bad) put(s, s->out[s->len - dist]); } }
  } while (!last && !s->bad);
}
int inflateInit_(z_streamp z, const char *v, int n) { (void)z; (void)v; (void)n; return Z_OK; }
int inflateInit2_(z_streamp z, int w, const char *v, int n) { (void)z; (void)w; (void)v; (void)n; return Z_OK; }
int inflateEnd(z_streamp z) { (void)z; return Z_OK; }
int inflateReset(z_streamp z) { (void)z; return Z_OK; }
int inflate(z_streamp z, int f) {
  (void)f;
  S s = {z->next_in + 2, z->avail_in - 2, 0, 0, 0, z->next_out, z->avail_out, 0, 0};
  run(&s);
  if (s.bad) return Z_DATA_ERROR;
  size_t taken = 2 + s.at + 4;
  z->next_in += taken; z->avail_in -= taken; z->next_out += s.len; z->avail_out -= s.len;
  return Z_STREAM_END;
}
