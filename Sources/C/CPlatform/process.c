#define _GNU_SOURCE
#include "CPlatform.h"

#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

int vstack_pipe(int ends[2], int size) {
    if (pipe2(ends, O_CLOEXEC) != 0) return -1;
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    // Refused where the user's pipes hold much already; the pipe is then smaller, and only slower.
    fcntl(ends[0], F_SETPIPE_SZ, size);
    return 0;
}

int vstack_spawn_close_from(posix_spawn_file_actions_t *actions, int first) {
    return posix_spawn_file_actions_addclosefrom_np(actions, first);
}
