/*
 * What networks in floats and in integers share of nodes without weights: one row of a node, and numbers that are moved,
 * of any size.
 */
#ifndef CK_NODES_H
#define CK_NODES_H

#include "internal.h"

/** Runs a node without weights on one row; x1 is NULL for one source. y may be x0 where numbers keep their places. */
void ck_node_row(const ck_dense_layer *layer, const float *x0, const float *x1, float *y);
/** Numbers in a row of a node's second source; 0 if it has none. */
size_t ck_second_count(const ck_node *node, size_t inputs, size_t outputs);
/** Runs a node that only moves `count` numbers of `size` bytes, or repeats them (CK_UPSAMPLE). */
void ck_move(const ck_node *node, const ck_convolution *g, size_t count, size_t size, const void *x, void *y);
void ck_move_upsample(const ck_convolution *g, size_t size, const void *x, void *y);
/** From [rows, columns] to [columns, rows]. */
void ck_move_transpose(size_t rows, size_t columns, size_t size, const void *x, void *y);

#endif
