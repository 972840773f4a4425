/* SPDX-License-Identifier: MIT */
/*
 * The console thread: prints what others may not, since they cannot wait.
 */
#include <stddef.h>

#include <kern/clock.h>
#include <kern/console.h>
#include <kern/init.h>
#include <kern/log.h>
#include <kern/sanitizer.h>
#include <kern/thread.h>
#include <kern/xcall.h>

/* How long to wait for another thread that prints, nanoseconds. */
#define CONSOLE_RELAX_NS UINT64_C(200000)

/* Constant once it exists. */
static struct thread *console_thread;

static void
console_thread_run(void *arg __unused)
{
    for (;;) {
        log_print();
        sanitizer_flush();
        console_flush();
        thread_park(CLOCK_NEVER);
    }
}

static void
console_thread_unpark(void *arg __unused)
{
    thread_unpark(console_thread);
}

/* Who logs may hold any lock, so the thread is woken by an interrupt. */
static void
console_thread_wake(void)
{
    static struct xcall call = XCALL_POSTED(console_thread_unpark);

    xcall_post(&call);
}

static void
console_thread_relax(void)
{
    thread_sleep(CONSOLE_RELAX_NS);
}

static const struct console_threads console_thread_hooks = {
    .wake = console_thread_wake,
    .relax = console_thread_relax,
};

static status_t
console_thread_setup(void)
{
    console_thread = thread_create("console", console_thread_run, NULL, NULL);
    if (console_thread == NULL) {
        return ERR_NO_MEMORY;
    }
    console_use_threads(&console_thread_hooks);
    return OK;
}

INIT_OP(console_thread_setup, INIT_BOOT_CPU, AFTER(thread_setup));
