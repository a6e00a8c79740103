#define _GNU_SOURCE
#include "CPlatform.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int vstack_pipe(int ends[2], int size) {
    if (pipe2(ends, O_CLOEXEC) != 0) return -1;
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    // Refused where the user's pipes hold much already; the pipe is then smaller, and only slower.
    fcntl(ends[0], F_SETPIPE_SZ, size);
    return 0;
}

// Where the child says why there will be no program; the program itself does not inherit it.
enum { STATUS = 3 };

// Between vfork and exec: only system calls, and nothing of the parent's memory is changed but this stack.
static void become(const struct vstack_child *child, int status, pid_t parent) {
    setpgid(0, 0);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) goto failed;
    // It may have died before the line above.
    if (getppid() != parent) _exit(127);

    int input = open("/dev/null", O_RDONLY);
    if (input < 0) goto failed;
    if (dup2(input, STDIN_FILENO) < 0 || dup2(child->output, STDOUT_FILENO) < 0 ||
        dup2(child->error, STDERR_FILENO) < 0)
        goto failed;
    if (status != STATUS) {
        if (dup3(status, STATUS, O_CLOEXEC) < 0) goto failed;
        status = STATUS;
    }
    if (syscall(SYS_close_range, STATUS + 1, ~0u, 0) != 0) goto failed;
    // Who may not stand back goes on as it is.
    if (child->niceness > 0) setpriority(PRIO_PROCESS, 0, child->niceness);

    for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(child->arguments[0], child->arguments);
failed:;
    int reason = errno;
    // Nothing can be done about a pipe that is gone.
    if (write(status, &reason, sizeof reason) < 0) _exit(126);
    _exit(127);
}

int vstack_spawn(const struct vstack_child *child, int *pid) {
    // Above the standard descriptors, so that the child's own do not overwrite it.
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return errno;
    pid_t parent = getpid();
    // No handler of ours may run in the child, which shares our memory until its exec.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t made = vfork();
    if (made == 0) become(child, ends[1], parent);
    int reason = made < 0 ? errno : 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(ends[1]);
    if (made > 0) {
        // Ends with the exec, which closes the other side.
        ssize_t count;
        do count = read(ends[0], &reason, sizeof reason);
        while (count < 0 && errno == EINTR);
        if (count != sizeof reason) reason = 0;
        if (reason != 0) while (waitpid(made, NULL, 0) < 0 && errno == EINTR) {}
    }
    close(ends[0]);
    if (reason == 0) *pid = made;
    return reason;
}
