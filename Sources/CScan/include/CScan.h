/*
 * CScan.h: the search for the bilevel scan behind an anti-aliased image. It serves one method of lossless coding
 * (Lossless/Scans), which is why it stands apart from the kernels of networks.
 */
#ifndef CSCAN_H
#define CSCAN_H

#include <stddef.h>
#include <stdint.h>

/** Pixels of an image's side that a scan is drawn on, and the longest side of a scan. */
enum { CK_SCAN_BOX = 20, CK_SCAN_MAX_SIDE = 112 };

/**
 * ck_scan_share says where a scan's row (or column) goes: into row `target` with `weight`, and into the next
 * one with `next_weight`, which is 0 if it lies in one row alone. 5 * side makes a whole row.
 */
typedef struct ck_scan_share {
  int32_t target, weight, next_weight;
} ck_scan_share;

/** ck_scan_weights(side, shares) gives the shares of all `side` rows, side in 20 ... 112. */
void ck_scan_weights(int side, ck_scan_share *shares);

/** The largest beam. */
enum { CK_SCAN_MAX_BEAM = 64 };

/**
 * Where a scan's edge is a pixel's, the float that it was computed as may lie before it. With MNIST's digits
 * that is so in scans whose side is a multiple of CK_SCAN_SLIP: row and column side / 5 slip. They begin before
 * pixel 4, so that its edge cuts a trace off them, which pixel 3 gets, and 0.99 of their size is drawn.
 */
enum { CK_SCAN_SLIP = 35 };

typedef struct ck_scan_task {
  const uint8_t *box; /* [20, 20] pixels */
  int side;           /* of the scan, 20 ... 112 */
  int slips;          /* whether row and column side / 5 slip */
  int top, left;      /* rows and columns at either end without ink */
  int32_t largest;    /* the largest sum of weights in the image */
  int misses;         /* how many pixels may be off */
  int beam;           /* hypotheses to keep, 1 ... the workspace's */
  int tries;          /* rows to try under a pixel, for each hypothesis: a bound on time */
  int largest_cost;   /* a scan rougher than this is not wanted, 0 ... 2^20 */
} ck_scan_task;

/** How a search went. */
typedef struct ck_scan_progress {
  int reached; /* the pixel it got to */
  int is_cut;  /* whether more tries might have led elsewhere */
} ck_scan_progress;

/** ck_scan_workspace(beam) returns the bytes that ck_scan_search works in, beam in 1 ... CK_SCAN_MAX_BEAM. */
size_t ck_scan_workspace(int beam);
/** ck_scan_prepare(workspace, beam) readies them, aligned to 8 bytes, for any number of searches. */
void ck_scan_prepare(void *workspace, int beam);
/**
 * ck_scan_search(task, workspace, bits, progress) looks for a scan [side, side] of 0 and 1 that draws the box.
 * It returns the scan's roughness, the lower the likelier, or -1 if none was found.
 */
int ck_scan_search(const ck_scan_task *task, void *workspace, uint8_t *bits, ck_scan_progress *progress);

#endif
