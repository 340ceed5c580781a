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

static int write_straight(const char *path, const void *memory, size_t byte_count, const char **doing) {
  *doing = "open";
  int descriptor;
  do descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
  while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0) return errno;
  *doing = "write";
  int error = cs_write(descriptor, memory, byte_count);
  if (close(descriptor) != 0 && error == 0 && errno != EINTR) error = errno;
  return error;
}

static int write_beside(const char *path, const void *memory, size_t byte_count, int overwrite,
                        const mode_t *permissions, const char **doing) {
  *doing = "create";
  const char *slash = strrchr(path, '/');
  size_t directory_length = slash ? (size_t)(slash - path) + 1 : 0;
  const char *base = path + directory_length;
  size_t base_length = strlen(base);
  if (base_length == 0) return EISDIR;
  if (base_length > 200) base_length = 200; /* so that the temporary name keeps to 255 bytes */
  size_t capacity = directory_length + base_length + 32;
  char *beside = malloc(capacity);
  if (!beside) return ENOMEM;

  int descriptor = -1, error = 0;
  for (int attempt = 0; attempt < 100; attempt++) {
    snprintf(beside, capacity, "%.*s.%.*s.%016llx.tmp", (int)directory_length, path, (int)base_length, base,
             (unsigned long long)random_word());
    descriptor = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (descriptor >= 0 || (errno != EEXIST && errno != EINTR)) break;
  }
  if (descriptor < 0) {
    error = errno;
    free(beside);
    return error;
  }
  /* A file keeps the permissions it had; where that is refused, those of a new file are good enough. */
  if (permissions && fchmod(descriptor, *permissions) != 0) errno = 0;

  *doing = "write";
  error = cs_write(descriptor, memory, byte_count);
  if (error == 0) {
    *doing = "sync";
    while (fsync(descriptor) != 0) {
      if (errno == EINTR) continue;
      if (errno != EINVAL && errno != ENOSYS) error = errno;
      break;
    }
  }
  if (close(descriptor) != 0 && error == 0 && errno != EINTR) error = errno;
  if (error == 0) {
    *doing = "rename";
    if (overwrite) {
      if (rename(beside, path) != 0) error = errno;
    } else {
      error = rename_to_free_name(beside, path);
    }
  }
  if (error != 0) {
    unlink(beside);
  } else if (directory_length == 0) {
    sync_directory(".");
  } else {
    beside[directory_length] = 0;
    sync_directory(beside);
  }
  free(beside);
  return error;
}

int cs_file_write(const char *path, const void *memory, size_t byte_count, int overwrite, const char **doing) {
  *doing = "create";
  if (*path == 0) return ENOENT;
  int descriptor = named_descriptor(path);
  if (descriptor >= 0) {
    *doing = "write";
    return cs_write(descriptor, memory, byte_count);
  }
  mode_t permissions = 0;
  switch (file_kind(path, &permissions)) {
  case KIND_SPECIAL: return write_straight(path, memory, byte_count, doing);
  case KIND_DIRECTORY: return EISDIR;
  case KIND_REGULAR: {
    if (!overwrite) return EEXIST;
    if (access(path, W_OK) != 0) return errno;
    /* A link stays a link: what it points at is replaced. */
    char *target = realpath(path, NULL);
    int error = write_beside(target ? target : path, memory, byte_count, 1, &permissions, doing);
    free(target);
    return error;
  }
  default: return write_beside(path, memory, byte_count, overwrite, NULL, doing);
  }
}

int cs_error_exists(int error) { return error == EEXIST; }

const char *cs_error_text(int error, char *text, size_t capacity) {
  return strerror_r(error, text, capacity);
}
