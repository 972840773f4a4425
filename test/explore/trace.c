/* SPDX-License-Identifier: MIT */
/*
 * What happened in a schedule: the last records, in a ring.  What a store
 * wrote is only known at the next step of its CPU, so it is filled in then.
 */
#include <stdio.h>

#include "engine.h"

#define TRACE_MAX 32768

struct trace {
    enum trace_event event;
    enum access access;
    unsigned cpu;
    unsigned size;
    bool known; /* @value is what memory holds */
    uint64_t step;
    uint64_t value;
    uintptr_t addr;
    uintptr_t pc;
};

static struct trace trace_records[TRACE_MAX];
static size_t trace_nr;
static struct trace *trace_open; /* a store whose value is not known yet */

static const char *const access_names[] = {
    [ACCESS_READ] = "read",
    [ACCESS_WRITE] = "write",
    [ACCESS_ATOMIC_READ] = "load",
    [ACCESS_ATOMIC_WRITE] = "store",
    [ACCESS_RMW] = "rmw",
    [ACCESS_FENCE] = "fence",
    [ACCESS_IRQ_STATE] = "interrupts on or off",
    [ACCESS_PAUSE] = "pause",
};

static const char *const event_names[] = {
    [TRACE_SWITCH] = "runs, after cpu",
    [TRACE_COMMIT] = "is seen by all:",
    [TRACE_POST] = "will get interrupt",
    [TRACE_INTERRUPT] = "takes interrupt",
    [TRACE_INTERRUPT_END] = "returns from interrupt",
    [TRACE_HALT] = "halts",
    [TRACE_RETURN] = "its function has returned",
};

void
trace_reset(void)
{
    trace_nr = 0;
    trace_open = NULL;
}

static struct trace *
trace_add(enum trace_event event, const struct sim_cpu *cpu)
{
    struct trace *record;

    record = &trace_records[trace_nr++ % TRACE_MAX];
    *record = (struct trace){ .event = event,
                              .cpu = engine_cpu_id(cpu),
                              .step = engine.steps };
    return record;
}

static void
trace_read(struct trace *record)
{
    if (record->size == 0 || record->size > 8 ||
        !memory_is_known(record->addr)) {
        return;
    }
    __builtin_memcpy(&record->value, (const void *)record->addr, record->size);
    record->known = true;
}

void
trace_access(enum access access, uintptr_t addr, unsigned size, uintptr_t pc)
{
    struct trace *record;

    record = trace_add(TRACE_ACCESS, engine.cpu);
    record->access = access;
    record->addr = addr;
    record->size = size;
    record->pc = pc;
    if (access == ACCESS_READ || access == ACCESS_ATOMIC_READ) {
        trace_read(record);
    } else {
        trace_open = record;
    }
}

void
trace_finish(void)
{
    if (trace_open != NULL) {
        trace_read(trace_open);
        trace_open = NULL;
    }
}

void
trace_event(enum trace_event event, struct sim_cpu *cpu, uint64_t value)
{
    trace_add(event, cpu)->value = value;
}

void
trace_commit(struct sim_cpu *cpu, uintptr_t addr, unsigned size)
{
    struct trace *record;

    record = trace_add(TRACE_COMMIT, cpu);
    record->addr = addr;
    record->size = size;
    trace_read(record);
}

static void
trace_print_target(const struct trace *record)
{
    char text[96];

    if (record->size == 0) {
        return;
    }
    symbols_data(text, sizeof(text), record->addr);
    printf(" %s", text);
    if (record->known) {
        symbols_data(text, sizeof(text), record->value);
        printf(" = %s", text);
    }
}

static void
trace_print_record(const struct trace *record)
{
    const char *what;

    printf("# %6lu cpu%u ", (unsigned long)record->step, record->cpu);
    if (record->event == TRACE_ACCESS) {
        what = access_names[record->access];
        printf("%-42s %s", symbols_code(record->pc), what);
        trace_print_target(record);
    } else {
        printf("---- %s", event_names[record->event]);
        if (record->event == TRACE_COMMIT) {
            trace_print_target(record);
        } else if (record->event < TRACE_HALT) {
            printf(" %lu", (unsigned long)record->value);
        }
    }
    printf("\n");
}

void
trace_print(size_t max)
{
    size_t i, nr;

    nr = MIN(trace_nr, (size_t)TRACE_MAX);
    nr = MIN(nr, max);
    for (i = trace_nr - nr; i < trace_nr; i++) {
        trace_print_record(&trace_records[i % TRACE_MAX]);
    }
}
