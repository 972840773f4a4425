/* SPDX-License-Identifier: MIT */
/*
 * The bounds of what is copied are checked here, the copying is done by
 * user_copy_asm.S.
 *
 * A processor may go on with an address of the kernel before the check has
 * failed, and leave traces of what it read (Kocher et al., "Spectre
 * Attacks", S&P 2019).  So addresses are masked with what the comparison said,
 * without a jump.  What is behind USER_END is not canonical as far as any copy
 * could run on.
 */
#include <arch/user_copy.h>
#include <arch/utable.h>
#include <kern/init.h>
#include <kern/kasan.h>
#include <lib/macros.h>
#include <lib/string.h>

#include "cpuid.h"
#include "user_access.h"

/* A string is looked through in pieces that do not cross a page. */
#define USER_STRING_PIECE 64

static_assert(PAGE_SIZE % USER_STRING_PIECE == 0, "does not cross");

/* Laid out by user_copy_asm.S. */
struct user_fixup {
    uintptr_t from;   /* of instructions that may fault */
    uintptr_t to;     /* behind them */
    uintptr_t target; /* where to go on */
};

struct user_patch {
    uintptr_t addr;      /* of three bytes of code */
    uint64_t third_byte; /* of stac or clac */
};

extern const struct user_fixup __start_table_fixup[], __stop_table_fixup[];
extern const struct user_patch __start_table_smap[], __stop_table_smap[];

uintptr_t
user_access_fixup(uintptr_t pc)
{
    const struct user_fixup *fixup;

    for (fixup = __start_table_fixup; fixup < __stop_table_fixup; fixup++) {
        if (pc >= fixup->from && pc < fixup->to) {
            return fixup->target;
        }
    }
    return 0;
}

/* The same address if it is below USER_END, else 0; never mispredicted. */
static inline uintptr_t
user_mask(uintptr_t addr)
{
    uintptr_t mask;

    __asm__("cmpq %2, %1\n\t"
            "sbbq %0, %0"
            : "=r"(mask)
            : "r"(addr), "r"(USER_END)
            : "cc");
    return addr & mask;
}

/* How much of a range cannot be accessed because it reaches too far. */
static inline size_t
user_excess(uintptr_t addr, size_t size)
{
    if (unlikely(addr >= USER_END)) {
        return size;
    }
    return unlikely(size > USER_END - addr) ? size - (USER_END - addr) : 0;
}

size_t
user_copy_in(void *dst, uintptr_t src, size_t size)
{
    size_t excess = user_excess(src, size);

    if (unlikely(excess == size)) {
        return size;
    }
    kasan_check_write(dst, size - excess);
    return excess +
           user_access_copy(dst, (const void *)user_mask(src), size - excess);
}

size_t
user_copy_out(uintptr_t dst, const void *src, size_t size)
{
    size_t excess = user_excess(dst, size);

    if (unlikely(excess == size)) {
        return size;
    }
    kasan_check_read(src, size - excess);
    return excess +
           user_access_copy((void *)user_mask(dst), src, size - excess);
}

size_t
user_clear(uintptr_t dst, size_t size)
{
    size_t excess = user_excess(dst, size);

    if (unlikely(excess == size)) {
        return size;
    }
    return excess + user_access_clear((void *)user_mask(dst), size - excess);
}

status_t
user_copy_string(char *dst, uintptr_t src, size_t size)
{
    while (size > 0) {
        size_t piece = USER_STRING_PIECE - src % USER_STRING_PIECE;

        piece = MIN(piece, size);
        if (user_copy_in(dst, src, piece) != 0) {
            return ERR_FAULT;
        }
        if (strnlen(dst, piece) < piece) {
            return OK;
        }
        dst += piece;
        src += piece;
        size -= piece;
    }
    return ERR_OVERFLOW;
}

/* Whether a word of @size bytes can be where it is said to be. */
static inline bool
user_has_word(uintptr_t addr, size_t size)
{
    return likely(addr < USER_END && IS_ALIGNED(addr, size));
}

status_t
user_read_u64(uintptr_t src, uint64_t *value)
{
    if (!user_has_word(src, sizeof(*value)) ||
        !user_access_read((const void *)user_mask(src), value)) {
        return ERR_FAULT;
    }
    return OK;
}

status_t
user_write_u64(uintptr_t dst, uint64_t value)
{
    if (!user_has_word(dst, sizeof(value)) ||
        !user_access_write((void *)user_mask(dst), value)) {
        return ERR_FAULT;
    }
    return OK;
}

status_t
user_write_u32(uintptr_t dst, uint32_t value)
{
    if (!user_has_word(dst, sizeof(value)) ||
        !user_access_write_u32((void *)user_mask(dst), value)) {
        return ERR_FAULT;
    }
    return OK;
}

status_t
user_cas_u32(uintptr_t addr, uint32_t *old, uint32_t value)
{
    if (!user_has_word(addr, sizeof(*old)) ||
        !user_access_cas((void *)user_mask(addr), old, value)) {
        return ERR_FAULT;
    }
    return OK;
}

/*
 * Put stac and clac into the code.  That must be before the code becomes
 * read-only and other CPUs run it.
 */
__no_access_checks static status_t
user_copy_setup(void)
{
    const struct user_patch *patch;

    if (!cpuid_has(CPUID_SMAP)) {
        return OK;
    }
    for (patch = __start_table_smap; patch < __stop_table_smap; patch++) {
        volatile uint8_t *code = (volatile uint8_t *)patch->addr;

        code[1] = 0x01;
        code[2] = (uint8_t)patch->third_byte;
    }
    return OK;
}

INIT_OP(user_copy_setup, INIT_BOOT_CPU, AFTER(control_setup));
