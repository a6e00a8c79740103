// The files of Sources/Web, compiled into the binary.
#ifndef CWEBASSETS_H
#define CWEBASSETS_H

#include <stddef.h>

typedef struct {
    // Below Sources/Web, such as "js/app.js".
    const char *path;
    // Constant for the life of the process.
    const unsigned char *bytes;
    size_t count;
} CWebAsset;

// The table of all files; `count` receives their number.
const CWebAsset *cwebassets_all(size_t *count);

#endif
