/* SPDX-License-Identifier: MIT */
/*
 * What CPUs share when programs use the kernel: a thread on each of 2, 4, 8
 * CPUs repeats an operation between marks that tools/lineshare counts by.
 * Figures are printed as those of the kernel's own workloads are.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/neutrino.h>

#include <portolan/calls.h>
#include <portolan/marker.h>

#include "bench.h"

#define SHARING_CPUS    8
#define SHARING_WARM_UP 200
#define SHARING_COUNTED 1000
#define SHARING_TAG     1

#define PAGE ((size_t)PORTOLAN_PAGE_SIZE)
#define RW   (PORTOLAN_SPACE_READ | PORTOLAN_SPACE_WRITE)

/*
 * A thread that works.
 *
 * Keys: all set before it starts, then its own
 */
struct worker {
    _Alignas(64) const struct workload *workload;
    unsigned int cpu;
    uintptr_t memory; /* pages of its own */
    int coid;         /* or another right of its own */
    int chid;
    pthread_t thread;
};

struct workload {
    const char *name;
    bool (*prepare)(struct worker *worker, unsigned int cpu);
    void (*operation)(struct worker *worker);
    void (*finish)(struct worker *worker);
};

static struct worker sharing_workers[SHARING_CPUS];
static pthread_barrier_t sharing_barrier;

/* A place far from those of others, in one space. */
static bool
sharing_prepare_memory(struct worker *worker, unsigned int cpu)
{
    size_t size = (SHARING_WARM_UP + SHARING_COUNTED) * PAGE;
    uintptr_t at = UINT64_C(0x100000000000) + ((uintptr_t)cpu << 39);
    long result = portolan_space_map(PORTOLAN_SELF, at, size,
                                     RW | PORTOLAN_SPACE_FIXED,
                                     PORTOLAN_RIGHT_NONE, 0);

    worker->memory = at;
    return bench_result(result);
}

static void
sharing_finish_memory(struct worker *worker)
{
    portolan_space_unmap(PORTOLAN_SELF,
                         UINT64_C(0x100000000000) +
                             ((uintptr_t)worker->cpu << 39),
                         (SHARING_WARM_UP + SHARING_COUNTED) * PAGE);
}

static void
sharing_map_touch_unmap(struct worker *worker)
{
    portolan_space_map(PORTOLAN_SELF, worker->memory, PAGE,
                       RW | PORTOLAN_SPACE_FIXED, PORTOLAN_RIGHT_NONE, 0);
    *(volatile char *)worker->memory = 1;
    portolan_space_unmap(PORTOLAN_SELF, worker->memory, PAGE);
}

static void
sharing_fault(struct worker *worker)
{
    *(volatile char *)worker->memory = 1;
    worker->memory += PAGE;
}

static void
sharing_protect(struct worker *worker)
{
    portolan_space_protect(PORTOLAN_SELF, worker->memory, PAGE,
                           PORTOLAN_SPACE_READ);
    portolan_space_protect(PORTOLAN_SELF, worker->memory, PAGE, RW);
}

static bool
sharing_prepare_right(struct worker *worker, unsigned int cpu)
{
    (void)cpu;
    portolan_right_policy(PORTOLAN_POLICY_ANY);
    worker->coid = (int)portolan_right_dup(PORTOLAN_RIGHT_OUTPUT, 0, 0);
    return bench_result(worker->coid);
}

static void
sharing_finish_right(struct worker *worker)
{
    portolan_right_close(worker->coid);
    portolan_right_policy(PORTOLAN_POLICY_LOWEST);
}

static void
sharing_dup_close(struct worker *worker)
{
    long name = portolan_right_dup(worker->coid, 0, 0);

    portolan_right_close((int)name);
}

static void
sharing_lookup(struct worker *worker)
{
    struct portolan_right_info info;

    portolan_right_query(worker->coid, &info);
    portolan_right_query(PORTOLAN_RIGHT_OUTPUT, &info);
}

/* A server on a CPU, until its channel is destroyed. */
static void *
sharing_serve(void *arg)
{
    const struct worker *worker = arg;
    int rcvid;

    bench_pin(worker->cpu);
    do {
        rcvid = MsgReceive(worker->chid, NULL, 0, NULL);
        if (rcvid > 0) {
            MsgReply(rcvid, 0, NULL, 0);
        }
    } while (rcvid >= 0);
    return NULL;
}

/* A server and a connection to it. */
static bool
sharing_begin_server(struct worker *worker, unsigned int cpu, int chid)
{
    worker->cpu = cpu;
    worker->chid = chid;
    worker->coid = ConnectAttach(ND_LOCAL_NODE, 0, chid, _NTO_SIDE_CHANNEL, 0);
    return chid >= 0 && worker->coid >= 0 &&
           pthread_create(&worker->thread, NULL, sharing_serve, worker) == 0;
}

static bool
sharing_prepare_pair(struct worker *worker, unsigned int cpu)
{
    return sharing_begin_server(worker, cpu, ChannelCreate(0));
}

static bool
sharing_prepare_one_port(struct worker *worker, unsigned int cpu)
{
    int chid = cpu == 0 ? ChannelCreate(0) : sharing_workers[0].chid;

    return sharing_begin_server(worker, cpu, chid);
}

static void
sharing_finish_server(struct worker *worker)
{
    ConnectDetach(worker->coid);
    ChannelDestroy(worker->chid);
    pthread_join(worker->thread, NULL);
}

static void
sharing_send(struct worker *worker)
{
    MsgSend(worker->coid, NULL, 0, NULL, 0);
}

static const struct workload sharing_workloads[] = {
    { "user.vm.map_touch_unmap", sharing_prepare_memory,
      sharing_map_touch_unmap, sharing_finish_memory },
    { "user.vm.fault", sharing_prepare_memory, sharing_fault,
      sharing_finish_memory },
    { "user.vm.protect", sharing_prepare_memory, sharing_protect,
      sharing_finish_memory },
    { "ipc.pairs", sharing_prepare_pair, sharing_send, sharing_finish_server },
    { "ipc.one_port", sharing_prepare_one_port, sharing_send,
      sharing_finish_server },
    { "rights.lookup", sharing_prepare_right, sharing_lookup,
      sharing_finish_right },
    { "rights.dup_close_any", sharing_prepare_right, sharing_dup_close,
      sharing_finish_right },
};

static void *
sharing_work(void *arg)
{
    struct worker *worker = arg;
    void (*operation)(struct worker *) = worker->workload->operation;

    bench_pin(worker->cpu);
    for (unsigned int i = 0; i < SHARING_WARM_UP; i++) {
        operation(worker);
    }
    pthread_barrier_wait(&sharing_barrier);
    MARKER(MARKER_BEGIN, SHARING_TAG);
    for (unsigned int i = 0; i < SHARING_COUNTED; i++) {
        operation(worker);
        MARKER(MARKER_OP, SHARING_TAG);
    }
    MARKER(MARKER_END, SHARING_TAG);
    pthread_barrier_wait(&sharing_barrier);
    return NULL;
}

/* Run a workload on some CPUs; the first is the caller's. */
static void
sharing_run(const struct workload *workload, unsigned int nr_cpus)
{
    pthread_t threads[SHARING_CPUS];
    unsigned int ready = 0;
    bool is_good = true;

    while (ready < nr_cpus && is_good) {
        struct worker *worker = &sharing_workers[ready];

        worker->workload = workload;
        worker->cpu = ready;
        is_good = workload->prepare(worker, ready);
        ready += is_good;
    }
    if (is_good) {
        pthread_barrier_init(&sharing_barrier, NULL, nr_cpus);
        for (unsigned int i = 1; i < nr_cpus; i++) {
            pthread_create(&threads[i], NULL, sharing_work,
                           &sharing_workers[i]);
        }
        sharing_work(&sharing_workers[0]);
        for (unsigned int i = 1; i < nr_cpus; i++) {
            pthread_join(threads[i], NULL);
        }
        MARKER(MARKER_REPORT, SHARING_TAG);
        MARKER(MARKER_RESET, SHARING_TAG);
        printf("SHARE %s cpus=%u ops=%u\n", workload->name, nr_cpus,
               nr_cpus * SHARING_COUNTED);
    } else {
        printf("# %s: %s\n", workload->name, strerror(errno));
    }
    while (ready > 0) {
        workload->finish(&sharing_workers[--ready]);
    }
}

int
main(void)
{
    struct portolan_sysinfo machine = { .nr_cpus = 1 };

    portolan_sysinfo(&machine);
    for (size_t i = 0;
         i < sizeof(sharing_workloads) / sizeof(sharing_workloads[0]); i++) {
        for (unsigned int n = 2; n <= machine.nr_cpus && n <= SHARING_CPUS;
             n *= 2) {
            sharing_run(&sharing_workloads[i], n);
        }
    }
    return 0;
}
