/* A charger of a few lines, DC with the device of an ACDP or WPT, whose hardware is arithmetic: replace the bodies of the functions by yours.
 *
 *     cc -std=c99 -D_POSIX_C_SOURCE=200809L -o charger charger.c -lm && ./charger /run/v2gkit/outlet1.sock
 */
#define V2GKIT_EVSE_IMPLEMENTATION
#include "v2gkit_evse.h"

typedef struct {
    v2gkit_evse evse;
    bool closed;
    double voltage, current, power, imported, exported;
    v2gkit_place device, heading; /* ACDP */
    int64_t arrives;              /* ms */
    long asked;                   /* the id of the command that moves it */
} charger;

static void told(charger *self, const char *what) {
    printf("%s, contactor %s\n", what, self->closed ? "closed" : "open");
    fflush(stdout);
}

static v2gkit_result close_contactor(void *context, long id) {
    charger *self = context;
    (void)id;
    self->closed = true;
    told(self, "close");
    return V2GKIT_YES;
}

static v2gkit_result open_contactor(void *context, long id) {
    charger *self = context;
    self->closed = false;
    self->voltage = self->current = self->power = 0;
    told(self, id ? "open" : "silence");
    return V2GKIT_YES;
}

static v2gkit_result check_isolation(void *context, long id, double voltage) {
    (void)context, (void)id, (void)voltage;
    return V2GKIT_YES;
}

static v2gkit_result set_output(void *context, long id, double voltage, double current, double power) {
    charger *self = context;
    (void)id;
    self->voltage = voltage;
    self->current = voltage > 0 && fabs(voltage * current) > fabs(power) ? power / voltage : current;
    return V2GKIT_YES;
}

/* The ground device of WPT: a power, a vehicle that is the right one, coils that are aligned. */
static v2gkit_result set_power(void *context, long id, double power) {
    charger *self = context;
    (void)id;
    self->power = power;
    return V2GKIT_YES;
}

static v2gkit_result pair_vehicle(void *context, long id, double observed) {
    (void)id, (void)observed;
    told(context, "paired");
    return V2GKIT_YES;
}

/* Of an inverter that follows a set-point of reactive power; what is null, or not there, is asked no more. */
static v2gkit_result follow_grid(void *context, long id, const char *control) {
    double reactive = v2gkit_number(control, "var");
    (void)id;
    printf("grid %.0f var\n", isnan(reactive) ? 0 : reactive);
    told(context, "follows");
    return V2GKIT_YES;
}

static v2gkit_result check_alignment(void *context, long id, double current) {
    charger *self = context;
    (void)id;
    told(self, "aligned");
    v2gkit_alignment(&self->evse, true, current * current, current, "");
    return V2GKIT_YES;
}

/* Moving takes time: the answer comes later, from arrive(). */
static v2gkit_result move(charger *self, v2gkit_place heading, long id) {
    if (self->closed) return V2GKIT_NO; /* whatever the station says */
    if (self->device == heading) return V2GKIT_YES;
    self->heading = heading;
    self->asked = id;
    self->device = V2GKIT_MOVING;
    self->arrives = v2gkit_now() + 300;
    v2gkit_device(&self->evse, self->device);
    return V2GKIT_LATER;
}

static void arrive(charger *self) {
    self->device = self->heading;
    told(self, self->device == V2GKIT_HOME ? "home" : "down");
    v2gkit_device(&self->evse, self->device);
    v2gkit_done(&self->evse, self->asked, true, "");
}

static v2gkit_result connect_device(void *context, long id) { return move(context, V2GKIT_END_POSITION, id); }

static v2gkit_result disconnect_device(void *context, long id) { return move(context, V2GKIT_HOME, id); }

static void session_began(void *context, const char *evccid) {
    printf("car %s\n", evccid);
    told(context, "began");
}

static void session_ended(void *context, bool well, const char *reason) {
    printf("well %d %s\n", well, reason);
    told(context, "ended");
}

static void linked(void *context, bool connected) {
    charger *self = context;
    if (connected) {
        v2gkit_limits(&self->evse, 50000, 125, 50000, 125, 920, 3);
        v2gkit_lock(&self->evse, true);
        v2gkit_contactor(&self->evse, self->closed);
        v2gkit_position(&self->evse, 0, 0, 10, 10, true);
        v2gkit_device(&self->evse, self->device);
        v2gkit_ground_device(&self->evse, V2GKIT_NO_ISSUE);
        v2gkit_meter(&self->evse, "C99", self->imported, self->exported);
    }
    told(self, connected ? "station" : "alone");
}

int main(int count, char **arguments) {
    static const v2gkit_hardware hardware = {
        .close_contactor = close_contactor,
        .open_contactor = open_contactor,
        .check_isolation = check_isolation,
        .set_output = set_output,
        .set_power = set_power,
        .follow_grid = follow_grid,
        .pair_vehicle = pair_vehicle,
        .check_alignment = check_alignment,
        .connect_device = connect_device,
        .disconnect_device = disconnect_device,
        .session_began = session_began,
        .session_ended = session_ended,
        .linked = linked,
    };
    static charger self;
    int64_t before;
    if (count != 2) return 2;
    v2gkit_init(&self.evse, arguments[1], &hardware, &self);
    before = v2gkit_now();
    for (;;) {
        int64_t now;
        bool there = v2gkit_poll(&self.evse, 50);
        double energy;
        now = v2gkit_now();
        energy = self.closed ? (self.voltage * self.current + self.power) * (double)(now - before) / 3.6e6 : 0;
        before = now;
        if (energy > 0) self.imported += energy;
        if (energy < 0) self.exported -= energy;
        if (self.device == V2GKIT_MOVING && now >= self.arrives) arrive(&self);
        if (there) { /* a charger with a pilot tells v2gkit_pilot() each change of it, too: under power the station acts on it at once */
            if (self.power > 0)
                v2gkit_output_power(&self.evse, 0, self.closed ? self.power : 0);
            else
                v2gkit_output(&self.evse, self.voltage, self.closed ? self.current : 0);
            v2gkit_meter(&self.evse, "C99", self.imported, self.exported);
        }
    }
}
