// Load of commits and of etcd puts: the same thin client on both sides, a thread and blocking sockets for each client.
//
//   commit_load vstack SECONDS BYTES < jobs    an uploader for each job: PUTs that accept, in parallel; then the commit
//   commit_load etcd   SECONDS BYTES PORT CLIENTS    gRPC etcdserverpb.KV/Put over HTTP/2
//
// A job is a line: METADATA_PORT VIDEO GROUP BALLOT, then NODE PORT ACCEPTOR for each node of the group.
// Prints one line of JSON: operations, seconds, p50 and p99 in milliseconds.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

enum { NODES_MAX = 8, CLIENTS_MAX = 64, BUFFER = 1 << 16, LATENCIES_MAX = 1 << 20 };

static void fail(const char *what) {
    fprintf(stderr, "commit_load: %s\n", what);
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

// A connection and what was read from it and not used yet.
struct link {
    int socket;
    size_t count;
    char bytes[BUFFER];
};

static void open_link(struct link *link, int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    link->socket = socket(AF_INET, SOCK_STREAM, 0);
    link->count = 0;
    if (connect(link->socket, (struct sockaddr *)&address, sizeof address)) fail("cannot connect");
    setsockopt(link->socket, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

static void send_all(struct link *link, const void *bytes, size_t count) {
    for (const char *next = bytes; count > 0;) {
        ssize_t sent = write(link->socket, next, count);
        if (sent <= 0) fail("a connection broke while sending");
        next += sent, count -= (size_t)sent;
    }
}

static void read_more(struct link *link) {
    if (link->count >= BUFFER - 1) fail("an answer is too long");
    ssize_t count = read(link->socket, link->bytes + link->count, BUFFER - 1 - link->count);
    if (count <= 0) fail("a connection broke while reading");
    link->count += (size_t)count;
}

static void take(struct link *link, size_t count) {
    memmove(link->bytes, link->bytes + count, link->count - count);
    link->count -= count;
}

// The value of a header of the answer at the link's beginning; nothing when there is none.
static bool header(const char *head, const char *name, char *value, size_t size) {
    for (const char *line = strstr(head, "\r\n"); line && strncmp(line, "\r\n\r\n", 4); line = strstr(line + 2, "\r\n")) {
        size_t length = strlen(name);
        if (strncasecmp(line + 2, name, length) || line[2 + length] != ':') continue;
        const char *begin = line + 3 + length;
        while (*begin == ' ') begin++;
        size_t count = strcspn(begin, "\r");
        if (count >= size) return false;
        memcpy(value, begin, count), value[count] = 0;
        return true;
    }
    return false;
}

// Reads one answer; `acceptor` and `proof` are its headers, if wanted.
static int answer(struct link *link, char *acceptor, char *proof) {
    char *end;
    while (link->bytes[link->count] = 0, !(end = strstr(link->bytes, "\r\n\r\n"))) read_more(link);
    char length[32] = "0";
    header(link->bytes, "Content-Length", length, sizeof length);
    int status = atoi(link->bytes + 9);
    if (acceptor && !(header(link->bytes, "X-Paxos-Acceptor", acceptor, 64) && header(link->bytes, "X-Paxos-Proof", proof, 80)))
        fail("a PUT brought no proof");
    size_t whole = (size_t)(end + 4 - link->bytes) + (size_t)atoi(length);
    while (link->count < whole) read_more(link);
    if (status >= 300) fprintf(stderr, "%.*s\n", (int)whole, link->bytes);
    take(link, whole);
    return status;
}

static size_t base64(const unsigned char *bytes, size_t count, char *out) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *next = out;
    for (size_t i = 0; i < count; i += 3) {
        uint32_t word = (uint32_t)bytes[i] << 16 | (i + 1 < count ? (uint32_t)bytes[i + 1] << 8 : 0) | (i + 2 < count ? bytes[i + 2] : 0);
        *next++ = digits[word >> 18], *next++ = digits[word >> 12 & 63];
        *next++ = i + 1 < count ? digits[word >> 6 & 63] : '=', *next++ = i + 2 < count ? digits[word & 63] : '=';
    }
    *next = 0;
    return (size_t)(next - out);
}

struct client {
    pthread_t thread;
    // An uploader's job.
    int metadata_port, node_count, node_ports[NODES_MAX];
    char video[64], group[64], ballot[64], nodes[NODES_MAX][64], acceptors[NODES_MAX][64];
    // etcd's port, and the client's own number.
    int etcd_port, number;
    float *latencies;
    size_t count;
};

static double deadline;
static size_t body_bytes;

static void note(struct client *client, double begun) {
    if (client->count >= LATENCIES_MAX) fail("too many operations");
    client->latencies[client->count++] = (float)(now() - begun);
}

static void upload(struct client *client, struct link *metadata, struct link *nodes, unsigned sequence, char *body) {
    char value[4096], coded[6000], request[16384], commit[8192], checksum[65], names[1024] = "", disks[1024] = "";
    unsigned char digest[32];
    // No two chunks are the same.
    memcpy(body, &sequence, sizeof sequence), memcpy(body + 4, client->video, 36);
    SHA256((unsigned char *)body, body_bytes, digest);
    for (int i = 0; i < 32; i++) sprintf(checksum + 2 * i, "%02x", digest[i]);
    for (int i = 0; i < client->node_count; i++) {
        sprintf(names + strlen(names), "%s\"%s\"", i ? "," : "", client->nodes[i]);
        sprintf(disks + strlen(disks), "%s\"%s\"", i ? "," : "", client->acceptors[i]);
    }
    size_t length = (size_t)sprintf(
        value,
        "{\"acceptors\":[%s],\"checksum\":\"sha256:%s\",\"duration_sec\":0,\"group\":\"%s\",\"nodes\":[%s],"
        "\"redundancy_mode\":\"replication\",\"sequence\":%u,\"size_bytes\":%zu,\"start_sec\":0,\"stream\":\"source\","
        "\"video_id\":\"%s\"}",
        disks, checksum, client->group, names, sequence, body_bytes, client->video);
    base64((unsigned char *)value, length, coded);
    size_t head = (size_t)sprintf(
        request,
        "PUT /chunk/%s-chunk-%03u HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\nX-Paxos-Ballot: %s\r\n"
        "X-Paxos-Value: %s\r\n\r\n",
        client->video, sequence, body_bytes, client->ballot, coded);
    memcpy(request + head, body, body_bytes);
    for (int i = 0; i < client->node_count; i++) send_all(&nodes[i], request, head + body_bytes);
    char acceptances[4096] = "", urls[1024] = "";
    for (int i = 0; i < client->node_count; i++) {
        char acceptor[64], proof[80];
        if (answer(&nodes[i], acceptor, proof) != 201) fail("a PUT was refused");
        sprintf(
            acceptances + strlen(acceptances), "%s{\"acceptor_id\":\"%s\",\"node_id\":\"%s\",\"proof\":\"%s\"}",
            i ? "," : "", acceptor, client->nodes[i], proof);
        sprintf(urls + strlen(urls), "%s\"http://localhost:%d\"", i ? "," : "", client->node_ports[i]);
    }
    length = (size_t)sprintf(
        commit,
        "{\"acceptances\":[%s],\"ballot\":\"%s\",\"checksum\":\"sha256:%s\",\"node_urls\":[%s],\"sequence_num\":%u,"
        "\"size_bytes\":%zu,\"video_id\":\"%s\"}",
        acceptances, client->ballot, checksum, urls, sequence, body_bytes, client->video);
    head = (size_t)sprintf(
        request,
        "POST /chunk/%s-chunk-%03u/commit HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Content-Length: %zu\r\n\r\n%s",
        client->video, sequence, length, commit);
    send_all(metadata, request, head);
    if (answer(metadata, NULL, NULL) != 200) fail("a commit was refused");
}

static void *run_uploader(void *argument) {
    struct client *client = argument;
    struct link *metadata = malloc(sizeof *metadata), *nodes = malloc(sizeof *nodes * NODES_MAX);
    char *body = calloc(1, body_bytes + 64);
    open_link(metadata, client->metadata_port);
    for (int i = 0; i < client->node_count; i++) open_link(&nodes[i], client->node_ports[i]);
    for (unsigned sequence = 0; now() < deadline; sequence++) {
        double begun = now();
        upload(client, metadata, nodes, sequence, body);
        note(client, begun);
    }
    return NULL;
}

// HTTP/2 (RFC 9113), as much of it as one call at a time needs.

static void frame(struct link *link, int type, int flags, uint32_t stream, const void *payload, size_t count) {
    unsigned char bytes[BUFFER];
    unsigned char head[9] = {
        (unsigned char)(count >> 16), (unsigned char)(count >> 8), (unsigned char)count, (unsigned char)type,
        (unsigned char)flags, (unsigned char)(stream >> 24), (unsigned char)(stream >> 16), (unsigned char)(stream >> 8),
        (unsigned char)stream};
    memcpy(bytes, head, 9), memcpy(bytes + 9, payload, count);
    send_all(link, bytes, 9 + count);
}

static size_t literal(unsigned char *out, const char *name, const char *value) {
    size_t a = strlen(name), b = strlen(value);
    out[0] = 0, out[1] = (unsigned char)a, memcpy(out + 2, name, a);
    out[2 + a] = (unsigned char)b, memcpy(out + 3 + a, value, b);
    return 3 + a + b;
}

static uint32_t word(const unsigned char *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

struct windows {
    long send, received;
};

// Takes one frame; whether it ended the stream. `data` is set when it carried some.
static bool take_frame(struct link *link, uint32_t stream, struct windows *windows, bool *data) {
    while (link->count < 9) read_more(link);
    const unsigned char *bytes = (unsigned char *)link->bytes;
    size_t length = (size_t)bytes[0] << 16 | (size_t)bytes[1] << 8 | bytes[2];
    while (link->count < 9 + length) read_more(link);
    int type = bytes[3], flags = bytes[4];
    uint32_t about = word(bytes + 5) & 0x7fffffff;
    bool ends = about == stream && (type == 0 || type == 1) && flags & 1;
    if (type == 0) windows->received += (long)length, *data = *data || length >= 5;
    if (type == 3 || type == 7) fail("etcd closed a stream");
    if (type == 8 && about == 0) windows->send += word(bytes + 9);
    unsigned char ping[8];
    if (type == 6) memcpy(ping, bytes + 9, 8);
    take(link, 9 + length);
    if (type == 4 && !(flags & 1)) frame(link, 4, 1, 0, "", 0);
    if (type == 6 && !(flags & 1)) frame(link, 6, 1, 0, ping, 8);
    if (windows->received > 16384) {
        uint32_t credit = htonl((uint32_t)windows->received);
        frame(link, 8, 0, 0, &credit, 4), windows->received = 0;
    }
    return ends;
}

static size_t varint(unsigned char *out, size_t value) {
    size_t count = 0;
    for (; value > 127; value >>= 7) out[count++] = (unsigned char)(value | 128);
    out[count++] = (unsigned char)value;
    return count;
}

static void *run_etcd(void *argument) {
    struct client *client = argument;
    struct link *link = malloc(sizeof *link);
    struct windows windows = {.send = 65535};
    unsigned char head[256] = {0x83, 0x86}, message[BUFFER];
    char *body = calloc(1, body_bytes + 64);
    size_t length = 2;
    length += literal(head + length, ":path", "/etcdserverpb.KV/Put");
    length += literal(head + length, ":authority", "localhost");
    length += literal(head + length, "content-type", "application/grpc");
    length += literal(head + length, "te", "trailers");
    open_link(link, client->etcd_port);
    send_all(link, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    frame(link, 4, 0, 0, "", 0);
    for (uint32_t put = 0; now() < deadline; put++) {
        double begun = now();
        char key[64];
        size_t key_bytes = (size_t)sprintf(key, "550e8400-e29b-41d4-a716-%012d-chunk-%03u", client->number, put);
        memcpy(body, &put, sizeof put);
        size_t count = 5;
        message[count++] = 0x0a, count += varint(message + count, key_bytes);
        memcpy(message + count, key, key_bytes), count += key_bytes;
        message[count++] = 0x12, count += varint(message + count, body_bytes);
        memcpy(message + count, body, body_bytes), count += body_bytes;
        uint32_t size = htonl((uint32_t)(count - 5));
        message[0] = 0, memcpy(message + 1, &size, 4);
        uint32_t stream = 2 * put + 1;
        bool data = false;
        while (windows.send < (long)count) take_frame(link, 0, &windows, &data);
        windows.send -= (long)count;
        frame(link, 1, 4, stream, head, length);
        frame(link, 0, 1, stream, message, count);
        while (!take_frame(link, stream, &windows, &data)) {}
        if (!data) fail("etcd refused a put");
        note(client, begun);
    }
    return NULL;
}

static int by_size(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static bool read_job(struct client *client) {
    char line[4096];
    if (!fgets(line, sizeof line, stdin)) return false;
    char *rest = line;
    int used = 0;
    if (sscanf(rest, "%d %63s %63s %63s%n", &client->metadata_port, client->video, client->group, client->ballot, &used) != 4)
        fail("a job cannot be read");
    rest += used;
    while (client->node_count < NODES_MAX
           && sscanf(
                  rest, "%63s %d %63s%n", client->nodes[client->node_count], &client->node_ports[client->node_count],
                  client->acceptors[client->node_count], &used) == 3)
        client->node_count++, rest += used;
    return true;
}

int main(int count, char **arguments) {
    static struct client clients[CLIENTS_MAX];
    if (count < 4) fail("usage: commit_load vstack|etcd SECONDS BYTES [PORT CLIENTS]");
    bool is_etcd = !strcmp(arguments[1], "etcd");
    body_bytes = (size_t)atoi(arguments[3]);
    if (body_bytes < 64 || body_bytes > 8192) fail("BYTES must be 64 to 8192");
    int running = 0;
    if (is_etcd) {
        if (count != 6) fail("etcd needs PORT and CLIENTS");
        for (; running < atoi(arguments[5]) && running < CLIENTS_MAX; running++)
            clients[running].etcd_port = atoi(arguments[4]), clients[running].number = running;
    } else {
        while (running < CLIENTS_MAX && read_job(&clients[running])) running++;
    }
    double begun = now();
    deadline = begun + atof(arguments[2]);
    for (int i = 0; i < running; i++) {
        clients[i].latencies = malloc(sizeof(float) * LATENCIES_MAX);
        pthread_create(&clients[i].thread, NULL, is_etcd ? run_etcd : run_uploader, &clients[i]);
    }
    size_t total = 0;
    for (int i = 0; i < running; i++) pthread_join(clients[i].thread, NULL), total += clients[i].count;
    double elapsed = now() - begun;
    float *all = malloc(sizeof(float) * (total + 1));
    size_t filled = 0;
    for (int i = 0; i < running; i++)
        memcpy(all + filled, clients[i].latencies, sizeof(float) * clients[i].count), filled += clients[i].count;
    qsort(all, total, sizeof(float), by_size);
    if (total == 0) fail("nothing was done");
    printf(
        "{\"operations\":%zu,\"seconds\":%.3f,\"p50_ms\":%.3f,\"p99_ms\":%.3f}\n", total, elapsed,
        (double)all[total / 2] * 1000, (double)all[total * 99 / 100] * 1000);
}
