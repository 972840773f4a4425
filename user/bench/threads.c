/* SPDX-License-Identifier: MIT */
/*
 * thread.create_join, thread.switch, task.spawn_exit.  The program is a boot
 * module, which it starts again for the last one.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <portolan/calls.h>
#include <portolan/spawn.h>

#include "bench.h"

/* Starting a program takes long; this many are enough. */
#define SPAWNED 1000

static void *
threads_nothing(void *arg)
{
    return arg;
}

static int
threads_create_join(void *arg)
{
    pthread_t thread;

    errno = pthread_create(&thread, NULL, threads_nothing, arg);
    return errno == 0 && pthread_join(thread, NULL) == 0;
}

static atomic_bool threads_stop;

static void *
threads_yield(void *arg)
{
    bench_pin(0);
    while (!atomic_load_explicit(&threads_stop, memory_order_relaxed)) {
        portolan_thread_yield();
    }
    return arg;
}

/* To the other thread and back again: two switches. */
static int
threads_switch(void *arg)
{
    (void)arg;
    return bench_result(portolan_thread_yield());
}

static void
threads_bench_switch(void)
{
    pthread_t other;

    bench_pin(0);
    if (pthread_create(&other, NULL, threads_yield, NULL) != 0) {
        printf("# thread.switch: no thread\n");
        return;
    }
    bench_run("thread.switch_and_back", threads_switch, NULL);
    atomic_store(&threads_stop, true);
    pthread_join(other, NULL);
}

static int
threads_spawn_exit(void *arg)
{
    int task = portolan_spawn(arg);

    return bench_result(task) && bench_result(portolan_spawn_wait(task));
}

static void
threads_bench_spawn(char *self)
{
    char *argv[] = { self, "exit", NULL };
    struct portolan_module_info info;
    struct portolan_spawn how = {
        .memory = portolan_module_find(PORTOLAN_RIGHT_BOOTSTRAP, self, &info),
        .name = self,
        .argv = argv,
        .container = PORTOLAN_SELF,
    };

    if (how.memory < 0) {
        printf("# task.spawn_exit: %s\n", strerror(-how.memory));
        return;
    }
    how.size = info.size;
    bench_count("task.spawn_exit", threads_spawn_exit, &how, SPAWNED);
}

int
main(int argc, char **argv)
{
    if (argc > 1) {
        return 0;
    }
    bench_run("thread.create_join", threads_create_join, NULL);
    threads_bench_switch();
    if (argc > 0) {
        threads_bench_spawn(argv[0]);
    }
    return 0;
}
