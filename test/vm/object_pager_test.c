/* SPDX-License-Identifier: MIT */
/*
 * Memory objects whose pages have to be waited for.
 */
#include <kern/page.h>
#include <kern/thread.h>
#include <kern/waitq.h>
#include <test/vm/object_fixture.h>
#include <vm/object.h>

/*
 * A pager that has to be asked, and answers when the test says.
 *
 * Keys: [W] lock of the queue
 */
struct pager_object {
    struct vm_object object;
    struct waitq waiters;
    struct page *page;    /* [W] of any index; NULL: not there yet */
    bool is_broken;       /* [W] */
    atomic_uint nr_asked; /* times that the page was not there */
};

static struct pager_object *
pager_of(struct vm_object *object)
{
    return container_of(object, struct pager_object, object);
}

static status_t
pager_get_frame(struct vm_object *object, uint64_t index __unused,
                bool is_write __unused, struct object_frame *frame)
{
    struct pager_object *pager = pager_of(object);
    status_t status = ERR_AGAIN;
    uint64_t flags;

    flags = waitq_lock(&pager->waiters);
    if (pager->is_broken) {
        status = ERR_IO;
    } else if (pager->page != NULL) {
        *frame = (struct object_frame){ page_phys(pager->page), PMAP_WB };
        status = OK;
    }
    waitq_unlock(&pager->waiters, flags);
    atomic_fetch_add(&pager->nr_asked, status == ERR_AGAIN);
    return status;
}

static status_t
pager_wait(struct vm_object *object, uint64_t index __unused, uint64_t deadline)
{
    struct pager_object *pager = pager_of(object);
    uint64_t flags;

    flags = waitq_lock(&pager->waiters);
    if (pager->page != NULL || pager->is_broken) {
        waitq_unlock(&pager->waiters, flags);
        return OK;
    }
    return waitq_wait_locked(&pager->waiters, flags, deadline);
}

static void
pager_answer(struct pager_object *pager, struct page *page)
{
    uint64_t flags;

    flags = waitq_lock(&pager->waiters);
    pager->page = page;
    pager->is_broken = page == NULL;
    waitq_unlock(&pager->waiters, flags);
    waitq_wake_all(&pager->waiters);
}

static void
pager_destroy(struct vm_object *object)
{
    if (pager_of(object)->page != NULL) {
        page_free(pager_of(object)->page, 0);
    }
}

static const struct object_ops pager_ops = {
    .kind = "pager",
    .size = sizeof(struct pager_object),
    .is_memory = true,
    .get_frame = pager_get_frame,
    .wait = pager_wait,
    .destroy = pager_destroy,
};

struct pager_test {
    struct vm_space *space;
    struct thread *thread;
    uint64_t value;
    status_t status;
};

static void
pager_test_read(void *arg)
{
    struct pager_test *test = arg;

    space_use(test->space);
    test->status = user_read_u64(FIXTURE_VA, &test->value);
    space_use(NULL);
}

/* Have a thread read from a mapping of the object, and wait until it waits. */
static void
pager_test_begin(struct pager_test *test, struct space_fixture *space,
                 struct vm_object *object)
{
    verify(object_test_map(space, object, FIXTURE_VA, 0) == OK);
    test->space = space->space;
    test->value = 0;
    test->thread = thread_create("reader", pager_test_read, test, NULL);
    verify(test->thread != NULL);
    while (atomic_load(&pager_of(object)->nr_asked) == 0) {
        test_pause();
    }
}

static struct object_fixture *
pager_fixture_create(struct test *t)
{
    struct object_fixture *fixture = object_fixture_create(t);

    verify(object_create(&fixture->object, &pager_ops, fixture->container,
                         "pager", 10) == OK);
    waitq_init(&pager_of(fixture->object)->waiters);
    return fixture;
}

/* A page whose first word is a value. */
static struct page *
pager_page_create(uint64_t value)
{
    struct page *page = page_alloc(0, PAGE_ZERO);

    verify(page != NULL);
    *(uint64_t *)page_ptr(page) = value;
    return page;
}

TEST(object, fault_waits_for_the_pager)
{
    struct object_fixture *fixture = pager_fixture_create(t);
    struct space_fixture *space = space_fixture_create(t);
    struct page *page = pager_page_create(99);
    struct pager_test test;

    pager_test_begin(&test, space, fixture->object);
    pager_answer(pager_of(fixture->object), page);
    thread_join(test.thread);
    EXPECT_EQ(test.status, OK);
    EXPECT_EQ(test.value, 99);
}

TEST(object, pager_may_fail)
{
    struct object_fixture *fixture = pager_fixture_create(t);
    struct space_fixture *space = space_fixture_create(t);
    struct pager_test test;

    pager_test_begin(&test, space, fixture->object);
    pager_answer(pager_of(fixture->object), NULL);
    thread_join(test.thread);
    EXPECT_EQ(test.status, ERR_FAULT);
}

/* Who waits for a pager has no slot locked: the mapping can be replaced. */
TEST(object, mapping_is_replaced_while_the_pager_works)
{
    struct object_fixture *fixture = pager_fixture_create(t);
    struct space_fixture *space = space_fixture_create(t);
    struct page *page = pager_page_create(99);
    struct pager_test test;

    pager_test_begin(&test, space, fixture->object);
    EXPECT_EQ(space_unmap(space->space, FIXTURE_VA, 4 * PAGE_SIZE), OK);
    EXPECT_EQ(fixture_map(space, FIXTURE_VA, PAGE_SIZE, PROT_RW), OK);
    EXPECT_EQ(user_write_u64(FIXTURE_VA, 55), OK);
    pager_answer(pager_of(fixture->object), page);
    thread_join(test.thread);
    EXPECT_EQ(test.status, OK);
    EXPECT_EQ(test.value, 55);
}
