/* SPDX-License-Identifier: MIT */
/*
 * Simulated CPUs, one at a time on one host thread.
 *
 * Each has a stack of its own.  An access of instrumented code calls
 * engine_event() when something is due: a switch, an interrupt, the end.  The
 * scheduler runs on the host's stack, so that the store buffer of the CPU
 * that stops can be taken out of memory, its own stack included.
 *
 * Invariants: memory is as all CPUs see it while the scheduler runs, and as
 * engine.cpu sees it while a fibre runs.  All that a schedule depends on
 * comes from its seed and the program.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/main.h>
#include <kern/option.h>
#include "engine.h"

SECTION_DECLARE(init, struct init_op);
SECTION_DECLARE(stage, const struct main_stage);
SECTION_DECLARE(option, const struct option);

/* Accesses that a CPU may make, at least, before it is taken to wait. */
#define ENGINE_TURN 500

/* Bytes of a stack that are used, mostly. */
#define ENGINE_STACK_USED KIB(8)

/* Time when a schedule begins, nanoseconds. */
#define ENGINE_EPOCH 1000

struct engine engine = { .forced_strategy = -1, .step_limit = 40000 };
__aligned(4096) char engine_stacks[ENGINE_STACKS_MAX][ENGINE_STACK_SIZE];

uint64_t
engine_time(void)
{
    return ENGINE_EPOCH + engine.steps + engine.skew;
}

void
explore_fail(const char *format, ...)
{
    va_list args;

    if (!engine.failed) {
        va_start(args, format);
        vsnprintf(engine.message, sizeof(engine.message), format, args);
        va_end(args);
        engine.failed = true;
    }
    if (engine.active) {
        engine_swap_stacks(&engine.cpu->sp, engine.scheduler_sp);
    }
    longjmp(engine.abandon, 1);
}

/* Leave the running CPU for the scheduler. */
static void
engine_leave(void)
{
    struct sim_cpu *cpu;

    cpu = engine.cpu;
    engine.stack_tops[cpu->stack] = (uintptr_t)__builtin_frame_address(0);
    engine_swap_stacks(&cpu->sp, engine.scheduler_sp);
}

static void
engine_set_cpu(struct sim_cpu *cpu)
{
    engine.cpu = cpu;
    engine.percpu_base = percpu_offsets[engine_cpu_number(cpu)];
}

void
engine_plan_event(void)
{
    struct sim_cpu *cpu;
    uint64_t next, due;
    unsigned i;

    next = strategy_next_step();
    next = MIN(next, engine.step_limit);
    next = MIN(next, engine.turn_end);
    cpu = engine.cpu;
    if (cpu->pending != 0 && cpu->irq_on) {
        next = MIN(next, engine.irq_at);
    }
    for (i = 0; i < engine.nr_cpus; i++) {
        if (engine.cpus[i].deadline != ENGINE_NEVER) {
            due = ENGINE_EPOCH + engine.skew;
            due = engine.cpus[i].deadline > due ? engine.cpus[i].deadline - due
                                                : 0;
            next = MIN(next, due);
        }
    }
    engine.next_event = engine.tracing || engine.woken ? 0 : next;
}

void
engine_post(struct sim_cpu *cpu, unsigned vector)
{
    uint64_t wait;

    if (engine.tracing) {
        trace_event(TRACE_POST, cpu, vector);
    }
    wait = rand_below(&engine.rand, 2) == 0
               ? 0
               : rand_below(&engine.rand, engine.length / 2 + 1);
    if (cpu->pending == 0) {
        cpu->irq_wait = wait;
        if (cpu == engine.cpu) {
            engine.irq_at = engine.steps + wait;
        }
    }
    if (!engine_is_ready(cpu)) {
        engine.woken = true;
    }
    cpu->pending |= UINT32_C(1) << vector;
    engine.next_event = 0;
}

/* Timers whose time has come. */
static void
engine_expire(void)
{
    struct sim_cpu *cpu;
    unsigned i;

    for (i = 0; i < engine.nr_cpus; i++) {
        cpu = &engine.cpus[i];
        if (cpu->deadline <= engine_time()) {
            cpu->deadline = ENGINE_NEVER;
            engine_post(cpu, EXPLORE_TIMER);
        }
    }
}

/*
 * Take one interrupt.  Its return is an iret, which drains the store buffer.
 *
 * Source: Intel SDM vol. 3A, "Serializing Instructions".
 */
static void
engine_interrupt(void)
{
    struct sim_cpu *cpu;
    unsigned vector;

    cpu = engine.cpu;
    do {
        vector = (unsigned)rand_below(&engine.rand, EXPLORE_NR_VECTORS);
    } while ((cpu->pending & (UINT32_C(1) << vector)) == 0);
    cpu->pending &= ~(UINT32_C(1) << vector);
    cpu->irq_on = false;
    engine.nr_unfinished++;
    if (engine.tracing) {
        trace_event(TRACE_INTERRUPT, cpu, vector);
    }
    machine_interrupt_begin();
    if (engine.handlers[vector].fn != NULL) {
        engine.handlers[vector].fn(engine.handlers[vector].arg);
    }
    engine.nr_unfinished--;
    machine_interrupt_end();
    /* A thread that was preempted may continue elsewhere. */
    cpu = engine.cpu;
    buffer_drain();
    cpu->irq_on = true;
    engine_plan_event();
    if (engine.tracing) {
        trace_finish();
        trace_event(TRACE_INTERRUPT_END, cpu, vector);
    }
}

static bool
engine_takes_interrupt(void)
{
    return engine.cpu->pending != 0 && engine.cpu->irq_on &&
           engine.steps >= engine.irq_at;
}

void
engine_pause(void)
{
    engine.cpu->yielded = true;
    strategy_pause(engine.cpu);
    engine_leave();
}

/*
 * A CPU ran for long without a pause, as loops do that yield to other threads
 * instead: the others may be what it waits for, and its stores are through.
 */
static void
engine_end_turn(void)
{
    buffer_drain();
    engine_pause();
}

void
engine_event(enum access access, uintptr_t addr, unsigned size, uintptr_t pc)
{
    if (engine.tracing) {
        trace_finish();
    }
    if (engine.steps >= engine.step_limit) {
        explore_fail("livelock: no end after %lu accesses",
                     (unsigned long)engine.steps);
    }

    for (;;) {
        engine_expire();
        if (engine_takes_interrupt()) {
            engine_interrupt();
        } else if (engine.steps >= engine.turn_end) {
            engine_end_turn();
        } else if (strategy_preempts()) {
            engine_leave();
        } else {
            break;
        }
    }

    engine_plan_event();
    if (engine.tracing) {
        trace_access(access, addr, size, pc);
    }
}

void
engine_halt(void)
{
    struct sim_cpu *cpu;

    cpu = engine.cpu;
    cpu->irq_on = true;
    while (cpu->pending == 0) {
        if (engine.tracing) {
            trace_finish();
            trace_event(TRACE_HALT, cpu, 0);
        }
        cpu->halted = true;
        engine_leave();
        cpu->halted = false; /* idle threads stay on their CPU */
    }
    engine_interrupt();
}

/* Run a CPU until it leaves. */
static void
engine_resume(struct sim_cpu *cpu)
{
    if (engine.tracing && engine.cpu != cpu) {
        trace_event(TRACE_SWITCH, cpu, engine_cpu_id(engine.cpu));
    }
    engine_set_cpu(cpu);
    cpu->yielded = false;
    engine.avoided = NULL;
    engine.irq_at = engine.steps + cpu->irq_wait;
    engine.turn_end = engine.steps + engine.length * 2 + ENGINE_TURN;
    buffer_enter(cpu);
    engine_plan_event();
    engine_swap_stacks(&engine.scheduler_sp, cpu->sp);
    if (engine.failed) {
        return;
    }

    cpu = engine.cpu;
    buffer_leave(cpu);
    cpu->irq_wait = engine.irq_at > engine.steps ? engine.irq_at - engine.steps
                                                 : 0;
    buffer_commit_some(cpu);
}

static void
engine_commit_all(void)
{
    unsigned i;

    for (i = 0; i < engine.nr_cpus; i++) {
        buffer_commit(&engine.cpus[i], ENGINE_BUFFER_MAX);
    }
}

/*
 * All CPUs wait: what is under way arrives, and time passes faster the longer
 * it lasts.
 */
static void
engine_idle_round(void)
{
    unsigned i;

    engine_commit_all();
    for (i = 0; i < engine.nr_cpus; i++) {
        engine.cpus[i].yielded = false;
        engine.cpus[i].irq_wait = 0;
    }
    engine.nr_idle_rounds++;
    engine.skew += UINT64_C(1) << MIN(engine.nr_idle_rounds / 4, 24U);
    engine_expire();
}

/* Nobody can run: go to the time of the first timer.  Returns: there is one */
static bool
engine_sleep(void)
{
    uint64_t first;
    unsigned i;

    engine_commit_all();
    first = ENGINE_NEVER;
    for (i = 0; i < engine.nr_cpus; i++) {
        first = MIN(first, engine.cpus[i].deadline);
    }
    if (first == ENGINE_NEVER) {
        return false;
    }

    if (first > engine_time()) {
        engine.skew += first - engine_time();
    }
    engine_expire();
    return true;
}

/* The CPU to run next; NULL if there is none. */
static struct sim_cpu *
engine_pick(void)
{
    uint32_t ready, waiting;
    unsigned i;

    for (;;) {
        ready = 0;
        waiting = 0;
        for (i = 0; i < engine.nr_cpus; i++) {
            if (!engine_is_ready(&engine.cpus[i])) {
                continue;
            }
            if (engine.cpus[i].yielded) {
                waiting |= UINT32_C(1) << i;
            } else {
                ready |= UINT32_C(1) << i;
            }
        }
        if (ready != 0) {
            return strategy_pick(ready);
        }
        if (waiting != 0) {
            engine_idle_round();
        } else if (!engine_sleep()) {
            return NULL;
        }
    }
}

/* The first function of a CPU; it may end on another one. */
static __noreturn void
engine_fibre_main(void)
{
    struct fibre fibre;

    fibre = engine.cpu->fibre;
    fibre.fn(fibre.arg);
    if (fibre.counts) {
        engine.nr_unfinished--;
    }
    if (engine.tracing) {
        trace_finish();
        trace_event(TRACE_RETURN, engine.cpu, 0);
    }
    for (;;) {
        if (engine.nr_unfinished == 0) {
            engine_leave();
        }
        cpu_idle_wait();
    }
}

char *
engine_stack_alloc(void)
{
    if (engine.nr_stacks == ENGINE_STACKS_MAX) {
        explore_fail("too many stacks");
    }
    engine.stack_tops[engine.nr_stacks] = 0;
    return engine_stacks[engine.nr_stacks++];
}

void *
engine_stack_init(char *top, void (*entry)(void))
{
    uintptr_t *word;

    /* What an earlier schedule left there must decide nothing. */
    memset(top - ENGINE_STACK_USED, 0xa5, ENGINE_STACK_USED);
    /* As after a call: a return address on top of 16 aligned bytes. */
    word = (uintptr_t *)top;
    *--word = 0;
    *--word = (uintptr_t)entry;
    return word - 6; /* the registers of engine_swap_stacks() */
}

void
engine_switch_stack(void **from, void *to)
{
    struct sim_cpu *cpu;

    cpu = engine.cpu;
    engine.stack_tops[cpu->stack] = (uintptr_t)__builtin_frame_address(0);
    cpu->stack = (unsigned)(((uintptr_t)to - (uintptr_t)engine_stacks) /
                            ENGINE_STACK_SIZE);
    engine_swap_stacks(from, to);
}

static void
engine_idle(void *arg __unused)
{
}

static struct fibre *
engine_add_fibre(explore_fn_t fn, void *arg)
{
    struct sim_cpu *cpu;

    if (engine.nr_fibres == engine.nr_cpus) {
        explore_fail("more fibres than CPUs");
    }
    cpu = &engine.cpus[engine.nr_fibres++];
    cpu->fibre = (struct fibre){ .fn = fn, .arg = arg };
    cpu->stack = engine.nr_stacks;
    cpu->sp = engine_stack_init(engine_stack_alloc() + ENGINE_STACK_SIZE,
                                engine_fibre_main);
    return &cpu->fibre;
}

void
explore_fibre(explore_fn_t fn, void *arg)
{
    engine_add_fibre(fn, arg)->counts = true;
    engine.nr_unfinished++;
}

void
explore_daemon(explore_fn_t fn, void *arg)
{
    engine_add_fibre(fn, arg);
}

void
explore_cpus_apart(unsigned nr, unsigned stride)
{
    if (nr == 0 || nr > EXPLORE_CPUS_MAX || engine.nr_fibres > 0 ||
        (nr - 1) * stride >= EXPLORE_NUMBERS_MAX) {
        explore_fail("%u CPUs, %u apart: too many, or too late", nr, stride);
    }
    engine.nr_cpus = nr;
    engine.stride = stride;
    memory_reset_percpu();
}

void
explore_cpus(unsigned nr)
{
    explore_cpus_apart(nr, 1);
}

void
explore_on_cpu(unsigned cpu)
{
    engine_set_cpu(&engine.cpus[cpu]);
}

void
explore_handler(unsigned vector, explore_fn_t fn, void *arg)
{
    engine.handlers[vector].fn = fn;
    engine.handlers[vector].arg = arg;
}

void
explore_interrupt(unsigned cpu, unsigned vector)
{
    explore_fence();
    engine_post(&engine.cpus[cpu], vector);
}

uint64_t
explore_random(uint64_t limit)
{
    return rand_below(&engine.rand, limit);
}

static const struct init_op *
engine_find_op(const char *name)
{
    struct init_op *const *entry;

    section_for_each (init, entry) {
        if (strcmp((*entry)->name, name) == 0) {
            return *entry;
        }
    }
    explore_fail("no initialisation %s", name);
}

void
explore_init_op(const char *name)
{
    const struct init_op *op;
    unsigned cpu, nr;

    op = engine_find_op(name);
    nr = op->where == INIT_EACH_CPU ? engine.nr_cpus : 1;
    for (cpu = 0; cpu < nr; cpu++) {
        explore_on_cpu(cpu);
        if (op->fn() != OK) {
            explore_fail("%s failed", name);
        }
    }
    explore_on_cpu(0);
}

void
explore_start_threads(void)
{
    const struct main_stage *const *entry;

    section_for_each (stage, entry) {
        if ((*entry)->order == MAIN_THREADS && !(*entry)->fn()) {
            explore_fail("a stage of main failed");
        }
    }
}

void
explore_option(const char *name, const char *value)
{
    const struct option *const *entry;

    section_for_each (option, entry) {
        if (strcmp((*entry)->name, name) == 0) {
            if ((*entry)->fn(value) != OK) {
                explore_fail("option %s=%s is refused", name, value);
            }
            return;
        }
    }
    explore_fail("no option %s", name);
}

void
explore_run(void)
{
    struct sim_cpu *cpu;

    while (engine.nr_fibres < engine.nr_cpus) {
        engine_add_fibre(engine_idle, NULL);
    }

    engine.active = true;
    while (engine.nr_unfinished > 0 && !engine.failed) {
        cpu = engine_pick();
        if (cpu == NULL) {
            engine.active = false;
            explore_fail("deadlock: all CPUs wait and nothing is to come");
        }
        engine_resume(cpu);
    }
    engine.active = false;
    if (engine.failed) {
        longjmp(engine.abandon, 1);
    }
    engine_commit_all();
    explore_on_cpu(0);
}

void
engine_reset(uint64_t seed)
{
    struct sim_cpu *cpu;
    unsigned i;

    engine.nr_cpus = 1;
    engine.stride = 1;
    memory_reset();
    engine.active = false;
    engine.failed = false;
    engine.message[0] = '\0';
    engine.steps = 0;
    engine.skew = 0;
    engine.nr_idle_rounds = 0;
    engine.nr_fibres = 0;
    engine.nr_stacks = 0;
    engine.nr_unfinished = 0;
    for (i = 0; i < EXPLORE_CPUS_MAX; i++) {
        cpu = &engine.cpus[i];
        cpu->irq_on = true;
        cpu->halted = false;
        cpu->yielded = false;
        cpu->pending = 0;
        cpu->irq_wait = 0;
        cpu->deadline = ENGINE_NEVER;
        cpu->buffer.head = 0;
        cpu->buffer.nr = 0;
    }
    engine_set_cpu(&engine.cpus[0]);
    rand_init(&engine.rand, seed);
    strategy_begin();
    machine_reset();
    heap_reset();
    trace_reset();
}

bool
engine_run(const struct explore_case *scenario, uint64_t seed)
{
    engine_reset(seed);
    if (setjmp(engine.abandon) == 0) {
        scenario->fn();
    }
    engine.active = false;
    return !engine.failed;
}
