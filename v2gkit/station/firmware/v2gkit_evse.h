/* v2gkit_evse.h - the firmware's side of an outlet, in one file of C99 and POSIX sockets.
 *
 * In one source file, before the include:
 *
 *     #define V2GKIT_EVSE_IMPLEMENTATION
 *     #include "v2gkit_evse.h"
 *
 * Fill a v2gkit_hardware with what your outlet can do, call v2gkit_init() once and v2gkit_poll() in your loop, at least ten times a second.
 * Everything happens inside v2gkit_poll(): it connects, connects again, reads, calls your functions and gives signs of life. It never
 * blocks longer than it is told, allocates nothing, and is not for more than one thread.
 *
 * SILENCE OPENS THE CONTACTOR: when the station is gone, silent, or talks nonsense, your open_contactor() is called before anything else,
 * and once that has said V2GKIT_YES your disconnect_device(), if you have one.
 * Keep a hardware watchdog for your own program as well: this file cannot open a contactor from a process that hangs.
 *
 * Powers in W, currents in A, voltages in V, energies in Wh; + is into the car, - out of it.
 */
#ifndef V2GKIT_EVSE_H
#define V2GKIT_EVSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define V2GKIT_VERSION 1
#define V2GKIT_LINE 8192 /* octets of a line */

typedef enum {
    V2GKIT_NO = 0,    /* it was not done */
    V2GKIT_YES = 1,   /* it was done, and the feedback says so */
    V2GKIT_LATER = 2, /* it is under way: v2gkit_done() tells, with the id of the call */
    V2GKIT_UNKNOWN = 3 /* authorize only: the backend may decide */
} v2gkit_result;

typedef enum { V2GKIT_HOME = 0, V2GKIT_MOVING = 1, V2GKIT_END_POSITION = 2 } v2gkit_place; /* of the device of an ACDP */

/* Of the ground device of WPT. */
typedef enum {
    V2GKIT_NO_ISSUE = 0,
    V2GKIT_FOREIGN_OBJECT = 1,
    V2GKIT_LIVING_OBJECT = 2,
    V2GKIT_OVERHEAT = 3,
    V2GKIT_TRANSFER_ANOMALY = 4,
    V2GKIT_ANOMALY = 5
} v2gkit_condition;

/* Every function may be NULL: then it is believed to be done, but for open_contactor, which must be there, and connect_device,
 * follow_grid, pair_vehicle and check_alignment, which are answered no. */
typedef struct {
    v2gkit_result (*close_contactor)(void *self, long id);
    v2gkit_result (*open_contactor)(void *self, long id); /* id 0: by silence, nobody waits for an answer */
    v2gkit_result (*lock_connector)(void *self, long id);
    v2gkit_result (*unlock_connector)(void *self, long id);
    v2gkit_result (*check_isolation)(void *self, long id, double voltage);
    v2gkit_result (*set_output)(void *self, long id, double voltage, double current, double power);
    v2gkit_result (*set_power)(void *self, long id, double power);
    v2gkit_result (*follow_grid)(void *self, long id, const char *control); /* DC: the JSON object of what the grid asks of the inverter */
    v2gkit_result (*connect_device)(void *self, long id);    /* ACDP: down to the vehicle; the outlet is dead */
    v2gkit_result (*disconnect_device)(void *self, long id); /* ACDP: home, where it may be already; id 0: by silence, as above */
    v2gkit_result (*pair_vehicle)(void *self, long id, double observed); /* WPT: NAN where the vehicle has observed no code */
    v2gkit_result (*check_alignment)(void *self, long id, double current); /* WPT: weakly, and off again; tell v2gkit_alignment() first */
    v2gkit_result (*authorize)(void *self, long id, const char *evccid);
    void (*session_began)(void *self, const char *evccid);
    void (*session_ended)(void *self, bool well, const char *reason);
    void (*car)(void *self, double power, double soc); /* NAN where the car said nothing */
    void (*linked)(void *self, bool connected);        /* the station is there, or no longer */
} v2gkit_hardware;

typedef struct {
    const char *path;
    const v2gkit_hardware *hardware;
    void *self;
    int fd;
    bool welcome;
    int64_t heard;        /* ms, when the station last said something */
    int64_t spoke;        /* ms, when it was last given a sign of life */
    int64_t retry;        /* ms, when to connect again */
    int64_t silence;      /* ms */
    size_t filled;
    size_t unsent;
    char in[V2GKIT_LINE];
    char out[2 * V2GKIT_LINE];
} v2gkit_evse;

void v2gkit_init(v2gkit_evse *evse, const char *path, const v2gkit_hardware *hardware, void *self);

/* Do what is due, and wait for the station at most so long. True while it is there. */
bool v2gkit_poll(v2gkit_evse *evse, int milliseconds);

/* The end of what a function answered V2GKIT_LATER. */
void v2gkit_done(v2gkit_evse *evse, long id, bool ok, const char *reason);

/* What the outlet sees. False: the station is not there and was not told; tell it again once `linked` was called. */
bool v2gkit_limits(v2gkit_evse *evse, double charge_power, double charge_current, double discharge_power, double discharge_current,
                   double voltage, int phases);
bool v2gkit_output(v2gkit_evse *evse, double voltage, double current);
bool v2gkit_output_power(v2gkit_evse *evse, double voltage, double power); /* AC */
bool v2gkit_meter(v2gkit_evse *evse, const char *meter_id, double imported, double exported);
bool v2gkit_pilot(v2gkit_evse *evse, char state);
bool v2gkit_lock(v2gkit_evse *evse, bool locked);
bool v2gkit_contactor(v2gkit_evse *evse, bool closed);
bool v2gkit_link(v2gkit_evse *evse, bool linked);
bool v2gkit_position(v2gkit_evse *evse, int16_t x, int16_t y, int16_t window_x, int16_t window_y, bool reachable); /* ACDP, WPT */
bool v2gkit_device(v2gkit_evse *evse, v2gkit_place place);                                                        /* ACDP */
bool v2gkit_alignment(v2gkit_evse *evse, bool aligned, double power, double current, const char *reason); /* WPT, at every change */
bool v2gkit_association_lost(v2gkit_evse *evse, const char *reason);                                      /* WPT */
bool v2gkit_ground_device(v2gkit_evse *evse, v2gkit_condition condition);                                 /* WPT, at every change */
bool v2gkit_stop(v2gkit_evse *evse, const char *reason);
bool v2gkit_emergency_stop(v2gkit_evse *evse, const char *reason);
bool v2gkit_fault(v2gkit_evse *evse, const char *reason); /* "" takes it back */

void v2gkit_close(v2gkit_evse *evse);

#ifdef __cplusplus
}
#endif

#endif

#ifdef V2GKIT_EVSE_IMPLEMENTATION

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define V2GKIT_RETRY 500 /* ms between two attempts to connect */
#define V2GKIT_SIGN 500  /* ms between two signs of life */
#define V2GKIT_TEXT 256  /* octets of a text that is handed to a function */

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

static int64_t v2gkit_now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

/* --- a line of JSON: one flat object, strictly bounded, never written to --- */

static const char *v2gkit_space(const char *at) {
    while (*at == ' ' || *at == '\t' || *at == '\r') at++;
    return at;
}

/* The end of a string that begins at the quote, or NULL. */
static const char *v2gkit_string_end(const char *at) {
    for (at++; *at; at++) {
        if (*at == '\\') {
            if (!at[1]) return NULL;
            at++;
        } else if (*at == '"') {
            return at;
        }
    }
    return NULL;
}

/* The value of a key of the line's own object, or NULL. What is nested is passed over. */
static const char *v2gkit_value(const char *line, const char *key) {
    size_t length = strlen(key);
    const char *at = v2gkit_space(line);
    int depth = 0;
    if (*at != '{') return NULL;
    for (; *at; at++) {
        if (*at == '{' || *at == '[') {
            depth++;
        } else if (*at == '}' || *at == ']') {
            depth--;
        } else if (*at == '"') {
            const char *end = v2gkit_string_end(at);
            const char *after;
            if (!end) return NULL;
            after = v2gkit_space(end + 1);
            if (depth == 1 && *after == ':' && (size_t)(end - at - 1) == length && !strncmp(at + 1, key, length))
                return v2gkit_space(after + 1);
            at = end;
        }
    }
    return NULL;
}

/* Decimal numbers of JSON, whatever the locale says of decimal points. NAN where there is none. */
static double v2gkit_number(const char *line, const char *key) {
    const char *at = v2gkit_value(line, key);
    double value = 0, scale = 1;
    int sign = 1, exponent = 0, exponent_sign = 1, digits = 0;
    if (!at) return NAN;
    if (*at == '-') sign = -1, at++;
    for (; *at >= '0' && *at <= '9'; at++, digits++) value = value * 10 + (*at - '0');
    if (*at == '.')
        for (at++; *at >= '0' && *at <= '9'; at++, digits++) value += (*at - '0') * (scale /= 10);
    if (!digits) return NAN;
    if (*at == 'e' || *at == 'E') {
        at++;
        if (*at == '+' || *at == '-') exponent_sign = *at++ == '-' ? -1 : 1;
        for (; *at >= '0' && *at <= '9' && exponent < 400; at++) exponent = exponent * 10 + (*at - '0');
    }
    return sign * value * pow(10, exponent_sign * exponent);
}

static int v2gkit_hex(const char *at) {
    int value = 0, i;
    for (i = 0; i < 4; i++) {
        char c = at[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0) return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* A text, without its escapes: what is no ASCII comes as '?'. Empty where there is none. */
static void v2gkit_text(const char *line, const char *key, char *text) {
    const char *at = v2gkit_value(line, key), *end;
    size_t length = 0;
    text[0] = 0;
    if (!at || *at != '"' || !(end = v2gkit_string_end(at))) return;
    for (at++; at < end && length < V2GKIT_TEXT - 1; at++) {
        char c = *at;
        if (c == '\\') {
            c = *++at;
            if (c == 'u') {
                int code = end - at > 4 ? v2gkit_hex(at + 1) : -1;
                c = code >= 32 && code < 127 ? (char)code : '?';
                at += code < 0 ? 0 : 4;
            } else if (c != '"' && c != '\\' && c != '/') {
                c = ' ';
            }
        }
        text[length++] = (unsigned char)c < 32 || (unsigned char)c > 126 ? '?' : c;
    }
    text[length] = 0;
}

static bool v2gkit_is(const char *line, const char *type) {
    const char *at = v2gkit_value(line, "type");
    size_t length = strlen(type);
    return at && *at == '"' && !strncmp(at + 1, type, length) && at[1 + length] == '"';
}

static bool v2gkit_true(const char *line, const char *key) {
    const char *at = v2gkit_value(line, key);
    return at && !strncmp(at, "true", 4);
}

/* --- the link --- */

static void v2gkit_lost(v2gkit_evse *evse) {
    if (evse->fd < 0) return;
    close(evse->fd);
    evse->fd = -1;
    if (evse->hardware->open_contactor(evse->self, 0) == V2GKIT_YES && evse->hardware->disconnect_device) /* before anything else */
        evse->hardware->disconnect_device(evse->self, 0); /* and nothing moves under a contactor that may be closed */
    if (evse->welcome && evse->hardware->linked) evse->hardware->linked(evse->self, false);
    evse->welcome = false;
    evse->filled = evse->unsent = 0;
    evse->retry = v2gkit_now() + V2GKIT_RETRY;
}

static void v2gkit_flush(v2gkit_evse *evse) {
    while (evse->fd >= 0 && evse->unsent) {
        ssize_t sent = send(evse->fd, evse->out, evse->unsent, MSG_NOSIGNAL);
        if (sent <= 0) {
            if (sent < 0 && errno == EINTR) continue;
            if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
            v2gkit_lost(evse);
            return;
        }
        evse->unsent -= (size_t)sent;
        memmove(evse->out, evse->out + sent, evse->unsent);
    }
}

static bool v2gkit_say(v2gkit_evse *evse, const char *format, ...) {
    size_t left = sizeof evse->out - evse->unsent;
    va_list arguments;
    int length;
    if (evse->fd < 0) return false;
    va_start(arguments, format);
    length = vsnprintf(evse->out + evse->unsent, left, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= left) { /* the station does not read */
        v2gkit_lost(evse);
        return false;
    }
    evse->unsent += (size_t)length;
    v2gkit_flush(evse);
    return evse->fd >= 0;
}

/* Texts that go out: no quote, no backslash, no control, at most so long. */
static const char *v2gkit_plain(const char *text, char *plain) {
    size_t i;
    for (i = 0; text && text[i] && i < V2GKIT_TEXT - 1; i++)
        plain[i] = text[i] == '"' || text[i] == '\\' || (unsigned char)text[i] < 32 || (unsigned char)text[i] > 126 ? '?' : text[i];
    plain[i] = 0;
    return plain;
}

/* A number as JSON writes it, whatever the locale: millionths are more than any sensor has. */
static const char *v2gkit_decimal(double value, char *text) {
    double magnitude = fabs(value);
    if (!(magnitude < 1e12)) { /* also what is no number */
        strcpy(text, "0");
    } else {
        long long whole = (long long)magnitude;
        long millionths = (long)((magnitude - (double)whole) * 1e6 + 0.5);
        if (millionths == 1000000) whole++, millionths = 0;
        sprintf(text, "%s%lld.%06ld", value < 0 ? "-" : "", whole, millionths);
    }
    return text;
}

static void v2gkit_answer(v2gkit_evse *evse, long id, v2gkit_result result) {
    if (result == V2GKIT_UNKNOWN)
        v2gkit_say(evse, "{\"type\":\"done\",\"id\":%ld,\"ok\":null}\n", id);
    else if (result != V2GKIT_LATER)
        v2gkit_done(evse, id, result == V2GKIT_YES, "");
}

static void v2gkit_take(v2gkit_evse *evse, const char *line) {
    const v2gkit_hardware *hardware = evse->hardware;
    void *self = evse->self;
    char text[V2GKIT_TEXT];
    double number = v2gkit_number(line, "id");
    long id = number >= 1 && number < 2e9 ? (long)number : 0;

#define V2GKIT_CALL(name, ...) v2gkit_answer(evse, id, hardware->name ? hardware->name(self, id __VA_ARGS__) : V2GKIT_YES)
    if (v2gkit_is(line, "open_contactor"))
        V2GKIT_CALL(open_contactor, );
    else if (v2gkit_is(line, "ping"))
        return;
    else if (v2gkit_is(line, "close_contactor"))
        V2GKIT_CALL(close_contactor, );
    else if (v2gkit_is(line, "lock_connector"))
        V2GKIT_CALL(lock_connector, );
    else if (v2gkit_is(line, "unlock_connector"))
        V2GKIT_CALL(unlock_connector, );
    else if (v2gkit_is(line, "check_isolation"))
        V2GKIT_CALL(check_isolation, , v2gkit_number(line, "voltage"));
    else if (v2gkit_is(line, "set_output"))
        V2GKIT_CALL(set_output, , v2gkit_number(line, "voltage"), v2gkit_number(line, "current"), v2gkit_number(line, "power"));
    else if (v2gkit_is(line, "set_power"))
        V2GKIT_CALL(set_power, , v2gkit_number(line, "power"));
    else if (v2gkit_is(line, "follow_grid")) {
        const char *control = v2gkit_value(line, "control");
        v2gkit_answer(evse, id, hardware->follow_grid && control ? hardware->follow_grid(self, id, control) : V2GKIT_NO);
    } else if (v2gkit_is(line, "connect_device"))
        v2gkit_answer(evse, id, hardware->connect_device ? hardware->connect_device(self, id) : V2GKIT_NO);
    else if (v2gkit_is(line, "disconnect_device"))
        V2GKIT_CALL(disconnect_device, );
    else if (v2gkit_is(line, "pair_vehicle"))
        v2gkit_answer(evse, id, hardware->pair_vehicle ? hardware->pair_vehicle(self, id, v2gkit_number(line, "observed")) : V2GKIT_NO);
    else if (v2gkit_is(line, "check_alignment"))
        v2gkit_answer(evse, id, hardware->check_alignment ? hardware->check_alignment(self, id, v2gkit_number(line, "current")) : V2GKIT_NO);
    else if (v2gkit_is(line, "authorize")) {
        v2gkit_text(line, "evccid", text);
        v2gkit_answer(evse, id, hardware->authorize ? hardware->authorize(self, id, text) : V2GKIT_UNKNOWN);
    } else if (v2gkit_is(line, "session_began")) {
        v2gkit_text(line, "evccid", text);
        if (hardware->session_began) hardware->session_began(self, text);
    } else if (v2gkit_is(line, "session_ended")) {
        v2gkit_text(line, "reason", text);
        if (hardware->session_ended) hardware->session_ended(self, v2gkit_true(line, "well"), text);
    } else if (v2gkit_is(line, "car")) {
        if (hardware->car) hardware->car(self, v2gkit_number(line, "power"), v2gkit_number(line, "soc"));
    } else if (v2gkit_is(line, "welcome")) {
        double silence = v2gkit_number(line, "silence");
        if (v2gkit_number(line, "version") != V2GKIT_VERSION) {
            v2gkit_lost(evse);
            return;
        }
        evse->silence = silence > 0.1 && silence < 60 ? (int64_t)(silence * 1000) : evse->silence;
        evse->welcome = true;
        if (hardware->linked) hardware->linked(self, true);
    } else { /* refused, or what this version does not know */
        v2gkit_lost(evse);
    }
#undef V2GKIT_CALL
}

static void v2gkit_connect(v2gkit_evse *evse) {
    struct sockaddr_un address;
    int64_t now = v2gkit_now();
    if (now < evse->retry || strlen(evse->path) >= sizeof address.sun_path) return;
    evse->retry = now + V2GKIT_RETRY;
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    strcpy(address.sun_path, evse->path);
    evse->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (evse->fd < 0) return;
    if (connect(evse->fd, (struct sockaddr *)&address, sizeof address) || fcntl(evse->fd, F_SETFL, O_NONBLOCK)) {
        close(evse->fd);
        evse->fd = -1;
        return;
    }
    evse->heard = evse->spoke = now;
    evse->filled = evse->unsent = 0;
    evse->welcome = false;
    v2gkit_say(evse, "{\"type\":\"hello\",\"version\":%d}\n", V2GKIT_VERSION);
}

static void v2gkit_read(v2gkit_evse *evse) {
    while (evse->fd >= 0) {
        ssize_t got = recv(evse->fd, evse->in + evse->filled, sizeof evse->in - 1 - evse->filled, 0);
        char *line = evse->in, *end;
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
        if (got <= 0) {
            v2gkit_lost(evse);
            return;
        }
        evse->heard = v2gkit_now();
        evse->filled += (size_t)got;
        while (evse->fd >= 0 && (end = (char *)memchr(line, '\n', evse->filled - (size_t)(line - evse->in)))) {
            *end = 0;
            v2gkit_take(evse, line);
            line = end + 1;
        }
        if (evse->fd < 0) return;
        evse->filled -= (size_t)(line - evse->in);
        memmove(evse->in, line, evse->filled);
        if (evse->filled == sizeof evse->in - 1) { /* no line of a station is so long */
            v2gkit_lost(evse);
            return;
        }
    }
}

void v2gkit_init(v2gkit_evse *evse, const char *path, const v2gkit_hardware *hardware, void *self) {
    memset(evse, 0, sizeof *evse);
    evse->path = path;
    evse->hardware = hardware;
    evse->self = self;
    evse->fd = -1;
    evse->silence = 2000;
}

bool v2gkit_poll(v2gkit_evse *evse, int milliseconds) {
    struct pollfd waiting;
    int64_t now;
    if (evse->fd < 0) v2gkit_connect(evse);
    waiting.fd = evse->fd;
    waiting.events = (short)(POLLIN | (evse->unsent ? POLLOUT : 0));
    poll(&waiting, evse->fd < 0 ? 0 : 1, milliseconds);
    v2gkit_read(evse);
    v2gkit_flush(evse);
    now = v2gkit_now();
    if (evse->fd >= 0 && now - evse->heard >= evse->silence) v2gkit_lost(evse);
    if (evse->fd >= 0 && now - evse->spoke >= V2GKIT_SIGN) {
        evse->spoke = now;
        v2gkit_say(evse, "{\"type\":\"alive\"}\n");
    }
    return evse->welcome;
}

void v2gkit_done(v2gkit_evse *evse, long id, bool ok, const char *reason) {
    char plain[V2GKIT_TEXT];
    if (id > 0)
        v2gkit_say(evse, "{\"type\":\"done\",\"id\":%ld,\"ok\":%s,\"reason\":\"%s\"}\n", id, ok ? "true" : "false",
                   v2gkit_plain(reason, plain));
}

bool v2gkit_limits(v2gkit_evse *evse, double charge_power, double charge_current, double discharge_power, double discharge_current,
                   double voltage, int phases) {
    char a[32], b[32], c[32], d[32], e[32];
    return v2gkit_say(evse,
                      "{\"type\":\"limits\",\"charge_power\":%s,\"charge_current\":%s,\"discharge_power\":%s,\"discharge_current\":%s,"
                      "\"voltage\":%s,\"phases\":%d}\n",
                      v2gkit_decimal(charge_power, a), v2gkit_decimal(charge_current, b), v2gkit_decimal(discharge_power, c),
                      v2gkit_decimal(discharge_current, d), v2gkit_decimal(voltage, e), phases);
}

bool v2gkit_output(v2gkit_evse *evse, double voltage, double current) {
    char v[32], a[32];
    return v2gkit_say(evse, "{\"type\":\"output\",\"voltage\":%s,\"current\":%s}\n", v2gkit_decimal(voltage, v), v2gkit_decimal(current, a));
}

bool v2gkit_output_power(v2gkit_evse *evse, double voltage, double power) {
    char v[32], w[32];
    return v2gkit_say(evse, "{\"type\":\"output\",\"voltage\":%s,\"current\":0,\"power\":%s}\n", v2gkit_decimal(voltage, v),
                      v2gkit_decimal(power, w));
}

bool v2gkit_meter(v2gkit_evse *evse, const char *meter_id, double imported, double exported) {
    char name[V2GKIT_TEXT], i[32], e[32];
    return v2gkit_say(evse, "{\"type\":\"meter\",\"meter_id\":\"%s\",\"imported\":%s,\"exported\":%s}\n", v2gkit_plain(meter_id, name),
                      v2gkit_decimal(imported, i), v2gkit_decimal(exported, e));
}

bool v2gkit_pilot(v2gkit_evse *evse, char state) {
    return state >= 'A' && state <= 'F' && v2gkit_say(evse, "{\"type\":\"pilot\",\"state\":\"%c\"}\n", state);
}

bool v2gkit_lock(v2gkit_evse *evse, bool locked) {
    return v2gkit_say(evse, "{\"type\":\"lock\",\"locked\":%s}\n", locked ? "true" : "false");
}

bool v2gkit_contactor(v2gkit_evse *evse, bool closed) {
    return v2gkit_say(evse, "{\"type\":\"contactor\",\"closed\":%s}\n", closed ? "true" : "false");
}

bool v2gkit_link(v2gkit_evse *evse, bool linked) {
    return v2gkit_say(evse, "{\"type\":\"link\",\"linked\":%s}\n", linked ? "true" : "false");
}

bool v2gkit_position(v2gkit_evse *evse, int16_t x, int16_t y, int16_t window_x, int16_t window_y, bool reachable) {
    return v2gkit_say(evse, "{\"type\":\"position\",\"x\":%d,\"y\":%d,\"window_x\":%d,\"window_y\":%d,\"reachable\":%s}\n", x, y, window_x,
                      window_y, reachable ? "true" : "false");
}

bool v2gkit_device(v2gkit_evse *evse, v2gkit_place place) {
    const char *state = place == V2GKIT_HOME ? "Home" : place == V2GKIT_END_POSITION ? "EndPosition" : "Moving";
    return v2gkit_say(evse, "{\"type\":\"device\",\"state\":\"%s\"}\n", state);
}

static bool v2gkit_because(v2gkit_evse *evse, const char *type, const char *reason) {
    char plain[V2GKIT_TEXT];
    return v2gkit_say(evse, "{\"type\":\"%s\",\"reason\":\"%s\"}\n", type, v2gkit_plain(reason, plain));
}

bool v2gkit_alignment(v2gkit_evse *evse, bool aligned, double power, double current, const char *reason) {
    char plain[V2GKIT_TEXT], w[32], a[32];
    return v2gkit_say(evse, "{\"type\":\"alignment\",\"aligned\":%s,\"power\":%s,\"current\":%s,\"reason\":\"%s\"}\n", aligned ? "true" : "false",
                      v2gkit_decimal(power, w), v2gkit_decimal(current, a), v2gkit_plain(reason, plain));
}

bool v2gkit_association_lost(v2gkit_evse *evse, const char *reason) { return v2gkit_because(evse, "association_lost", reason); }

bool v2gkit_ground_device(v2gkit_evse *evse, v2gkit_condition condition) {
    static const char *const names[] = {"NoIssue", "FODDetected", "LOPDetected", "TempOverheatDetected", "PowerTransferAnomalyDetected"};
    const char *name = condition >= V2GKIT_NO_ISSUE && condition < V2GKIT_ANOMALY ? names[condition] : "AnomalyDetected";
    return v2gkit_say(evse, "{\"type\":\"ground_device\",\"condition\":\"%s\"}\n", name);
}

bool v2gkit_stop(v2gkit_evse *evse, const char *reason) { return v2gkit_because(evse, "stop", reason); }

bool v2gkit_emergency_stop(v2gkit_evse *evse, const char *reason) { return v2gkit_because(evse, "emergency_stop", reason); }

bool v2gkit_fault(v2gkit_evse *evse, const char *reason) { return v2gkit_because(evse, "fault", reason); }

void v2gkit_close(v2gkit_evse *evse) { v2gkit_lost(evse); }

#endif /* V2GKIT_EVSE_IMPLEMENTATION */
