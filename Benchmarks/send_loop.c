/* What the kernel and the client leave to a server of large answers: the least one that there can be.
 *
 * usage: send_loop PORT COUNT BYTES
 *
 * Answers `GET /N` with COUNT different bodies of BYTES each, from memory: one thread a core, epoll, a listening socket
 * for each. It parses nothing else, checks nothing, and has no limits or timeouts.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

struct connection {
    int socket;
    size_t body, sent, total;
    char head[96];
    size_t head_bytes;
};

static int port;
static size_t count, bytes;
static char *bodies;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void answer(struct connection *connection) {
    char request[2048];
    ssize_t received = recv(connection->socket, request, sizeof request - 1, 0);
    if (received <= 0) return;
    request[received] = 0;
    char *path = strstr(request, "GET /");
    connection->body = path ? strtoul(path + 5, NULL, 10) % count : 0;
    connection->head_bytes = (size_t)snprintf(
        connection->head, sizeof connection->head,
        "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %zu\r\n\r\n", bytes);
    connection->sent = 0;
    connection->total = connection->head_bytes + bytes;
}

static void push(struct connection *connection) {
    while (connection->sent < connection->total) {
        struct iovec parts[2];
        size_t part_count = 0, offset = 0;
        if (connection->sent < connection->head_bytes) {
            parts[part_count].iov_base = connection->head + connection->sent;
            parts[part_count++].iov_len = connection->head_bytes - connection->sent;
        } else {
            offset = connection->sent - connection->head_bytes;
        }
        parts[part_count].iov_base = bodies + connection->body * bytes + offset;
        parts[part_count++].iov_len = bytes - offset;
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = part_count};
        ssize_t sent = sendmsg(connection->socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0) return;
        connection->sent += (size_t)sent;
    }
}

static int listening_socket(void) {
    int yes = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((unsigned short)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024)) fail("listen");
    return listener;
}

static void take(int listener, int poll) {
    int socket, yes = 1;
    while ((socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *connection = calloc(1, sizeof *connection);
        if (!connection) fail("calloc");
        connection->socket = socket;
        setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        struct epoll_event interest = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = connection};
        epoll_ctl(poll, EPOLL_CTL_ADD, socket, &interest);
    }
}

static void *serve(void *unused) {
    int listener = listening_socket(), poll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event interest = {.events = EPOLLIN}, events[64];
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &interest);
    for (;;) {
        int ready = epoll_wait(poll, events, 64, -1);
        for (int index = 0; index < ready; index++) {
            struct connection *connection = events[index].data.ptr;
            if (!connection) {
                take(listener, poll);
            } else if (events[index].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
                close(connection->socket);
                free(connection);
            } else {
                if (events[index].events & EPOLLIN) answer(connection);
                push(connection);
            }
        }
    }
    return unused;
}

int main(int argument_count, char **arguments) {
    if (argument_count != 4) {
        fprintf(stderr, "usage: send_loop PORT COUNT BYTES\n");
        return 64;
    }
    port = atoi(arguments[1]);
    count = strtoul(arguments[2], NULL, 10);
    bytes = strtoul(arguments[3], NULL, 10);
    bodies = malloc(count * bytes);
    if (!bodies) fail("malloc");
    for (size_t index = 0; index < count * bytes; index++) bodies[index] = (char)(index * 2654435761u >> 13);
    pthread_t thread;
    for (long extra = sysconf(_SC_NPROCESSORS_ONLN) - 1; extra > 0; extra--) {
        if (pthread_create(&thread, NULL, serve, NULL)) fail("pthread_create");
    }
    serve(NULL);
}
