/* SPDX-License-Identifier: MIT */
/*
 * Torture of tasks and threads: several threads of one task, on all CPUs,
 * create threads and tasks, and join, suspend, rename, schedule and kill what
 * they and others have made, at random.  Afterwards all sums must be exact.
 */
#include <stdatomic.h>

#include <arch/user_copy.h>
#include <lib/rand.h>
#include <ipc/calls.h>
#include <test/ipc/peer.h>
#include <test/ipc/program.h>
#include <test/test.h>

#define TORTURE_WORKERS 4

/* For one of iterations=. */
#define TORTURE_ROUNDS 60

/* Threads of a worker that have not been joined. */
#define TORTURE_THREADS 4

/* Tids that are tried, behind those of workers and keeper. */
#define TORTURE_TIDS_BEGIN (TORTURE_WORKERS + 2)
#define TORTURE_TIDS       24

/*
 * One of those who do it.  Its own, until it is joined; @failures is looked at
 * then.
 */
struct torture_worker {
    struct peer peer;
    const atomic_bool *may_begin; /* all have their tids */
    struct rand rand;
    uint64_t rounds;
    uintptr_t memory; /* a page of the task's */
    int32_t tids[TORTURE_THREADS];
    uint64_t statuses[TORTURE_THREADS];
    uint32_t nr_threads;
    uint64_t sum;      /* of what its threads add */
    uint32_t failures; /* results that cannot be */
};

static void
worker_check(struct torture_worker *worker, bool holds)
{
    worker->failures += !holds;
}

static uint32_t
worker_choose(struct torture_worker *worker, uint32_t nr)
{
    return (uint32_t)rand_below(&worker->rand, nr);
}

/* Where the sum is to which all add: behind what others use. */
#define TORTURE_SUM (PROGRAM_DATA + 8)

/* A thread that adds something, and ends with that. */
static void
torture_create(struct torture_worker *worker)
{
    uint64_t value = 1 + worker_choose(worker, 1000);
    struct portolan_thread_params params =
        program_params(program_add, TORTURE_SUM, value, 0);
    long tid;

    if (worker->nr_threads == TORTURE_THREADS) {
        return;
    }
    tid = program_create(worker->memory, &params);
    worker_check(worker, tid > 0);
    if (tid > 0) {
        worker->tids[worker->nr_threads] = (int32_t)tid;
        worker->statuses[worker->nr_threads++] = value;
        worker->sum += value;
    }
}

/* The same, but nobody joins it. */
static void
torture_create_detached(struct torture_worker *worker)
{
    uint64_t value = 1 + worker_choose(worker, 1000);
    struct portolan_thread_params params =
        program_params(program_add, TORTURE_SUM, value, 0);

    params.flags = PORTOLAN_THREAD_DETACHED;
    worker_check(worker, program_create(worker->memory, &params) > 0);
    worker->sum += value;
}

/* Join the last one, for ever or for a while. */
static void
torture_join(struct torture_worker *worker)
{
    uint64_t wait = clock_now() + worker_choose(worker, 200000);
    uint32_t last = worker->nr_threads - 1;
    uintptr_t at = worker->memory;
    long result;

    if (worker->nr_threads == 0) {
        return;
    }
    result = call_thread_join(worker->tids[last], at,
                              worker_choose(worker, 2) ? CLOCK_NEVER : wait);
    if (result == CALL_ETIMEDOUT) {
        return;
    }
    worker_check(worker, result == 0);
    worker_check(worker, call_fixture_read(at) == worker->statuses[last]);
    worker->nr_threads--;
}

/* Do something to whoever has some number, if somebody has. */
static void
torture_disturb(struct torture_worker *worker)
{
    int32_t tid = TORTURE_WORKERS + 1 +
                  (int32_t)worker_choose(worker, TORTURE_TIDS);
    int32_t policy = (int32_t)worker_choose(worker, 3);
    long result;

    switch (worker_choose(worker, 4)) {
    case 0:
        result = call_thread_set_sched(CALL_SELF, tid, policy, 1);
        break;
    case 1:
        result = call_thread_info(CALL_SELF, tid, worker->memory);
        break;
    case 2:
        result = call_thread_set_name(CALL_SELF, tid, PROGRAM_VA, 8);
        break;
    default:
        result = user_write_u64(worker->memory, UINT64_MAX) == OK
                     ? call_thread_set_affinity(CALL_SELF, tid, worker->memory,
                                                sizeof(uint64_t))
                     : CALL_EFAULT;
        break;
    }
    worker_check(worker, result == 0 || result == CALL_ESRCH);
}

/* Stop somebody, and let it go on. */
static void
torture_suspend(struct torture_worker *worker)
{
    int32_t tid = TORTURE_WORKERS + 1 +
                  (int32_t)worker_choose(worker, TORTURE_TIDS);
    long right = call_thread_open(CALL_SELF, tid, 0, 0);

    if (right < 0) {
        worker_check(worker, right == CALL_ESRCH);
        return;
    }
    worker_check(worker, call_thread_suspend((uint32_t)right, 0) == 0);
    test_pause();
    worker_check(worker, call_thread_resume((uint32_t)right, 0) == 0);
    worker_check(worker, call_right_close((uint32_t)right) == 0);
}

/* What a task's first thread does. */
static struct portolan_thread_params
torture_first(struct torture_worker *worker)
{
    static const char *const codes[] = { program_spin, program_sleep,
                                         program_fault, program_task_exit,
                                         program_exit };
    const char *code = codes[worker_choose(worker, ARRAY_SIZE(codes))];

    return program_params(code, PROGRAM_DATA, 0, 0);
}

/* A task that is killed before, while or after it runs. */
static void
torture_task(struct torture_worker *worker)
{
    uint32_t task = program_task(worker->memory);
    struct portolan_thread_params params = torture_first(worker);
    long result = 0;

    if (worker_choose(worker, 8) != 0) {
        result = program_start(task, worker->memory, &params);
        /* Somebody else may have met it. */
        worker_check(worker, result == 1 || result == CALL_EBUSY ||
                                 result == CALL_ESRCH);
    }
    if (worker_choose(worker, 2)) {
        test_pause();
    }
    worker_check(worker, call_task_kill(task, 1) == 0);
    result = call_task_wait(task, worker->memory, CLOCK_NEVER);
    worker_check(worker, result == 0);
    worker_check(worker, call_right_close(task) == 0);
}

/* Find the task of somebody else, look at it, and start it once more. */
static void
torture_meet(struct torture_worker *worker)
{
    struct portolan_thread_params params = torture_first(worker);
    struct task *task = task_find_next(worker->peer.of->task->pid + 1);
    long right, result;

    if (task == NULL) {
        return;
    }
    right = call_task_open(task->pid, 0, 0);
    task_put(task);
    if (right < 0) {
        worker_check(worker, right == CALL_ESRCH);
        return;
    }
    result = call_task_info((uint32_t)right, worker->memory);
    worker_check(worker, result == 0);
    result = program_start((uint32_t)right, worker->memory, &params);
    worker_check(worker,
                 result == 1 || result == CALL_EBUSY || result == CALL_ESRCH);
    worker_check(worker, call_task_kill((uint32_t)right, 2) == 0);
    worker_check(worker, call_right_close((uint32_t)right) == 0);
}

static void (*const torture_actions[])(struct torture_worker *worker) = {
    torture_create, torture_create,  torture_create_detached, torture_join,
    torture_join,   torture_disturb, torture_disturb,         torture_suspend,
    torture_task,   torture_meet,
};

static long
worker_main(struct peer *self)
{
    struct torture_worker *worker = self->arg;

    while (!atomic_load(worker->may_begin)) {
        test_pause();
    }
    for (uint64_t i = 0; i < worker->rounds; i++) {
        uint32_t which = worker_choose(worker, ARRAY_SIZE(torture_actions));

        torture_actions[which](worker);
    }
    while (worker->nr_threads > 0) {
        torture_join(worker);
    }
    return 0;
}

/*
 * Keeps the task from ending with its last thread, and looks at the sum in the
 * end: @is_over is set when @sum says what it has to be.
 */
struct torture_keeper {
    struct peer peer;
    atomic_bool may_begin; /* workers */
    atomic_bool is_over;
    uint64_t sum;
};

/* Returns: whether the sum is right, soon: some threads nobody joins */
static long
keeper_main(struct peer *self)
{
    struct torture_keeper *keeper = self->arg;

    while (!atomic_load(&keeper->is_over)) {
        test_pause();
    }
    return PROGRAM_WAIT(call_fixture_read(TORTURE_SUM) == keeper->sum);
}

static void
worker_start(struct torture_worker *worker, struct test *t,
             struct torture_keeper *keeper, uint32_t nr)
{
    *worker = (struct torture_worker){
        .peer = { .of = keeper->peer.of, .fn = worker_main, .arg = worker },
        .may_begin = &keeper->may_begin,
        .rounds = TORTURE_ROUNDS * t->iterations,
        .memory = keeper->peer.of->memory + nr * PAGE_SIZE,
    };
    rand_init(&worker->rand, rand_u64(&t->rand));
    peer_start(&worker->peer, NULL);
}

/* Whether all threads of programs that began since have ended. */
static bool
torture_has_ended(uint32_t nr_tasks, uint32_t nr_threads)
{
    return PROGRAM_WAIT(task_nr() == nr_tasks && uthread_nr() == nr_threads);
}

TEST(task_torture, sums_are_exact)
{
    uint32_t nr_tasks = task_nr(), nr_threads = uthread_nr();
    struct peer_task *of = peer_task_make(t);
    struct torture_worker workers[TORTURE_WORKERS];
    struct torture_keeper keeper = {
        .peer = { .of = of, .fn = keeper_main, .arg = &keeper },
    };

    program_load(of->task);
    peer_start(&keeper.peer, NULL);
    for (uint32_t i = 0; i < TORTURE_WORKERS; i++) {
        worker_start(&workers[i], t, &keeper, i);
    }
    atomic_store(&keeper.may_begin, true);
    for (uint32_t i = 0; i < TORTURE_WORKERS; i++) {
        peer_join(&workers[i].peer);
        EXPECT_EQ(workers[i].failures, 0);
        keeper.sum += workers[i].sum;
    }
    atomic_store(&keeper.is_over, true);
    EXPECT(peer_join(&keeper.peer));
    peer_task_destroy(of);
    EXPECT(torture_has_ended(nr_tasks, nr_threads));
}
