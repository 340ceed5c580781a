/*
 * The search for the bilevel scan behind an anti-aliased image: the inner loop of Scan, in plain C because it
 * is all branches and bits. Its own file because it is a search, not arithmetic: nothing here is compiled per
 * instruction set, and its integers are the same everywhere.
 *
 * The image's pixels are taken in raster order. Each one fixes, to within its rounding, the weighted sum of the
 * few scan pixels under it; those that an earlier pixel has not decided, its block, are enumerated row by row,
 * the smoothest rows first, and the `beam` smoothest hypotheses go on. Hypotheses that no later pixel can tell
 * apart are one.
 *
 * A hypothesis holds no more than later pixels ask about: for each column of blocks, a word with the block's
 * last rows, eight bits each. The bits before those are found at the end, on the way back from block to block.
 */
#include "CScan.h"

#include <string.h>

enum { BOX = CK_SCAN_BOX, MAX_SIDE = CK_SCAN_MAX_SIDE, SIDE_COUNT = MAX_SIDE - BOX + 1 };
enum { SLIP = CK_SCAN_SLIP, SLIP_COUNT = MAX_SIDE / SLIP };
/* The longest side of a block, in scan pixels. */
enum { MAX_BLOCK = 6 };
/* Costs of unlike neighbours, side by side and corner to corner. */
enum { EDGE_COST = 10, CORNER_COST = 7 };
enum { ENOUGH = 8, MAX_CANDIDATES = 1 << 13 };
/* A row of a block has the context of the pixels above, one more at either end, and of the one to the left. */
#define CONTEXTS(width) (1u << ((width) + 3))
/* Where the choices of rows of this width are: behind those of all narrower ones, which are 8 * 4^width. */
#define CHOICES(width) (8 * ((1 << 2 * (width)) - 1) / 3)

/* How a row of a block may be, what neighbours it makes unlike, and its place if at every pixel the likelier
   value comes first. */
typedef struct choice {
  uint8_t cost, pattern, rank;
} choice;

/* The choices without ink and all of ink. */
typedef struct plain_choices {
  choice at[2];
} plain_choices;

/* The scan's rows, or columns, under those of the image. */
typedef struct axis {
  int is_made;
  uint8_t begin[BOX], count[BOX]; /* those that this one is the first to see */
  uint8_t is_shared[BOX];         /* whether it also sees the one before those */
  int16_t shared_weight[BOX];
  int16_t weight[BOX][MAX_BLOCK];
  int16_t sums[BOX][1 << MAX_BLOCK]; /* of the weights where a pattern has ink */
} axis;

/* The low bits of `key` are the order of what costs the same: the hypothesis, then the ranks of its rows. */
enum { RANK_BITS = MAX_BLOCK * MAX_BLOCK, PARENT_BITS = 6, COST_SHIFT = RANK_BITS + PARENT_BITS };

typedef struct candidate {
  uint64_t key, bits;
} candidate;

typedef struct hypothesis {
  int32_t cost;
  uint32_t node;        /* the block decided last */
  uint64_t above, last; /* hashes of the row that this row of blocks shares with the one above; with the next */
  /* Byte 0 is the scan's row above the block, byte 1 its first row. */
  uint64_t blocks[BOX];
} hypothesis;

typedef struct node {
  uint64_t bits;
  uint32_t parent;
} node;

typedef struct search {
  axis axes[SIDE_COUNT], slipped[SLIP_COUNT];
  choice choices[CHOICES(MAX_BLOCK + 1)];
  plain_choices plain[MAX_BLOCK + 1][CONTEXTS(MAX_BLOCK)];
  int widths; /* that there are choices for */
  hypothesis *now, *next;
  node *nodes;
  candidate *candidates;
  int candidate_count, beam, is_cut;
  int is_rough; /* whether there are rougher choices than are allowed */
  /* Of the pixel in hand: its undecided rows and columns, which begin at column `shift` of the block. */
  int rows, columns, shift, is_closed; /* whether there is no ink to their right */
  int tries, try_limit;
  int32_t cost_limit, low, high;
  int32_t weight[MAX_BLOCK], rest[MAX_BLOCK + 1]; /* of the rows, and the sum of all ink from there on */
  int32_t least;                                  /* weight of a column */
  const int16_t *sums;
  uint32_t west; /* the pixels to the left, the row above first */
  uint64_t parent;
} search;

size_t ck_scan_workspace(int beam) {
  return sizeof(search) + 2 * (size_t)beam * sizeof(hypothesis) + BOX * BOX * (size_t)beam * sizeof(node) +
         MAX_CANDIDATES * sizeof(candidate);
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

static void make_axis(int side, int slips, axis *at) {
  ck_scan_share shares[MAX_SIDE];
  ck_scan_weights(side, shares);
  if (slips)
    shares[side / 5].weight--;
  int y = 0;
  for (int i = 0; i < BOX; i++) {
    at->is_shared[i] = y > 0 && shares[y - 1].next_weight > 0;
    at->shared_weight[i] = (int16_t)(y > 0 ? shares[y - 1].next_weight : 0);
    at->begin[i] = (uint8_t)y;
    int count = 0;
    for (; y < side && shares[y].target == i; y++)
      at->weight[i][count++] = (int16_t)shares[y].weight;
    at->count[i] = (uint8_t)count;
    at->sums[i][0] = 0;
    for (int k = 0; k < count; k++)
      for (int pattern = 0; pattern < 1 << k; pattern++)
        at->sums[i][1 << k | pattern] = (int16_t)(at->sums[i][pattern] + at->weight[i][k]);
  }
  at->is_made = 1;
}

static int ones(uint32_t bits) {
  int count = 0;
  for (; bits; bits &= bits - 1)
    count++;
  return count;
}

/* The choices for rows of this width in every context, the cheapest first. */
static void make_choices(int width, choice *choices, plain_choices *plain) {
  uint32_t mask = (1u << width) - 1;
  for (uint32_t context = 0; context < CONTEXTS(width); context++, choices += 1 << width) {
    uint32_t west = context >> (width + 2);
    uint32_t north_west = context, north = context >> 1, north_east = context >> 2;
    for (int rank = 0; rank <= (int)mask; rank++) {
      uint32_t pattern = 0, before = west;
      for (int k = 0; k < width; k++) {
        uint32_t likely = before + (north_west >> k & 1) + (north >> k & 1) + (north_east >> k & 1) >= 2;
        before = likely ^ (rank >> (width - 1 - k) & 1);
        pattern |= before << k;
      }
      int cost = EDGE_COST * (ones((pattern ^ (pattern << 1 | west)) & mask) + ones((pattern ^ north) & mask)) +
                 CORNER_COST * (ones((pattern ^ north_west) & mask) + ones((pattern ^ north_east) & mask));
      choice made = {(uint8_t)cost, (uint8_t)pattern, (uint8_t)rank};
      if (pattern == 0)
        plain[context].at[0] = made;
      if (pattern == mask)
        plain[context].at[1] = made;
      int k = rank;
      for (; k > 0 && choices[k - 1].cost > cost; k--)
        choices[k] = choices[k - 1];
      choices[k] = made;
    }
  }
}

void ck_scan_prepare(void *workspace, int beam) {
  search *s = workspace;
  s->beam = beam < CK_SCAN_MAX_BEAM ? beam : CK_SCAN_MAX_BEAM;
  s->now = (hypothesis *)(s + 1);
  s->next = s->now + beam;
  s->nodes = (node *)(s->next + beam);
  s->candidates = (candidate *)(s->nodes + BOX * BOX * beam);
  s->widths = 0;
  for (int side = 0; side < SIDE_COUNT; side++)
    s->axes[side].is_made = 0;
  for (int k = 0; k < SLIP_COUNT; k++)
    s->slipped[k].is_made = 0;
}

/* Rows from `row` on, whose context is `above` but for the pixel to the left. */
static void enumerate(search *s, int row, int32_t sum, int32_t cost, uint32_t above, uint64_t bits,
                      uint64_t rank) {
  int width = s->columns;
  uint32_t west = s->west >> (row + 1) & 1, context = above | west << (width + 2);
  int32_t weight = s->weight[row], room = s->cost_limit - cost;
  int32_t low = s->low - s->rest[row + 1], high = s->high, least = weight * s->least;
  const choice *choices = s->choices + CHOICES(width) + ((size_t)context << width);
  int count = 1 << width;
  if (sum + least > high) {
    choices = &s->plain[width][context].at[0];
    count = 1;
  } else if (sum + s->rest[row] - least < s->low) {
    choices = &s->plain[width][context].at[1];
    count = 1;
  }
  for (int c = 0; c < count; c++) {
    if (choices[c].cost > room) {
      s->is_rough = 1;
      return;
    }
    uint32_t pattern = choices[c].pattern;
    int32_t total = sum + weight * s->sums[pattern << s->shift];
    if (total > high || total < low)
      continue;
    if (++s->tries > s->try_limit) {
      s->is_cut = s->is_rough = 1;
      return;
    }
    uint64_t with = bits | (uint64_t)pattern << (s->shift + 8 * (row + 1));
    uint64_t order = rank << width | choices[c].rank;
    int32_t price = cost + choices[c].cost;
    if (row + 1 < s->rows) {
      /* What is to the upper right is not decided yet: as above. */
      uint32_t east = width > 0 && !s->is_closed ? pattern >> (width - 1) : 0;
      enumerate(s, row + 1, total, price, west | pattern << 1 | east << (width + 1), with, order);
    } else if (s->candidate_count < MAX_CANDIDATES) {
      s->candidates[s->candidate_count++] =
          (candidate){(uint64_t)price << COST_SHIFT | s->parent << RANK_BITS | order, with};
    }
  }
}

/* The sums, in units of the weights, that round to within `slack` of a pixel; docs/format-aez.md has the rule. */
static void bounds(search *s, int pixel, int slack, int32_t largest) {
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
    s->high = INT32_MAX / 2;
  else if (s->high > largest)
    s->high = largest;
}

/* A pixel's place in the scan. */
typedef struct place {
  int i, j, rows, columns;     /* of its block, margins and all */
  int row_begin;               /* the first that is not margin */
  int reaches_east, last_west; /* whether the last column is not margin; the last column of the block before */
} place;

/* The candidates of hypothesis h, which add at most so much to its cost. */
static void extend(search *s, const axis *at, const place *p, int h, int32_t cost_limit) {
  const hypothesis *from = &s->now[h];
  int i = p->i, j = p->j;
  uint64_t west = j > 0 ? from->blocks[j - 1] >> p->last_west & 0x0101010101010101u : 0;
  uint32_t over = (uint32_t)(from->blocks[j] & 0xFF);
  /* What earlier pixels have decided. */
  int32_t sum = 0;
  if (at->is_shared[i])
    sum = at->shared_weight[i] * at->sums[j][over];
  if (at->is_shared[j] && west) {
    int32_t column = at->is_shared[i] && (west & 1) ? at->shared_weight[i] : 0;
    for (int row = 0; row < p->rows; row++)
      column += west >> 8 * (row + 1) & 1 ? at->weight[i][row] : 0;
    sum += column * at->shared_weight[j];
  }
  if (sum > s->high || sum + s->rest[0] < s->low || from->cost > cost_limit)
    return; /* and so for rougher ones */
  s->cost_limit = cost_limit;
  s->parent = (uint64_t)h;
  s->tries = 0;
  if (s->rows == 0) {
    s->candidates[s->candidate_count++] =
        (candidate){(uint64_t)from->cost << COST_SHIFT | s->parent << RANK_BITS, 0};
    return;
  }
  /* One bit of every byte, side by side. Left of the first column and above the first row may be margin. */
  s->west = s->shift > 0 ? 0 : (uint32_t)(west * 0x0102040810204080u >> 56) >> p->row_begin;
  uint32_t above = 0;
  if (p->row_begin == 0) {
    uint32_t mask = (1u << s->columns) - 1, east = 0;
    if (p->reaches_east)
      east = j + 1 < BOX ? (uint32_t)(from->blocks[j + 1] & 1) : over >> (p->columns - 1) & 1;
    above = (s->west & 1) | (over >> s->shift & mask) << 1 | east << (s->columns + 1);
  }
  enumerate(s, 0, sum, from->cost, above, 0, 0);
}

/* The candidates of all hypotheses: first the smooth ones alone, and rougher ones only if
   those are few. */
static int collect(search *s, const axis *at, const place *p, int hypotheses, int32_t cost_bound) {
  s->candidate_count = 0;
  s->is_rough = 1;
  for (int step = 0; step < 3 && s->candidate_count < ENOUGH && s->is_rough; step++) {
    static const int32_t roughness[] = {60, 160, 320};
    s->candidate_count = 0;
    s->is_rough = 0;
    for (int h = 0; h < hypotheses; h++) {
      int32_t limit = s->now[h].cost + roughness[step];
      extend(s, at, p, h, limit < cost_bound ? limit : cost_bound);
    }
  }
  return s->candidate_count;
}

/* Candidates are a heap, the cheapest at the top. */
static void sift(candidate *heap, int at, int count) {
  candidate moved = heap[at];
  for (int child; (child = 2 * at + 1) < count; at = child) {
    if (child + 1 < count && heap[child + 1].key < heap[child].key)
      child++;
    if (moved.key <= heap[child].key)
      break;
    heap[at] = heap[child];
  }
  heap[at] = moved;
}

/* The parts of a range of a block that are not margin. */
static int cut(int begin, int count, int low, int high, int *from) {
  int first = begin < low ? low - begin : 0, end = begin + count > high ? high - begin : count;
  *from = first < count ? first : count;
  return end > *from ? end - *from : 0;
}

int ck_scan_search(const ck_scan_task *task, void *workspace, uint8_t *bits, ck_scan_progress *progress) {
  search *s = workspace;
  int side = task->side, beam = task->beam < s->beam ? task->beam : s->beam;
  *progress = (ck_scan_progress){0, 0};
  if (side < BOX || side > MAX_SIDE || (task->slips && side % SLIP != 0))
    return -1;
  axis *at = task->slips ? &s->slipped[side / SLIP - 1] : &s->axes[side - BOX];
  if (!at->is_made)
    make_axis(side, task->slips, at);
  for (; s->widths <= (side + BOX - 1) / BOX; s->widths++)
    make_choices(s->widths, s->choices + CHOICES(s->widths), s->plain[s->widths]);
  int count = 1, misses = 0, result = -1;
  uint32_t node_count = 0;
  memset(&s->now[0], 0, sizeof s->now[0]);
  s->is_cut = 0;
  for (int index = 0; index < BOX * BOX; index++) {
    place p = {.i = index / BOX, .j = index % BOX};
    int i = p.i, j = p.j, found = 0;
    p.rows = at->count[i];
    p.columns = at->count[j];
    p.last_west = j > 0 ? at->count[j - 1] - 1 : 0;
    if (j == 0 && i > 0)
      for (int h = 0; h < count; h++) {
        hypothesis *from = &s->now[h];
        for (int k = 0; k < BOX; k++)
          from->blocks[k] = from->blocks[k] >> 8 * at->count[i - 1] & 0xFF;
        from->above = from->last;
        from->last = 0;
      }
    s->rows = cut(at->begin[i], p.rows, task->top, side - task->top, &p.row_begin);
    s->columns = cut(at->begin[j], p.columns, task->left, side - task->left, &s->shift);
    p.reaches_east = s->shift + s->columns == p.columns;
    s->is_closed = !p.reaches_east;
    if (s->columns == 0)
      s->rows = 0;
    s->sums = at->sums[j];
    s->least = at->sums[j][s->columns > 0 ? 1 << s->shift : 0];
    for (int k = 1; k < s->columns; k++)
      if (at->weight[j][s->shift + k] < s->least)
        s->least = at->weight[j][s->shift + k];
    s->rest[s->rows] = 0;
    for (int row = s->rows - 1; row >= 0; row--) {
      s->weight[row] = at->weight[i][p.row_begin + row];
      s->rest[row] = s->rest[row + 1] + s->weight[row] * s->sums[((1 << s->columns) - 1) << s->shift];
    }
    s->try_limit = task->tries;
    /* Ink is spread over the rows, so roughness grows with them; four rows are allowed for. */
    int32_t cost_bound = i + 4 < BOX ? task->largest_cost / BOX * (i + 4) : task->largest_cost;
    progress->reached = index;
    static const int slacks[] = {0, 2, 255};
    for (int step = 0; step < 3 && !found; step++) {
      /* A wrong side misses one pixel after the other; the right one a few, far between. */
      if (step == 1 && (++misses > task->misses || misses > 1 + index / 64))
        goto end;
      bounds(s, task->box[index], slacks[step], task->largest);
      /* What slips leaves a trace, which is rounded up. */
      if (task->slips && task->box[index] == 1 && (i == BOX / 5 - 1 || j == BOX / 5 - 1))
        s->low = 0;
      found = collect(s, at, &p, count, cost_bound);
    }
    if (!found)
      goto end;
    candidate *heap = s->candidates;
    for (int k = found / 2 - 1; k >= 0; k--)
      sift(heap, k, found);
    /* What later pixels can tell a hypothesis by: rows and columns that they share. A row's hash is a sum. */
    int shares_next = i + 1 < BOX && at->is_shared[i + 1], last = 8 * p.rows;
    uint64_t factor = 0x9E3779B97F4A7C15u * (uint64_t)(2 * j + 3), keys[CK_SCAN_MAX_BEAM];
    factor = (factor ^ factor >> 29) | 1;
    uint64_t shared_rows = j + 1 < BOX && at->is_shared[j + 1] ? 0x0101010101010101u : 0;
    if (!at->is_shared[i])
      shared_rows &= ~(uint64_t)0xFF;
    int kept = 0;
    for (int left = found; left > 0 && kept < beam;) {
      candidate c = heap[0];
      heap[0] = heap[--left];
      sift(heap, 0, left);
      const hypothesis *from = &s->now[c.key >> RANK_BITS & ((1 << PARENT_BITS) - 1)];
      uint64_t made = c.bits << 8 * p.row_begin, over = from->blocks[j] & 0xFF, block = over | made;
      uint64_t above = at->is_shared[i] ? from->above - over * factor : 0;
      uint64_t below = shares_next ? from->last + (block >> last & 0xFF) * factor : 0;
      keys[kept] = above + below * 0xD6E8FEB86659FD93u +
                   (block >> (p.columns - 1) & shared_rows) * 0xA0761D6478BD642Fu;
      int known = 0;
      for (int k = 0; k < kept && !known; k++)
        known = keys[k] == keys[kept];
      if (known)
        continue;
      hypothesis *to = &s->next[kept++];
      *to = *from;
      to->cost = (int32_t)(c.key >> COST_SHIFT);
      to->above = above;
      to->last = below;
      to->blocks[j] = block;
      s->nodes[node_count] = (node){made, from->node};
      to->node = node_count++;
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
  uint32_t back = s->now[best].node;
  for (int index = BOX * BOX - 1; index >= 0; index--) {
    int i = index / BOX, j = index % BOX;
    for (int row = 0; row < at->count[i]; row++)
      for (int column = 0; column < at->count[j]; column++)
        bits[(at->begin[i] + row) * side + at->begin[j] + column] =
            s->nodes[back].bits >> (8 * (row + 1) + column) & 1;
    back = s->nodes[back].parent;
  }
  result = s->now[best].cost + 600 * misses;
end:
  progress->is_cut = s->is_cut;
  return result;
}
