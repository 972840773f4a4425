/* SPDX-License-Identifier: MIT */
/*
 * Memory objects that many threads use at the same time.
 */
#include <stdatomic.h>

#include <kern/all_cpus.h>
#include <kern/cpu.h>
#include <kern/thread.h>
#include <lib/string.h>
#include <test/vm/object_fixture.h>
#include <vm/object.h>

#define TORTURE_INDEXES 300
#define TORTURE_THREADS 5

/*
 * Keys: [c] constant while others run   [a] atomic
 */
struct torture {
    struct vm_object *object;                /* [c] */
    struct thread *threads[TORTURE_THREADS]; /* the test's */
    _Atomic uint64_t phys[TORTURE_INDEXES];  /* [a] first frame that was seen */
    atomic_uint nr_bad;                      /* [a] */
    atomic_bool stop;                        /* [a] */
    uint64_t seed;                           /* [c] */
    atomic_uint nr_begun;                    /* [a] */
};

/* Begin to have threads work on an object. */
static void
torture_start(struct torture *torture, struct vm_object *object, uint64_t seed,
              thread_fn_t fn)
{
    memset(torture, 0, sizeof(*torture));
    torture->object = object;
    torture->seed = seed;
    for (size_t i = 0; i < TORTURE_THREADS; i++) {
        torture->threads[i] = thread_create("torture", fn, torture, NULL);
        verify(torture->threads[i] != NULL);
    }
}

static void
torture_stop(struct torture *torture)
{
    atomic_store(&torture->stop, true);
    for (size_t i = 0; i < TORTURE_THREADS; i++) {
        thread_join(torture->threads[i]);
    }
}

/* Each CPU asks for all pages, in an order of its own. */
static void
torture_ask_for_all(void *arg)
{
    struct torture *torture = arg;
    uint32_t start = cpu_id() * 7;

    for (uint32_t i = 0; i < TORTURE_INDEXES; i++) {
        uint32_t index = (start + i * 7) % TORTURE_INDEXES;
        uint64_t expected = 0;
        struct object_frame frame;

        if (object_get_frame(torture->object, index, true, &frame) != OK) {
            atomic_fetch_add(&torture->nr_bad, 1);
        } else if (!atomic_compare_exchange_strong(&torture->phys[index],
                                                   &expected, frame.phys) &&
                   expected != frame.phys) {
            atomic_fetch_add(&torture->nr_bad, 1);
        }
    }
}

TEST(object, all_cpus_at_once_get_one_page)
{
    struct object_fixture *fixture = anon_fixture_create(t);
    static struct torture torture;

    memset(&torture, 0, sizeof(torture));
    torture.object = fixture->object;
    ASSERT(object_resize(fixture->object, TORTURE_INDEXES) == OK);
    all_cpus_run(torture_ask_for_all, &torture);
    EXPECT_EQ(atomic_load(&torture.nr_bad), 0);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES),
              TORTURE_INDEXES);
}

/*
 * As a mapping: write into pages, and see that nobody else has them while the
 * mapping lasts, whatever becomes of the object's size.
 */
static void
torture_map_round(struct torture *torture, struct rand *rand, uint64_t mark)
{
    uint64_t *pages[16];

    object_attach(torture->object);
    for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
        pages[i] =
            object_page_ptr(torture->object, rand_below(rand, TORTURE_INDEXES));
        if (pages[i] != NULL) {
            pages[i][mark] = mark;
        }
    }
    thread_sleep(rand_below(rand, 100000));
    for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
        if (pages[i] != NULL && pages[i][mark] != mark) {
            atomic_fetch_add(&torture->nr_bad, 1);
        }
    }
    object_detach(torture->object);
}

static void
torture_map_run(void *arg)
{
    struct torture *torture = arg;
    uint64_t mark = atomic_fetch_add(&torture->nr_begun, 1) + 1;
    struct rand rand;

    rand_init(&rand, torture->seed + mark);
    while (!atomic_load(&torture->stop)) {
        torture_map_round(torture, &rand, mark);
    }
}

TEST(object, torture_resize_while_mapped)
{
    struct object_fixture *fixture = anon_fixture_create(t);
    static struct torture torture;

    torture_start(&torture, fixture->object, rand_u64(&t->rand),
                  torture_map_run);
    for (uint64_t i = 0; i < 20 * t->iterations; i++) {
        EXPECT_EQ(object_resize(fixture->object,
                                rand_below(&t->rand, TORTURE_INDEXES + 1)),
                  OK);
        thread_sleep(rand_below(&t->rand, 200000));
    }
    torture_stop(&torture);
    EXPECT_EQ(atomic_load(&torture.nr_bad), 0);
    EXPECT_EQ(object_resize(fixture->object, 0), OK);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), 0);
}

/* Create, publish, find, fill and forget objects of one name. */
static void
torture_names_run(void *arg)
{
    struct torture *torture = arg;
    struct container *container = torture->object->container;

    while (!atomic_load(&torture->stop)) {
        struct vm_object *object;

        if (object_create_anon(&object, container, "torture", 10) != OK) {
            atomic_fetch_add(&torture->nr_bad, 1);
            return;
        }
        if (object_publish(object, "/torture") != OK) {
            object_put(object);
            if (object_open(&object, "/torture") != OK) {
                continue;
            }
            (void)object_unlink("/torture");
        }
        if (object_page_ptr(object, 3) == NULL) {
            atomic_fetch_add(&torture->nr_bad, 1);
        }
        object_put(object);
        cpu_pause();
    }
}

TEST(object, torture_names)
{
    struct object_fixture *fixture = anon_fixture_create(t);
    static struct torture torture;

    torture_start(&torture, fixture->object, 0, torture_names_run);
    thread_sleep(UINT64_C(20000000) * t->iterations);
    torture_stop(&torture);
    EXPECT_EQ(atomic_load(&torture.nr_bad), 0);
    (void)object_unlink("/torture");
}
