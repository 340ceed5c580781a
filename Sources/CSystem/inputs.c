/*
 * Opening what a folder or a list of places leads to, where nobody has said that it is a file: a FIFO, a
 * socket or a device must neither be waited for nor touched. See CSystem.h.
 */
#define _GNU_SOURCE
#include "CSystem.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int kind_of(mode_t mode) {
  switch (mode & S_IFMT) {
  case S_IFREG: return CS_KIND_FILE;
  case S_IFDIR: return CS_KIND_FOLDER;
  case S_IFIFO: return CS_KIND_FIFO;
  case S_IFSOCK: return CS_KIND_SOCKET;
  case S_IFCHR: return CS_KIND_CHARACTER_DEVICE;
  default: return CS_KIND_BLOCK_DEVICE;
  }
}

int cs_kind(const char *path) {
  struct statx status;
  if (statx(AT_FDCWD, path, 0, STATX_TYPE, &status) != 0) return -errno;
  return kind_of(status.stx_mode);
}

int cs_open_regular(const char *path, int *kind) {
  /* Opening a device may already do something, so a look comes first; the second one is for what has taken
     the name's place in between. */
  *kind = cs_kind(path);
  if (*kind < 0) return *kind;
  if (*kind != CS_KIND_FILE) return -EINVAL;
  int descriptor;
  do descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0) return -errno;
  struct statx status;
  if (statx(descriptor, "", AT_EMPTY_PATH, STATX_TYPE, &status) != 0) {
    int error = errno;
    close(descriptor);
    return -error;
  }
  *kind = kind_of(status.stx_mode);
  if (*kind == CS_KIND_FILE) return descriptor;
  close(descriptor);
  return -EINVAL;
}

int64_t cs_read_some(int descriptor, void *memory, size_t byte_count) {
  ssize_t count;
  if (byte_count > (size_t)0x7ffff000) byte_count = (size_t)0x7ffff000;
  do count = read(descriptor, memory, byte_count);
  while (count < 0 && errno == EINTR);
  return count < 0 ? -(int64_t)errno : (int64_t)count;
}
