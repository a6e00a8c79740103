// Preloaded into a process of the system: counts what it asks of the heap and of the kernel for its connections, in
// memory shared with the test (Tests/Harness/counting.py, which has the same order).
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ALLOCATIONS, RECEIVES, SENDS, COUNT };

static _Atomic long unshared[COUNT];
static _Atomic long *counts = unshared;

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

__attribute__((constructor)) static void share(void) {
    const char *path = getenv("COUNTING_FILE");
    int file = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    if (file < 0) return;
    void *shared = mmap(NULL, sizeof unshared, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (shared != MAP_FAILED) counts = shared;
}

static void count(int what) { atomic_fetch_add_explicit(&counts[what], 1, memory_order_relaxed); }

void *malloc(size_t size) {
    count(ALLOCATIONS);
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    count(ALLOCATIONS);
    return __libc_calloc(number, size);
}

void *realloc(void *old, size_t size) {
    count(ALLOCATIONS);
    return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    count(ALLOCATIONS);
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
    count(ALLOCATIONS);
    *result = __libc_memalign(alignment, size);
    return *result == NULL ? 12 /* ENOMEM */ : 0;
}

ssize_t recv(int socket, void *bytes, size_t size, int flags) {
    static ssize_t (*real)(int, void *, size_t, int);
    if (real == NULL) real = (ssize_t(*)(int, void *, size_t, int))dlsym(RTLD_NEXT, "recv");
    count(RECEIVES);
    return real(socket, bytes, size, flags);
}

ssize_t send(int socket, const void *bytes, size_t size, int flags) {
    static ssize_t (*real)(int, const void *, size_t, int);
    if (real == NULL) real = (ssize_t(*)(int, const void *, size_t, int))dlsym(RTLD_NEXT, "send");
    count(SENDS);
    return real(socket, bytes, size, flags);
}

ssize_t sendmsg(int socket, const struct msghdr *message, int flags) {
    static ssize_t (*real)(int, const struct msghdr *, int);
    if (real == NULL) real = (ssize_t(*)(int, const struct msghdr *, int))dlsym(RTLD_NEXT, "sendmsg");
    count(SENDS);
    return real(socket, message, flags);
}
