/* SPDX-License-Identifier: MIT */
/*
 * Formatted text.
 *
 * A directive is parsed into a struct fmt_spec, its conversion turns the
 * argument into a struct fmt_field (sign or base prefix, zeros, body), and one
 * function lays the field out within the width.  Nothing is allocated and
 * stack use is bounded, because panics print through here.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/bitmap.h>
#include <lib/fmt.h>
#include <lib/macros.h>
#include <lib/string.h>

/* Digits of 64 bits in octal. */
#define FMT_DIGITS 22

/* Longest symbol with its offset that is printed, bytes. */
#define FMT_SYMBOL_SIZE 128

enum fmt_length {
    FMT_INT,
    FMT_CHAR,
    FMT_SHORT,
    FMT_LONG,
};

struct fmt_out {
    fmt_put_fn_t put;
    void *ctx;
    size_t total;
    va_list args;
};

struct fmt_spec {
    bool left;
    bool zero;
    bool plus;
    bool space;
    bool alternate;
    bool has_precision;
    size_t width;
    size_t precision;
    enum fmt_length length;
};

struct fmt_field {
    const char *prefix;
    size_t prefix_length;
    size_t zeros;
    const char *body;
    size_t body_length;
};

/* The buffer of fmt_vsnprintf(). */
struct fmt_buffer {
    char *next;
    size_t room;
};

fmt_symbol_fn_t fmt_symbol_hook;

static void
fmt_put(struct fmt_out *out, const char *s, size_t n)
{
    if (n != 0) {
        out->put(out->ctx, s, n);
        out->total += n;
    }
}

static void
fmt_put_repeat(struct fmt_out *out, bool zero, size_t n)
{
    static const char zeros[] = "00000000000000000000000000000000";
    static const char blanks[] = "                                ";
    size_t piece;

    for (; n != 0; n -= piece) {
        piece = MIN(n, sizeof(zeros) - 1);
        fmt_put(out, zero ? zeros : blanks, piece);
    }
}

static void
fmt_put_field(struct fmt_out *out, const struct fmt_spec *spec,
              const struct fmt_field *field)
{
    size_t length = field->prefix_length + field->zeros + field->body_length;
    size_t pad = spec->width > length ? spec->width - length : 0;

    if (!spec->left) {
        fmt_put_repeat(out, false, pad);
    }
    fmt_put(out, field->prefix, field->prefix_length);
    fmt_put_repeat(out, true, field->zeros);
    fmt_put(out, field->body, field->body_length);
    if (spec->left) {
        fmt_put_repeat(out, false, pad);
    }
}

static void
fmt_put_text(struct fmt_out *out, const struct fmt_spec *spec, const char *s,
             size_t n)
{
    struct fmt_field field = { .body = s, .body_length = n };

    fmt_put_field(out, spec, &field);
}

/* Write the digits of @value before @end; returns where they start. */
static char *
fmt_digits(char *end, uint64_t value, unsigned int base, bool upper)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";

    for (; value != 0; value /= base) {
        *--end = digits[value % base];
    }
    return end;
}

/* How many zeros stand before the digits of a number. */
static size_t
fmt_zeros(const struct fmt_spec *spec, const struct fmt_field *field)
{
    size_t length = field->prefix_length + field->body_length;
    size_t least = 1;

    if (spec->has_precision) {
        least = spec->precision;
    } else if (spec->zero && !spec->left && spec->width > length) {
        return spec->width - length;
    }
    return least > field->body_length ? least - field->body_length : 0;
}

/* Print @value of base 8, 10 or 16 behind @prefix. */
static void
fmt_put_number(struct fmt_out *out, const struct fmt_spec *spec, uint64_t value,
               char conversion, const char *prefix)
{
    bool upper = conversion == 'X';
    unsigned int base = conversion == 'o'            ? 8
                        : upper || conversion == 'x' ? 16
                                                     : 10;
    char digits[FMT_DIGITS];
    struct fmt_field field;

    field.body = fmt_digits(digits + sizeof(digits), value, base, upper);
    field.body_length = (size_t)(digits + sizeof(digits) - field.body);
    field.prefix = prefix;
    field.prefix_length = strlen(prefix);
    field.zeros = fmt_zeros(spec, &field);
    if (base == 8 && spec->alternate && field.zeros == 0) {
        field.zeros = 1;
    }
    fmt_put_field(out, spec, &field);
}

static void
fmt_signed(struct fmt_out *out, const struct fmt_spec *spec)
{
    const char *prefix = spec->plus ? "+" : spec->space ? " " : "";
    uint64_t magnitude;
    int64_t value;

    if (spec->length == FMT_LONG) {
        value = va_arg(out->args, long);
    } else {
        value = va_arg(out->args, int);
    }
    if (spec->length == FMT_CHAR) {
        value = (signed char)value;
    } else if (spec->length == FMT_SHORT) {
        value = (short)value;
    }

    magnitude = (uint64_t)value;
    if (value < 0) {
        magnitude = -magnitude;
        prefix = "-";
    }
    fmt_put_number(out, spec, magnitude, 'd', prefix);
}

static void
fmt_unsigned(struct fmt_out *out, const struct fmt_spec *spec, char conversion)
{
    const char *prefix = "";
    uint64_t value;

    if (spec->length == FMT_LONG) {
        value = va_arg(out->args, unsigned long);
    } else {
        value = va_arg(out->args, unsigned int);
    }
    if (spec->length == FMT_CHAR) {
        value = (unsigned char)value;
    } else if (spec->length == FMT_SHORT) {
        value = (unsigned short)value;
    }

    if (spec->alternate && value != 0 && conversion == 'x') {
        prefix = "0x";
    } else if (spec->alternate && value != 0 && conversion == 'X') {
        prefix = "0X";
    }
    fmt_put_number(out, spec, value, conversion, prefix);
}

static void
fmt_char(struct fmt_out *out, const struct fmt_spec *spec)
{
    char c = (char)va_arg(out->args, int);

    fmt_put_text(out, spec, &c, 1);
}

static void
fmt_string(struct fmt_out *out, const struct fmt_spec *spec)
{
    const char *s = va_arg(out->args, const char *);
    size_t max = spec->has_precision ? spec->precision : SIZE_MAX;

    if (s == NULL) {
        s = "(null)";
    }
    fmt_put_text(out, spec, s, strnlen(s, max));
}

static void
fmt_pointer(struct fmt_out *out, const struct fmt_spec *spec, uintptr_t addr)
{
    struct fmt_spec full = *spec;

    full.has_precision = true;
    full.precision = 2 * sizeof(addr);
    fmt_put_number(out, &full, addr, 'x', "0x");
}

static void
fmt_symbol(struct fmt_out *out, const struct fmt_spec *spec, uintptr_t addr)
{
    char name[FMT_SYMBOL_SIZE];
    size_t length = 0;

    if (fmt_symbol_hook != NULL) {
        length = fmt_symbol_hook(name, sizeof(name), addr);
    }
    if (length == 0) {
        fmt_pointer(out, spec, addr);
    } else {
        fmt_put_text(out, spec, name, MIN(length, sizeof(name)));
    }
}

/* Print a size in its largest unit, with one digit of what is lost. */
static void
fmt_size(struct fmt_out *out, const struct fmt_spec *spec, const void *ptr)
{
    static const char units[][4] = { "B",   "KiB", "MiB", "GiB",
                                     "TiB", "PiB", "EiB" };
    uint64_t size, tenths = 0;
    char text[FMT_DIGITS];
    size_t length, unit = 0;

    if (ptr == NULL) {
        fmt_put_text(out, spec, "(null)", 6);
        return;
    }

    memcpy(&size, ptr, sizeof(size));
    for (; size >= 1024; size /= 1024) {
        tenths = size % 1024 * 10 / 1024;
        unit++;
    }
    if (tenths != 0) {
        length = fmt_snprintf(text, sizeof(text), "%lu.%lu %s", size, tenths,
                              units[unit]);
    } else {
        length = fmt_snprintf(text, sizeof(text), "%lu %s", size, units[unit]);
    }
    fmt_put_text(out, spec, text, length);
}

/* Print a set of bits as ranges; the width does not apply. */
static void
fmt_bitmap(struct fmt_out *out, const struct fmt_bitmap *bitmap)
{
    static const struct fmt_spec plain;
    const char *separator = "";
    size_t first, next;

    if (bitmap == NULL) {
        fmt_put(out, "(null)", 6);
        return;
    }

    first = bitmap_find_first(bitmap->bits, bitmap->nbits);
    while (first < bitmap->nbits) {
        next = bitmap_find_next_zero(bitmap->bits, bitmap->nbits, first);
        fmt_put_number(out, &plain, first, 'u', separator);
        if (next - first > 1) {
            fmt_put_number(out, &plain, next - 1, 'u', "-");
        }
        separator = ",";
        first = bitmap_find_next(bitmap->bits, bitmap->nbits, next);
    }
}

/* Print @n bytes in hexadecimal. */
static void
fmt_hex(struct fmt_out *out, const uint8_t *bytes, size_t n)
{
    static const struct fmt_spec byte = { .has_precision = true,
                                          .precision = 2 };

    if (bytes == NULL) {
        fmt_put(out, "(null)", 6);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        fmt_put_number(out, &byte, bytes[i], 'x', i == 0 ? "" : " ");
    }
}

/* Print a %p whose extension, if any, is at @format; returns what follows. */
static const char *
fmt_extended(struct fmt_out *out, const struct fmt_spec *spec,
             const char *format)
{
    void *ptr = va_arg(out->args, void *);

    switch (*format) {
    case 'S':
        fmt_symbol(out, spec, (uintptr_t)ptr);
        break;
    case 'B':
        fmt_size(out, spec, ptr);
        break;
    case 'L':
        fmt_bitmap(out, ptr);
        break;
    case 'h':
        fmt_hex(out, ptr, spec->width);
        break;
    default:
        fmt_pointer(out, spec, (uintptr_t)ptr);
        return format;
    }
    return format + 1;
}

static const char *
fmt_parse_flags(struct fmt_spec *spec, const char *format)
{
    for (;; format++) {
        switch (*format) {
        case '-':
            spec->left = true;
            break;
        case '0':
            spec->zero = true;
            break;
        case '+':
            spec->plus = true;
            break;
        case ' ':
            spec->space = true;
            break;
        case '#':
            spec->alternate = true;
            break;
        default:
            return format;
        }
    }
}

static const char *
fmt_parse_number(size_t *number, const char *format)
{
    size_t value = 0;

    for (; *format >= '0' && *format <= '9'; format++) {
        value =
            MIN(10 * value + (size_t)(*format - '0'), (size_t)FMT_FIELD_MAX);
    }
    *number = value;
    return format;
}

static const char *
fmt_parse_width(struct fmt_out *out, struct fmt_spec *spec, const char *format)
{
    int64_t width;

    if (*format != '*') {
        return fmt_parse_number(&spec->width, format);
    }

    width = va_arg(out->args, int);
    if (width < 0) {
        spec->left = true;
        width = -width;
    }
    spec->width = MIN((size_t)width, (size_t)FMT_FIELD_MAX);
    return format + 1;
}

static const char *
fmt_parse_precision(struct fmt_out *out, struct fmt_spec *spec,
                    const char *format)
{
    int precision;

    if (*format != '.') {
        return format;
    }

    format++;
    spec->has_precision = true;
    if (*format != '*') {
        return fmt_parse_number(&spec->precision, format);
    }

    precision = va_arg(out->args, int);
    if (precision < 0) {
        spec->has_precision = false;
        precision = 0;
    }
    spec->precision = MIN((size_t)precision, (size_t)FMT_FIELD_MAX);
    return format + 1;
}

static const char *
fmt_parse_length(struct fmt_spec *spec, const char *format)
{
    switch (*format) {
    case 'h':
        spec->length = format[1] == 'h' ? FMT_CHAR : FMT_SHORT;
        return format + (format[1] == 'h' ? 2 : 1);
    case 'l':
        spec->length = FMT_LONG;
        return format + (format[1] == 'l' ? 2 : 1);
    case 'z':
    case 'j':
    case 't':
        spec->length = FMT_LONG;
        return format + 1;
    default:
        return format;
    }
}

/* Print the directive behind the % at @format; returns what follows it. */
static const char *
fmt_directive(struct fmt_out *out, const char *format)
{
    struct fmt_spec spec = { 0 };
    const char *start = format;

    format = fmt_parse_flags(&spec, format + 1);
    format = fmt_parse_width(out, &spec, format);
    format = fmt_parse_precision(out, &spec, format);
    format = fmt_parse_length(&spec, format);

    switch (*format) {
    case 'd':
    case 'i':
        fmt_signed(out, &spec);
        return format + 1;
    case 'u':
    case 'o':
    case 'x':
    case 'X':
        fmt_unsigned(out, &spec, *format);
        return format + 1;
    case 'c':
        fmt_char(out, &spec);
        return format + 1;
    case 's':
        fmt_string(out, &spec);
        return format + 1;
    case 'p':
        return fmt_extended(out, &spec, format + 1);
    case '%':
        fmt_put(out, "%", 1);
        return format + 1;
    default:
        fmt_put(out, start, (size_t)(format - start));
        return format;
    }
}

size_t
fmt_vformat(fmt_put_fn_t put, void *ctx, const char *format, va_list args)
{
    struct fmt_out out = { .put = put, .ctx = ctx };
    const char *literal;

    va_copy(out.args, args);
    while (*format != '\0') {
        for (literal = format; *format != '%' && *format != '\0'; format++) {
        }
        fmt_put(&out, literal, (size_t)(format - literal));
        if (*format == '%') {
            format = fmt_directive(&out, format);
        }
    }
    va_end(out.args);
    return out.total;
}

static void
fmt_buffer_put(void *ctx, const char *s, size_t n)
{
    struct fmt_buffer *buffer = ctx;
    size_t fits = MIN(n, buffer->room);

    memcpy(buffer->next, s, fits);
    buffer->next += fits;
    buffer->room -= fits;
}

size_t
fmt_vsnprintf(char *buf, size_t size, const char *format, va_list args)
{
    char none;
    struct fmt_buffer buffer = {
        .next = size != 0 ? buf : &none,
        .room = size != 0 ? size - 1 : 0,
    };
    size_t length;

    length = fmt_vformat(fmt_buffer_put, &buffer, format, args);
    *buffer.next = '\0';
    return length;
}

size_t
fmt_snprintf(char *buf, size_t size, const char *format, ...)
{
    va_list args;
    size_t length;

    va_start(args, format);
    length = fmt_vsnprintf(buf, size, format, args);
    va_end(args);
    return length;
}
