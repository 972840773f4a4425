/* SPDX-License-Identifier: MIT */
/*
 * ipc.rtt.*: messages to a thread of the same space, and of another one, which
 * is the same program, a boot module, started again; with MsgReceive() and
 * MsgReply(), and with both in one call.
 *
 * The server's channels are its first: 1 and 2.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/neutrino.h>

#include <portolan/calls.h>
#include <portolan/spawn.h>

#include "bench.h"

#define IPC_MAX     65536
#define IPC_PLAIN   1 /* chid */
#define IPC_AT_ONCE 2

static const size_t ipc_sizes[] = { 0, 8, 32, 64, 512, 4096, 65536 };
static const size_t ipc_reads[] = { 64, 4096, 65536 };

static unsigned int ipc_server_cpu;

/* A round trip. */
struct trip {
    int coid;
    size_t sent;
    size_t replied;
    char *buffer;
};

static int
ipc_trip(void *arg)
{
    const struct trip *trip = arg;

    return MsgSend(trip->coid, trip->buffer, trip->sent, trip->buffer,
                   trip->replied) >= 0;
}

/* Replies have as many bytes as there is room for. */
static void *
ipc_serve(void *arg)
{
    static char buffer[IPC_MAX];
    int rcvid;

    bench_pin(ipc_server_cpu);
    for (;;) {
        rcvid = MsgReceive(IPC_PLAIN, buffer, sizeof(buffer), NULL);
        if (rcvid < 0) {
            return arg;
        }
        MsgReply(rcvid, 0, buffer, sizeof(buffer));
    }
}

static void *
ipc_serve_at_once(void *arg)
{
    static char buffer[IPC_MAX];
    const struct portolan_msg_receive receive = {
        .chid = IPC_AT_ONCE,
        .msg = (uintptr_t)buffer,
        .size = sizeof(buffer),
    };
    long rcvid = 0;

    bench_pin(ipc_server_cpu);
    do {
        rcvid = portolan_msg_reply_receive((int)rcvid, 0, buffer,
                                           sizeof(buffer), &receive, NULL);
    } while (rcvid >= 0);
    return arg;
}

/* Make both channels, and a thread for each. */
static bool
ipc_begin_server(void)
{
    pthread_t threads[2];

    return ChannelCreate(0) == IPC_PLAIN && ChannelCreate(0) == IPC_AT_ONCE &&
           pthread_create(&threads[0], NULL, ipc_serve, NULL) == 0 &&
           pthread_create(&threads[1], NULL, ipc_serve_at_once, NULL) == 0;
}

static void
ipc_bench(const char *where, const char *how, struct trip *trip)
{
    char name[64];

    if (trip->sent == 0 && trip->replied != 0) {
        snprintf(name, sizeof(name), "ipc.rtt.%s.%s0.%zu", where, how,
                 trip->replied);
    } else {
        snprintf(name, sizeof(name), "ipc.rtt.%s.%s%zu", where, how,
                 trip->sent);
    }
    bench_run(name, ipc_trip, trip);
}

/* All sizes to one channel. */
static void
ipc_bench_channel(const char *where, const char *how, int pid, int chid)
{
    static char buffer[IPC_MAX];
    struct trip trip = { .buffer = buffer };

    trip.coid = ConnectAttach(ND_LOCAL_NODE, pid, chid, _NTO_SIDE_CHANNEL, 0);
    if (trip.coid < 0) {
        printf("# ipc.rtt.%s: %s\n", where, strerror(errno));
        return;
    }
    for (size_t i = 0; i < sizeof(ipc_sizes) / sizeof(ipc_sizes[0]); i++) {
        trip.sent = trip.replied = ipc_sizes[i];
        ipc_bench(where, how, &trip);
    }
    trip.sent = 0;
    for (size_t i = 0; i < sizeof(ipc_reads) / sizeof(ipc_reads[0]); i++) {
        trip.replied = ipc_reads[i];
        ipc_bench(where, how, &trip);
    }
    ConnectDetach(trip.coid);
}

static void
ipc_bench_both(const char *where, int pid)
{
    ipc_bench_channel(where, "", pid, IPC_PLAIN);
    ipc_bench_channel(where, "reply_receive.", pid, IPC_AT_ONCE);
}

/* Start the program as a server on a CPU; a right to its task. */
static int
ipc_spawn(char *self, char *cpu, int *pid)
{
    char *argv[] = { self, "server", cpu, NULL };
    const struct portolan_task_right rights[] = {
        { PORTOLAN_RIGHT_OUTPUT, PORTOLAN_RIGHT_OUTPUT, 0 },
    };
    struct portolan_module_info info;
    struct portolan_task_info task_info;
    struct portolan_spawn how = {
        .memory = portolan_module_find(PORTOLAN_RIGHT_BOOTSTRAP, self, &info),
        .name = self,
        .argv = argv,
        .rights = rights,
        .nr_rights = 1,
        .container = PORTOLAN_SELF,
    };
    int task;

    if (how.memory < 0) {
        return how.memory;
    }
    how.size = info.size;
    task = portolan_spawn(&how);
    portolan_right_close(how.memory);
    if (task >= 0 && portolan_task_info(task, &task_info) >= 0) {
        *pid = task_info.pid;
    }
    return task;
}

/* Wait until the server has its channels. */
static bool
ipc_await(int pid)
{
    for (int i = 0; i < 1000; i++) {
        int coid = ConnectAttach(ND_LOCAL_NODE, pid, IPC_AT_ONCE,
                                 _NTO_SIDE_CHANNEL, 0);

        if (coid >= 0) {
            ConnectDetach(coid);
            return true;
        }
        portolan_sleep_until((uint64_t)portolan_clock_now() + 1000000);
    }
    return false;
}

static void
ipc_bench_spaces(char *self, char *cpu, const char *where)
{
    int pid = 0;
    int task = ipc_spawn(self, cpu, &pid);

    if (task < 0 || !ipc_await(pid)) {
        printf("# ipc.rtt.%s: no server: %s\n", where,
               strerror(task < 0 ? -task : ESRCH));
        return;
    }
    ipc_bench_both(where, pid);
    portolan_task_kill(task, 0);
    portolan_spawn_wait(task);
}

static int
ipc_be_server(const char *cpu)
{
    ipc_server_cpu = (unsigned int)atoi(cpu);
    if (!ipc_begin_server()) {
        return 1;
    }
    pthread_exit(NULL);
}

int
main(int argc, char **argv)
{
    struct portolan_sysinfo machine;

    if (argc > 2) {
        return ipc_be_server(argv[2]);
    }
    bench_pin(0);
    if (ipc_begin_server()) {
        ipc_bench_both("same_space", 0);
    }
    if (argc < 1) {
        return 1;
    }
    ipc_bench_spaces(argv[0], "0", "two_spaces");
    if (portolan_sysinfo(&machine) >= 0 && machine.nr_cpus > 1) {
        ipc_bench_spaces(argv[0], "1", "two_cpus");
    }
    return 0;
}
