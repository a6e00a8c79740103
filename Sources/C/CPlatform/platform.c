#define _GNU_SOURCE
#include "CPlatform.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

static _Thread_local sigjmp_buf *volatile guard;
static struct sigaction previous;
static pthread_once_t installed = PTHREAD_ONCE_INIT;

static void on_bus_error(int signal, siginfo_t *info, void *context) {
    (void)info;
    if (guard != NULL) {
        // Leaving by a jump keeps the handler's mask; the interrupted code's own is put back first.
        pthread_sigmask(SIG_SETMASK, &((ucontext_t *)context)->uc_sigmask, NULL);
        siglongjmp(*guard, 1);
    }
    // Not ours: let the fault happen again under whoever was there before.
    sigaction(signal, &previous, NULL);
}

static void install(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &previous);
}

bool vstack_guarded_checksum(vstack_checksum checksum, const void *bytes, size_t count, unsigned int seed,
                             unsigned int *result) {
    pthread_once(&installed, install);
    sigjmp_buf here;
    // Mask 0: the handler restores the mask itself, so the path without a fault makes no system call.
    if (sigsetjmp(here, 0) != 0) {
        guard = NULL;
        return false;
    }
    guard = &here;
    *result = checksum((unsigned char *)bytes, (int)count, seed);
    guard = NULL;
    return true;
}

bool vstack_guarded_copy(void *destination, const void *source, size_t count) {
    pthread_once(&installed, install);
    sigjmp_buf here;
    if (sigsetjmp(here, 0) != 0) {
        guard = NULL;
        return false;
    }
    guard = &here;
    memcpy(destination, source, count);
    guard = NULL;
    return true;
}

int vstack_pidfd_open(int pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int vstack_open_beneath(int directory, const char *path, int flags, unsigned int mode) {
    struct open_how how;
    memset(&how, 0, sizeof how);
    how.flags = (unsigned long long)(unsigned int)(flags | O_CLOEXEC);
    how.mode = mode;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

int vstack_rename_new(const char *from, const char *to) {
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
}

bool vstack_tcp_progress(int socket, uint64_t *received, uint64_t *acknowledged) {
    struct tcp_info info;
    socklen_t size = sizeof info;
    memset(&info, 0, sizeof info);
    if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return false;
    *received = info.tcpi_bytes_received;
    *acknowledged = info.tcpi_bytes_acked;
    return true;
}

int vstack_current_core(void) { return sched_getcpu(); }
