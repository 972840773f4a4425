/* SPDX-License-Identifier: MIT */
/*
 * Memory and strings.
 *
 * Copies of up to 64 bytes, most messages among them, are straight lines of
 * general registers: two loads that may overlap cover each range of lengths
 * without a loop.  All loads come before the first store, so memmove() can
 * share them.  Longer ones are one string instruction by 8 bytes, and the last
 * 8 bytes.  None sets the direction flag: descending copies are a loop.
 *
 * KASAN and KCSAN builds rename memcpy(), memmove() and memset(); theirs check
 * the ranges and call these.
 *
 * The compiler must not recognise these loops as the functions they implement:
 * gcc compiles this file with -fno-tree-loop-distribute-patterns.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/string.h>

/* Longest area that is copied or set without a string instruction, bytes. */
#define STRING_SMALL 64

/* Loads and stores at any address, of objects of any type. */
typedef uint16_t __attribute__((may_alias, aligned(1))) string_u16_t;
typedef uint32_t __attribute__((may_alias, aligned(1))) string_u32_t;
typedef uint64_t __attribute__((may_alias, aligned(1))) string_u64_t;

/* Move 16 to 32 bytes. */
__no_access_checks static void
string_move_32(char *dst, const char *src, size_t n)
{
    string_u64_t a, b, c, d;

    a = *(const string_u64_t *)src;
    b = *(const string_u64_t *)(src + 8);
    c = *(const string_u64_t *)(src + n - 16);
    d = *(const string_u64_t *)(src + n - 8);
    *(string_u64_t *)dst = a;
    *(string_u64_t *)(dst + 8) = b;
    *(string_u64_t *)(dst + n - 16) = c;
    *(string_u64_t *)(dst + n - 8) = d;
}

/* Move 32 to 64 bytes. */
__no_access_checks static void
string_move_64(char *dst, const char *src, size_t n)
{
    string_u64_t a, b, c, d, e, f, g, h;

    a = *(const string_u64_t *)src;
    b = *(const string_u64_t *)(src + 8);
    c = *(const string_u64_t *)(src + 16);
    d = *(const string_u64_t *)(src + 24);
    e = *(const string_u64_t *)(src + n - 32);
    f = *(const string_u64_t *)(src + n - 24);
    g = *(const string_u64_t *)(src + n - 16);
    h = *(const string_u64_t *)(src + n - 8);
    *(string_u64_t *)dst = a;
    *(string_u64_t *)(dst + 8) = b;
    *(string_u64_t *)(dst + 16) = c;
    *(string_u64_t *)(dst + 24) = d;
    *(string_u64_t *)(dst + n - 32) = e;
    *(string_u64_t *)(dst + n - 24) = f;
    *(string_u64_t *)(dst + n - 16) = g;
    *(string_u64_t *)(dst + n - 8) = h;
}

/* Move fewer than 8 bytes. */
__no_access_checks static void
string_move_7(char *dst, const char *src, size_t n)
{
    if (n >= 4) {
        string_u32_t a = *(const string_u32_t *)src;
        string_u32_t b = *(const string_u32_t *)(src + n - 4);

        *(string_u32_t *)dst = a;
        *(string_u32_t *)(dst + n - 4) = b;
    } else if (n >= 2) {
        string_u16_t a = *(const string_u16_t *)src;
        string_u16_t b = *(const string_u16_t *)(src + n - 2);

        *(string_u16_t *)dst = a;
        *(string_u16_t *)(dst + n - 2) = b;
    } else if (n == 1) {
        *dst = *src;
    }
}

/* Move at most STRING_SMALL bytes. */
__no_access_checks static void
string_move_small(char *dst, const char *src, size_t n)
{
    string_u64_t a, b;

    if (n > 32) {
        string_move_64(dst, src, n);
    } else if (n > 16) {
        string_move_32(dst, src, n);
    } else if (n >= 8) {
        a = *(const string_u64_t *)src;
        b = *(const string_u64_t *)(src + n - 8);
        *(string_u64_t *)dst = a;
        *(string_u64_t *)(dst + n - 8) = b;
    } else {
        string_move_7(dst, src, n);
    }
}

/* Move at least 8 bytes with rising addresses; @dst is not inside @src. */
__no_access_checks static void
string_move_up(char *dst, const char *src, size_t n)
{
    string_u64_t last = *(const string_u64_t *)(src + n - 8);
    string_u64_t *tail = (string_u64_t *)(dst + n - 8);
    size_t words = n / 8;

    __asm__ volatile("rep movsq"
                     : "+D"(dst), "+S"(src), "+c"(words)
                     :
                     : "memory");
    *tail = last;
}

/* Move more than STRING_SMALL bytes with falling addresses. */
__no_access_checks static void
string_move_down(char *dst, const char *src, size_t n)
{
    while (n > STRING_SMALL) {
        n -= 32;
        string_move_32(dst + n, src + n, 32);
    }
    string_move_small(dst, src, n);
}

__no_access_checks void *
memcpy(void *dst, const void *src, size_t n)
{
    if (n <= STRING_SMALL) {
        string_move_small(dst, src, n);
    } else {
        string_move_up(dst, src, n);
    }
    return dst;
}

__no_access_checks void *
memmove(void *dst, const void *src, size_t n)
{
    if (n <= STRING_SMALL) {
        string_move_small(dst, src, n);
    } else if ((uintptr_t)dst - (uintptr_t)src >= n) {
        string_move_up(dst, src, n);
    } else {
        string_move_down(dst, src, n);
    }
    return dst;
}

/* Set at most STRING_SMALL bytes; @pattern is the byte, eight times. */
__no_access_checks static void
string_set_small(char *dst, uint64_t pattern, size_t n)
{
    if (n >= 8) {
        for (size_t i = 0; i < n - 8; i += 8) {
            *(string_u64_t *)(dst + i) = pattern;
        }
        *(string_u64_t *)(dst + n - 8) = pattern;
    } else if (n >= 4) {
        *(string_u32_t *)dst = (uint32_t)pattern;
        *(string_u32_t *)(dst + n - 4) = (uint32_t)pattern;
    } else {
        for (size_t i = 0; i < n; i++) {
            dst[i] = (char)pattern;
        }
    }
}

__no_access_checks void *
memset(void *dst, int value, size_t n)
{
    uint64_t pattern = 0x0101010101010101u * (uint8_t)value;
    char *next = dst;
    size_t words = n / 8;

    if (n <= STRING_SMALL) {
        string_set_small(dst, pattern, n);
        return dst;
    }

    __asm__ volatile("rep stosq"
                     : "+D"(next), "+c"(words)
                     : "a"(pattern)
                     : "memory");
    *(string_u64_t *)((char *)dst + n - 8) = pattern;
    return dst;
}

int
memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *pa = a, *pb = b;
    size_t i = 0;

    while (n - i >= 8 &&
           *(const string_u64_t *)(pa + i) == *(const string_u64_t *)(pb + i)) {
        i += 8;
    }
    for (; i < n; i++) {
        if (pa[i] != pb[i]) {
            return pa[i] - pb[i];
        }
    }
    return 0;
}

void *
memchr(const void *area, int value, size_t n)
{
    const uint8_t *bytes = area;

    for (size_t i = 0; i < n; i++) {
        if (bytes[i] == (uint8_t)value) {
            return (void *)(uintptr_t)(bytes + i);
        }
    }
    return NULL;
}

size_t
strlen(const char *s)
{
    size_t length = 0;

    while (s[length] != '\0') {
        length++;
    }
    return length;
}

size_t
strnlen(const char *s, size_t max)
{
    size_t length = 0;

    while (length < max && s[length] != '\0') {
        length++;
    }
    return length;
}

int
strcmp(const char *a, const char *b)
{
    while (*a == *b && *a != '\0') {
        a++;
        b++;
    }
    return (uint8_t)*a - (uint8_t)*b;
}

int
strncmp(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (a[i] != b[i]) {
            return (uint8_t)a[i] - (uint8_t)b[i];
        }
        if (a[i] == '\0') {
            return 0;
        }
    }
    return 0;
}

char *
strchr(const char *s, int c)
{
    while (*s != (char)c) {
        if (*s == '\0') {
            return NULL;
        }
        s++;
    }
    return (char *)(uintptr_t)s;
}

char *
strrchr(const char *s, int c)
{
    const char *last = NULL;

    for (;; s++) {
        if (*s == (char)c) {
            last = s;
        }
        if (*s == '\0') {
            return (char *)(uintptr_t)last;
        }
    }
}

char *
strstr(const char *s, const char *needle)
{
    size_t length = strlen(needle);

    while (strncmp(s, needle, length) != 0) {
        if (*s == '\0') {
            return NULL;
        }
        s++;
    }
    return (char *)(uintptr_t)s;
}

size_t
strlcpy(char *dst, const char *src, size_t size)
{
    size_t length = strlen(src);
    size_t copied;

    if (size != 0) {
        copied = length < size ? length : size - 1;
        memcpy(dst, src, copied);
        dst[copied] = '\0';
    }
    return length;
}

size_t
strlcat(char *dst, const char *src, size_t size)
{
    size_t used = strnlen(dst, size);

    return used + strlcpy(dst + used, src, size - used);
}

/* The value of a digit in any base up to 36; 36 when it is none. */
static unsigned int
string_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return (unsigned int)(c - '0');
    }
    if (c >= 'a' && c <= 'z') {
        return (unsigned int)(c - 'a') + 10;
    }
    if (c >= 'A' && c <= 'Z') {
        return (unsigned int)(c - 'A') + 10;
    }
    return 36;
}

/* Parse the digits at @s up to the first character that is none: @endp. */
static status_t
string_parse_u64(const char *s, unsigned int base, uint64_t *out,
                 const char **endp)
{
    bool is_hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
    uint64_t value = 0;

    if (is_hex && (base == 0 || base == 16)) {
        s += 2;
        base = 16;
    } else if (base == 0) {
        base = 10;
    }
    if (string_digit(*s) >= base) {
        return ERR_INVALID;
    }

    for (; string_digit(*s) < base; s++) {
        if (__builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, string_digit(*s), &value)) {
            return ERR_RANGE;
        }
    }
    *out = value;
    *endp = s;
    return OK;
}

/* How far a size suffix shifts; 0 when @c is none. */
static unsigned int
string_suffix_shift(char c)
{
    static const char suffixes[] = "KkMmGgTt";

    for (unsigned int i = 0; suffixes[i] != '\0'; i++) {
        if (suffixes[i] == c) {
            return 10 * (i / 2 + 1);
        }
    }
    return 0;
}

status_t
string_to_u64(const char *s, unsigned int base, uint64_t *out)
{
    const char *end;
    uint64_t value;
    status_t status;

    status = string_parse_u64(s, base, &value, &end);
    if (status != OK) {
        return status;
    }
    if (*end != '\0') {
        return ERR_INVALID;
    }

    *out = value;
    return OK;
}

status_t
string_parse_size(const char *s, uint64_t *out)
{
    unsigned int shift;
    const char *end;
    uint64_t value;
    status_t status;

    status = string_parse_u64(s, 0, &value, &end);
    if (status != OK) {
        return status;
    }

    shift = string_suffix_shift(*end);
    if (end[shift != 0] != '\0') {
        return ERR_INVALID;
    }
    if (value > UINT64_MAX >> shift) {
        return ERR_RANGE;
    }

    *out = value << shift;
    return OK;
}
