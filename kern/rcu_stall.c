/* SPDX-License-Identifier: MIT */
/*
 * Who keeps a grace period from ending: reports in the log, and a command.
 */
#include <stddef.h>

#include <arch/sample.h>
#include <arch/thread.h>
#include <kern/backtrace.h>
#include <kern/clock.h>
#include <kern/command.h>
#include <kern/console.h>
#include <kern/cpu.h>
#include <kern/log.h>
#include <kern/option.h>
#include <kern/rcu.h>
#include <kern/rcu_tree.h>
#include <kern/symtab.h>
#include <kern/thread.h>
#include <lib/string.h>

#define RCU_STALL_NS  UINT64_C(10000000000)
#define RCU_STALL_MAX UINT64_C(86400000) /* milliseconds */

/* Readers of a leaf that a report names. */
#define RCU_STALL_READERS 4

static _Atomic uint64_t rcu_stall_ns = RCU_STALL_NS;

void
rcu_set_stall_time(uint64_t ns)
{
    atomic_store(&rcu_stall_ns, ns != 0 ? ns : RCU_STALL_NS);
}

static status_t
rcu_option_stall(const char *value)
{
    uint64_t ms;
    status_t status;

    status = option_number(value, RCU_STALL_MAX, &ms);
    if (status == OK) {
        rcu_set_stall_time(ms * 1000000);
    }
    return status;
}

OPTION(rcu_stall, "MILLISECONDS",
       "report a grace period of RCU that takes longer (10000)",
       rcu_option_stall);

uint64_t
rcu_stall_deadline(uint64_t last)
{
    return last + atomic_load_explicit(&rcu_stall_ns, memory_order_relaxed);
}

static void
rcu_stall_log_trace(const struct backtrace *trace)
{
    struct symtab_entry entry;
    size_t i;

    for (i = 0; i < trace->nr_pcs; i++) {
        if (!backtrace_find(trace, i, &entry)) {
            log_warning("rcu:   #%zu %#lx", i, trace->pcs[i]);
            continue;
        }
        log_warning("rcu:   #%zu %#lx %s+0x%lx %s:%u", i, trace->pcs[i],
                    entry.name, entry.offset,
                    entry.file != NULL ? entry.file : "?", entry.line);
    }
}

static void
rcu_stall_log_cpu(uint32_t cpu)
{
    const struct thread *thread;
    struct backtrace trace;

    thread = READ_ONCE(*percpu_ptr(thread_current, cpu));
    log_warning("rcu: cpu %u does not report: thread \"%s\", %u sections deep",
                cpu, thread->name, READ_ONCE(thread->rcu_depth) & ~RCU_REPORT);
    if (sample_backtrace(cpu, &trace) == OK) {
        rcu_stall_log_trace(&trace);
    }
}

/*
 * @thread  was in the list, and is some thread still
 */
static void
rcu_stall_log_reader(struct thread *thread)
{
    struct backtrace trace = { .nr_pcs = 0 };
    uintptr_t frame;
    uint32_t cpu;
    bool runs;

    cpu = atomic_load_explicit(&thread->cpu, memory_order_relaxed);
    runs = READ_ONCE(thread->state) == THREAD_RUNNING;
    log_warning("rcu: thread \"%s\" on cpu %u is inside a section, %s",
                thread->name, cpu, runs ? "running" : "not running");
    if (runs) {
        if (sample_backtrace(cpu, &trace) != OK) {
            return;
        }
    } else {
        frame = thread_context_frame(READ_ONCE(thread->sp));
        if (frame == 0) {
            return;
        }
        backtrace_take(&trace, 0, frame);
    }
    rcu_stall_log_trace(&trace);
}

/* The first readers that a leaf waits for. */
static size_t
rcu_leaf_get_blocked(struct rcu_node *leaf, struct thread **threads,
                     uint32_t *pending)
{
    struct thread *thread;
    uint64_t flags;
    size_t n;

    n = 0;
    flags = spinlock_lock_irqsave(&leaf->lock);
    *pending = leaf->pending;
    list_for_each_entry (&leaf->blocked, thread, rcu_node) {
        if (n == RCU_STALL_READERS) {
            break;
        }
        threads[n++] = thread;
    }
    spinlock_unlock_irqrestore(&leaf->lock, flags);
    return n;
}

static void
rcu_stall_report_leaf(struct rcu_node *leaf)
{
    struct thread *threads[RCU_STALL_READERS];
    uint32_t pending;
    size_t n, i;

    n = rcu_leaf_get_blocked(leaf, threads, &pending);
    for (i = 0; i < n; i++) {
        rcu_stall_log_reader(threads[i]);
    }
    for (; pending != 0; pending &= pending - 1) {
        rcu_stall_log_cpu(rcu_leaf_first(leaf) +
                          (uint32_t)__builtin_ctz(pending));
    }
}

void
rcu_stall_report(void)
{
    uint32_t i;

    ADD_ONCE(rcu_state.nr_stalls, 1);
    log_warning("rcu: a grace period (%lu) has not ended for %lu ms",
                atomic_load(&rcu_begun),
                (clock_now() - rcu_state.begin_time) / 1000000);
    for (i = 0; i < rcu_state.nr_leaves; i++) {
        rcu_stall_report_leaf(&rcu_state.leaves[i]);
    }
}

static void
rcu_print_node(uint32_t index)
{
    struct thread *threads[RCU_STALL_READERS];
    struct rcu_node *node;
    uint32_t pending;
    size_t n, i;

    node = &rcu_state.nodes[index];
    n = rcu_leaf_get_blocked(node, threads, &pending);
    console_printf("node %u: parent %ld, children %04x, awaited %04x, "
                   "begun %lu, wanted %lu\n",
                   index,
                   node->parent != NULL ? node->parent - rcu_state.nodes : -1,
                   READ_ONCE(node->present), pending, READ_ONCE(node->begun),
                   READ_ONCE(node->wanted));
    for (i = 0; i < n; i++) {
        console_printf("    waits for thread \"%s\"\n", threads[i]->name);
    }
}

static void
rcu_command(int argc __unused, char **argv __unused)
{
    struct rcu_stats stats;
    uint64_t sequence;
    uint32_t cpu, i;

    rcu_stats_get(&stats);
    sequence = atomic_load(&rcu_state.sequence);
    console_printf("sequence %lu, %s; %lu grace periods, %lu expedited, "
                   "%lu stalls\n",
                   sequence, sequence % 2 ? "under way" : "idle",
                   stats.nr_grace_periods, stats.nr_urgent, stats.nr_stalls);
    console_printf("interrupts sent: %lu to readers, %lu to silent CPUs\n",
                   stats.nr_inside, stats.nr_silent);
    console_printf("callbacks: %lu called, at most %u on a CPU, %lu waits\n",
                   stats.nr_called, stats.max_calls, stats.nr_waits);
    for (i = 0; i < rcu_state.nr_nodes; i++) {
        rcu_print_node(i);
    }
    cpu_for_each (cpu) {
        console_printf("cpu %u: %u callbacks, reported %lu, %s\n", cpu,
                       rcu_call_count(cpu),
                       READ_ONCE(percpu_ptr(rcu_own, cpu)->reported),
                       atomic_load(&percpu_ptr(rcu_own, cpu)->active) % 2
                           ? "active"
                           : "quiet");
    }
}

MONITOR_COMMAND(rcu, "", "grace periods of RCU, callbacks, who is awaited",
                rcu_command);
