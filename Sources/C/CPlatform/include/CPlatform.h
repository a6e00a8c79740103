/// The little C that Swift cannot express: a guard against SIGBUS, and Linux calls that glibc keeps variadic or hides.
#ifndef VSTACK_CPLATFORM_H
#define VSTACK_CPLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// A checksum with the signature of ISA-L's crc32_iscsi.
typedef unsigned int (*vstack_checksum)(unsigned char *bytes, int count, unsigned int seed);

/// Runs `checksum` over bytes that may lie in a mapping of a failing disk. Touching a page that cannot be read raises
/// SIGBUS; here that ends the call with false instead of the process. Any number of threads may call at once.
bool vstack_guarded_checksum(vstack_checksum checksum, const void *bytes, size_t count, unsigned int seed,
                             unsigned int *result);

/// Copies under the same guard.
bool vstack_guarded_copy(void *destination, const void *source, size_t count);

/// A descriptor that becomes readable when the process ends (pidfd_open(2)), or -1 with errno set.
int vstack_pidfd_open(int pid);

/// openat2(2) with RESOLVE_BENEATH: neither `..`, an absolute path nor a symbolic link leads out of `directory`.
int vstack_open_beneath(int directory, const char *path, int flags, unsigned int mode);

/// Bytes that a connected TCP socket has received, and that its peer has acknowledged, since it was opened.
bool vstack_tcp_progress(int socket, uint64_t *received, uint64_t *acknowledged);

/// The number of the core that the calling thread is on, or -1 where the kernel does not say (sched_getcpu(3)).
int vstack_current_core(void);

/// A pipe that children do not inherit, whose read end does not block and which holds `size` bytes where allowed.
int vstack_pipe(int ends[2], int size);

/// A program to start.
struct vstack_child {
    /// Its name, looked up in PATH, and its arguments, ended by NULL.
    char *const *arguments;
    /// Descriptors that become its standard output and error. Its standard input is empty, all others are closed.
    int output;
    int error;
    /// Its nice value; 0 keeps the caller's.
    int niceness;
};

/// Starts a program in a process group of its own, with default signal actions, which is killed when the calling thread
/// ends (PR_SET_PDEATHSIG, prctl(2)): the caller must be a thread that lives as long as the process.
/// Returns 0 and sets `pid`, or returns errno.
int vstack_spawn(const struct vstack_child *child, int *pid);

/// Opens a file for reading past the page cache (O_DIRECT, a number that differs between processors).
int vstack_open_direct(const char *path);

/// The calling thread takes processor and disk only when others leave them, as far as the system lets it.
void vstack_step_back(void);

#endif
