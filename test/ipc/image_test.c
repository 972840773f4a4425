/* SPDX-License-Identifier: MIT */
/*
 * Programs as files, good and bad ones, made by hand.
 */
#include <arch/pmap.h>
#include <kern/container.h>
#include <kern/kmalloc.h>
#include <lib/assert.h>
#include <lib/string.h>
#include <ipc/image.h>
#include <ipc/image_stack.h>
#include <vm/copy.h>
#include <vm/space.h>
#include <test/test.h>

/* Where segments want to be. */
#define CODE_VA UINT64_C(0x400000)
#define DATA_VA UINT64_C(0x402000)

#define DATA_MEM (3 * PAGE_SIZE)

/* A program: code, which has the headers, and data with zeros behind. */
struct image_file {
    struct elf_header header;
    struct elf_segment segments[3];
    uint8_t code[64];
    uint8_t data[48];
};

struct image_fixture {
    struct image_file *file;
    struct vm_space *space;
    struct container *container;
    struct image image;
    struct rand rand;
    uint8_t *copy; /* of memory of the space, 2 pages */
};

static void
image_fixture_destroy(void *arg)
{
    struct image_fixture *fixture = arg;

    space_put(fixture->space);
    container_put(fixture->container);
    kfree(fixture->copy);
    kfree(fixture->file);
    kfree(fixture);
}

static void
image_file_init(struct image_file *file)
{
    file->header = (struct elf_header){
        .ident = { 0x7f, 'E', 'L', 'F', ELF_CLASS_64, ELF_DATA_LSB,
                   ELF_VERSION },
        .type = ELF_TYPE_DYN,
        .machine = ELF_MACHINE_X86,
        .version = ELF_VERSION,
        .entry = CODE_VA + offsetof(struct image_file, code),
        .header_size = sizeof(struct elf_header),
        .segment_offset = offsetof(struct image_file, segments),
        .segment_entry_size = sizeof(struct elf_segment),
        .nr_segments = ARRAY_SIZE(file->segments),
    };
    file->segments[0] = (struct elf_segment){
        .type = ELF_SEGMENT_LOAD,
        .flags = ELF_FLAG_READ | ELF_FLAG_EXECUTE,
        .vaddr = CODE_VA,
        .file_size = offsetof(struct image_file, data),
        .mem_size = offsetof(struct image_file, data),
    };
    file->segments[1] = (struct elf_segment){
        .type = ELF_SEGMENT_LOAD,
        .flags = ELF_FLAG_READ | ELF_FLAG_WRITE,
        .offset = offsetof(struct image_file, data),
        .vaddr = DATA_VA + 8,
        .file_size = sizeof(file->data),
        .mem_size = DATA_MEM,
    };
    file->segments[2] = (struct elf_segment){ .type = ELF_SEGMENT_TLS };
    memset(file->code, 0x90, sizeof(file->code));
    memset(file->data, 0xda, sizeof(file->data));
}

static struct image_fixture *
image_fixture_create(struct test *t)
{
    struct image_fixture *fixture = kzalloc(sizeof(*fixture));

    verify(fixture != NULL);
    fixture->file = kzalloc(sizeof(*fixture->file));
    fixture->copy = kzalloc(2 * PAGE_SIZE);
    verify(fixture->file != NULL && fixture->copy != NULL);
    verify(container_create(&fixture->container, container_root, "image") ==
           OK);
    verify(space_create(&fixture->space, fixture->container, "image") == OK);
    image_file_init(fixture->file);
    rand_init(&fixture->rand, 1);
    test_cleanup(t, image_fixture_destroy, fixture);
    return fixture;
}

static status_t
image_fixture_open(struct image_fixture *fixture)
{
    return image_open(&fixture->image, fixture->file, sizeof(*fixture->file),
                      &fixture->rand);
}

/* Copy memory of the program to @copy; it has it. */
static bool
image_fixture_read(struct image_fixture *fixture, uintptr_t va, size_t size)
{
    struct space_copy copy = {
        .dst = { .va = (uintptr_t)fixture->copy },
        .src = { .space = fixture->space, .va = va },
        .size = size,
    };

    return space_copy(&copy) == SPACE_COPY_DONE;
}

static unsigned int
image_fixture_prot(struct image_fixture *fixture, uintptr_t va)
{
    struct space_info info;

    if (!space_query(fixture->space, va, &info) || info.va > va) {
        return ~0U;
    }
    return info.prot;
}

TEST(image, is_mapped_with_its_bytes)
{
    struct image_fixture *fixture = image_fixture_create(t);
    const struct image *image = &fixture->image;

    ASSERT(image_fixture_open(fixture) == OK);
    ASSERT(image_map(image, fixture->space) == OK);
    EXPECT_EQ(image->entry, image->base + fixture->file->header.entry);
    ASSERT(image_fixture_read(fixture, image->base + CODE_VA,
                              offsetof(struct image_file, data)));
    EXPECT_EQ(memcmp(fixture->copy, fixture->file,
                     offsetof(struct image_file, data)),
              0);
}

TEST(image, zeros_are_behind_the_files_part)
{
    struct image_fixture *fixture = image_fixture_create(t);
    const struct image *image = &fixture->image;
    size_t size = sizeof(fixture->file->data);

    ASSERT(image_fixture_open(fixture) == OK);
    ASSERT(image_map(image, fixture->space) == OK);
    ASSERT(image_fixture_read(fixture, image->base + DATA_VA, 2 * PAGE_SIZE));
    EXPECT_EQ(memcmp(fixture->copy + 8, fixture->file->data, size), 0);
    for (size_t i = 8 + size; i < 2 * PAGE_SIZE; i++) {
        EXPECT_EQ(fixture->copy[i], 0);
    }
    ASSERT(image_fixture_read(fixture, image->base + DATA_VA + DATA_MEM, 8));
}

TEST(image, is_not_both_written_and_executed)
{
    struct image_fixture *fixture = image_fixture_create(t);
    const struct image *image = &fixture->image;

    ASSERT(image_fixture_open(fixture) == OK);
    ASSERT(image_map(image, fixture->space) == OK);
    EXPECT_EQ(image_fixture_prot(fixture, image->base + CODE_VA),
              PMAP_READ | PMAP_EXEC);
    EXPECT_EQ(image_fixture_prot(fixture, image->base + DATA_VA),
              PMAP_READ | PMAP_WRITE);
    fixture->file->segments[0].flags |= ELF_FLAG_WRITE;
    EXPECT_EQ(image_fixture_open(fixture), ERR_ACCESS);
}

TEST(image, base_is_random_but_for_the_seed)
{
    struct image_fixture *fixture = image_fixture_create(t);
    uint64_t base;

    ASSERT(image_fixture_open(fixture) == OK);
    base = fixture->image.base;
    EXPECT(base >= IMAGE_START && base < IMAGE_START + IMAGE_RANDOM);
    ASSERT(image_fixture_open(fixture) == OK);
    EXPECT(fixture->image.base != base);
    rand_init(&fixture->rand, 1);
    ASSERT(image_fixture_open(fixture) == OK);
    EXPECT_EQ(fixture->image.base, base);
}

TEST(image, stays_where_it_wants_to_be)
{
    struct image_fixture *fixture = image_fixture_create(t);

    fixture->file->header.type = ELF_TYPE_EXEC;
    ASSERT(image_fixture_open(fixture) == OK);
    EXPECT_EQ(fixture->image.base, 0);
    EXPECT_EQ(image_map(&fixture->image, fixture->space), OK);
    EXPECT_EQ(image_map(&fixture->image, fixture->space), ERR_EXISTS);
}

TEST(image, headers_are_where_a_segment_has_them)
{
    struct image_fixture *fixture = image_fixture_create(t);

    ASSERT(image_fixture_open(fixture) == OK);
    EXPECT_EQ(fixture->image.headers,
              fixture->image.base + CODE_VA +
                  offsetof(struct image_file, segments));
    EXPECT_EQ(fixture->image.nr_headers, 3);
    fixture->file->segments[0].offset = offsetof(struct image_file, code);
    fixture->file->segments[0].vaddr += offsetof(struct image_file, code);
    fixture->file->segments[0].file_size = sizeof(fixture->file->code);
    fixture->file->segments[0].mem_size = sizeof(fixture->file->code);
    ASSERT(image_fixture_open(fixture) == OK);
    EXPECT_EQ(fixture->image.headers, 0);
    EXPECT_EQ(fixture->image.nr_headers, 0);
}

TEST(image, that_wants_to_be_linked_is_refused)
{
    struct image_fixture *fixture = image_fixture_create(t);

    fixture->file->segments[2].type = ELF_SEGMENT_INTERP;
    EXPECT_EQ(image_fixture_open(fixture), ERR_UNSUPPORTED);
}

TEST(image, segments_of_one_page_are_refused)
{
    struct image_fixture *fixture = image_fixture_create(t);

    fixture->file->segments[1].vaddr = CODE_VA +
                                       offsetof(struct image_file, data);
    EXPECT_EQ(image_fixture_open(fixture), ERR_FORMAT);
    fixture->file->segments[1].vaddr = CODE_VA - DATA_MEM;
    EXPECT_EQ(image_fixture_open(fixture), ERR_FORMAT);
}

TEST(image, entry_that_is_no_code_is_refused)
{
    struct image_fixture *fixture = image_fixture_create(t);
    uint64_t *entry = &fixture->file->header.entry;

    *entry = DATA_VA + 8;
    EXPECT_EQ(image_fixture_open(fixture), ERR_FORMAT);
    *entry = CODE_VA - 1;
    EXPECT_EQ(image_fixture_open(fixture), ERR_FORMAT);
    *entry = CODE_VA + fixture->file->segments[0].file_size;
    EXPECT_EQ(image_fixture_open(fixture), ERR_FORMAT);
    *entry = UINT64_MAX;
    EXPECT_EQ(image_fixture_open(fixture), ERR_FORMAT);
    *entry = CODE_VA;
    EXPECT_EQ(image_fixture_open(fixture), OK);
}

TEST(image, addresses_of_others_are_refused)
{
    struct image_fixture *fixture = image_fixture_create(t);
    struct elf_segment *data = &fixture->file->segments[1];

    data->vaddr = IMAGE_RANDOM - DATA_MEM + 1;
    EXPECT_EQ(image_fixture_open(fixture), ERR_RANGE);
    data->vaddr = IMAGE_RANDOM - DATA_MEM;
    EXPECT_EQ(image_fixture_open(fixture), OK);
    data->vaddr = UINT64_MAX - DATA_MEM;
    EXPECT_EQ(image_fixture_open(fixture), ERR_RANGE);
    fixture->file->header.type = ELF_TYPE_EXEC;
    data->vaddr = IMAGE_END - DATA_MEM + 1;
    EXPECT_EQ(image_fixture_open(fixture), ERR_RANGE);
    data->vaddr = IMAGE_END - DATA_MEM;
    EXPECT_EQ(image_fixture_open(fixture), OK);
    fixture->file->segments[0].vaddr = SPACE_START - PAGE_SIZE;
    EXPECT_EQ(image_fixture_open(fixture), ERR_RANGE);
}

TEST(image, cut_anywhere_is_refused)
{
    struct image_fixture *fixture = image_fixture_create(t);
    size_t whole = offsetof(struct image_file, data) +
                   sizeof(fixture->file->data);

    for (size_t size = 0; size < whole; size++) {
        EXPECT_EQ(image_open(&fixture->image, fixture->file, size,
                             &fixture->rand),
                  ERR_TRUNCATED);
    }
}

/* Memory that is not there ends the loading, not the kernel. */
TEST(image, limit_of_memory_is_the_containers)
{
    struct image_fixture *fixture = image_fixture_create(t);

    ASSERT(image_fixture_open(fixture) == OK);
    container_set_limit(fixture->container, CONTAINER_PAGES, 1);
    EXPECT_EQ(image_map(&fixture->image, fixture->space), ERR_NO_MEMORY);
}

/* Change some of the file's bytes, most of them in the headers. */
static void
image_fixture_damage(struct image_fixture *fixture, struct rand *rand)
{
    uint8_t *bytes = (uint8_t *)fixture->file;
    uint64_t nr = 1 + rand_below(rand, 4);

    image_file_init(fixture->file);
    for (uint64_t i = 0; i < nr; i++) {
        bytes[rand_below(rand, offsetof(struct image_file, code))] =
            (uint8_t)rand_u64(rand);
    }
}

/* Whatever is in a file, it is refused, or loaded where programs are. */
TEST(image, damaged_file_does_no_harm)
{
    struct image_fixture *fixture = image_fixture_create(t);
    struct space_info info;

    for (uint64_t i = 0; i < 40 * t->iterations; i++) {
        image_fixture_damage(fixture, &t->rand);
        if (image_fixture_open(fixture) != OK) {
            continue;
        }
        if (image_map(&fixture->image, fixture->space) == OK) {
            ASSERT(space_query(fixture->space, SPACE_START, &info));
            EXPECT(info.va + info.size <= IMAGE_END);
        }
        ASSERT(space_unmap(fixture->space, SPACE_START,
                           SPACE_END - SPACE_START) == OK);
    }
}

/* The numbers on a stack with two arguments. */
struct image_test_stack {
    uint64_t argc;
    uint64_t argv[3];
    uint64_t envp[1];
    uint64_t aux[9][2];
    uint64_t random[2];
    char words[16];
};

#define TEST_WORDS "name\0argument"

static const struct image_words image_test_words = {
    .text = TEST_WORDS,
    .size = sizeof(TEST_WORDS),
    .nr = 2,
};

/* Have a stack mapped, and what is on it in @copy. */
static const struct image_test_stack *
image_fixture_stack(struct image_fixture *fixture, uintptr_t *spp)
{
    verify(image_fixture_open(fixture) == OK);
    verify(image_stack_map(fixture->space, &fixture->image, &image_test_words,
                           &fixture->rand, spp) == OK);
    verify(image_fixture_read(fixture, *spp, sizeof(struct image_test_stack)));
    return (const struct image_test_stack *)fixture->copy;
}

TEST(image_stack, has_the_arguments)
{
    struct image_fixture *fixture = image_fixture_create(t);
    const struct image_test_stack *stack;
    uintptr_t sp, words;

    stack = image_fixture_stack(fixture, &sp);
    words = sp + offsetof(struct image_test_stack, words);
    EXPECT_EQ(sp % 16, 0);
    EXPECT_EQ(stack->argc, 2);
    EXPECT_EQ(stack->argv[0], words);
    EXPECT_EQ(stack->argv[1], words + sizeof("name"));
    EXPECT_EQ(stack->argv[2], 0);
    EXPECT_EQ(stack->envp[0], 0);
    EXPECT_STREQ(stack->words, "name");
    EXPECT_STREQ(stack->words + sizeof("name"), "argument");
}

TEST(image_stack, has_the_auxiliary_vector)
{
    struct image_fixture *fixture = image_fixture_create(t);
    const struct image_test_stack *stack;
    uintptr_t sp;

    stack = image_fixture_stack(fixture, &sp);
    const uint64_t expected[9][2] = {
        { 3, fixture->image.headers },
        { 4, sizeof(struct elf_segment) },
        { 5, 3 },
        { 6, PAGE_SIZE },
        { 7, 0 },
        { 9, fixture->image.entry },
        { 25, sp + offsetof(struct image_test_stack, random) },
        { 31, sp + offsetof(struct image_test_stack, words) },
        { 0, 0 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        EXPECT_EQ(stack->aux[i][0], expected[i][0]);
        EXPECT_EQ(stack->aux[i][1], expected[i][1]);
    }
    EXPECT(stack->random[0] != stack->random[1]);
}

TEST(image_stack, has_a_guard_below)
{
    struct image_fixture *fixture = image_fixture_create(t);
    struct space_info info;
    uintptr_t sp;

    image_fixture_stack(fixture, &sp);
    ASSERT(space_query(fixture->space, sp, &info));
    EXPECT_EQ(info.prot, PMAP_READ | PMAP_WRITE);
    sp = ALIGN_UP(sp, PAGE_SIZE) - IMAGE_STACK_SIZE;
    EXPECT_EQ(image_fixture_prot(fixture, sp), PMAP_READ | PMAP_WRITE);
    EXPECT_EQ(image_fixture_prot(fixture, sp - PAGE_SIZE), 0);
    EXPECT_EQ(image_fixture_prot(fixture, sp - IMAGE_STACK_GUARD), 0);
}

TEST(image_stack, too_many_words_are_refused)
{
    struct image_fixture *fixture = image_fixture_create(t);
    struct image_words words = { .size = IMAGE_WORDS_MAX + 1 };
    uintptr_t sp;

    ASSERT(image_fixture_open(fixture) == OK);
    EXPECT_EQ(image_stack_map(fixture->space, &fixture->image, &words,
                              &fixture->rand, &sp),
              ERR_RANGE);
}
