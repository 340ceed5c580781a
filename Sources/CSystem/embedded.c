/*
 * What embedded Swift's own runtime leaves open, for the library alone (tools/build-library.sh defines
 * AE_EMBEDDED; ordinary Swift brings a complete runtime). The runtime's definitions are weak, so this one
 * takes their place.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#ifdef AE_EMBEDDED

/*
 * An initialiser of a class that throws has released what it had stored and gives the object back here.
 * The runtime of Swift 6.3 keeps the memory: every file that is refused would cost some hundred bytes for
 * ever. No class of this library has a superclass, whose fields would still have to be destroyed.
 */
void swift_deallocPartialClassInstance(void *object, const void *metadata, size_t size, size_t alignment_mask);
void swift_deallocPartialClassInstance(void *object, const void *metadata, size_t size, size_t alignment_mask) {
  const int64_t *words = object;
  (void)metadata;
  (void)size;
  (void)alignment_mask;
  /* The second word counts references; its sign marks objects that lie on the stack. */
  if (words[1] >= 0) free(object);
}

#else

/* C wants something in every file. */
typedef int ae_not_embedded;

#endif
