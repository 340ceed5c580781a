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

typedef struct ck_scan_task {
  const uint8_t *box; /* [20, 20] pixels */
  int side;           /* of the scan, 20 ... 112 */
  int top, left;      /* rows and columns at either end without ink */
  int32_t largest;    /* the largest sum of weights in the image */
  int misses;         /* how many pixels may be off */
  int beam;           /* hypotheses to keep */
  int largest_cost;   /* a scan rougher than this is not wanted */
} ck_scan_task;

/** ck_scan_workspace(beam) returns the bytes that ck_scan_search works in. */
size_t ck_scan_workspace(int beam);
/**
 * ck_scan_search(task, workspace, bits, reached) looks for a scan [side, side] of 0 and 1 that draws the box.
 * It returns the scan's roughness, the lower the likelier, or -1 if none was found, and the pixel it got to.
 */
int ck_scan_search(const ck_scan_task *task, void *workspace, uint8_t *bits, int *reached);

#endif
