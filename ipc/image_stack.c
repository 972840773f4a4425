/* SPDX-License-Identifier: MIT */
#include <arch/pmap.h>
#include <kern/kmalloc.h>
#include <lib/assert.h>
#include <lib/macros.h>
#include <lib/string.h>
#include <ipc/image_stack.h>
#include <vm/copy.h>
#include <vm/space.h>

/* The top lies in 2^38 bytes below here. */
#define IMAGE_STACK_END    UINT64_C(0x7f8000000000)
#define IMAGE_STACK_RANDOM (UINT64_C(1) << 38)

static_assert(IMAGE_END + IMAGE_STACK_SIZE + IMAGE_STACK_GUARD <=
                  IMAGE_STACK_END - IMAGE_STACK_RANDOM,
              "programs end below stacks");

#define IMAGE_STACK_ALIGN  UINT64_C(16)
#define IMAGE_RANDOM_BYTES UINT64_C(16)

/* Types of the auxiliary vector.  Source: System V ABI, AMD64 supplement. */
enum image_aux {
    IMAGE_AUX_NULL = 0,
    IMAGE_AUX_PHDR = 3,
    IMAGE_AUX_PHENT = 4,
    IMAGE_AUX_PHNUM = 5,
    IMAGE_AUX_PAGESZ = 6,
    IMAGE_AUX_BASE = 7,
    IMAGE_AUX_ENTRY = 9,
    IMAGE_AUX_RANDOM = 25,
    IMAGE_AUX_EXECFN = 31,
};

#define IMAGE_NR_AUX 9

/* What is to be copied to the top: numbers, random bytes, words. */
struct image_top {
    uint64_t *numbers;
    size_t size;        /* bytes of all of it */
    uint64_t va;        /* of the first number */
    uint64_t random_va; /* of the random bytes, */
    uint64_t words_va;  /* and of the first word */
    size_t nr;          /* numbers that are there */
};

static void
image_top_put(struct image_top *top, uint64_t number)
{
    top->numbers[top->nr++] = number;
}

/* Addresses of the arguments, and a zero. */
static void
image_top_put_words(struct image_top *top, const struct image_words *words)
{
    size_t at = 0;

    for (size_t i = 0; i < words->nr; i++) {
        image_top_put(top, top->words_va + at);
        at += strlen(words->text + at) + 1;
    }
    assert(at == words->size);
    image_top_put(top, 0);
}

static void
image_top_put_aux(struct image_top *top, const struct image *image,
                  const struct image_words *argv)
{
    const uint64_t aux[IMAGE_NR_AUX][2] = {
        { IMAGE_AUX_PHDR, image->headers },
        { IMAGE_AUX_PHENT, sizeof(struct elf_segment) },
        { IMAGE_AUX_PHNUM, image->nr_headers },
        { IMAGE_AUX_PAGESZ, PAGE_SIZE },
        { IMAGE_AUX_BASE, 0 },
        { IMAGE_AUX_ENTRY, image->entry },
        { IMAGE_AUX_RANDOM, top->random_va },
        { IMAGE_AUX_EXECFN, argv->nr != 0 ? top->words_va : 0 },
        { IMAGE_AUX_NULL, 0 },
    };

    for (size_t i = 0; i < IMAGE_NR_AUX; i++) {
        image_top_put(top, aux[i][0]);
        image_top_put(top, aux[i][1]);
    }
}

/* Write all of it; @top has its address and memory. */
static void
image_top_fill(struct image_top *top, const struct image *image,
               const struct image_words *argv, struct rand *rand)
{
    char *bytes = (char *)top->numbers;

    memset(bytes, 0, top->size);
    image_top_put(top, argv->nr);
    image_top_put_words(top, argv);
    /* No environment. */
    image_top_put(top, 0);
    image_top_put_aux(top, image, argv);
    for (uint64_t i = 0; i < IMAGE_RANDOM_BYTES; i += sizeof(uint64_t)) {
        uint64_t bits = rand_u64(rand);

        memcpy(bytes + (top->random_va - top->va) + i, &bits, sizeof(bits));
    }
    memcpy(bytes + (top->words_va - top->va), argv->text, argv->size);
}

/* Make what is to be at the end of the stack. */
static status_t
image_top_create(struct image_top *top, const struct image *image,
                 const struct image_words *argv, struct rand *rand,
                 uint64_t end)
{
    size_t nr_numbers = 1 + argv->nr + 1 + 1 + 2 * IMAGE_NR_AUX;
    size_t size = nr_numbers * sizeof(uint64_t) + IMAGE_RANDOM_BYTES;

    if (argv->size > IMAGE_WORDS_MAX) {
        return ERR_RANGE;
    }
    top->nr = 0;
    top->size = ALIGN_UP(size + argv->size, IMAGE_STACK_ALIGN);
    top->va = end - top->size;
    top->words_va = top->va + size;
    top->random_va = top->words_va - IMAGE_RANDOM_BYTES;
    top->numbers = kmalloc(top->size);
    if (top->numbers == NULL) {
        return ERR_NO_MEMORY;
    }
    image_top_fill(top, image, argv, rand);
    return OK;
}

static status_t
image_top_copy(const struct image_top *top, struct vm_space *space)
{
    struct space_copy copy = {
        .dst = { .space = space, .va = top->va },
        .src = { .va = (uintptr_t)top->numbers },
        .size = top->size,
    };

    return space_copy(&copy) == SPACE_COPY_DONE ? OK : ERR_NO_MEMORY;
}

/* Map the guard and the stack. */
static status_t
image_stack_map_empty(struct vm_space *space, uint64_t end)
{
    struct space_mapping mapping = {
        .va = end - IMAGE_STACK_SIZE - IMAGE_STACK_GUARD,
        .size = IMAGE_STACK_GUARD,
        .flags = SPACE_MAP_FIXED | SPACE_MAP_NEW,
    };
    uintptr_t va;
    status_t status = space_map(space, &mapping, &va);

    if (status != OK) {
        return status;
    }
    mapping.va = end - IMAGE_STACK_SIZE;
    mapping.size = IMAGE_STACK_SIZE;
    mapping.prot = PMAP_READ | PMAP_WRITE;
    return space_map(space, &mapping, &va);
}

status_t
image_stack_map(struct vm_space *space, const struct image *image,
                const struct image_words *argv, struct rand *rand,
                uintptr_t *spp)
{
    uint64_t end = IMAGE_STACK_END -
                   ALIGN_DOWN(rand_below(rand, IMAGE_STACK_RANDOM), PAGE_SIZE);
    struct image_top top;
    status_t status = image_stack_map_empty(space, end);

    if (status != OK) {
        return status;
    }
    status = image_top_create(&top, image, argv, rand, end);
    if (status != OK) {
        return status;
    }
    status = image_top_copy(&top, space);
    kfree(top.numbers);
    *spp = top.va;
    return status;
}
