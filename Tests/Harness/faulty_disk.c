// Preloaded before the C library's own: superblocks fail as the files in $VSTACK_TEST_FAULTS say. While `sync` is there,
// synchronizing them fails with EIO; while `full` is there, writing to them and making them longer fails with ENOSPC.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is_faulty(int fd, const char *fault) {
    const char *folder = getenv("VSTACK_TEST_FAULTS");
    char path[4096], link[64];
    if (folder == NULL) return 0;
    snprintf(path, sizeof path, "%s/%s", folder, fault);
    if (access(path, F_OK) != 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strstr(path, "/superblocks/") != NULL;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fdatasync(int fd) {
    if (!is_faulty(fd, "sync")) return REAL(fdatasync)(fd);
    errno = EIO;
    return -1;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    if (!is_faulty(fd, "full")) return REAL(pwrite)(fd, bytes, count, offset);
    errno = ENOSPC;
    return -1;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) { return pwrite(fd, bytes, count, offset); }

int posix_fallocate(int fd, off_t offset, off_t count) {
    return is_faulty(fd, "full") ? ENOSPC : REAL(posix_fallocate)(fd, offset, count);
}

int posix_fallocate64(int fd, off64_t offset, off64_t count) { return posix_fallocate(fd, offset, count); }
