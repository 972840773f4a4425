/* SPDX-License-Identifier: MIT */
/*
 * System calls: time, the log, the machine, random bytes.
 */
#include <stdatomic.h>

#include <kern/bootmem.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/log.h>
#include <kern/main.h>
#include <kern/page.h>
#include <kern/random.h>
#include <kern/thread.h>
#include <kern/walltime.h>
#include <lib/string.h>
#include <ipc/call_use.h>
#include <ipc/calls.h>
#include <ipc/module.h>
#include <ipc/uthread.h>
#include <portolan/sysinfo.h>

/*
 * Time
 */

/* Clocks; Linux's and QNX's numbers. */
enum call_clock {
    CALL_CLOCK_REALTIME = 0,
    CALL_CLOCK_MONOTONIC = 1,
};

long
call_clock_now(void)
{
    return (long)clock_now();
}

long
call_clock_offset(int clock)
{
    switch (clock) {
    case CALL_CLOCK_REALTIME:
        return walltime_offset() != 0 ? (long)walltime_offset() : CALL_ENXIO;
    case CALL_CLOCK_MONOTONIC:
        return 0;
    default:
        return CALL_EINVAL;
    }
}

long
call_sleep_until(uint64_t deadline)
{
    long error = 0;

    uthread_does(PORTOLAN_THREAD_SLEEPING);
    while (deadline == CLOCK_NEVER || clock_now() < deadline) {
        if (thread_is_ending()) {
            error = CALL_EINTR;
            break;
        }
        thread_park(deadline);
    }
    uthread_does(PORTOLAN_THREAD_READY);
    return error;
}

/*
 * The log
 */

/* Lines of a task: so many at once, and then one each so many nanoseconds. */
#define CALL_LOG_BURST    UINT64_C(100)
#define CALL_LOG_INTERVAL UINT64_C(20000000)

/* Most characters of a line; what is before them fits into the log, too. */
#define CALL_LOG_MAX 180

/*
 * Whether a task may write a line now; if so, it counts.  (The "generic cell
 * rate algorithm": what was written pays for time up to log_time.)
 */
static bool
call_log_is_allowed(struct task *task)
{
    uint64_t now = clock_now();
    uint64_t last = atomic_load_explicit(&task->log_time, memory_order_relaxed);
    uint64_t next;

    do {
        next = MAX(last, now) + CALL_LOG_INTERVAL;
        if (next > now + CALL_LOG_BURST * CALL_LOG_INTERVAL) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&task->log_time, &last,
                                                    next, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

/* Make a text one line of printable characters. */
static void
call_log_clean(char *text, size_t size)
{
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\0')) {
        size--;
    }
    for (size_t i = 0; i < size; i++) {
        text[i] = text[i] < ' ' || text[i] > '~' ? '?' : text[i];
    }
    text[size] = '\0';
}

long
call_debug_log(uintptr_t text, size_t bytes)
{
    struct task *self = task_self();
    char line[CALL_LOG_MAX + 1];

    bytes = MIN(bytes, (size_t)CALL_LOG_MAX);
    if (call_copy_in(line, text, bytes) != 0) {
        return CALL_EFAULT;
    }
    if (!call_log_is_allowed(self)) {
        return CALL_EAGAIN;
    }
    call_log_clean(line, bytes);
    log_info("task: %s (%d): %s", self->object.name, self->pid, line);
    return 0;
}

/*
 * The machine
 */

long
call_sysinfo(uintptr_t to)
{
    struct portolan_sysinfo info = {
        .nr_cpus = cpu_nr_online(),
        .nr_modules = (uint32_t)module_nr(),
        .memory = bootmem_ram_size(),
        .uptime = clock_now(),
        .tsc_frequency = clock_frequency(),
        .nr_tasks = task_nr(),
        .nr_threads = uthread_nr(),
    };

    info.memory_used = info.memory - page_nr_free() * PAGE_SIZE;
    strlcpy(info.version, main_version, sizeof(info.version));
    return call_copy_out(to, &info, sizeof(info));
}

/*
 * Random bytes
 */

/* Bytes made at a time. */
#define CALL_RANDOM_PART 256

long
call_random(uintptr_t data, size_t bytes)
{
    uint8_t part[CALL_RANDOM_PART];
    long error = 0;

    while (bytes > 0 && error == 0) {
        size_t size = MIN(bytes, sizeof(part));

        if (thread_is_ending()) {
            error = CALL_EINTR;
            break;
        }
        random_fill(part, size);
        error = call_copy_out(data, part, size);
        data += size;
        bytes -= size;
    }
    memset(part, 0, sizeof(part));
    barrier();
    return error;
}
