/* SPDX-License-Identifier: MIT */
/*
 * The undefined behaviour sanitizer's run-time part.
 *
 * The compiler calls a handler where behaviour would be undefined, with a
 * description of the place and of the types.  The layout of the descriptions
 * is the compilers' own; gcc and clang agree on it.  A place is reported once:
 * the top bit of its column, in writable memory for this purpose, says so.
 *
 * Source: LLVM, compiler-rt/lib/ubsan/ubsan_handlers.h.
 */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kern/log.h>
#include <kern/panic.h>
#include <kern/sanitizer.h>
#include <lib/fmt.h>
#include <lib/macros.h>

#include "ubsan.h"

#define UBSAN_REPORTED (UINT32_C(1) << 31)

/* Where a test's deliberate mistake ends up, long enough for its numbers. */
#define UBSAN_TEXT_MAX  160
#define UBSAN_VALUE_MAX 48

/* Bits of a value that fits into a handle. */
#define UBSAN_INLINE_BITS 64

static const char *const ubsan_type_checks[] = {
    "load of",
    "store to",
    "reference binding to",
    "member access within",
    "member call on",
    "constructor call on",
    "downcast of",
    "downcast of",
    "upcast of",
    "cast to virtual base of",
    "_Nonnull binding to",
    "dynamic operation on",
};

/* A value as text. */
struct ubsan_value {
    char text[UBSAN_VALUE_MAX];
};

/* Whether this place is to be reported; a repetition is only counted. */
static bool
ubsan_is_new(struct ubsan_location *location)
{
    uint32_t column;

    if (sanitizer_is_expecting()) {
        return true;
    }
    column =
        __atomic_fetch_or(&location->column, UBSAN_REPORTED, __ATOMIC_RELAXED);
    if (column & UBSAN_REPORTED) {
        sanitizer_report_again();
        return false;
    }
    return true;
}

__printf(3, 4) static void ubsan_report(const struct sanitizer_place *place,
                                        struct ubsan_location *location,
                                        const char *format, ...)
{
    char text[UBSAN_TEXT_MAX];
    va_list args;

    if (!ubsan_is_new(location)) {
        return;
    }
    va_start(args, format);
    fmt_vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    sanitizer_report(place, "", "UBSAN: %s (%s:%u:%u)", text, location->file,
                     location->line, location->column & ~UBSAN_REPORTED);
}

static bool
ubsan_type_is_int(const struct ubsan_type *type)
{
    return type->kind == UBSAN_KIND_INT;
}

static bool
ubsan_type_is_signed(const struct ubsan_type *type)
{
    return ubsan_type_is_int(type) && (type->info & 1) != 0;
}

static unsigned int
ubsan_type_bits(const struct ubsan_type *type)
{
    return 1U << (type->info >> 1);
}

/* An integer from its handle: itself, or the address of a wider one. */
static __int128
ubsan_integer(const struct ubsan_type *type, uintptr_t handle)
{
    unsigned int bits = ubsan_type_bits(type);

    if (bits > UBSAN_INLINE_BITS) {
        return *(const __int128 *)handle;
    }
    if (ubsan_type_is_signed(type)) {
        unsigned int shift = UBSAN_INLINE_BITS - bits;

        return (int64_t)((uint64_t)handle << shift) >> shift;
    }
    return (__int128)handle;
}

static bool
ubsan_is_negative(const struct ubsan_type *type, uintptr_t handle)
{
    return ubsan_type_is_signed(type) && ubsan_integer(type, handle) < 0;
}

static struct ubsan_value
ubsan_format(const struct ubsan_type *type, uintptr_t handle)
{
    struct ubsan_value value;
    __int128 number;

    if (!ubsan_type_is_int(type)) {
        fmt_snprintf(value.text, sizeof(value.text), "a value of %s",
                     type->name);
        return value;
    }
    number = ubsan_integer(type, handle);
    if (ubsan_type_bits(type) > UBSAN_INLINE_BITS) {
        fmt_snprintf(value.text, sizeof(value.text), "0x%lx%016lx",
                     (uint64_t)((unsigned __int128)number >> 64),
                     (uint64_t)number);
    } else if (ubsan_type_is_signed(type)) {
        fmt_snprintf(value.text, sizeof(value.text), "%ld", (int64_t)number);
    } else {
        fmt_snprintf(value.text, sizeof(value.text), "%lu", (uint64_t)number);
    }
    return value;
}

static void
ubsan_report_overflow(const struct sanitizer_place *place,
                      struct ubsan_overflow *data, char operation,
                      const uintptr_t operands[2])
{
    struct ubsan_value left = ubsan_format(data->type, operands[0]);
    struct ubsan_value right = ubsan_format(data->type, operands[1]);

    ubsan_report(place, &data->location,
                 "%s integer overflow: %s %c %s cannot be represented in %s",
                 ubsan_type_is_signed(data->type) ? "signed" : "unsigned",
                 left.text, operation, right.text, data->type->name);
}

void
__ubsan_handle_add_overflow(struct ubsan_overflow *data, uintptr_t left,
                            uintptr_t right)
{
    struct sanitizer_place place = SANITIZER_CALLER();

    ubsan_report_overflow(&place, data, '+', (uintptr_t[]){ left, right });
}

void
__ubsan_handle_sub_overflow(struct ubsan_overflow *data, uintptr_t left,
                            uintptr_t right)
{
    struct sanitizer_place place = SANITIZER_CALLER();

    ubsan_report_overflow(&place, data, '-', (uintptr_t[]){ left, right });
}

void
__ubsan_handle_mul_overflow(struct ubsan_overflow *data, uintptr_t left,
                            uintptr_t right)
{
    struct sanitizer_place place = SANITIZER_CALLER();

    ubsan_report_overflow(&place, data, '*', (uintptr_t[]){ left, right });
}

void
__ubsan_handle_negate_overflow(struct ubsan_overflow *data, uintptr_t operand)
{
    struct sanitizer_place place = SANITIZER_CALLER();
    struct ubsan_value value = ubsan_format(data->type, operand);

    ubsan_report(&place, &data->location,
                 "negation of %s cannot be represented in %s", value.text,
                 data->type->name);
}

void
__ubsan_handle_divrem_overflow(struct ubsan_overflow *data, uintptr_t left,
                               uintptr_t right)
{
    struct sanitizer_place place = SANITIZER_CALLER();
    struct ubsan_value value = ubsan_format(data->type, left);

    if (ubsan_is_negative(data->type, right)) {
        ubsan_report(&place, &data->location,
                     "division of %s by -1 cannot be represented in %s",
                     value.text, data->type->name);
    } else {
        ubsan_report(&place, &data->location, "division of %s by zero",
                     value.text);
    }
}

void
__ubsan_handle_shift_out_of_bounds(struct ubsan_shift *data, uintptr_t left,
                                   uintptr_t right)
{
    struct sanitizer_place place = SANITIZER_CALLER();
    struct ubsan_value value = ubsan_format(data->left_type, left);
    struct ubsan_value count = ubsan_format(data->right_type, right);
    unsigned int bits = ubsan_type_bits(data->left_type);

    if (ubsan_is_negative(data->right_type, right)) {
        ubsan_report(&place, &data->location, "shift exponent %s is negative",
                     count.text);
    } else if ((uint64_t)ubsan_integer(data->right_type, right) >= bits) {
        ubsan_report(&place, &data->location,
                     "shift exponent %s is too large for the %u bits of %s",
                     count.text, bits, data->left_type->name);
    } else {
        ubsan_report(&place, &data->location,
                     "left shift of %s by %s cannot be represented in %s",
                     value.text, count.text, data->left_type->name);
    }
}

void
__ubsan_handle_out_of_bounds(struct ubsan_bounds *data, uintptr_t index)
{
    struct sanitizer_place place = SANITIZER_CALLER();
    struct ubsan_value value = ubsan_format(data->index_type, index);

    ubsan_report(&place, &data->location, "index %s is out of bounds of %s",
                 value.text, data->array_type->name);
}

void
__ubsan_handle_type_mismatch_v1(struct ubsan_type_mismatch *data,
                                uintptr_t pointer)
{
    struct sanitizer_place place = SANITIZER_CALLER();
    uintptr_t align = (uintptr_t)1 << data->log_alignment;
    const char *check = data->check < ARRAY_SIZE(ubsan_type_checks)
                            ? ubsan_type_checks[data->check]
                            : "use of";

    if (pointer == 0) {
        ubsan_report(&place, &data->location, "%s null pointer of type %s",
                     check, data->type->name);
    } else if (!IS_ALIGNED(pointer, align)) {
        ubsan_report(&place, &data->location,
                     "%s misaligned address %#lx of type %s, which requires "
                     "%lu bytes",
                     check, pointer, data->type->name, align);
    } else {
        ubsan_report(&place, &data->location,
                     "%s address %#lx with not enough room for type %s", check,
                     pointer, data->type->name);
    }
}

void
__ubsan_handle_pointer_overflow(struct ubsan_plain *data, uintptr_t base,
                                uintptr_t result)
{
    struct sanitizer_place place = SANITIZER_CALLER();

    ubsan_report(&place, &data->location,
                 "pointer arithmetic overflowed from %#lx to %#lx", base,
                 result);
}

void
__ubsan_handle_load_invalid_value(struct ubsan_typed *data, uintptr_t handle)
{
    struct sanitizer_place place = SANITIZER_CALLER();
    struct ubsan_value value = ubsan_format(data->type, handle);

    ubsan_report(&place, &data->location, "load of %s, no value of type %s",
                 value.text, data->type->name);
}

void
__ubsan_handle_vla_bound_not_positive(struct ubsan_typed *data,
                                      uintptr_t handle)
{
    struct sanitizer_place place = SANITIZER_CALLER();
    struct ubsan_value value = ubsan_format(data->type, handle);

    ubsan_report(&place, &data->location,
                 "array of variable length has length %s", value.text);
}

void
__ubsan_handle_nonnull_arg(struct ubsan_nonnull_arg *data)
{
    struct sanitizer_place place = SANITIZER_CALLER();

    ubsan_report(&place, &data->location,
                 "argument %d is null but declared never to be", data->index);
}

void
__ubsan_handle_nonnull_return_v1(const struct ubsan_plain *data __unused,
                                 struct ubsan_location *location)
{
    struct sanitizer_place place = SANITIZER_CALLER();

    ubsan_report(&place, location,
                 "null is returned by a function declared never to");
}

void
__ubsan_handle_invalid_builtin(struct ubsan_invalid_builtin *data)
{
    struct sanitizer_place place = SANITIZER_CALLER();

    ubsan_report(&place, &data->location, "zero is given to __builtin_c%cz()",
                 data->kind == 0 ? 't' : 'l');
}

void
__ubsan_handle_alignment_assumption(struct ubsan_alignment *data,
                                    uintptr_t pointer, uintptr_t align,
                                    uintptr_t offset)
{
    struct sanitizer_place place = SANITIZER_CALLER();

    ubsan_report(&place, &data->location,
                 "%#lx is not aligned to %lu, offset %lu, as assumed", pointer,
                 align, offset);
}

void
__ubsan_handle_function_type_mismatch(struct ubsan_typed *data,
                                      uintptr_t function)
{
    struct sanitizer_place place = SANITIZER_CALLER();

    ubsan_report(&place, &data->location,
                 "call of %#lx through a pointer of type %s", function,
                 data->type->name);
}

/* Behind these two there is no code to return to. */

void
__ubsan_handle_builtin_unreachable(struct ubsan_plain *data)
{
    struct sanitizer_place place = SANITIZER_CALLER();

    ubsan_report(&place, &data->location, "unreachable code was reached");
    panic("unreachable code was reached");
}

void
__ubsan_handle_missing_return(struct ubsan_plain *data)
{
    struct sanitizer_place place = SANITIZER_CALLER();

    ubsan_report(&place, &data->location, "a function ends without a value");
    panic("a function ends without a value");
}
