/* SPDX-License-Identifier: MIT */
/*
 * The inside of the schedule explorer; scenarios use explore.h.
 */
#ifndef TEST_EXPLORE_ENGINE_H
#define TEST_EXPLORE_ENGINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/macros.h>
#include <lib/rand.h>
#include <test/explore/explore.h>

#define ENGINE_STACKS_MAX 64
#define ENGINE_STACK_SIZE KIB(64)
#define ENGINE_BUFFER_MAX 32
#define ENGINE_POINTS_MAX 8
#define ENGINE_NEVER      UINT64_MAX

/* What an access does; in the order of access_names[]. */
enum access {
    ACCESS_READ,
    ACCESS_WRITE,
    ACCESS_ATOMIC_READ,
    ACCESS_ATOMIC_WRITE,
    ACCESS_RMW,
    ACCESS_FENCE,
    ACCESS_IRQ_STATE,
    ACCESS_PAUSE,
};

/* What a schedule does; in the order of event_names[]. */
enum trace_event {
    TRACE_ACCESS,
    TRACE_SWITCH,
    TRACE_COMMIT,
    TRACE_POST,
    TRACE_INTERRUPT,
    TRACE_INTERRUPT_END,
    TRACE_HALT,
    TRACE_RETURN,
};

enum strategy_kind {
    STRATEGY_BOUNDED, /* run on, but for a few preemptions */
    STRATEGY_PCT,     /* random priorities, a few changes of them */
    STRATEGY_WALK,    /* switch with a fixed probability */
    STRATEGY_NR_KINDS,
};

/*
 * A store that other CPUs do not see yet.  While its CPU runs, memory holds
 * the value as this CPU sees it and @other what is below; else the other way
 * round.
 */
struct store {
    uintptr_t addr;
    uint64_t other;
    unsigned size; /* 1, 2, 4 or 8 bytes */
};

/* First in, first out; the oldest is at @head. */
struct store_buffer {
    struct store stores[ENGINE_BUFFER_MAX];
    unsigned head;
    unsigned nr;
};

/* A function that begins on a CPU. */
struct fibre {
    explore_fn_t fn;
    void *arg;
    bool counts; /* the schedule goes on until it has returned */
};

struct sim_cpu {
    void *sp;       /* while the scheduler or another CPU runs */
    unsigned stack; /* number of the one it is on */
    struct fibre fibre;
    bool irq_on;
    bool halted;
    bool yielded;      /* paused since it was chosen last */
    uint32_t pending;  /* interrupts by vector */
    uint64_t irq_wait; /* accesses until they come */
    uint64_t deadline; /* of its timer, ENGINE_NEVER if not armed */
    int64_t priority;  /* of PCT: the greatest runs */
    struct store_buffer buffer;
};

struct engine {
    /* What each access looks at. */
    bool active; /* fibres run */
    bool sc;     /* no store buffers in this schedule */
    uint64_t steps;
    uint64_t next_event;
    struct sim_cpu *cpu;   /* that runs */
    uintptr_t percpu_base; /* its distance */
    uint64_t heap_used;

    uint64_t irq_at;   /* of the running CPU, in steps */
    uint64_t turn_end; /* the same */
    uint64_t skew;     /* time is steps plus this */
    unsigned nr_idle_rounds;
    unsigned nr_cpus;
    unsigned stride; /* between their numbers */
    unsigned nr_fibres;
    unsigned nr_stacks;
    unsigned nr_unfinished; /* fibres and interrupts that must return */
    unsigned buffer_limit;
    unsigned drain_chance; /* of 16 */
    bool tracing;
    bool reuses; /* freed memory is given out again at once */
    bool failed;
    void *scheduler_sp;
    jmp_buf abandon;
    char message[512];
    struct rand rand;
    struct sim_cpu cpus[EXPLORE_CPUS_MAX];
    /* Below this nothing on a stack is alive, while no CPU is on it. */
    uintptr_t stack_tops[ENGINE_STACKS_MAX];
    struct {
        explore_fn_t fn;
        void *arg;
    } handlers[EXPLORE_NR_VECTORS];

    /* Of the strategy. */
    enum strategy_kind strategy;
    uint64_t points[ENGINE_POINTS_MAX]; /* steps, ascending */
    unsigned nr_points;
    unsigned next_point;
    uint64_t walk_mean;
    int64_t lowest_priority;
    struct sim_cpu *avoided; /* was just preempted */
    bool woken;              /* a CPU became ready */

    /* Constant during a schedule. */
    uint64_t length;     /* accesses that a schedule may have, a guess */
    uint64_t step_limit; /* more are a livelock */
    int forced_strategy; /* -1 for any */
};

extern struct engine engine;
extern char engine_stacks[ENGINE_STACKS_MAX][ENGINE_STACK_SIZE];

/* engine.c */

/* Make a fresh machine for the schedule of @seed. */
void engine_reset(uint64_t seed);

/* Run @scenario once.  Returns: false, it failed: engine.message says how */
bool engine_run(const struct explore_case *scenario, uint64_t seed);

/* Something is due before an access. */
void engine_event(enum access access, uintptr_t addr, unsigned size,
                  uintptr_t pc);

/* Find the next step at which something is due. */
void engine_plan_event(void);

/* A new stack, and one that lets a function begin when switched to. */
char *engine_stack_alloc(void);
void *engine_stack_init(char *top, void (*entry)(void));

/* The running CPU leaves its stack, at *@from, for another. */
void engine_switch_stack(void **from, void *to);

/* Interrupts and their usual handlers; those of machine.c. */
void machine_reset(void);
void machine_interrupt_begin(void);
void machine_interrupt_end(void);

/* Let an interrupt be pending. */
void engine_post(struct sim_cpu *cpu, unsigned vector);

/* The virtual time, nanoseconds. */
uint64_t engine_time(void);

/* The running CPU waits for others, or for an interrupt, which it takes. */
void engine_pause(void);
void engine_halt(void);

/* Number of a CPU. */
static inline unsigned
engine_cpu_id(const struct sim_cpu *cpu)
{
    return (unsigned)(cpu - engine.cpus);
}

/* By what the kernel knows it. */
static inline unsigned
engine_cpu_number(const struct sim_cpu *cpu)
{
    return engine_cpu_id(cpu) * engine.stride;
}

/* Whether a CPU has something to do. */
static inline bool
engine_is_ready(const struct sim_cpu *cpu)
{
    return !cpu->halted || cpu->pending != 0;
}

/* Save the registers, leave *@from for @to. */
void engine_swap_stacks(void **from, void *to);

/* buffer.c */

/* A CPU is about to write: keep what is below. */
void buffer_push(uintptr_t addr, size_t size);

/* All stores of the running CPU become visible. */
void buffer_drain(void);

/* Memory becomes what @cpu sees, or what all see. */
void buffer_enter(struct sim_cpu *cpu);
void buffer_leave(struct sim_cpu *cpu);

/* The oldest stores of a CPU that does not run become visible. */
void buffer_commit(struct sim_cpu *cpu, unsigned nr);

/* Some stores of CPUs that do not run may become visible. */
void buffer_commit_some(struct sim_cpu *last);

/* strategy.c */

/* Choose how to schedule. */
void strategy_begin(void);

/* The next step at which it wants to be asked. */
uint64_t strategy_next_step(void);

/* Whether the running CPU has to give way now. */
bool strategy_preempts(void);

/* Choose one of a set of CPUs, a bit each, not empty. */
struct sim_cpu *strategy_pick(uint32_t ready);

/* A CPU waits for others. */
void strategy_pause(struct sim_cpu *cpu);

/* Its name, or the kind of a name (-1: unknown). */
const char *strategy_name(enum strategy_kind kind);
int strategy_find(const char *name);

/* heap.c */

/* Forget all objects. */
void heap_reset(void);

/* Fails if heap memory is not allocated.  @offset is from heap_base(). */
void heap_check(uintptr_t offset, unsigned size);
uintptr_t heap_base(void);

/* memory.c */

/* Remember the state of a fresh kernel; restore it. */
void memory_setup(void);
void memory_reset(void);

/* Make fresh per-CPU variables for the CPUs that there are. */
void memory_reset_percpu(void);

/* Whether the memory may be looked at for a trace. */
bool memory_is_known(uintptr_t addr);

/* trace.c */

/* Begin to record; forget all. */
void trace_reset(void);

/* Record an access of the running CPU; trace_finish() adds what it wrote. */
void trace_access(enum access access, uintptr_t addr, unsigned size,
                  uintptr_t pc);
void trace_finish(void);

/* Record anything else. */
void trace_event(enum trace_event event, struct sim_cpu *cpu, uint64_t value);
void trace_commit(struct sim_cpu *cpu, uintptr_t addr, unsigned size);

/* Print the last @max records, as comments of KTAP. */
void trace_print(size_t max);

/* symbols.c */

/* Name an address of data: "name+8 of cpu 1", or a number. */
void symbols_data(char *text, size_t size, uintptr_t addr);

/* Name an address of code: "function file:line". */
const char *symbols_code(uintptr_t pc);

#endif /* TEST_EXPLORE_ENGINE_H */
