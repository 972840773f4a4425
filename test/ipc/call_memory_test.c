/* SPDX-License-Identifier: MIT */
/*
 * System calls of memory objects, as programs see them.
 */
#include <arch/user_copy.h>
#include <kern/bootmem.h>
#include <kern/fail.h>
#include <kern/page.h>
#include <lib/string.h>
#include <ipc/bootstrap.h>
#include <ipc/calls.h>
#include <ipc/memory_object.h>
#include <ipc/module.h>
#include <portolan/space.h>
#include <test/ipc/call_fixture.h>
#include <test/test.h>
#include <test/vm/object_fixture.h>

#define RW (PORTOLAN_SPACE_READ | PORTOLAN_SPACE_WRITE)

/* More places than any call here has that allocate. */
#define SITES 50

static struct portolan_memory_info
info_of(struct task_fixture *fixture, long right)
{
    struct portolan_memory_info info;

    verify(right >= 0);
    verify(call_memory_info((uint32_t)right, fixture->memory) == 0);
    verify(user_copy_in(&info, fixture->memory, sizeof(info)) == 0);
    return info;
}

/* ---------------------------------------------------------- memory_create */

TEST(call_memory, object_is_made_of_zeros)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint64_t used = container_used(fixture->container, CONTAINER_PAGES);
    long right = call_memory_create(5 * PAGE_SIZE, 0, 0, 0);
    struct portolan_memory_info info = info_of(fixture, right);
    long at;

    EXPECT_EQ(info.size, 5 * PAGE_SIZE);
    EXPECT_EQ(info.resident, 0);
    EXPECT_EQ(info.flags, 0);
    EXPECT_STREQ(info.name, "memory");
    at = call_space_map(CALL_SELF, 0, 5 * PAGE_SIZE, RW, (uint32_t)right, 0);
    ASSERT(at > 0);
    EXPECT_EQ(call_fixture_read((uintptr_t)at + 4 * PAGE_SIZE), 0);
    EXPECT_EQ(info_of(fixture, right).resident, PAGE_SIZE);
    /* The page of the object, and that of the caller's buffer. */
    EXPECT_EQ(container_used(fixture->container, CONTAINER_PAGES), used + 2);
}

TEST(call_memory, name_is_copied_and_cleaned)
{
    static const char name[] = "a\nname that is far too long for an object";
    struct task_fixture *fixture = task_fixture_create(t);
    long right;

    right = call_memory_create(PAGE_SIZE, 0,
                               call_fixture_text(fixture, name, sizeof(name)),
                               sizeof(name));
    EXPECT_STREQ(info_of(fixture, right).name,
                 "a?name that is far too long for");
}

TEST(call_memory, create_refuses_what_makes_no_sense)
{
    struct task_fixture *fixture __unused = task_fixture_create(t);
    const uint64_t most = OBJECT_ANON_MAX * PAGE_SIZE;

    EXPECT_EQ(call_memory_create(0, 0, 0, 0), CALL_EINVAL);
    EXPECT_EQ(call_memory_create(1, 0, 0, 0), CALL_EINVAL);
    EXPECT_EQ(call_memory_create(PAGE_SIZE + 1, 0, 0, 0), CALL_EINVAL);
    EXPECT_EQ(call_memory_create(SIZE_MAX, 0, 0, 0), CALL_EINVAL);
    EXPECT_EQ(call_memory_create(most + PAGE_SIZE, 0, 0, 0), CALL_EINVAL);
    EXPECT(call_memory_create(most, 0, 0, 0) >= 0);
    EXPECT_EQ(call_memory_create(PAGE_SIZE, PORTOLAN_MEMORY_READ_ONLY, 0, 0),
              CALL_EINVAL);
    EXPECT_EQ(call_memory_create(PAGE_SIZE, PORTOLAN_MEMORY_UNCACHED, 0, 0),
              CALL_EINVAL);
    EXPECT_EQ(call_memory_create(PAGE_SIZE, 0x80, 0, 0), CALL_EINVAL);
    EXPECT_EQ(call_memory_create(PAGE_SIZE, 0, UINTPTR_MAX, 5), CALL_EFAULT);
    EXPECT_EQ(call_memory_create(PAGE_SIZE, 0, DIRECT_MAP_BASE, 5),
              CALL_EFAULT);
}

TEST(call_memory, create_meets_the_limit)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint64_t used = container_used(fixture->container, CONTAINER_OBJECTS);

    container_set_limit(fixture->container, CONTAINER_OBJECTS, used + 64);
    EXPECT_EQ(call_memory_create(PAGE_SIZE, 0, 0, 0), CALL_ENOMEM);
    container_set_limit(fixture->container, CONTAINER_OBJECTS,
                        CONTAINER_UNLIMITED);
    EXPECT(call_memory_create(PAGE_SIZE, 0, 0, 0) >= 0);
}

TEST(call_memory, info_needs_memory)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint32_t task = call_fixture_right(&fixture->task->object);
    long right = call_memory_create(PAGE_SIZE, 0, 0, 0);

    ASSERT(right >= 0);
    EXPECT_EQ(call_memory_info(task, fixture->memory), CALL_EBADF);
    EXPECT_EQ(call_memory_info(99, fixture->memory), CALL_EBADF);
    EXPECT_EQ(call_memory_info(CALL_SELF, fixture->memory), CALL_EBADF);
    EXPECT_EQ(call_memory_info((uint32_t)right, 0), CALL_EFAULT);
    EXPECT_EQ(call_memory_info((uint32_t)right, DIRECT_MAP_BASE), CALL_EFAULT);
}

TEST(call_memory, each_failure_of_create_is_an_error)
{
    struct task_fixture *fixture __unused = task_fixture_create(t);
    struct fail fail;
    uint64_t at = 0;
    long result;

    if (!FAIL_IS_BUILT) {
        SKIP("only with DEBUG=1");
    }
    do {
        fail_begin_at(&fail, at++);
        result = call_memory_create(PAGE_SIZE, 0, 0, 0);
        fail_end(&fail);
        EXPECT(result >= 0 || result == CALL_ENOMEM);
    } while (fail.nr_failed != 0 && at < SITES);
    EXPECT(result >= 0);
}

/* -------------------------------------------------------- memory_physical */

TEST(call_memory, physical_needs_the_bootstrap_right)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint32_t task = call_fixture_right(&fixture->task->object);
    paddr_t phys = object_fixture_phys(PAGE_SIZE);

    EXPECT_EQ(call_memory_physical(task, phys, PAGE_SIZE, 0), CALL_EBADF);
    EXPECT_EQ(call_memory_physical(99, phys, PAGE_SIZE, 0), CALL_EBADF);
    EXPECT_EQ(call_memory_physical(CALL_SELF, phys, PAGE_SIZE, 0), CALL_EBADF);
    EXPECT_EQ(call_memory_module(task, 0, fixture->memory), CALL_EBADF);
    EXPECT_EQ(call_memory_module(99, 0, fixture->memory), CALL_EBADF);
    EXPECT_EQ(call_memory_module(CALL_SELF, 0, fixture->memory), CALL_EBADF);
}

TEST(call_memory, physical_addresses_that_are_no_ram)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint32_t bootstrap = call_fixture_right(bootstrap_object());
    paddr_t phys = object_fixture_phys(4 * PAGE_SIZE);
    const uint32_t flags = PORTOLAN_MEMORY_UNCACHED | PORTOLAN_MEMORY_READ_ONLY;
    struct portolan_memory_info info;
    struct object_frame frame;
    struct kobject *object;
    long right;

    if (phys == PADDR_NONE) {
        SKIP("no addresses above all RAM");
    }
    right = call_memory_physical(bootstrap, phys, 4 * PAGE_SIZE, flags);
    info = info_of(fixture, right);
    EXPECT_EQ(info.size, 4 * PAGE_SIZE);
    EXPECT_EQ(info.flags, flags);
    ASSERT(call_get_object((uint32_t)right, KOBJECT_MEMORY, &object) == 0);
    EXPECT_EQ(object_get_frame(memory_of_object(object), 3, false, &frame), OK);
    EXPECT_EQ(frame.phys, phys + 3 * PAGE_SIZE);
    EXPECT_EQ(frame.cache, PMAP_UC);
    kobject_put(object);
    EXPECT_EQ(call_space_map(CALL_SELF, 0, PAGE_SIZE, RW, (uint32_t)right, 0),
              CALL_EACCES);
    EXPECT_EQ(call_space_map(CALL_SELF, 0, PAGE_SIZE,
                             PORTOLAN_SPACE_READ | PORTOLAN_SPACE_PRIVATE,
                             (uint32_t)right, 0),
              CALL_EINVAL);
    EXPECT_EQ(call_space_map(CALL_SELF, 0, 2 * PAGE_SIZE, PORTOLAN_SPACE_READ,
                             (uint32_t)right, 3 * PAGE_SIZE),
              CALL_ENXIO);
    EXPECT(call_space_map(CALL_SELF, 0, PAGE_SIZE, PORTOLAN_SPACE_READ,
                          (uint32_t)right, 3 * PAGE_SIZE) > 0);
}

TEST(call_memory, caching_of_physical_addresses_is_chosen)
{
    static const struct {
        uint32_t flags;
        enum pmap_cache cache;
    } cases[] = {
        { 0, PMAP_WB },
        { PORTOLAN_MEMORY_UNCACHED, PMAP_UC },
        { PORTOLAN_MEMORY_WRITE_COMBINE, PMAP_WC },
    };
    struct task_fixture *fixture __unused = task_fixture_create(t);
    uint32_t bootstrap = call_fixture_right(bootstrap_object());
    paddr_t phys = object_fixture_phys(PAGE_SIZE);

    if (phys == PADDR_NONE) {
        SKIP("no addresses above all RAM");
    }
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct object_frame frame;
        struct kobject *object;
        long right =
            call_memory_physical(bootstrap, phys, PAGE_SIZE, cases[i].flags);

        ASSERT(right >= 0);
        ASSERT(call_get_object((uint32_t)right, KOBJECT_MEMORY, &object) == 0);
        EXPECT_EQ(object_get_frame(memory_of_object(object), 0, false, &frame),
                  OK);
        EXPECT_EQ(frame.cache, cases[i].cache);
        kobject_put(object);
    }
}

TEST(call_memory, ram_is_no_physical_memory)
{
    struct task_fixture *fixture __unused = task_fixture_create(t);
    uint32_t bootstrap = call_fixture_right(bootstrap_object());
    struct bootmem_range ram;

    for (paddr_t at = 0; bootmem_next_ram(at, &ram); at = ram.end) {
        paddr_t first = ALIGN_DOWN(ram.base, PAGE_SIZE);
        paddr_t last = ALIGN_DOWN(ram.end - 1, PAGE_SIZE);

        EXPECT_EQ(call_memory_physical(bootstrap, first, PAGE_SIZE, 0),
                  CALL_EACCES);
        EXPECT_EQ(call_memory_physical(bootstrap, last, PAGE_SIZE, 0),
                  CALL_EACCES);
        EXPECT_EQ(call_memory_physical(bootstrap, last, 2 * PAGE_SIZE,
                                       PORTOLAN_MEMORY_UNCACHED),
                  CALL_EACCES);
    }
    EXPECT_EQ(call_memory_physical(bootstrap, 0, GIB(1), 0), CALL_EACCES);
}

TEST(call_memory, physical_refuses_what_makes_no_sense)
{
    struct task_fixture *fixture __unused = task_fixture_create(t);
    uint32_t bootstrap = call_fixture_right(bootstrap_object());
    paddr_t phys = object_fixture_phys(PAGE_SIZE);
    const uint64_t last = ALIGN_DOWN(UINT64_MAX, PAGE_SIZE);

    if (phys == PADDR_NONE) {
        SKIP("no addresses above all RAM");
    }
    EXPECT_EQ(call_memory_physical(bootstrap, phys, 0, 0), CALL_EINVAL);
    EXPECT_EQ(call_memory_physical(bootstrap, phys, 1, 0), CALL_EINVAL);
    EXPECT_EQ(call_memory_physical(bootstrap, phys + 1, PAGE_SIZE, 0),
              CALL_EINVAL);
    EXPECT_EQ(call_memory_physical(bootstrap, phys, last, 0), CALL_EINVAL);
    EXPECT_EQ(call_memory_physical(bootstrap, last, PAGE_SIZE, 0), CALL_EINVAL);
    EXPECT_EQ(call_memory_physical(bootstrap, last, 2 * PAGE_SIZE, 0),
              CALL_EINVAL);
    EXPECT_EQ(call_memory_physical(bootstrap, phys, PAGE_SIZE, 0x8),
              CALL_EINVAL);
    EXPECT_EQ(call_memory_physical(bootstrap, phys, PAGE_SIZE,
                                   PORTOLAN_MEMORY_UNCACHED |
                                       PORTOLAN_MEMORY_WRITE_COMBINE),
              CALL_EINVAL);
}

/* ----------------------------------------------------------- memory_module */

/* Pages of RAM in which a module lies. */
#define MODULE_ORDER 2
#define MODULE_SIZE  (PAGE_SIZE << MODULE_ORDER)

static void
module_free_pages(void *arg)
{
    page_free(arg, MODULE_ORDER);
}

/* RAM full of a byte, until all others that the test makes are gone. */
static struct page *
module_pages(struct test *t)
{
    struct page *page = page_alloc(MODULE_ORDER, 0);

    verify(page != NULL);
    memset(page_ptr(page), 0xa5, MODULE_SIZE);
    test_cleanup(t, module_free_pages, page);
    return page;
}

/* The caller's right to the memory of a module. */
static uint32_t
module_right(struct task_fixture *fixture, const struct object_range *range)
{
    struct vm_object *memory;
    struct kobject *object;
    uint32_t right;

    verify(object_create_module(&memory, fixture->container, "module", range) ==
           OK);
    verify(memory_object_create(&object, memory, PORTOLAN_MEMORY_READ_ONLY,
                                fixture->container) == OK);
    right = call_fixture_right(object);
    kobject_put(object);
    return right;
}

/* Whether there are so many bytes of the module, and zeros behind. */
static bool
module_is_shown(uintptr_t at, size_t size, size_t mapped)
{
    for (uintptr_t i = 0; i < mapped; i++) {
        uint8_t byte;

        if (user_copy_in(&byte, at + i, 1) != 0 ||
            byte != (i < size ? 0xa5 : 0)) {
            return false;
        }
    }
    return true;
}

/* A module somewhere in pages that have something else before and behind. */
static void
module_check(struct test *t, size_t offset, size_t size)
{
    struct page *page = module_pages(t);
    struct task_fixture *fixture = task_fixture_create(t);
    struct object_range range = { .phys = page_phys(page) + offset,
                                  .size = size };
    uint32_t right = module_right(fixture, &range);
    size_t mapped = ALIGN_UP(size, PAGE_SIZE);
    long at;

    EXPECT_EQ(info_of(fixture, right).size, mapped);
    EXPECT_EQ(info_of(fixture, right).flags, PORTOLAN_MEMORY_READ_ONLY);
    at = call_space_map(CALL_SELF, 0, mapped, PORTOLAN_SPACE_READ, right, 0);
    ASSERT(at > 0);
    EXPECT(module_is_shown((uintptr_t)at, size, mapped));
    /* What the loader left is as it was. */
    for (size_t i = 0; i < MODULE_SIZE; i++) {
        ASSERT(((uint8_t *)page_ptr(page))[i] == 0xa5);
    }
    EXPECT_EQ(call_space_map(CALL_SELF, 0, mapped, RW, right, 0), CALL_EACCES);
    EXPECT(call_space_map(CALL_SELF, 0, mapped,
                          PORTOLAN_SPACE_READ | PORTOLAN_SPACE_EXEC, right,
                          0) > 0);
    EXPECT_EQ(call_space_unmap(CALL_SELF, (uintptr_t)at, mapped), 0);
    at = call_space_map(CALL_SELF, 0, mapped, RW | PORTOLAN_SPACE_PRIVATE,
                        right, 0);
    ASSERT(at > 0);
    EXPECT_EQ(user_write_u64((uintptr_t)at, 1), OK);
    EXPECT_EQ(*(uint8_t *)page_ptr(page), 0xa5);
    EXPECT_EQ(call_space_unmap(CALL_SELF, (uintptr_t)at, mapped), 0);
}

TEST(call_memory, module_of_whole_pages_is_shown)
{
    module_check(t, 0, 3 * PAGE_SIZE);
}

TEST(call_memory, nothing_behind_a_module_is_shown)
{
    module_check(t, 0, 2 * PAGE_SIZE + 100);
}

TEST(call_memory, module_smaller_than_a_page_is_shown)
{
    module_check(t, PAGE_SIZE, 1);
}

TEST(call_memory, nothing_before_a_module_is_shown)
{
    module_check(t, 24, 2 * PAGE_SIZE + 100);
}

TEST(call_memory, module_ends_where_it_ends)
{
    struct page *page = module_pages(t);
    struct task_fixture *fixture = task_fixture_create(t);
    struct object_range range = { .phys = page_phys(page), .size = 100 };
    uint32_t right = module_right(fixture, &range);

    EXPECT_EQ(call_space_map(CALL_SELF, 0, 2 * PAGE_SIZE, PORTOLAN_SPACE_READ,
                             right, 0),
              CALL_ENXIO);
    EXPECT_EQ(call_space_map(CALL_SELF, 0, PAGE_SIZE, PORTOLAN_SPACE_READ,
                             right, PAGE_SIZE),
              CALL_ENXIO);
}

TEST(call_memory, module_is_ram)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct object_range range = { .phys = object_fixture_phys(PAGE_SIZE),
                                  .size = PAGE_SIZE };
    struct vm_object *memory;

    if (range.phys == PADDR_NONE) {
        SKIP("no addresses above all RAM");
    }
    EXPECT_EQ(object_create_module(&memory, fixture->container, "m", &range),
              ERR_ACCESS);
}

TEST(call_memory, module_of_nothing_cannot_be_mapped)
{
    struct page *page = module_pages(t);
    struct task_fixture *fixture = task_fixture_create(t);
    struct object_range range = { .phys = page_phys(page), .size = 0 };
    uint32_t right = module_right(fixture, &range);

    EXPECT_EQ(info_of(fixture, right).size, 0);
    EXPECT_EQ(call_space_map(CALL_SELF, 0, PAGE_SIZE, PORTOLAN_SPACE_READ,
                             right, 0),
              CALL_ENXIO);
}

/* With -initrd there are some. */
TEST(call_memory, modules_of_the_loader_are_numbered)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint32_t bootstrap = call_fixture_right(bootstrap_object());
    struct portolan_module_info info;
    struct kobject *object;

    for (uint32_t i = 0; i < module_nr(); i++) {
        long right = call_memory_module(bootstrap, i, fixture->memory);

        ASSERT(right >= 0);
        ASSERT(user_copy_in(&info, fixture->memory, sizeof(info)) == 0);
        EXPECT_EQ(info.size, module_get(i)->size);
        ASSERT(call_get_object((uint32_t)right, KOBJECT_MEMORY, &object) == 0);
        EXPECT(object == bootstrap_module(i));
        kobject_put(object);
        EXPECT_EQ(call_memory_module(bootstrap, i, 0), CALL_EFAULT);
    }
    EXPECT_EQ(call_memory_module(bootstrap, (uint32_t)module_nr(),
                                 fixture->memory),
              CALL_ENOENT);
    EXPECT_EQ(call_memory_module(bootstrap, UINT32_MAX, fixture->memory),
              CALL_ENOENT);
}

TEST(call_memory, module_is_described_in_the_loader_s_words)
{
    struct boot_module module = { .size = 77, .name = "init", .args = "-v  x" };
    struct portolan_module_info info;

    bootstrap_describe(&module, &info);
    EXPECT_EQ(info.size, 77);
    EXPECT_STREQ(info.name, "init");
    EXPECT_STREQ(info.words, "init -v  x");
    module.args[0] = '\0';
    bootstrap_describe(&module, &info);
    EXPECT_STREQ(info.words, "init");
}
