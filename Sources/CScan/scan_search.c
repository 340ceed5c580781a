/*
 * The search for the bilevel scan behind an anti-aliased image: the inner loop of Scan, in plain C because it
 * is all branches and bit counts. Its own file because it is a search, not arithmetic: nothing here is
 * compiled per instruction set, and its integers are the same everywhere.
 *
 * The image's pixels are taken in raster order. Each one fixes, to within its rounding, the weighted sum of the
 * few scan pixels under it; those that an earlier pixel has not decided are enumerated, smoothest first, and
 * the `beam` smoothest hypotheses go on. Hypotheses that no later pixel can tell apart are one.
 */
#include "CScan.h"

#include <string.h>

enum { BOX = CK_SCAN_BOX, MAX_SIDE = CK_SCAN_MAX_SIDE, MAX_SUPPORT = 8, MAX_NEW = MAX_SUPPORT * MAX_SUPPORT };
/* Costs of unlike neighbours, side by side and corner to corner. */
enum { EDGE_COST = 10, CORNER_COST = 7 };
enum { MAX_NODES = 4000, PIXEL_NODES = 60000, ENOUGH = 8, MAX_CANDIDATES = 1 << 15, COST_RANGE = 1024 };

typedef struct candidate {
  int32_t cost, parent;
  uint64_t bits;
} candidate;

typedef struct hypothesis {
  int32_t cost;
  uint64_t key;
  uint8_t bits[MAX_SIDE * MAX_SIDE];
} hypothesis;

typedef struct axis {
  int first[BOX], last[BOX]; /* the scan's rows under each row of the image */
  int begin[BOX], end[BOX];  /* those of them that it is the first to see */
  int shares_next[BOX];      /* whether the last of them is also under the next row */
  int32_t weight[BOX][MAX_SUPPORT];
} axis;

typedef struct search {
  axis at;
  int side, low_margin, high_margin; /* rows */
  int left_margin, right_margin;
  hypothesis *now, *next;
  candidate *candidates, *sorted;
  int candidate_count;
  /* Of the pixel in hand. */
  uint8_t *bits;
  int parent, count, nodes, node_limit, row_begin, column_end;
  int32_t cost_limit, cost_bound;
  int64_t low, high;
  uint8_t y[MAX_NEW], x[MAX_NEW];
  int32_t weight[MAX_NEW];
  int32_t rest[MAX_NEW + 1]; /* the sum of the weights from there on */
} search;

size_t ck_scan_workspace(int beam) {
  return sizeof(search) + 2 * (size_t)beam * sizeof(hypothesis) + 2 * MAX_CANDIDATES * sizeof(candidate);
}

void ck_scan_weights(int side, ck_scan_share *shares) {
  /* In units of 1 / (5 side) of a pixel of the image, a scan pixel is 100 long, of which 99 are drawn. */
  int unit = 5 * side;
  for (int y = 0; y < side; y++) {
    int start = 100 * y, a = start / unit, b = (start + 98) / unit;
    shares[y].target = a;
    shares[y].weight = a == b ? 100 : unit * (a + 1) - start;
    shares[y].next_weight = a == b ? 0 : start + 99 - unit * b;
  }
}

static int make_axis(int side, axis *at) {
  ck_scan_share shares[MAX_SIDE];
  ck_scan_weights(side, shares);
  int y = 0, seen = 0;
  for (int i = 0; i < BOX; i++) {
    while (y < side && shares[y].target < i && !(shares[y].target == i - 1 && shares[y].next_weight > 0))
      y++;
    at->first[i] = y;
    int last = y;
    for (int n = 0; y + n < side && shares[y + n].target <= i; n++) {
      if (n >= MAX_SUPPORT)
        return 0;
      at->weight[i][n] = shares[y + n].target == i ? shares[y + n].weight : shares[y + n].next_weight;
      last = y + n;
    }
    at->last[i] = last;
    at->begin[i] = seen;
    at->end[i] = seen = last + 1;
    at->shares_next[i] = i + 1 < BOX && shares[last].next_weight > 0;
  }
  return 1;
}

static void enumerate(search *s, int k, int64_t sum, int32_t cost, uint64_t bits) {
  if (sum > s->high || sum + s->rest[k] < s->low || cost > s->cost_limit || ++s->nodes > s->node_limit)
    return;
  if (k == s->count) {
    if (s->candidate_count < MAX_CANDIDATES)
      s->candidates[s->candidate_count++] = (candidate){cost, s->parent, bits};
    return;
  }
  int y = s->y[k], x = s->x[k], side = s->side;
  uint8_t *at = s->bits + y * side + x;
  int west = x > 0 ? at[-1] : 0, north = y > 0 ? at[-side] : 0;
  int north_west = x > 0 && y > 0 ? at[-side - 1] : 0;
  /* What is to the upper right is decided above this row of the image, or within this pixel. */
  int north_east = y > 0 && x + 1 < side && (y - 1 < s->row_begin || x + 1 < s->column_end) ? at[1 - side] : north;
  int likely = west + north + north_west + north_east >= 2;
  for (int turn = 0; turn < 2; turn++) {
    int v = likely ^ turn;
    *at = (uint8_t)v;
    enumerate(s, k + 1, sum + (v ? s->weight[k] : 0),
              cost + EDGE_COST * ((v != west) + (v != north)) +
                  CORNER_COST * ((v != north_west) + (v != north_east)),
              bits | (uint64_t)v << k);
  }
  *at = 0;
}

/* The scan pixels that the image's pixel (i, j) decides, and what the others under it sum to. */
static int64_t gather(search *s, int i, int j, const uint8_t *bits) {
  const axis *at = &s->at;
  int64_t sum = 0;
  s->count = 0;
  for (int y = at->first[i]; y <= at->last[i]; y++)
    for (int x = at->first[j]; x <= at->last[j]; x++) {
      int32_t weight = at->weight[i][y - at->first[i]] * at->weight[j][x - at->first[j]];
      if (y < at->begin[i] || x < at->begin[j]) {
        if (bits[y * s->side + x])
          sum += weight;
      } else if (y >= s->low_margin && y < s->high_margin && x >= s->left_margin && x < s->right_margin) {
        s->y[s->count] = (uint8_t)y;
        s->x[s->count] = (uint8_t)x;
        s->weight[s->count++] = weight;
      }
    }
  s->rest[s->count] = 0;
  for (int k = s->count - 1; k >= 0; k--)
    s->rest[k] = s->rest[k + 1] + s->weight[k];
  return sum;
}

static void put(const search *s, uint8_t *bits, uint64_t values) {
  for (int k = 0; k < s->count; k++)
    bits[s->y[k] * s->side + s->x[k]] = values >> k & 1;
}

/* The state of a hypothesis for later pixels: the scan pixels under more than one pixel of the image. */
static uint64_t key(const search *s, int i, int j, const uint8_t *bits) {
  const axis *at = &s->at;
  uint64_t hash = 14695981039346656037u;
#define MIX(v) hash = (hash ^ (uint64_t)((v) + 1)) * 1099511628211u
  if (at->shares_next[i])
    for (int x = 0; x < at->end[j]; x++)
      MIX(bits[at->last[i] * s->side + x]);
  if (at->shares_next[j])
    for (int y = at->first[i]; y < at->end[i]; y++)
      MIX(bits[y * s->side + at->last[j]]);
  for (int y = at->first[i]; y < at->begin[i]; y++)
    for (int x = at->end[j]; x < s->side; x++)
      MIX(bits[y * s->side + x]);
#undef MIX
  return hash;
}

/* Sorts candidates by cost, equal ones in their order. */
static void sort(search *s) {
  int32_t least = INT32_MAX;
  for (int c = 0; c < s->candidate_count; c++)
    if (s->candidates[c].cost < least)
      least = s->candidates[c].cost;
  int starts[COST_RANGE + 1] = {0};
#define BIN(c) ((c).cost - least < COST_RANGE - 1 ? (c).cost - least : COST_RANGE - 1)
  for (int c = 0; c < s->candidate_count; c++)
    starts[BIN(s->candidates[c]) + 1]++;
  for (int b = 0; b < COST_RANGE; b++)
    starts[b + 1] += starts[b];
  for (int c = 0; c < s->candidate_count; c++)
    s->sorted[starts[BIN(s->candidates[c])]++] = s->candidates[c];
#undef BIN
}

/* The sums, in units of the weights, that round to within `slack` of a pixel; docs/format-aez.md has the rule. */
static void bounds(search *s, int pixel, int slack, int64_t largest) {
  int below = pixel - slack < 0 ? 0 : pixel - slack, above = pixel + slack > 255 ? 255 : pixel + slack;
  if (below == 0)
    s->low = 0;
  else if (below == 255)
    s->low = largest;
  else
    s->low = ((below <= 128 ? below - 1 : below) * largest + 254) / 255;
  if (below > 0 && s->low < 1)
    s->low = 1;
  s->high = above == 0 ? 0 : (above < 128 ? above : above + 1) * largest / 255;
  if (slack == 255)
    s->high = INT64_MAX;
  else if (s->high > largest)
    s->high = largest;
}

/* The candidates of all hypotheses: first the smooth ones alone, and rougher ones only if
   those are few. */
static int collect(search *s, int i, int j, int hypotheses) {
  s->candidate_count = 0;
  s->row_begin = s->at.begin[i];
  s->column_end = s->at.end[j];
  s->node_limit = PIXEL_NODES / hypotheses < MAX_NODES ? PIXEL_NODES / hypotheses : MAX_NODES;
  for (int step = 0; step < 3 && s->candidate_count < ENOUGH; step++) {
    s->candidate_count = 0;
    static const int32_t roughness[] = {60, 160, 320};
    for (int h = 0; h < hypotheses; h++) {
      s->bits = s->now[h].bits;
      s->parent = h;
      int64_t sum = gather(s, i, j, s->bits);
      int32_t room = s->cost_bound - s->now[h].cost;
      s->cost_limit = s->now[h].cost + (room < roughness[step] ? room : roughness[step]);
      s->nodes = 0;
      enumerate(s, 0, sum, s->now[h].cost, 0);
    }
  }
  return s->candidate_count;
}

int ck_scan_search(const ck_scan_task *task, void *workspace, uint8_t *bits, int *reached) {
  search *s = workspace;
  s->now = (hypothesis *)(s + 1);
  s->next = s->now + task->beam;
  s->candidates = (candidate *)(s->next + task->beam);
  s->sorted = s->candidates + MAX_CANDIDATES;
  int side = s->side = task->side;
  s->low_margin = task->top;
  s->high_margin = side - task->top;
  s->left_margin = task->left;
  s->right_margin = side - task->left;
  *reached = 0;
  if (side < BOX || side > MAX_SIDE || !make_axis(side, &s->at))
    return -1;
  int count = 1, misses = 0;
  s->now[0].cost = 0;
  memset(s->now[0].bits, 0, (size_t)(side * side));
  for (int index = 0; index < BOX * BOX; index++) {
    int i = index / BOX, j = index % BOX, pixel = task->box[index], found = 0;
    /* Ink is spread over the rows, so roughness grows with them; four rows are allowed for. */
    if (i + 4 < BOX)
      s->cost_bound = task->largest_cost / BOX * (i + 4);
    else
      s->cost_bound = task->largest_cost;
    *reached = index;
    static const int slacks[] = {0, 2, 255};
    for (int step = 0; step < 3 && !found; step++) {
      /* A wrong side misses one pixel after the other; the right one a few, far between. */
      if (step == 1 && (++misses > task->misses || misses > 1 + index / 64))
        return -1;
      bounds(s, pixel, slacks[step], task->largest);
      found = collect(s, i, j, count);
    }
    if (!found)
      return -1;
    if (found == 1 && count == 1) {
      put(s, s->now[0].bits, s->candidates[0].bits);
      s->now[0].cost = s->candidates[0].cost;
      continue;
    }
    sort(s);
    int kept = 0;
    for (int c = 0; c < found && kept < task->beam; c++) {
      hypothesis *h = &s->next[kept];
      h->cost = s->sorted[c].cost;
      memcpy(h->bits, s->now[s->sorted[c].parent].bits, (size_t)(side * side));
      put(s, h->bits, s->sorted[c].bits);
      h->key = key(s, i, j, h->bits);
      int known = 0;
      for (int k = 0; k < kept && !known; k++)
        known = s->next[k].key == h->key;
      kept += !known;
    }
    count = kept;
    hypothesis *swap = s->now;
    s->now = s->next;
    s->next = swap;
  }
  int best = 0;
  for (int h = 1; h < count; h++)
    if (s->now[h].cost < s->now[best].cost)
      best = h;
  memcpy(bits, s->now[best].bits, (size_t)(side * side));
  return s->now[best].cost + 600 * misses;
}
