/*
 * Where the outputs of a list's nodes lie while it runs: one arena, in which an output's place is used again once it has
 * been read for the last time. Networks in floats and in integers share the plan.
 */
#include "CKernels.h"

size_t ck_plan(size_t count, const ck_node *(*node)(const void *, size_t), const void *context, const size_t *sizes,
               size_t *offsets) {
  /* The last reader of each output, and the outputs still to be read, by their places. */
  uint16_t last[CK_MOST_NODES], alive[CK_MOST_NODES];
  size_t total = 0, alive_count = 0;
  for (size_t n = 0; n < count; n++) {
    last[n] = (uint16_t)n;
    const ck_node *at = node(context, n);
    int sources = at->operation == CK_ADD || at->operation == CK_CONCATENATE ? 2 : 1;
    for (int i = 0; i < sources; i++)
      if ((size_t)at->back[i] < n)
        last[n - 1 - (size_t)at->back[i]] = (uint16_t)n;
  }
  for (size_t n = 0; n < count; n++) {
    size_t kept = 0;
    for (size_t i = 0; i < alive_count; i++)
      if (last[alive[i]] >= n)
        alive[kept++] = alive[i];
    /* The lowest gap that is large enough. */
    size_t at = 0, place = 0;
    while (place < kept && offsets[alive[place]] < at + sizes[n]) {
      size_t end = offsets[alive[place]] + sizes[alive[place]];
      at = end > at ? end : at;
      place++;
    }
    for (size_t i = kept; i > place; i--)
      alive[i] = alive[i - 1];
    alive[place] = (uint16_t)n;
    alive_count = kept + 1;
    offsets[n] = at;
    total = at + sizes[n] > total ? at + sizes[n] : total;
  }
  return total;
}
