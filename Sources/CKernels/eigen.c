/*
 * Eigenvalues and eigenvectors of a symmetric matrix in double precision: Householder tridiagonalisation, then QL
 * with implicit shifts (Wilkinson and Reinsch 1971, procedures tred2 and imtql2; Golub and Van Loan, chapter 8). The
 * rotations of QL are kept: an eigenvector is a unit vector under all of them and all reflectors, so that a few cost
 * little beside the reduction. It waits for memory, so it is compiled for no path of its own.
 *
 * Nothing overflows, and what underflows is no loss: the matrix is first scaled by a power of two to a largest entry of
 * 1/2 to 1, and what is squared is first looked at, as in LAPACK's dlarfg. Errors are of the order of rounding beside
 * the largest eigenvalue, and vectors are orthonormal, whatever the rank is.
 */
#include "internal.h"

#include <math.h>
#include <string.h>

/* Numbers that go through a loop at once, and eigenvectors of a task; rows of one. */
enum { LANES = 4, TASK_ROWS = 64 };
/* Beside entries of up to 1, what is below this is no loss, and its square is still a normal number. */
static const double least_column = 0x1p-300;
typedef double lanes __attribute__((vector_size(LANES * sizeof(double))));

typedef struct eigen_job {
  size_t n, stride; /* a row has `stride` vectors */
  lanes *a;         /* row k ends as v of the reflector I - beta v v^T, zeros before it */
  double *d, *e, *beta, *p;
  /* The step's reflector, and what the one before does to A: A - v w^T - w v^T. */
  size_t k;
  const lanes *v, *w, *next;
  /* Sine and cosine of every rotation; after those of a sweep, its first row and how many rows it rotated. */
  double (*rotations)[2];
  size_t rotation_count, rotation_room;
  const size_t *order;
  size_t vector_count;
  lanes *columns;
  double *vectors;
} eigen_job;

/* Does to columns from `first` on of row i what the reflector before does. */
static void update(const eigen_job *job, size_t i, size_t first) {
  lanes *row = job->a + i * job->stride;
  double vi = ((const double *)job->v)[i], wi = ((const double *)job->w)[i];
  for (size_t j = first; j < job->stride; j++)
    row[j] -= vi * job->w[j] + wi * job->v[j];
}

/* p = beta A v, of some rows that are updated first: memory is passed through once a step. */
static void reflect_rows(void *context, size_t task) {
  const eigen_job *job = context;
  size_t k = job->k, first = (k + 1) / LANES, i = k + 1 + task * TASK_ROWS;
  size_t end = i + TASK_ROWS < job->n ? i + TASK_ROWS : job->n;
  for (; i < end; i++) {
    update(job, i, first);
    const lanes *row = job->a + i * job->stride;
    lanes sum = (lanes){0};
    for (size_t j = first; j < job->stride; j++)
      sum += row[j] * job->next[j];
    job->p[i] = job->beta[k] * ((sum[0] + sum[2]) + (sum[1] + sum[3]));
  }
}

/* Diagonal to d, subdiagonal to e[1...]. `w` has room for two rows of zeros. */
static void tridiagonalise(eigen_job *job, lanes *w) {
  size_t n = job->n, stride = job->stride;
  job->v = job->w = w;
  for (size_t k = 0; k < n; k++) {
    double *v = (double *)(job->a + k * stride), vv = 0, vp = 0;
    update(job, k, k / LANES);
    job->d[k] = v[k];
    memset(v, 0, (k + 1) * sizeof *v);
    if (k + 1 < n)
      job->e[k + 1] = v[k + 1];
    double largest = 0;
    for (size_t i = k + 2; i < n; i++)
      largest = fmax(largest, fabs(v[i]));
    if (largest < least_column) {
      /* Nothing to reflect. */
      memset(v + k + 1, 0, (n - k - 1) * sizeof *v);
    } else {
      for (size_t i = k + 1; i < n; i++)
        vv += v[i] * v[i];
      double alpha = v[k + 1] > 0 ? -sqrt(vv) : sqrt(vv);
      /* |v - alpha e|^2 */
      vv += alpha * alpha - 2 * alpha * v[k + 1];
      v[k + 1] -= alpha;
      job->e[k + 1] = alpha;
    }
    job->beta[k] = vv > 0 ? 2 / vv : 0;
    job->k = k;
    job->next = (const lanes *)v;
    ck_parallel((n - k - 1 + TASK_ROWS - 1) / TASK_ROWS, reflect_rows, job);
    /* w = p - (beta / 2 v.p) v */
    for (size_t i = k + 1; i < n; i++)
      vp += v[i] * job->p[i];
    double *to = (double *)(w + (k & 1) * stride);
    memset(to, 0, (k + 1) * sizeof *to);
    for (size_t i = k + 1; i < n; i++)
      to[i] = job->p[i] - 0.5 * job->beta[k] * vp * v[i];
    job->v = job->next;
    job->w = (const lanes *)to;
  }
}

/* Room for `count` more rotations. Returns -1 if memory was refused. */
static int reserve_rotations(eigen_job *job, size_t count) {
  if (job->rotation_room - job->rotation_count >= count)
    return 0;
  size_t room = 2 * job->rotation_room + count;
  double(*more)[2] = ck_scratch_fresh(room * sizeof *more);
  if (!more)
    return -1;
  memcpy(more, job->rotations, job->rotation_count * sizeof *more);
  ck_scratch_give(job->rotations);
  job->rotations = more;
  job->rotation_room = room;
  return 0;
}

/* sqrt(f^2 + g^2), and f and g over it; 0 if both are. */
CK_INLINE double length(double f, double g, double *s, double *c) {
  double r = sqrt(f * f + g * g), scale = 1;
  if (r < least_column) {
    scale = 0x1p-600;
    f /= scale;
    g /= scale;
    r = sqrt(f * f + g * g);
    if (r == 0)
      return 0;
  }
  *s = f / r;
  *c = g / r;
  return r * scale;
}

/* QL on the tridiagonal matrix: its eigenvalues in d. Returns -1 if memory was refused, -2 if they do not converge. */
static int diagonalise(eigen_job *job) {
  size_t n = job->n;
  double *d = job->d, *e = job->e, norm = 0;
  /* What is this small beside the whole matrix is rounding: pixels that never change leave a block of it. */
  for (size_t i = 0; i < n; i++) {
    e[i] = i + 1 < n ? e[i + 1] : 0;
    norm = fmax(norm, fabs(d[i]) + fabs(e[i]));
  }
  double negligible = 0x1p-52 * norm;
  /* Two for each eigenvalue are many. */
  size_t sweeps = 0;
  for (size_t l = 0; l < n;) {
    size_t m = l;
    while (m + 1 < n && fabs(e[m]) > negligible)
      m++;
    if (m == l) {
      l++;
      continue;
    }
    if (++sweeps > 30 * n)
      return -2;
    if (reserve_rotations(job, m - l + 1) != 0)
      return -1;
    double g = (d[l + 1] - d[l]) / (2 * e[l]), r = sqrt(g * g + 1), s = 1, c = 1, p = 0;
    g = d[m] - d[l] + e[l] / (g + (g < 0 ? -r : r));
    size_t i = m;
    while (i > l) {
      i--;
      double f = s * e[i], b = c * e[i];
      e[i + 1] = r = length(f, g, &s, &c);
      if (r == 0) {
        i++;
        break;
      }
      g = d[i + 1] - p;
      r = (d[i] - g) * s + 2 * c * b;
      p = s * r;
      d[i + 1] = g + p;
      g = c * r - b;
      double *rotation = job->rotations[job->rotation_count++];
      rotation[0] = s;
      rotation[1] = c;
    }
    double *sweep = job->rotations[job->rotation_count++];
    sweep[0] = (double)i;
    sweep[1] = (double)(m - i);
    d[i] -= p;
    if (i == l)
      e[l] = g;
    e[m] = 0;
  }
  return 0;
}

/* A few eigenvectors, a number of each in one vector: unit vectors under the last rotation, the one before ..., and
   then the last reflector, the one before ... */
static void find_vectors(void *context, size_t task) {
  const eigen_job *job = context;
  size_t n = job->n, first = task * LANES, count = job->vector_count - first;
  lanes *y = job->columns + task * n;
  count = count < LANES ? count : LANES;
  for (size_t j = 0; j < count; j++)
    ((double *)(y + job->order[first + j]))[j] = 1;
  for (size_t at = job->rotation_count; at > 0;) {
    const double *sweep = job->rotations[--at];
    lanes *row = y + (size_t)sweep[0], *end = row + (size_t)sweep[1], upper = *row;
    for (; row < end; row++) {
      const double *rotation = job->rotations[--at];
      lanes lower = row[1];
      row[0] = rotation[1] * upper + rotation[0] * lower;
      upper = rotation[1] * lower - rotation[0] * upper;
    }
    *row = upper;
  }
  for (size_t k = n; k-- > 0;) {
    const double *v = (const double *)(job->a + k * job->stride);
    lanes sum = (lanes){0};
    for (size_t i = k + 1; i < n; i++)
      sum += v[i] * y[i];
    sum *= job->beta[k];
    for (size_t i = k + 1; i < n; i++)
      y[i] -= v[i] * sum;
  }
  for (size_t j = 0; j < count; j++)
    for (size_t i = 0; i < n; i++)
      job->vectors[(first + j) * n + i] = ((const double *)(y + i))[j];
}

/* Copies the matrix times a power of two, which brings its largest entry to 1/2 ... 1. Returns the power that undoes
   it. */
static int scale_matrix(eigen_job *job, const double *matrix) {
  size_t n = job->n;
  double largest = 0;
  for (size_t i = 0; i < n * n; i++)
    largest = fmax(largest, fabs(matrix[i]));
  int power = 0;
  frexp(largest, &power);
  /* In two steps, because the whole of it may be no double. */
  double first = ldexp(1, -power / 2), second = ldexp(1, -power - -power / 2);
  for (size_t i = 0; i < n; i++) {
    double *row = (double *)(job->a + i * job->stride);
    for (size_t j = 0; j < n; j++)
      row[j] = matrix[i * n + j] * first * second;
  }
  return power;
}

int ck_symmetric_eigen(size_t n, const double *matrix, size_t vector_count, double *values, double *vectors) {
  size_t stride = (n + LANES - 1) / LANES, tasks = (vector_count + LANES - 1) / LANES;
  size_t size = ((n + 2) * stride + tasks * n) * sizeof(lanes) + 4 * n * sizeof(double) + n * sizeof(size_t);
  /* What the covariance of digits takes. */
  size_t room = (n + 64) * (n + 1);
  lanes *memory = ck_scratch_take(size);
  eigen_job job = {.n = n, .stride = stride, .a = memory, .vector_count = vector_count, .vectors = vectors,
                   .rotations = ck_scratch_fresh(room * sizeof *job.rotations), .rotation_room = room};
  if (!memory || !job.rotations) {
    ck_scratch_give(memory);
    ck_scratch_give(job.rotations);
    return -1;
  }
  lanes *w = job.a + n * stride;
  job.columns = w + 2 * stride;
  job.d = (double *)(job.columns + tasks * n);
  job.e = job.d + n;
  job.beta = job.e + n;
  job.p = job.beta + n;
  size_t *order = (size_t *)(job.p + n);
  job.order = order;
  memset(memory, 0, (size_t)((char *)job.d - (char *)memory));
  int power = scale_matrix(&job, matrix);
  tridiagonalise(&job, w);
  int status = diagonalise(&job);
  /* Descending, and of equal ones the first first. */
  for (size_t i = 0; i < n; i++) {
    size_t at = i;
    for (; at > 0 && job.d[order[at - 1]] < job.d[i]; at--)
      order[at] = order[at - 1];
    order[at] = i;
  }
  for (size_t i = 0; i < n; i++)
    values[i] = ldexp(job.d[order[i]], power);
  if (status == 0)
    ck_parallel(tasks, find_vectors, &job);
  ck_scratch_give(job.rotations);
  ck_scratch_give(memory);
  return status;
}
