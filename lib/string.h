/* SPDX-License-Identifier: MIT */
/*
 * Memory and strings.
 *
 * The functions of ISO C and BSD keep their names, prototypes and meaning:
 * the compiler calls some of them on its own.  Numbers are parsed strictly:
 * the whole string or nothing.
 */
#ifndef LIB_STRING_H
#define LIB_STRING_H

#include <stddef.h>
#include <stdint.h>

#include <lib/status.h>

/*
 * Copy @n bytes between areas that do not overlap.
 *
 * Returns: @dst
 */
void *memcpy(void *dst, const void *src, size_t n);

/*
 * Copy @n bytes between areas that may overlap.
 *
 * Returns: @dst
 */
void *memmove(void *dst, const void *src, size_t n);

/*
 * Set @n bytes to the low byte of @value.
 *
 * Returns: @dst
 */
void *memset(void *dst, int value, size_t n);

/*
 * Compare @n bytes as unsigned numbers.
 *
 * Returns: negative, 0 or positive, by the first byte that differs
 */
int memcmp(const void *a, const void *b, size_t n);

/*
 * Find the low byte of @value among the first @n bytes.
 *
 * Returns: its first occurrence, or NULL
 */
void *memchr(const void *area, int value, size_t n);

/*
 * The length of a string, bytes.
 */
size_t strlen(const char *s);

/*
 * The length of a string of which at most @max bytes are read.
 *
 * Returns: @max when no NUL is among them
 */
size_t strnlen(const char *s, size_t max);

/*
 * Compare two strings as unsigned bytes.
 *
 * Returns: negative, 0 or positive
 */
int strcmp(const char *a, const char *b);

/*
 * Compare at most the first @n bytes of two strings.
 *
 * Returns: negative, 0 or positive
 */
int strncmp(const char *a, const char *b, size_t n);

/*
 * Find the first @c in a string; the NUL counts.
 *
 * Returns: its position, or NULL
 */
char *strchr(const char *s, int c);

/*
 * Find the last @c in a string; the NUL counts.
 *
 * Returns: its position, or NULL
 */
char *strrchr(const char *s, int c);

/*
 * Find the first occurrence of a string in another.
 *
 * Returns: its position, @s for an empty @needle, or NULL
 */
char *strstr(const char *s, const char *needle);

/*
 * Copy a string into a buffer, truncated to fit and always terminated.
 *
 * @size  of the buffer, bytes; nothing is written when it is 0
 *
 * Returns: the length of @src; truncated when not below @size
 */
size_t strlcpy(char *dst, const char *src, size_t size);

/*
 * Append a string to the one in a buffer, truncated to fit.
 *
 * @size  of the whole buffer, bytes
 *
 * Returns: the length it tried to make; truncated when not below @size
 */
size_t strlcat(char *dst, const char *src, size_t size);

/*
 * Parse an unsigned number that is the whole string: no sign, no space.
 *
 * @base  2 to 36, or 0: hexadecimal after 0x, else decimal; base 16 takes
 *        the 0x too
 * @out   written only on success
 *
 * Returns: OK; ERR_INVALID, not a number; ERR_RANGE, above 64 bits
 */
status_t string_to_u64(const char *s, unsigned int base, uint64_t *out);

/*
 * Parse a size in bytes: a number as for string_to_u64() with base 0 and at
 * most one suffix of K, M, G, T in either case, powers of 1024.
 *
 * @out  written only on success
 *
 * Returns: OK; ERR_INVALID, not a size; ERR_RANGE, above 64 bits
 */
status_t string_parse_size(const char *s, uint64_t *out);

#endif /* LIB_STRING_H */
