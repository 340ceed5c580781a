/*
 * Files, whole: read to the end; written without a name or under one beside the target, which is then put in
 * its place. See CSystem.h. The calls
 * are chosen so that the library asks for no glibc newer than 2.31: statx (2.28) where stat would bind to
 * 2.33, and getrandom (2.25) where arc4random would bind to 2.36.
 */
#define _GNU_SOURCE
#include "CSystem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

/* The most one call to read or write moves on Linux; asking for more is cut to this anyway. */
#define LARGEST_TRANSFER ((size_t)0x7ffff000)

/* The attribute of files that the tool has written into a folder. */
static const char mark_name[] = "user.libae.written";

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

/* write, without the signals that a pipe nobody reads and a limit on the size of files send to the thread: the
   host has not asked for them, and the errno says the same. (sigprocmask is the calling thread's on Linux;
   pthread_sigmask would bind to glibc 2.32.) */
static ssize_t write_unsignalled(int descriptor, const void *memory, size_t byte_count) {
  sigset_t ours, pending, before;
  sigemptyset(&ours);
  sigaddset(&ours, SIGPIPE);
  sigaddset(&ours, SIGXFSZ);
  sigemptyset(&pending);
  sigpending(&pending);
  sigprocmask(SIG_BLOCK, &ours, &before);
  ssize_t count = write(descriptor, memory, byte_count);
  int error = errno;
  /* What was pending before is the host's. */
  int signal = count < 0 && error == EPIPE ? SIGPIPE : count < 0 && error == EFBIG ? SIGXFSZ : 0;
  if (signal != 0 && !sigismember(&pending, signal)) {
    struct timespec none = {0, 0};
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, signal);
    while (sigtimedwait(&one, NULL, &none) < 0 && errno == EINTR) {
    }
  }
  sigprocmask(SIG_SETMASK, &before, NULL);
  errno = error;
  return count;
}

int cs_write(int descriptor, const void *memory, size_t byte_count) {
  size_t done = 0;
  while (done < byte_count) {
    size_t left = byte_count - done;
    ssize_t count = write_unsignalled(descriptor, (const char *)memory + done,
                                      left < LARGEST_TRANSFER ? left : LARGEST_TRANSFER);
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

/* The number that a text is, if it is one of a descriptor, or -1. */
static int descriptor_number(const char *digits) {
  int descriptor = 0;
  if (*digits == 0 || strlen(digits) > 6) return -1;
  for (; *digits; digits++) {
    if (*digits < '0' || *digits > '9') return -1;
    descriptor = 10 * descriptor + (*digits - '0');
  }
  return descriptor;
}

/* The descriptor that a path such as /dev/stdout or /dev/fd/3 names, or -1; `folder` is free of links and ends in no
   slash. Opening such a path anew would start at the head of a redirected file, and renaming over it would replace the
   file behind it. */
static int named_descriptor(const char *folder, const char *base) {
  if (strcmp(folder, "/dev") == 0) {
    if (strcmp(base, "stdin") == 0) return 0;
    if (strcmp(base, "stdout") == 0) return 1;
    if (strcmp(base, "stderr") == 0) return 2;
  }
  char own[64];
  int length = snprintf(own, sizeof own, "/proc/%ld/", (long)getpid());
  if (strncmp(folder, own, (size_t)length) != 0) return -1;
  const char *rest = folder + length;
  if (strncmp(rest, "task/", 5) == 0) {
    rest = strchr(rest + 5, '/');
    if (!rest++) return -1;
  }
  return strcmp(rest, "fd") == 0 ? descriptor_number(base) : -1;
}

/* Where a path leads: its folder free of links, links of its last part followed, even to what is not there yet. Gives
   the whole in *resolved, to be freed, or the descriptor that it names. Returns 0 or an errno. */
static int resolve(const char *path, char **resolved, int *descriptor) {
  char at[PATH_MAX];
  *resolved = NULL;
  *descriptor = -1;
  if (*path == 0) return ENOENT;
  if (strlen(path) >= sizeof at) return ENAMETOOLONG;
  strcpy(at, path);
  for (int links = 0; links < 40; links++) {
    char *slash = strrchr(at, '/');
    char *base = slash ? slash + 1 : at;
    size_t base_length = strlen(base);
    if (base_length == 0) return EISDIR;
    if (base_length > NAME_MAX) return ENAMETOOLONG;
    char name[NAME_MAX + 1];
    memcpy(name, base, base_length + 1);
    if (slash) slash[slash == at] = 0;
    char *folder = realpath(slash ? at : ".", NULL);
    if (!folder) return errno;
    *descriptor = named_descriptor(folder, name);
    if (*descriptor >= 0) {
      free(folder);
      return 0;
    }
    size_t folder_length = strlen(folder);
    char *whole = malloc(folder_length + base_length + 2);
    if (!whole) {
      free(folder);
      return ENOMEM;
    }
    memcpy(whole, folder, folder_length);
    if (folder_length != 1) whole[folder_length++] = '/';
    memcpy(whole + folder_length, name, base_length + 1);
    free(folder);
    char target[PATH_MAX];
    ssize_t length = readlink(whole, target, sizeof target - 1);
    if (length < 0) {
      *resolved = whole;
      return 0;
    }
    target[length] = 0;
    int is_long = 0;
    if (target[0] == '/')
      strcpy(at, target);
    else
      is_long = snprintf(at, sizeof at, "%.*s%s", (int)folder_length, whole, target) >= (int)sizeof at;
    free(whole);
    if (is_long) return ENAMETOOLONG;
  }
  return ELOOP;
}

int cs_place_of(const char *path, cs_place *place) {
  memset(place, 0, sizeof *place);
  char *resolved;
  int error = resolve(path, &resolved, &place->descriptor);
  /* A path that ends in a slash, ".", or "..": a folder's, or nothing's. */
  struct statx status;
  if (error == EISDIR || error == 0) {
    const char *of = resolved ? resolved : place->descriptor >= 0 ? "" : path;
    int found = place->descriptor >= 0 ? statx(place->descriptor, "", AT_EMPTY_PATH, STATX_TYPE | STATX_INO, &status)
                                       : statx(AT_FDCWD, of, 0, STATX_TYPE | STATX_INO, &status);
    if (found == 0) {
      place->is_there = 1;
      place->kind = status.stx_mode & S_IFMT;
    } else if (resolved) {
      char *slash = strrchr(resolved, '/');
      snprintf(place->name, sizeof place->name, "%s", slash + 1);
      slash[slash == resolved] = 0;
      found = statx(AT_FDCWD, resolved, 0, STATX_INO, &status);
    }
    if (found == 0) {
      place->device = (uint64_t)status.stx_dev_major << 32 | status.stx_dev_minor;
      place->inode = status.stx_ino;
      error = 0;
    } else {
      error = errno;
    }
  }
  free(resolved);
  return error;
}

static uint64_t random_word(void) {
  uint64_t word;
  if (getrandom(&word, sizeof word, GRND_NONBLOCK) == (ssize_t)sizeof word) return word;
  /* Early in boot, or an old kernel: O_EXCL keeps even a foreseen name safe. */
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_nsec * 0x9E3779B97F4A7C15u ^ (uint64_t)now.tv_sec << 20 ^ (uint64_t)getpid();
}

/*
 * Temporary names. What is under way lies beside its target as .aez-TARGET-RANDOM.tmp, both of 16 digits, TARGET a hash
 * of the target's name, and whoever writes it holds a lock on it. A process that was killed holds none, so the next
 * writer of the same target knows what was left behind, and removes it.
 */
enum { TEMPORARY_LENGTH = 5 + 16 + 1 + 16 + 4 };

static void temporary_name(char *name, const char *target, uint64_t word) {
  uint64_t hash = 0xCBF29CE484222325u; /* FNV-1a */
  for (; *target; target++) hash = (hash ^ (unsigned char)*target) * 0x100000001B3u;
  snprintf(name, TEMPORARY_LENGTH + 1, ".aez-%016llx-%016llx.tmp", (unsigned long long)hash,
           (unsigned long long)word);
}

static int is_temporary_of(const char *name, const char *target) {
  char example[TEMPORARY_LENGTH + 1];
  temporary_name(example, target, 0);
  if (strlen(name) != TEMPORARY_LENGTH || strncmp(name, example, 22) != 0) return 0;
  return strspn(name + 22, "0123456789abcdef") == 16 && strcmp(name + 38, ".tmp") == 0;
}

/* Removes a folder of temporary files that nobody writes to any more. */
static void remove_folder(int parent, const char *name) {
  int descriptor = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *entries = descriptor < 0 ? NULL : fdopendir(descriptor);
  if (!entries) {
    if (descriptor >= 0) close(descriptor);
    return;
  }
  for (struct dirent *entry; (entry = readdir(entries));) {
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) unlinkat(dirfd(entries), entry->d_name, 0);
  }
  closedir(entries);
  unlinkat(parent, name, AT_REMOVEDIR);
}

/* Removes what killed writers of `target` left in the folder. */
static void sweep(const char *folder, const char *target) {
  DIR *entries = opendir(folder);
  if (!entries) return;
  for (struct dirent *entry; (entry = readdir(entries));) {
    if (!is_temporary_of(entry->d_name, target)) continue;
    struct statx status;
    if (statx(dirfd(entries), entry->d_name, AT_SYMLINK_NOFOLLOW, STATX_TYPE | STATX_UID, &status) != 0 ||
        !(S_ISREG(status.stx_mode) || S_ISDIR(status.stx_mode)) || status.stx_uid != geteuid())
      continue;
    int descriptor = openat(dirfd(entries), entry->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    /* Its own writer may have taken the right to read away. */
    if (descriptor < 0) continue;
    if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) {
      if (S_ISDIR(status.stx_mode))
        remove_folder(dirfd(entries), entry->d_name);
      else
        unlinkat(dirfd(entries), entry->d_name, 0);
    }
    close(descriptor);
  }
  closedir(entries);
}

/* Locks what was just made. Returns 0 if a sweeper was faster and took it for a leftover. Where there are no locks
   nothing is swept either. */
static int lock_new(int descriptor) {
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) return errno != EWOULDBLOCK;
  struct statx status;
  return statx(descriptor, "", AT_EMPTY_PATH, STATX_NLINK, &status) != 0 || status.stx_nlink > 0;
}

int cs_temporary_folder(const char *folder, const char *target, char *path, size_t capacity, int *lock) {
  sweep(folder, target);
  for (int attempt = 0; attempt < 100; attempt++) {
    char name[TEMPORARY_LENGTH + 1];
    temporary_name(name, target, random_word());
    if (snprintf(path, capacity, "%s/%s", folder, name) >= (int)capacity) return ENAMETOOLONG;
    if (mkdir(path, 0777) != 0) {
      if (errno == EEXIST || errno == EINTR) continue;
      return errno;
    }
    *lock = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (*lock >= 0 && lock_new(*lock)) return 0;
    if (*lock >= 0) close(*lock);
  }
  return EEXIST;
}

void cs_temporary_folder_remove(const char *path, int lock) {
  remove_folder(AT_FDCWD, path);
  if (lock >= 0) close(lock);
}

/* A file that takes another's place gets its owner, group, permissions and access list. What may not be given to it is
   not given to others instead: the group's rights become everybody's, set-id bits go. */
static void pass_on(const char *from, int to) {
  struct statx old, new;
  if (statx(AT_FDCWD, from, 0, STATX_MODE | STATX_UID | STATX_GID, &old) != 0 ||
      statx(to, "", AT_EMPTY_PATH, STATX_UID | STATX_GID, &new) != 0)
    return;
  mode_t mode = old.stx_mode & 07777;
  if (new.stx_uid != old.stx_uid && fchown(to, old.stx_uid, (gid_t)-1) != 0) mode &= (mode_t)~(S_ISUID | S_ISGID);
  int has_group = new.stx_gid == old.stx_gid || fchown(to, (uid_t)-1, old.stx_gid) == 0;
  if (!has_group) mode = (mode & ~(mode_t)(070 | S_ISGID | S_ISUID)) | ((mode & 07) << 3 & mode);
  static const char access_list[] = "system.posix_acl_access";
  char list[4096];
  ssize_t length = has_group ? getxattr(from, access_list, list, sizeof list) : -1;
  if (length > 0)
    fsetxattr(to, access_list, list, (size_t)length, 0);
  else
    fremovexattr(to, access_list);
  fchmod(to, mode);
}

int cs_file_stage(const char *path, const void *memory, size_t byte_count, const char *replaced, const char *mark) {
  int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, replaced ? 0600 : 0666);
  if (descriptor < 0) return errno;
  int error = cs_write(descriptor, memory, byte_count);
  if (error == 0 && mark) fsetxattr(descriptor, mark_name, mark, strlen(mark), 0);
  if (error == 0 && replaced) pass_on(replaced, descriptor);
  if (close(descriptor) != 0 && error == 0 && errno != EINTR) error = errno;
  return error;
}

int64_t cs_file_mark(const char *path, char *mark, size_t capacity) {
  ssize_t length = lgetxattr(path, mark_name, mark, capacity);
  return length < 0 ? -1 : length;
}

int cs_rename_to_free_name(const char *from, const char *to) {
#ifdef SYS_renameat2
  if (syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 1u /* RENAME_NOREPLACE */) == 0) return 0;
  if (errno != ENOSYS && errno != EINVAL && errno != EPERM) return errno;
#endif
  if (link(from, to) == 0) {
    unlink(from);
    return 0;
  }
  if (errno != EPERM && errno != ENOSYS && errno != EOPNOTSUPP && errno != EMLINK) return errno;
  /* A folder replaces none but an empty one. */
  mode_t permissions;
  if (file_kind(from, &permissions) == KIND_DIRECTORY) return rename(from, to) == 0 ? 0 : errno;
  /* A file system with neither: take the name with an empty file, then replace that. */
  int taken = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (taken < 0) return errno;
  close(taken);
  if (rename(from, to) == 0) return 0;
  int error = errno;
  unlink(to);
  return error;
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
  char *beside;  /* a name beside that; until `is_named`, nothing is called so */
  int is_named;
  size_t folder_length; /* of the path before its last slash */
};

static void output_free(cs_output *output) {
  free(output->path);
  free(output->beside);
  free(output);
}

static const char *base_of(const cs_output *output) { return output->path + output->folder_length + 1; }

/* A name for the file beside its place. */
static void name_beside(cs_output *output) {
  temporary_name(output->beside + output->folder_length + 1, base_of(output), random_word());
}

/* The path of an open file, which a file without a name gets its name by. */
static void open_file_path(char *path, int descriptor) { snprintf(path, 64, "/proc/self/fd/%d", descriptor); }

/* A file without a name in the folder, which a kill takes away with the process. Returns 0 if there is no such thing:
   not every file system has it, and without /proc it could not be named. */
static int open_unnamed(cs_output *output, const char *folder, mode_t permissions) {
#ifdef O_TMPFILE
  int descriptor = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, permissions);
  if (descriptor < 0) return 0;
  char own[64];
  open_file_path(own, descriptor);
  if (faccessat(AT_FDCWD, own, F_OK, 0) == 0) {
    output->descriptor = descriptor;
    return 1;
  }
  close(descriptor);
#else
  (void)output;
  (void)folder;
  (void)permissions;
#endif
  return 0;
}

/* A new file in the folder of the output's path. Returns 0 or an errno. */
static int open_beside(cs_output *output, int replaces) {
  const char *slash = strrchr(output->path, '/');
  output->folder_length = (size_t)(slash - output->path);
  output->beside = malloc(output->folder_length + 1 + TEMPORARY_LENGTH + 1);
  char *folder = strndup(output->path, output->folder_length ? output->folder_length : 1);
  if (!output->beside || !folder) {
    free(folder);
    return ENOMEM;
  }
  memcpy(output->beside, output->path, output->folder_length + 1);
  sweep(folder, base_of(output));
  /* Of what is to be its owner's alone, nobody else sees a part. */
  mode_t permissions = replaces ? 0600 : 0666;
  if (!open_unnamed(output, folder, permissions)) {
    for (int attempt = 0; attempt < 100; attempt++) {
      name_beside(output);
      output->descriptor = open(output->beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, permissions);
      if (output->descriptor < 0) {
        if (errno == EEXIST || errno == EINTR) continue;
        break;
      }
      output->is_named = 1;
      if (lock_new(output->descriptor)) break;
      close(output->descriptor);
      output->descriptor = -1;
      errno = EEXIST;
    }
  }
  int error = errno;
  free(folder);
  if (output->descriptor < 0) return error;
  output->is_owned = 1;
  if (replaces) pass_on(output->path, output->descriptor);
  return 0;
}

static int open_output(const char *path, cs_output *output, const char **doing) {
  *doing = "create";
  mode_t permissions = 0;
  /* As the path says, so that a folder is told from a file whatever it is called. */
  if (*path != 0 && file_kind(path, &permissions) == KIND_DIRECTORY) return EISDIR;
  int error = resolve(path, &output->path, &output->descriptor);
  if (error != 0) return error;
  if (output->descriptor >= 0) return fcntl(output->descriptor, F_GETFD) < 0 ? errno : 0;
  int kind = file_kind(output->path, &permissions);
  if (kind == KIND_SPECIAL) {
    *doing = "open";
    do output->descriptor = open(output->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    while (output->descriptor < 0 && errno == EINTR);
    if (output->descriptor < 0) return errno;
    output->is_owned = 1;
    free(output->path);
    output->path = NULL;
    return 0;
  }
  if (!output->overwrite && cs_file_exists(path)) return EEXIST;
  if (kind == KIND_REGULAR && access(output->path, W_OK) != 0) return errno;
  return open_beside(output, kind == KIND_REGULAR);
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

/* Gives the finished file its name. Returns 0 or an errno. */
static int put_in_place(cs_output *output) {
  if (!output->is_named) {
    char own[64];
    open_file_path(own, output->descriptor);
    if (linkat(AT_FDCWD, own, AT_FDCWD, output->path, AT_SYMLINK_FOLLOW) == 0) return 0;
    if (errno != EEXIST || !output->overwrite) return errno;
    /* A link replaces nothing, a rename does: for that moment the file has a name of its own, and a lock. */
    lock_new(output->descriptor);
    for (int attempt = 0; attempt < 100 && !output->is_named; attempt++) {
      name_beside(output);
      if (linkat(AT_FDCWD, own, AT_FDCWD, output->beside, AT_SYMLINK_FOLLOW) == 0)
        output->is_named = 1;
      else if (errno != EEXIST)
        return errno;
    }
    if (!output->is_named) return EEXIST;
  }
  if (!output->overwrite) return cs_rename_to_free_name(output->beside, output->path);
  return rename(output->beside, output->path) == 0 ? 0 : errno;
}

int cs_output_close(cs_output *output, int keep, const char **doing) {
  int error = 0;
  if (output->path) {
    if (keep) {
      *doing = "sync";
      while (fsync(output->descriptor) != 0) {
        if (errno == EINTR) continue;
        if (errno != EINVAL && errno != ENOSYS) error = errno;
        break;
      }
    }
    if (keep && error == 0) {
      *doing = "rename";
      error = put_in_place(output);
    }
    if (output->is_named && (error != 0 || !keep)) {
      unlink(output->beside);
    } else if (error == 0 && keep) {
      output->beside[output->folder_length ? output->folder_length : 1] = 0;
      sync_directory(output->beside);
    }
  }
  /* After fsync, closing has nothing to tell of a file; of a device it has. */
  if (output->is_owned && close(output->descriptor) != 0 && error == 0 && !output->path && errno != EINTR) {
    *doing = "write";
    error = errno;
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

int cs_error_is_memory(int error) { return error == ENOMEM; }

const char *cs_error_text(int error, char *text, size_t capacity) {
  return strerror_r(error, text, capacity);
}
