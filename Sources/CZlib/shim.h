/* The system zlib, as a Swift module. */
#include <zlib.h>
