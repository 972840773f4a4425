/* SPDX-License-Identifier: MIT */
/*
 * Formatted text, printf's way, without floating point.
 *
 * Flags - 0 + space #, width, precision, * for both, lengths hh h l ll z j t,
 * conversions d i u o x X c s p %.  There is no %n.  A pointer is always 0x
 * and 16 digits; a letter after %p asks for what it points to:
 *
 *   %pS   the symbol at this address, as name+0xoffset
 *   %pB   a size in bytes, of uint64_t, as 256 MiB
 *   %pL   a set, of struct fmt_bitmap, as 0-3,5,8-9
 *   %*ph  as many bytes as the width says, as 0a 1b 2c
 *
 * A directive that is unknown is printed as it stands.  Width and precision
 * are limited to FMT_FIELD_MAX.
 */
#ifndef LIB_FMT_H
#define LIB_FMT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/macros.h>

#define FMT_FIELD_MAX 65535

/* What %pL prints. */
struct fmt_bitmap {
    const unsigned long *bits;
    size_t nbits;
};

/* Takes the next @n bytes of the text. */
typedef void (*fmt_put_fn_t)(void *ctx, const char *s, size_t n);

/* Writes the name of @addr, without NUL; its length, 0 when unknown. */
typedef size_t (*fmt_symbol_fn_t)(char *buf, size_t size, uintptr_t addr);

/* What %pS asks for names; NULL until somebody knows them. */
extern fmt_symbol_fn_t fmt_symbol_hook;

/*
 * Format piece by piece.
 *
 * @put   called with each piece, in order
 * @ctx   passed to @put
 * @args  consumed
 *
 * Returns: the length of the text
 */
size_t fmt_vformat(fmt_put_fn_t put, void *ctx, const char *format,
                   va_list args) __printf(3, 0);

/*
 * Format into a buffer, truncated to fit and always terminated.
 *
 * @size  of the buffer, bytes; nothing is written when it is 0
 * @args  consumed
 *
 * Returns: the length of the whole text; truncated when not below @size
 */
size_t fmt_vsnprintf(char *buf, size_t size, const char *format, va_list args)
    __printf(3, 0);

/*
 * Format into a buffer, truncated to fit and always terminated.
 *
 * @size  of the buffer, bytes; nothing is written when it is 0
 *
 * Returns: the length of the whole text; truncated when not below @size
 */
size_t fmt_snprintf(char *buf, size_t size, const char *format, ...)
    __printf(3, 4);

#endif /* LIB_FMT_H */
