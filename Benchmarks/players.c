// Players of one video, each with a connection of its own, in real time.
//
//   players PORT PATH PLAYERS PLACES SECONDS SPREAD AHEAD
//
// PATH is where `playlist.m3u8` is, without a slash at its end. A player begins at one of PLACES places of the video,
// fetches the playlist, the initialization segment and then segment after segment, and plays SECONDS of them. It keeps up to
// AHEAD seconds before where it plays. The players begin within SPREAD seconds.
//
// A segment is late when it is not whole at the time when it is to be shown; the player then waits for it, and everything
// after is due later by that. Prints one line of JSON: players, segments, bytes, late, the worst lateness, and percentiles
// of the time to the first picture and of the time a segment took.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_MAX = 4096, PLAYLIST_MAX = 1 << 20, SEGMENTS_MAX = 20000, NAME_MAX_BYTES = 64, PATH_MAX_BYTES = 256, EVENTS = 256 };

static void fail(const char *what) {
    fprintf(stderr, "players: %s\n", what);
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

struct segment {
    char name[NAME_MAX_BYTES];
    double start, duration;
};

// What every player must find in its playlist.
static struct segment segments[SEGMENTS_MAX];
static size_t segment_count;
static char *playlist;
static size_t playlist_size;

static struct {
    int port, players, places;
    double seconds, spread, ahead;
    const char *path;
} options;

// A player `waits` for its time to begin or to fetch more, or reads an answer, or has `ended`.
enum state { WAITS, READS_HEAD, READS_BODY, ENDED };
enum wanted { PLAYLIST, INITIALIZATION, SEGMENT };

struct player {
    enum state state;
    enum wanted wanted;
    int socket, number;
    size_t segment, last_segment;
    // When it wakes while it waits; when it sent the request that is under way, and its very first one.
    double wakes_at, asked_at, began_at;
    // The time at which the video's beginning would have been shown; moved on by every segment that is late.
    double zero;
    bool plays;
    char head[HEAD_MAX];
    size_t head_count, body_left, body_read;
    char *text;
};

static float *fetch_times, *start_times;
static size_t fetch_count, start_count, late_count;
static double lateness_max;
static uint64_t bytes_read;

static void parse_playlist(void) {
    double start = 0, duration = 0;
    for (char *line = strtok(strdup(playlist), "\r\n"); line; line = strtok(NULL, "\r\n")) {
        if (!strncmp(line, "#EXTINF:", 8)) duration = strtod(line + 8, NULL);
        if (line[0] == '#') continue;
        if (segment_count == SEGMENTS_MAX || strlen(line) >= NAME_MAX_BYTES || duration <= 0) fail("the playlist is not understood");
        struct segment *segment = &segments[segment_count++];
        strcpy(segment->name, line);
        segment->start = start, segment->duration = duration;
        start += duration, duration = 0;
    }
    if (!segment_count) fail("the playlist has no segments");
}

static void ask(struct player *player, const char *name) {
    char request[PATH_MAX_BYTES + NAME_MAX_BYTES + 128];
    int count = snprintf(request, sizeof request, "GET %s/%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", options.path, name, options.port);
    if (write(player->socket, request, (size_t)count) != count) fail("a connection broke while sending");
    player->state = READS_HEAD, player->head_count = 0, player->asked_at = now();
}

static void begin(struct player *player, int epoll) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    player->socket = socket(AF_INET, SOCK_STREAM, 0);
    if (player->socket < 0 || connect(player->socket, (struct sockaddr *)&address, sizeof address)) fail("cannot connect");
    setsockopt(player->socket, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    fcntl(player->socket, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = player};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, player->socket, &event)) fail("cannot watch a connection");
    player->began_at = now();
    player->wanted = PLAYLIST;
    ask(player, "playlist.m3u8");
}

// The place where it begins, and the first segment that it does not play any more.
static void choose_segments(struct player *player) {
    double length = segments[segment_count - 1].start + segments[segment_count - 1].duration;
    double from = length * (player->number % options.places) / options.places;
    while (player->segment + 1 < segment_count && segments[player->segment + 1].start <= from) player->segment++;
    double until = segments[player->segment].start + options.seconds;
    for (player->last_segment = player->segment; player->last_segment < segment_count; player->last_segment++)
        if (segments[player->last_segment].start >= until) break;
}

static void end(struct player *player) {
    player->state = ENDED;
    close(player->socket);
}

// Fetches the next segment, now or when so much has been played that there is room for it.
static void go_on(struct player *player, double time) {
    if (player->segment == player->last_segment) {
        end(player);
        return;
    }
    const struct segment *next = &segments[player->segment];
    player->wakes_at = player->plays ? player->zero + next->start + next->duration - options.ahead : time;
    player->state = WAITS;
    if (player->wakes_at <= time) ask(player, next->name);
}

static void take_segment(struct player *player, double time) {
    const struct segment *segment = &segments[player->segment++];
    fetch_times[fetch_count++] = (float)(time - player->asked_at);
    if (!player->plays) {
        player->plays = true, player->zero = time - segment->start;
        start_times[start_count++] = (float)(time - player->began_at);
        return;
    }
    double lateness = time - (player->zero + segment->start);
    if (lateness <= 0) return;
    late_count++, player->zero += lateness;
    if (lateness > lateness_max) lateness_max = lateness;
}

static void take_playlist(struct player *player) {
    if (!playlist) {
        playlist = player->text, playlist_size = player->body_read;
        parse_playlist();
    } else {
        if (player->body_read != playlist_size || memcmp(player->text, playlist, playlist_size)) fail("two playlists differ");
        free(player->text);
    }
    player->text = NULL;
    choose_segments(player);
}

static void take_answer(struct player *player) {
    double time = now();
    switch (player->wanted) {
    case PLAYLIST:
        take_playlist(player);
        player->wanted = INITIALIZATION;
        ask(player, "init.mp4");
        return;
    case INITIALIZATION: player->wanted = SEGMENT; break;
    case SEGMENT: take_segment(player, time); break;
    }
    go_on(player, time);
}

// Reads up to the head's end and what of the body came with it.
static void take_head(struct player *player) {
    player->head[player->head_count] = 0;
    char *end = strstr(player->head, "\r\n\r\n");
    if (!end) {
        if (player->head_count >= HEAD_MAX - 1) fail("the head of an answer is too long");
        return;
    }
    if (strncmp(player->head + 9, "200", 3)) fail(player->head);
    char *length = strcasestr(player->head, "\r\nContent-Length:");
    if (!length || length > end) fail("an answer has no length");
    player->body_left = strtoul(length + 17, NULL, 10), player->body_read = 0;
    if (player->wanted == PLAYLIST) {
        if (player->body_left >= PLAYLIST_MAX) fail("the playlist is too long");
        player->text = calloc(1, player->body_left + 1);
    }
    player->state = READS_BODY;
    size_t count = player->head_count - (size_t)(end + 4 - player->head);
    if (count > player->body_left) fail("more came than was asked for");
    if (player->text) memcpy(player->text, end + 4, count);
    player->body_left -= count, player->body_read = count, bytes_read += count;
}

static void receive(struct player *player) {
    static char sink[1 << 18];
    while (player->state == READS_HEAD || player->state == READS_BODY) {
        bool is_head = player->state == READS_HEAD;
        char *target = is_head ? player->head + player->head_count : player->text ? player->text + player->body_read : sink;
        size_t room = is_head ? HEAD_MAX - 1 - player->head_count : player->body_left;
        if (!is_head && !player->text && room > sizeof sink) room = sizeof sink;
        ssize_t count = read(player->socket, target, room);
        if (count < 0 && errno == EAGAIN) return;
        if (count <= 0) fail("a connection broke while reading");
        if (is_head) {
            player->head_count += (size_t)count;
            take_head(player);
        } else {
            player->body_left -= (size_t)count, player->body_read += (size_t)count, bytes_read += (uint64_t)count;
        }
        if (player->state == READS_BODY && !player->body_left) take_answer(player);
    }
}

// Wakes those whose time has come; the time until the next one's, in milliseconds, or less.
static int wake(struct player *players, int epoll) {
    double time = now(), next = time + 0.1;
    for (int i = 0; i < options.players; i++) {
        struct player *player = &players[i];
        if (player->state != WAITS) continue;
        if (player->wakes_at > time) {
            if (player->wakes_at < next) next = player->wakes_at;
        } else if (player->socket < 0) {
            begin(player, epoll);
        } else {
            ask(player, segments[player->segment].name);
        }
    }
    return (int)((next - time) * 1000) + 1;
}

static int ascending(const void *a, const void *b) {
    float left = *(const float *)a, right = *(const float *)b;
    return (left > right) - (left < right);
}

static double milliseconds(float *times, size_t count, double share) {
    qsort(times, count, sizeof *times, ascending);
    return count ? 1000.0 * times[(size_t)((double)(count - 1) * share)] : 0;
}

int main(int count, char **words) {
    if (count != 8) fail("usage: players PORT PATH PLAYERS PLACES SECONDS SPREAD AHEAD");
    options.port = atoi(words[1]), options.path = words[2], options.players = atoi(words[3]), options.places = atoi(words[4]);
    options.seconds = atof(words[5]), options.spread = atof(words[6]), options.ahead = atof(words[7]);
    if (options.players < 1 || options.places < 1 || strlen(options.path) >= PATH_MAX_BYTES) fail("an argument is out of range");

    struct player *players = calloc((size_t)options.players, sizeof *players);
    fetch_times = calloc((size_t)options.players * SEGMENTS_MAX, sizeof *fetch_times);
    start_times = calloc((size_t)options.players, sizeof *start_times);
    if (!players || !fetch_times || !start_times) fail("no memory");
    int epoll = epoll_create1(0);
    double began = now();
    for (int i = 0; i < options.players; i++) {
        players[i].socket = -1, players[i].number = i;
        players[i].wakes_at = began + options.spread * i / options.players;
    }
    for (int running = 1; running;) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(epoll, events, EVENTS, wake(players, epoll));
        for (int i = 0; i < ready; i++) receive(events[i].data.ptr);
        running = 0;
        for (int i = 0; i < options.players; i++) running |= players[i].state != ENDED;
    }
    printf("{\"players\": %d, \"segments\": %zu, \"bytes\": %llu, \"seconds\": %.3f, \"late\": %zu, \"lateness_max_ms\": %.1f, "
           "\"start_p50_ms\": %.1f, \"start_p99_ms\": %.1f, \"fetch_p50_ms\": %.2f, \"fetch_p99_ms\": %.1f}\n",
           options.players, fetch_count, (unsigned long long)bytes_read, now() - began, late_count, lateness_max * 1000,
           milliseconds(start_times, start_count, 0.5), milliseconds(start_times, start_count, 0.99),
           milliseconds(fetch_times, fetch_count, 0.5), milliseconds(fetch_times, fetch_count, 0.99));
    return 0;
}
