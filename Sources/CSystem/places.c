/* Where this code lies, and what is in a folder: what the search for model files asks of the system. See CSystem.h. */
#define _GNU_SOURCE
#include "CSystem.h"

#include <dirent.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* dladdr would do, but stands at a version of glibc that is later than what the library asks for. */
struct search {
  uintptr_t address;
  char *folder;
  size_t capacity;
  int found;
};

static int look(struct dl_phdr_info *info, size_t size, void *context) {
  (void)size;
  struct search *search = context;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    uintptr_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
    if (info->dlpi_phdr[i].p_type != PT_LOAD || search->address < start ||
        search->address - start >= info->dlpi_phdr[i].p_memsz)
      continue;
    size_t count;
    if (info->dlpi_name && info->dlpi_name[0]) {
      count = strlen(info->dlpi_name);
      if (count >= search->capacity) return 1;
      memcpy(search->folder, info->dlpi_name, count + 1);
    } else {
      ssize_t got = readlink("/proc/self/exe", search->folder, search->capacity - 1);
      if (got <= 0) return 1;
      search->folder[got] = 0;
    }
    char *slash = strrchr(search->folder, '/');
    if (!slash)
      memcpy(search->folder, ".", 2);
    else
      slash[slash == search->folder] = 0;
    search->found = 1;
    return 1;
  }
  return 0;
}

int cs_module_folder(char *folder, size_t capacity) {
  struct search search = {(uintptr_t)&cs_module_folder, folder, capacity, 0};
  dl_iterate_phdr(look, &search);
  return search.found;
}

void *cs_folder_open(const char *path) { return opendir(path); }

const char *cs_folder_next(void *folder) {
  struct dirent *entry = readdir(folder);
  return entry ? entry->d_name : NULL;
}

void cs_folder_close(void *folder) { closedir(folder); }
