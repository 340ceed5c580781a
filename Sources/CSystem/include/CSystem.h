/*
 * CSystem: what the engine asks of the operating system, as plain C: memory that may be refused,
 * the thread's last error, the environment, clocks, files. It is its own module because Swift
 * without Foundation, and without a runtime, has no other door to them.
 */
#ifndef CSYSTEM_H
#define CSYSTEM_H

#include <stddef.h>
#include <stdint.h>

/**
 * cs_allocate(byte_count) returns zeroed memory on a 64-byte boundary, or NULL if it is refused, as all is in a
 * call that is short of memory.
 */
void *cs_allocate(size_t byte_count);

/** cs_free(memory) frees what cs_allocate returned; NULL does nothing. */
void cs_free(void *memory);

/** cs_error_set(text, byte_count) keeps a copy of text, cut to what fits, as this thread's last error. */
void cs_error_set(const char *text, size_t byte_count);

/** cs_error_set_constant(text) makes text, which lives for ever, this thread's last error. Takes no memory. */
void cs_error_set_constant(const char *text);

/** cs_error_get() returns this thread's last error, "" if there was none. */
const char *cs_error_get(void);

/** cs_errno_set(error) keeps the errno behind this thread's last error, 0 if no system call was. */
void cs_errno_set(int error);

/** cs_errno_get() returns it. */
int cs_errno_get(void);

/* ---- Calls: what each entry point of libae.so stands between (reserve.c). In the tool they do nothing. ---- */

/** cs_call is one call of the library that is under way. */
typedef struct cs_call {
  void *outer;
} cs_call;

/**
 * cs_call_begin(call) takes a reserve of memory for the call of this thread that begins, and returns 1; 0 if there
 * is none and no memory for another. Swift's objects come from it when the system refuses them, which makes
 * the call short of memory. Calls may be nested, as by callbacks; each has its own.
 */
int cs_call_begin(cs_call *call);
/** cs_call_end(call) ends the call that began last. Objects that were placed in its reserve may live on. */
void cs_call_end(const cs_call *call);
/** cs_call_is_short() returns 1 if the thread's call was refused memory and drew on its reserve. */
int cs_call_is_short(void);

/** cs_call_current() returns the thread's call, for threads that work for it; NULL if there is none. */
void *cs_call_current(void);
/** cs_call_join(call) makes a thread work for a call, and returns which one it worked for before. */
void *cs_call_join(void *call);

/** cs_reserve_take(byte_count) returns memory of the call's reserve, or NULL. In libae.so alone. */
void *cs_reserve_take(size_t byte_count);
/** cs_reserve_trim() frees the reserves that no call uses. */
void cs_reserve_trim(void);

/* ---- Handles: what callers of libae.so hold. Any thread may call these. ---- */

/** cs_handle_make(kind, object) returns a handle that stands for object, or NULL if memory is refused. */
void *cs_handle_make(uint64_t kind, void *object);
/**
 * cs_handle_object(handle, kind) returns the object, or NULL for what is no handle of that kind: freed, of
 * another kind, NULL or any other pointer, at which it does not look.
 */
void *cs_handle_object(const void *handle, uint64_t kind);
/** cs_handle_take(handle, kind) ends a handle and returns its object, or NULL: to one caller, once. */
void *cs_handle_take(void *handle, uint64_t kind);

/* ---- A text under way, one for each thread: what Core makes messages of ---- */

/** cs_text_count() returns the bytes of the thread's text so far. */
size_t cs_text_count(void);
/** cs_text_bytes() returns the text, valid until the call ends. */
const uint8_t *cs_text_bytes(void);
/** cs_text_release() forgets the text and frees its memory. */
void cs_text_release(void);
/** cs_text_cut(count) forgets all but the first `count` bytes. */
void cs_text_cut(size_t count);
/**
 * cs_text_append(text, byte_count) appends UTF-8; what does not fit is left out, never half a character. All is
 * if there is no memory.
 */
void cs_text_append(const uint8_t *text, size_t byte_count);
/** cs_text_append_signed(value) appends a whole number. */
void cs_text_append_signed(int64_t value);
/** cs_text_append_unsigned(value) appends a whole number. */
void cs_text_append_unsigned(uint64_t value);
/** cs_text_append_number(value) appends six significant digits, with a decimal point in every locale. */
void cs_text_append_number(double value);

/** cs_parse_number(text, value) reads a number as C writes it, with a point in every locale; 0 if text is none. */
int cs_parse_number(const char *text, double *value);
/** cs_print_number(value, text) writes the fewest digits, 15 to 17, that cs_parse_number makes the same number of. */
void cs_print_number(double value, char text[32]);

/** cs_environment(name) returns the variable's value, or NULL. */
const char *cs_environment(const char *name);

/** cs_module_folder(folder, capacity) writes the folder of the file that this code is in, a library or the program; 0 if
 *  it does not fit or is not known. */
int cs_module_folder(char *folder, size_t capacity);
/** cs_folder_open(path) opens a folder to be listed, or returns NULL. */
void *cs_folder_open(const char *path);
/** cs_folder_next(folder) returns the next name in it, valid until the next call, or NULL after the last. */
const char *cs_folder_next(void *folder);
void cs_folder_close(void *folder);

/** cs_thread() returns a number that no other thread has that runs at the same time. */
uintptr_t cs_thread(void);

/** cs_seconds() returns a clock that only goes forward, in seconds from an arbitrary start. */
double cs_seconds(void);

/* ---- Files. Errors are errno values; calls that are interrupted by a signal go on. ---- */

/** cs_file_exists(path) returns 1 if the name is taken, be it by a link to nowhere. */
int cs_file_exists(const char *path);

/** cs_open_to_read(path) returns a descriptor, or the errno negated. */
int cs_open_to_read(const char *path);

/** What a name leads to, links followed. */
enum {
  CS_KIND_FILE = 1,
  CS_KIND_FOLDER = 2,
  CS_KIND_FIFO = 3,
  CS_KIND_SOCKET = 4,
  CS_KIND_CHARACTER_DEVICE = 5,
  CS_KIND_BLOCK_DEVICE = 6
};

/** cs_kind(path) returns one of these, or the errno negated. */
int cs_kind(const char *path);

/**
 * cs_open_regular(path, kind) is cs_open_to_read for regular files alone, which never waits. What is there
 * goes to *kind; anything but a regular file gives -EINVAL and has not been opened.
 */
int cs_open_regular(const char *path, int *kind);

/** cs_read_some(...) is one read: what is there by now, 0 only at the end, or -errno. */
int64_t cs_read_some(int descriptor, void *memory, size_t byte_count);

/** cs_close(descriptor) closes it. */
void cs_close(int descriptor);

/** cs_size_hint(descriptor) returns the bytes left to read if that can be told, or -1. It may be wrong. */
int64_t cs_size_hint(int descriptor);

/** cs_read(...) returns how many bytes it read, less than byte_count only at the end, or -errno. */
int64_t cs_read(int descriptor, void *memory, size_t byte_count);

/** cs_read_at(...) is cs_read from a place in a file, whose position it leaves alone. */
int64_t cs_read_at(int descriptor, void *memory, size_t byte_count, int64_t offset);

/** cs_write(...) writes all bytes and returns 0, or returns an errno; no SIGPIPE and no SIGXFSZ comes of it. */
int cs_write(int descriptor, const void *memory, size_t byte_count);

/**
 * cs_file_write(path, memory, byte_count, overwrite, doing) writes a whole file: into one without a name, or with
 * a temporary name beside it, synced, put in its place, the directory synced. Whatever fails, nothing new is left
 * behind and an old file stays as it was; what a killed process left behind goes when the same path is written next.
 * A file that is replaced passes owner, group and permissions on. Links are followed. Without `overwrite` a name that
 * is taken gives EEXIST, even if it was
 * taken in the meantime. A device, a pipe or a path such as /dev/stdout is written to as it is. Returns 0,
 * or an errno with *doing naming the step that failed: "create", "open", "write", "sync" or "rename".
 * A pipe with a name is opened as ever, which waits for a process that reads it.
 */
int cs_file_write(const char *path, const void *memory, size_t byte_count, int overwrite, const char **doing);

/** cs_output is a file that is written piece by piece, as cs_file_write writes one at once. */
typedef struct cs_output cs_output;

/** cs_output_open(path, overwrite, output, doing) begins one. Returns 0 or an errno, as cs_file_write does. */
int cs_output_open(const char *path, int overwrite, cs_output **output, const char **doing);

/** cs_output_is_new(output) returns 1 for a file beside its place, 0 for a device or pipe. */
int cs_output_is_new(const cs_output *output);

/** cs_output_write(output, memory, byte_count) appends bytes. Returns 0 or an errno. */
int cs_output_write(cs_output *output, const void *memory, size_t byte_count);

/** cs_output_begin_again(output) goes to the start of a new file, over which is then written. */
int cs_output_begin_again(cs_output *output);

/** cs_output_close(output, keep, doing) ends one: renamed into its place, or removed. Returns 0 or an errno. */
int cs_output_close(cs_output *output, int keep, const char **doing);

/** cs_place is what a path leads to, by which two spellings of it can be told to be one. */
typedef struct {
  uint64_t device, inode; /* of the file that is there, or else of the folder that it would be in */
  char name[256];         /* of a file that is not there, in that folder */
  int is_there;
  unsigned kind;          /* the type of what is there, as in st_mode */
  int descriptor;         /* that the path names, as /dev/stdout does; else -1 */
} cs_place;

/** cs_place_of(path, place) finds it. Returns 0 or an errno. */
int cs_place_of(const char *path, cs_place *place);

/** cs_rename_to_free_name(from, to) gives a file or folder the name `to` unless that is taken. Returns 0 or an errno. */
int cs_rename_to_free_name(const char *from, const char *to);

/**
 * cs_temporary_folder(folder, target, path, capacity, lock) makes a folder in `folder` for what is to be called
 * `target`, and holds a lock on it, *lock. What killed processes left behind of theirs is removed first. Returns 0
 * or an errno.
 */
int cs_temporary_folder(const char *folder, const char *target, char *path, size_t capacity, int *lock);

/** cs_temporary_folder_remove(path, lock) removes one and its files, and gives the lock up. */
void cs_temporary_folder_remove(const char *path, int lock);

/**
 * cs_file_stage(path, memory, byte_count, replaced, mark) writes a new file, not synced, that is to be renamed: if it
 * will take the place of the file `replaced`, it gets that one's owner, group and permissions. `mark`, if not NULL,
 * is kept beside its contents where the file system can. Returns 0 or an errno.
 */
int cs_file_stage(const char *path, const void *memory, size_t byte_count, const char *replaced, const char *mark);

/** cs_file_mark(path, mark, capacity) reads the mark. Returns its length, or -1 if there is none. */
int64_t cs_file_mark(const char *path, char *mark, size_t capacity);

/**
 * cs_file_system_sync(path) puts on disk all that was written to the file system that holds `path`: what
 * many small files need, where a sync for each would take minutes. Returns 0 or an errno.
 */
int cs_file_system_sync(const char *path);

/** cs_error_exists(error) returns 1 for the errno that says a name is taken. */
int cs_error_exists(int error);
/** cs_error_is_memory(error) returns 1 for the errno that says memory was refused. */
int cs_error_is_memory(int error);

/** cs_error_text(error, text, capacity) returns the system's words for an errno, perhaps in `text`. */
const char *cs_error_text(int error, char *text, size_t capacity);

#endif
