/* SPDX-License-Identifier: MIT */
/*
 * Invariant: goes_on is set exactly while a stretch goes on.  A state is
 * written by its CPU only: for interrupts while they are disabled, for
 * preemption while it is disabled once, so that no handler does it too.
 *
 * Time: each CPU has a clock of its own, the counter less what is not to be
 * counted.  That is the time from each entry to the recorder to its exit, and
 * where CPUs take turns, the time of others.  Who records leaves its number in
 * latency_last_cpu; who finds another's number there did not run, or not only
 * itself, since it recorded last, and does not count the time from then.
 * Where a turn often ends, in a pause and when a timer is armed, both ends of
 * that moment are recorded, so that little of its own is lost there.
 *
 * A CPU may also have had a turn without recording anything.  So a stretch is
 * doubtful in which nothing was recorded for long while another CPU had not
 * gone to sleep.
 */
#include <stdatomic.h>
#include <stddef.h>

#include <arch/clock.h>
#include <arch/cpu.h>
#include <arch/latency.h>
#include <arch/preempt.h>
#include <kern/cpu.h>
#include <kern/latency.h>
#include <kern/percpu.h>
#include <lib/string.h>

/* Ticks without a record that another CPU may have had. */
#define LATENCY_LONG_TURN 500

struct latency_state {
    bool goes_on;
    bool is_doubtful;
    uint64_t since; /* latency_clock() */
    uintptr_t from;
    uint32_t vector;
    const char *excuse;
    struct latency_stretch lists[LATENCY_NR_LISTS][LATENCY_TOP];
};

/* Touched by its CPU only, but for reports. */
struct latency_cpu {
    bool is_started;
    bool is_idle;     /* read by others */
    uint64_t last;    /* counter when it recorded last */
    uint64_t skipped; /* ticks that are not counted */
    struct latency_state states[LATENCY_NR_KINDS];
};

static PERCPU(struct latency_cpu, latency_cpu);

/* Who recorded last, where CPUs take turns. */
static _Atomic uint32_t latency_last_cpu;

/* Set on the boot CPU before others start. */
static bool latency_takes_turns;

static atomic_bool latency_is_stopped;

/* ------------------------------------------------------------------- time */

/*
 * This CPU has its turn.
 *
 * Returns: whether nobody else recorded since this CPU did; read the counter
 *          before
 */
static inline bool
latency_take_turn(void)
{
    uint32_t self;

    self = cpu_id();
    if (likely(atomic_load_explicit(&latency_last_cpu, memory_order_relaxed) ==
               self)) {
        return true;
    }
    atomic_store_explicit(&latency_last_cpu, self, memory_order_relaxed);
    return !latency_takes_turns;
}

/* Whether a CPU but @self may have had a turn. */
static __noinline bool
latency_others_run(uint32_t self)
{
    uint32_t cpu;

    cpu_for_each (cpu) {
        if (cpu != self && !READ_ONCE(percpu_ptr(latency_cpu, cpu)->is_idle)) {
            return true;
        }
    }
    return false;
}

static __noinline void
latency_doubt(struct latency_cpu *cpu)
{
    unsigned kind;

    for (kind = 0; kind < LATENCY_NR_KINDS; kind++) {
        cpu->states[kind].is_doubtful = true;
    }
}

/*
 * The clock of this CPU.
 *
 * @now  the counter on entry to the recorder
 *
 * Context: interrupts disabled since before
 */
static uint64_t
latency_clock(struct latency_cpu *cpu, uint64_t now)
{
    if (unlikely(!latency_take_turn())) {
        cpu->skipped += now - cpu->last;
    } else if (unlikely(now - cpu->last > LATENCY_LONG_TURN) &&
               latency_takes_turns && latency_others_run(cpu_id())) {
        latency_doubt(cpu);
    }
    cpu->last = now;
    cpu->is_idle = false;
    return now - cpu->skipped;
}

/* Do not count what came since latency_clock().  Context: as there */
static inline void
latency_skip(struct latency_cpu *cpu)
{
    uint64_t now;

    latency_take_turn();
    now = clock_counter();
    cpu->skipped += now - cpu->last;
    cpu->last = now;
}

/* -------------------------------------------------------------- recording */

/* Put a stretch in its place, or raise that between the same places. */
static void
latency_insert(struct latency_stretch *top,
               const struct latency_stretch *stretch)
{
    unsigned i;

    for (i = 0; i < LATENCY_TOP - 1; i++) {
        if (top[i].from == stretch->from && top[i].to == stretch->to &&
            top[i].excuse == stretch->excuse &&
            top[i].vector == stretch->vector) {
            break;
        }
    }
    if (top[i].ticks >= stretch->ticks) {
        return;
    }
    for (; i > 0 && top[i - 1].ticks < stretch->ticks; i--) {
        top[i] = top[i - 1];
    }
    top[i] = *stretch;
}

static __noinline void
latency_record(struct latency_state *state, uint64_t now, uintptr_t to)
{
    struct latency_stretch stretch, *top;

    top = state->lists[state->excuse != NULL ? LATENCY_EXCUSED
                       : state->is_doubtful  ? LATENCY_DOUBTFUL
                                             : LATENCY_CERTAIN];
    stretch.ticks = now - state->since;
    if (stretch.ticks <= top[LATENCY_TOP - 1].ticks ||
        atomic_load_explicit(&latency_is_stopped, memory_order_relaxed)) {
        return;
    }

    stretch.from = state->from;
    stretch.to = to;
    stretch.excuse = state->excuse;
    stretch.cpu = cpu_id();
    stretch.vector = state->vector;
    latency_insert(top, &stretch);
}

static inline void
latency_begin(enum latency_kind kind, uint32_t vector, void *pc)
{
    struct latency_state *state;
    struct latency_cpu *cpu;
    uint64_t flags, now;

    flags = cpu_irq_save_unseen();
    now = clock_counter();
    cpu = percpu_this(latency_cpu);
    state = &cpu->states[kind];
    state->since = latency_clock(cpu, now);
    state->from = (uintptr_t)pc;
    state->vector = vector;
    state->excuse = NULL;
    state->is_doubtful = false;
    state->goes_on = cpu->is_started;
    latency_skip(cpu);
    cpu_irq_restore_unseen(flags);
}

static inline void
latency_end(enum latency_kind kind, void *pc)
{
    struct latency_state *state;
    struct latency_cpu *cpu;
    uint64_t flags, now;

    flags = cpu_irq_save_unseen();
    now = clock_counter();
    cpu = percpu_this(latency_cpu);
    state = &cpu->states[kind];
    now = latency_clock(cpu, now);
    if (state->goes_on) {
        state->goes_on = false;
        latency_record(state, now, (uintptr_t)pc);
    }
    latency_skip(cpu);
    cpu_irq_restore_unseen(flags);
}

void
latency_irqs_saved(uint64_t flags)
{
    if (flags & CPU_FLAGS_IF) {
        latency_begin(LATENCY_IRQS_OFF, 0, __builtin_return_address(0));
    }
}

void
latency_irqs_off(void)
{
    if (!percpu_this(latency_cpu)->states[LATENCY_IRQS_OFF].goes_on) {
        latency_begin(LATENCY_IRQS_OFF, 0, __builtin_return_address(0));
    }
}

void
latency_irqs_on(void)
{
    latency_end(LATENCY_IRQS_OFF, __builtin_return_address(0));
}

void
latency_interrupt_enter(unsigned vector)
{
    latency_begin(LATENCY_IRQS_OFF, vector, __builtin_return_address(0));
}

void
latency_interrupt_exit(void)
{
    struct latency_state *irqs, *preempt;
    struct latency_cpu *cpu;

    cpu = percpu_this(latency_cpu);
    irqs = &cpu->states[LATENCY_IRQS_OFF];
    preempt = &cpu->states[LATENCY_PREEMPT_OFF];
    if (irqs->goes_on && preempt->goes_on) {
        /* It would have delayed whoever else ran, too. */
        preempt->since += latency_clock(cpu, clock_counter()) - irqs->since;
    }
    latency_end(LATENCY_IRQS_OFF, __builtin_return_address(0));
}

void
latency_idle(void)
{
    latency_end(LATENCY_IRQS_OFF, __builtin_return_address(0));
    percpu_this(latency_cpu)->is_idle = true;
}

/* How often preemption is disabled. */
static uint32_t
latency_preempt_depth(void)
{
    return percpu_read(preempt_count) & ~PREEMPT_NOT_WANTED;
}

void
latency_preempt_off(void)
{
    const struct latency_state *irqs;

    if (latency_preempt_depth() == 1) {
        irqs = &percpu_this(latency_cpu)->states[LATENCY_IRQS_OFF];
        latency_begin(LATENCY_PREEMPT_OFF, irqs->goes_on ? irqs->vector : 0,
                      __builtin_return_address(0));
    }
}

void
latency_preempt_on(void)
{
    if (latency_preempt_depth() == 1) {
        latency_end(LATENCY_PREEMPT_OFF, __builtin_return_address(0));
    }
}

void
latency_turn(void)
{
    uint64_t flags;

    flags = cpu_irq_save_unseen();
    latency_clock(percpu_this(latency_cpu), clock_counter());
    cpu_irq_restore_unseen(flags);
}

void
latency_turn_again(void)
{
    uint64_t flags;

    flags = cpu_irq_save_unseen();
    latency_skip(percpu_this(latency_cpu));
    cpu_irq_restore_unseen(flags);
}

/* --------------------------------------------------------------- switches */

void
latency_excuse(const char *reason)
{
    struct latency_cpu *cpu;
    unsigned kind;
    uint64_t flags;

    flags = cpu_irq_save_unseen();
    cpu = percpu_this(latency_cpu);
    for (kind = 0; kind < LATENCY_NR_KINDS; kind++) {
        cpu->states[kind].excuse = reason;
    }
    cpu_irq_restore_unseen(flags);
}

void
latency_start(void)
{
    struct latency_cpu *cpu;

    cpu = percpu_this(latency_cpu);
    if (cpu_id() == 0) {
        /* Only an emulator counts so, and it runs one CPU after the other. */
        latency_takes_turns = cpu_nr_possible > 1 &&
                              clock_counts_instructions();
    }
    cpu->last = clock_counter();
    cpu->is_started = true;
}

void
latency_stop(void)
{
    atomic_store(&latency_is_stopped, true);
}

void
latency_resume(void)
{
    atomic_store(&latency_is_stopped, false);
}

/* ---------------------------------------------------------------- reports */

bool
latency_is_own(void)
{
    return latency_takes_turns;
}

void
latency_collect(enum latency_kind kind, enum latency_list list,
                struct latency_stretch top[LATENCY_TOP])
{
    const struct latency_state *state;
    uint32_t cpu;
    unsigned i;

    memset(top, 0, LATENCY_TOP * sizeof(*top));
    cpu_for_each (cpu) {
        state = &percpu_ptr(latency_cpu, cpu)->states[kind];
        for (i = 0; i < LATENCY_TOP; i++) {
            latency_insert(top, &state->lists[list][i]);
        }
    }
}

void
latency_reset(void)
{
    struct latency_state *state;
    unsigned kind;
    uint32_t cpu;

    cpu_for_each (cpu) {
        for (kind = 0; kind < LATENCY_NR_KINDS; kind++) {
            state = &percpu_ptr(latency_cpu, cpu)->states[kind];
            memset(state->lists, 0, sizeof(state->lists));
        }
    }
}
