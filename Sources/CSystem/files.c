/*
 * Files, whole: read to the end, written beside the target and renamed over it. See CSystem.h. The calls
 * are chosen so that the library asks for no glibc newer than 2.31: statx (2.28) where stat would bind to
 * 2.33, and getrandom (2.25) where arc4random would bind to 2.36.
 */
#define _GNU_SOURCE
#include "CSystem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

/* Waiting for disks takes longer than any of this. */
#if defined(AE_EMBEDDED)
#pragma clang attribute push(__attribute__((minsize)), apply_to = function)
#endif

/* The most one call to read or write moves on Linux; asking for more is cut to this anyway. */
#define LARGEST_TRANSFER ((size_t)0x7ffff000)

enum { KIND_MISSING, KIND_REGULAR, KIND_DIRECTORY, KIND_SPECIAL };

/* What `path` is, links followed, and its permissions. */
static int file_kind(const char *path, mode_t *permissions) {
  struct statx status;
  if (statx(AT_FDCWD, path, 0, STATX_TYPE | STATX_MODE, &status) != 0) return KIND_MISSING;
  *permissions = status.stx_mode & 07777;
  if (S_ISREG(status.stx_mode)) return KIND_REGULAR;
  return S_ISDIR(status.stx_mode) ? KIND_DIRECTORY : KIND_SPECIAL;
}

int cs_file_exists(const char *path) { return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0; }

int cs_open_to_read(const char *path) {
  int descriptor;
  do descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  while (descriptor < 0 && errno == EINTR);
  return descriptor < 0 ? -errno : descriptor;
}

void cs_close(int descriptor) { close(descriptor); }

int64_t cs_size_hint(int descriptor) {
  off_t here = lseek(descriptor, 0, SEEK_CUR);
  if (here < 0) return -1;
  off_t end = lseek(descriptor, 0, SEEK_END);
  if (lseek(descriptor, here, SEEK_SET) != here || end < here) return -1;
  return end - here;
}

int64_t cs_read(int descriptor, void *memory, size_t byte_count) {
  size_t done = 0;
  while (done < byte_count) {
    size_t left = byte_count - done;
    ssize_t count = read(descriptor, (char *)memory + done, left < LARGEST_TRANSFER ? left : LARGEST_TRANSFER);
    if (count == 0) break;
    if (count > 0) {
      done += (size_t)count;
    } else if (errno != EINTR) {
      return -(int64_t)errno;
    }
  }
  return (int64_t)done;
}

int64_t cs_read_at(int descriptor, void *memory, size_t byte_count, int64_t offset) {
  size_t done = 0;
  while (done < byte_count) {
    size_t left = byte_count - done;
    ssize_t count = pread(descriptor, (char *)memory + done, left < LARGEST_TRANSFER ? left : LARGEST_TRANSFER,
                          (off_t)(offset + (int64_t)done));
    if (count == 0) break;
    if (count > 0) {
      done += (size_t)count;
    } else if (errno != EINTR) {
      return -(int64_t)errno;
    }
  }
  return (int64_t)done;
}

int cs_write(int descriptor, const void *memory, size_t byte_count) {
  size_t done = 0;
  while (done < byte_count) {
    size_t left = byte_count - done;
    ssize_t count =
        write(descriptor, (const char *)memory + done, left < LARGEST_TRANSFER ? left : LARGEST_TRANSFER);
    if (count > 0) {
      done += (size_t)count;
    } else if (count == 0) {
      return ENOSPC;
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

/* The descriptor that a path such as /dev/stdout or /dev/fd/3 names, or -1. Opening such a path anew would
   start at the head of a redirected file, and renaming over it would replace the file behind it. */
static int named_descriptor(const char *path) {
  if (strcmp(path, "/dev/stdout") == 0) return 1;
  if (strcmp(path, "/dev/stderr") == 0) return 2;
  const char *prefixes[] = {"/dev/fd/", "/proc/self/fd/"};
  for (int i = 0; i < 2; i++) {
    size_t length = strlen(prefixes[i]);
    if (strncmp(path, prefixes[i], length) != 0) continue;
    const char *digits = path + length;
    int descriptor = 0;
    if (*digits == 0 || strlen(digits) > 6) return -1;
    for (; *digits; digits++) {
      if (*digits < '0' || *digits > '9') return -1;
      descriptor = 10 * descriptor + (*digits - '0');
    }
    return descriptor;
  }
  return -1;
}

static uint64_t random_word(void) {
  uint64_t word;
  if (getrandom(&word, sizeof word, GRND_NONBLOCK) == (ssize_t)sizeof word) return word;
  /* Early in boot, or an old kernel: O_EXCL keeps even a foreseen name safe. */
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_nsec * 0x9E3779B97F4A7C15u ^ (uint64_t)now.tv_sec << 20 ^ (uint64_t)getpid();
}

/* Gives the finished file `from` the name `to` unless that name is taken. Returns 0 or an errno. */
static int rename_to_free_name(const char *from, const char *to) {
#ifdef SYS_renameat2
  if (syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 1u /* RENAME_NOREPLACE */) == 0) return 0;
  if (errno != ENOSYS && errno != EINVAL && errno != EPERM) return errno;
#endif
  if (link(from, to) == 0) {
    unlink(from);
    return 0;
  }
  if (errno != EPERM && errno != ENOSYS && errno != EOPNOTSUPP && errno != EMLINK) return errno;
  /* A file system with neither: take the name with an empty file, then replace that. */
  int taken = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (taken < 0) return errno;
  close(taken);
  if (rename(from, to) == 0) return 0;
  int error = errno;
  unlink(to);
  return error;
}

int cs_file_exchange(const char *a, const char *b) {
#ifdef SYS_renameat2
  return syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 2u /* RENAME_EXCHANGE */) == 0 ? 0 : errno;
#else
  (void)a;
  (void)b;
  return ENOSYS;
#endif
}

int cs_file_system_sync(const char *path) {
  int descriptor = cs_open_to_read(path);
  if (descriptor < 0) return -descriptor;
  int error = syncfs(descriptor) == 0 ? 0 : errno;
  close(descriptor);
  return error;
}

/* So that the new name itself survives a crash. File systems that cannot sync a directory say EINVAL. */
static void sync_directory(const char *directory) {
  int descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  fsync(descriptor);
  close(descriptor);
}

struct cs_output {
  int descriptor;
  int is_owned;  /* whether the descriptor is to be closed */
  int overwrite;
  char *path;    /* what the finished file is to be called, links followed; NULL if there is no such thing */
  char *beside;  /* what it is called until then */
  size_t directory_length;
};

static void output_free(cs_output *output) {
  free(output->path);
  free(output->beside);
  free(output);
}

/* A file of a new name beside the output's path. Returns 0 or an errno. */
static int open_beside(cs_output *output, const mode_t *permissions) {
  const char *slash = strrchr(output->path, '/');
  output->directory_length = slash ? (size_t)(slash - output->path) + 1 : 0;
  const char *base = output->path + output->directory_length;
  size_t base_length = strlen(base);
  if (base_length == 0) return EISDIR;
  if (base_length > 200) base_length = 200; /* so that the temporary name keeps to 255 bytes */
  size_t capacity = output->directory_length + base_length + 32;
  output->beside = malloc(capacity);
  if (!output->beside) return ENOMEM;
  for (int attempt = 0; attempt < 100; attempt++) {
    snprintf(output->beside, capacity, "%.*s.%.*s.%016llx.tmp", (int)output->directory_length, output->path,
             (int)base_length, base, (unsigned long long)random_word());
    output->descriptor = open(output->beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (output->descriptor >= 0 || (errno != EEXIST && errno != EINTR)) break;
  }
  if (output->descriptor < 0) return errno;
  output->is_owned = 1;
  /* A file keeps the permissions it had; where that is refused, those of a new file are good enough. */
  if (permissions && fchmod(output->descriptor, *permissions) != 0) errno = 0;
  return 0;
}

static int open_output(const char *path, cs_output *output, const char **doing) {
  *doing = "create";
  if (*path == 0) return ENOENT;
  output->descriptor = named_descriptor(path);
  if (output->descriptor >= 0) return 0;
  mode_t permissions = 0;
  int kind = file_kind(path, &permissions);
  switch (kind) {
  case KIND_SPECIAL:
    *doing = "open";
    do output->descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    while (output->descriptor < 0 && errno == EINTR);
    if (output->descriptor < 0) return errno;
    output->is_owned = 1;
    return 0;
  case KIND_DIRECTORY: return EISDIR;
  case KIND_REGULAR:
    if (!output->overwrite) return EEXIST;
    if (access(path, W_OK) != 0) return errno;
    /* A link stays a link: what it points at is replaced. */
    output->path = realpath(path, NULL);
    break;
  default: break;
  }
  if (!output->path) output->path = strdup(path);
  if (!output->path) return ENOMEM;
  return open_beside(output, kind == KIND_REGULAR ? &permissions : NULL);
}

int cs_output_open(const char *path, int overwrite, cs_output **output, const char **doing) {
  *doing = "create";
  *output = NULL;
  cs_output *opened = calloc(1, sizeof *opened);
  if (!opened) return ENOMEM;
  opened->descriptor = -1;
  opened->overwrite = overwrite;
  int error = open_output(path, opened, doing);
  if (error != 0) {
    output_free(opened);
  } else {
    *output = opened;
  }
  return error;
}

int cs_output_is_new(const cs_output *output) { return output->path != NULL; }

int cs_output_write(cs_output *output, const void *memory, size_t byte_count) {
  return cs_write(output->descriptor, memory, byte_count);
}

int cs_output_begin_again(cs_output *output) { return lseek(output->descriptor, 0, SEEK_SET) == 0 ? 0 : errno; }

int cs_output_close(cs_output *output, int keep, const char **doing) {
  int error = 0;
  if (keep && output->path) {
    *doing = "sync";
    while (fsync(output->descriptor) != 0) {
      if (errno == EINTR) continue;
      if (errno != EINVAL && errno != ENOSYS) error = errno;
      break;
    }
  }
  if (output->is_owned && close(output->descriptor) != 0 && error == 0 && errno != EINTR) {
    *doing = "write";
    error = errno;
  }
  if (output->path) {
    if (error == 0 && keep) {
      *doing = "rename";
      if (output->overwrite) {
        if (rename(output->beside, output->path) != 0) error = errno;
      } else {
        error = rename_to_free_name(output->beside, output->path);
      }
    }
    if (error != 0 || !keep) {
      unlink(output->beside);
    } else if (output->directory_length == 0) {
      sync_directory(".");
    } else {
      output->beside[output->directory_length] = 0;
      sync_directory(output->beside);
    }
  }
  output_free(output);
  return error;
}

int cs_file_write(const char *path, const void *memory, size_t byte_count, int overwrite, const char **doing) {
  cs_output *output;
  int error = cs_output_open(path, overwrite, &output, doing);
  if (error != 0) return error;
  *doing = "write";
  error = cs_output_write(output, memory, byte_count);
  if (error == 0) return cs_output_close(output, 1, doing);
  const char *ignored;
  cs_output_close(output, 0, &ignored);
  return error;
}

int cs_error_exists(int error) { return error == EEXIST; }

const char *cs_error_text(int error, char *text, size_t capacity) {
  return strerror_r(error, text, capacity);
}

#if defined(AE_EMBEDDED)
#pragma clang attribute pop
#endif
