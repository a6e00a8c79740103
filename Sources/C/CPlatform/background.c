#define _GNU_SOURCE
#include "CPlatform.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int vstack_open_direct(const char *path) { return open(path, O_RDONLY | O_DIRECT | O_CLOEXEC); }

void vstack_step_back(void) {
    // From ioprio_set(2); the C library has no names for them. Class 3, idle: the disk when nobody else wants it.
    enum { who_process = 1, class_shift = 13, class_idle = 3 };
    syscall(SYS_ioprio_set, who_process, 0, class_idle << class_shift);
    // On Linux a thread has a nice value of its own.
    setpriority(PRIO_PROCESS, 0, 10);
}
