/* SPDX-License-Identifier: MIT */
/*
 * What the compilers call, and the descriptions that they pass.
 *
 * A handle is a value of at most 64 bits itself, or the address of a wider
 * one.  Each handler reports and returns, except where noted.
 *
 * Context of all: any
 *
 * Source: LLVM, compiler-rt/lib/ubsan/ubsan_handlers.h.
 */
#ifndef KERN_SAN_UBSAN_H
#define KERN_SAN_UBSAN_H

#include <stdint.h>

#include <lib/macros.h>

#define UBSAN_KIND_INT 0

struct ubsan_location {
    const char *file;
    uint32_t line;
    uint32_t column;
};

struct ubsan_type {
    uint16_t kind;
    uint16_t info; /* of an integer: bit 0 signed, then log2 of its bits */
    char name[];
};

struct ubsan_plain {
    struct ubsan_location location;
};

struct ubsan_typed {
    struct ubsan_location location;
    const struct ubsan_type *type;
};

struct ubsan_overflow {
    struct ubsan_location location;
    const struct ubsan_type *type;
};

struct ubsan_shift {
    struct ubsan_location location;
    const struct ubsan_type *left_type;
    const struct ubsan_type *right_type;
};

struct ubsan_bounds {
    struct ubsan_location location;
    const struct ubsan_type *array_type;
    const struct ubsan_type *index_type;
};

struct ubsan_type_mismatch {
    struct ubsan_location location;
    const struct ubsan_type *type;
    uint8_t log_alignment;
    uint8_t check;
};

struct ubsan_nonnull_arg {
    struct ubsan_location location;
    struct ubsan_location attribute;
    int index;
};

struct ubsan_invalid_builtin {
    struct ubsan_location location;
    uint8_t kind;
};

struct ubsan_alignment {
    struct ubsan_location location;
    struct ubsan_location assumption;
    const struct ubsan_type *type;
};

/* left + right does not fit the type. */
void __ubsan_handle_add_overflow(struct ubsan_overflow *data, uintptr_t left,
                                 uintptr_t right);

/* left - right does not fit the type. */
void __ubsan_handle_sub_overflow(struct ubsan_overflow *data, uintptr_t left,
                                 uintptr_t right);

/* left * right does not fit the type. */
void __ubsan_handle_mul_overflow(struct ubsan_overflow *data, uintptr_t left,
                                 uintptr_t right);

/* -operand does not fit the type. */
void __ubsan_handle_negate_overflow(struct ubsan_overflow *data,
                                    uintptr_t operand);

/* left / right divides by zero or does not fit the type. */
void __ubsan_handle_divrem_overflow(struct ubsan_overflow *data, uintptr_t left,
                                    uintptr_t right);

/* A shift by too much, by less than nothing, or of a value out of its type. */
void __ubsan_handle_shift_out_of_bounds(struct ubsan_shift *data,
                                        uintptr_t left, uintptr_t right);

/* An index outside of an array. */
void __ubsan_handle_out_of_bounds(struct ubsan_bounds *data, uintptr_t index);

/* A pointer that is null, misaligned, or to an object that is too small. */
void __ubsan_handle_type_mismatch_v1(struct ubsan_type_mismatch *data,
                                     uintptr_t pointer);

/* Pointer arithmetic that wraps around. */
void __ubsan_handle_pointer_overflow(struct ubsan_plain *data, uintptr_t base,
                                     uintptr_t result);

/* A bool or an enum with a value that is none of its type. */
void __ubsan_handle_load_invalid_value(struct ubsan_typed *data,
                                       uintptr_t handle);

/* An array on the stack without elements, or fewer. */
void __ubsan_handle_vla_bound_not_positive(struct ubsan_typed *data,
                                           uintptr_t handle);

/* Null for a parameter with attribute nonnull. */
void __ubsan_handle_nonnull_arg(struct ubsan_nonnull_arg *data);

/* Null from a function with attribute returns_nonnull. */
void __ubsan_handle_nonnull_return_v1(const struct ubsan_plain *data,
                                      struct ubsan_location *location);

/* __builtin_ctz(0) or __builtin_clz(0). */
void __ubsan_handle_invalid_builtin(struct ubsan_invalid_builtin *data);

/* A pointer that breaks a promise about its alignment. */
void __ubsan_handle_alignment_assumption(struct ubsan_alignment *data,
                                         uintptr_t pointer, uintptr_t align,
                                         uintptr_t offset);

/* A call through a pointer to functions of another type. */
void __ubsan_handle_function_type_mismatch(struct ubsan_typed *data,
                                           uintptr_t function);

/* The end of the world as promised never to be reached; panics. */
__noreturn void __ubsan_handle_builtin_unreachable(struct ubsan_plain *data);

/* The end of a function that should have returned a value; panics. */
__noreturn void __ubsan_handle_missing_return(struct ubsan_plain *data);

#endif /* KERN_SAN_UBSAN_H */
