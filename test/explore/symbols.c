/* SPDX-License-Identifier: MIT */
/*
 * Names for addresses: of data from the program's own symbol table, of code
 * from addr2line, which is asked once for each.
 */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kern/percpu.h>
#include "engine.h"

#define SYMBOLS_CODE_MAX 512

extern char percpu_start[], percpu_end[];

static char *symbols_image;
static const Elf64_Sym *symbols_table;
static size_t symbols_nr;
static const char *symbols_strings;

static struct {
    uintptr_t pc;
    char text[96];
} symbols_known[SYMBOLS_CODE_MAX];
static unsigned symbols_nr_known;

static char *
symbols_read_file(const char *path)
{
    FILE *file;
    char *data;
    long size;

    file = fopen(path, "rb");
    if (file == NULL) {
        return NULL;
    }
    fseek(file, 0, SEEK_END);
    size = ftell(file);
    rewind(file);
    data = size > 0 ? malloc((size_t)size) : NULL;
    if (data != NULL && fread(data, 1, (size_t)size, file) != (size_t)size) {
        free(data);
        data = NULL;
    }
    fclose(file);
    return data;
}

static void
symbols_load(void)
{
    const Elf64_Ehdr *header;
    const Elf64_Shdr *section;
    unsigned i;

    symbols_image = symbols_read_file("/proc/self/exe");
    if (symbols_image == NULL) {
        return;
    }
    header = (const Elf64_Ehdr *)symbols_image;
    section = (const Elf64_Shdr *)(symbols_image + header->e_shoff);
    for (i = 0; i < header->e_shnum; i++) {
        if (section[i].sh_type == SHT_SYMTAB) {
            symbols_table =
                (const Elf64_Sym *)(symbols_image + section[i].sh_offset);
            symbols_nr = section[i].sh_size / sizeof(*symbols_table);
            symbols_strings = symbols_image +
                              section[section[i].sh_link].sh_offset;
        }
    }
}

static const Elf64_Sym *
symbols_find(uintptr_t addr)
{
    const Elf64_Sym *symbol;
    size_t i;

    if (symbols_image == NULL) {
        symbols_load();
    }
    for (i = 0; i < symbols_nr; i++) {
        symbol = &symbols_table[i];
        if (ELF64_ST_TYPE(symbol->st_info) <= STT_FUNC &&
            symbol->st_size != 0 && addr - symbol->st_value < symbol->st_size) {
            return symbol;
        }
    }
    return NULL;
}

static bool
symbols_print(char *text, size_t size, uintptr_t addr)
{
    const Elf64_Sym *symbol;
    const char *name;

    symbol = symbols_find(addr);
    if (symbol == NULL) {
        return false;
    }
    name = symbols_strings + symbol->st_name;
    if (addr == symbol->st_value) {
        snprintf(text, size, "%s", name);
    } else {
        snprintf(text, size, "%s+%#lx", name,
                 (unsigned long)(addr - symbol->st_value));
    }
    return true;
}

static size_t
symbols_percpu_size(void)
{
    return (size_t)(percpu_end - percpu_start);
}

void
symbols_data(char *text, size_t size, uintptr_t addr)
{
    uintptr_t offset, base;
    char name[64];
    unsigned cpu;

    offset = addr - heap_base();
    if (offset < engine.heap_used) {
        snprintf(text, size, "heap+%#lx", (unsigned long)offset);
        return;
    }
    offset = addr - (uintptr_t)engine_stacks;
    if (offset < sizeof(engine_stacks)) {
        snprintf(text, size, "stack%lu-%#lx",
                 (unsigned long)(offset / ENGINE_STACK_SIZE),
                 (unsigned long)(ENGINE_STACK_SIZE -
                                 offset % ENGINE_STACK_SIZE));
        return;
    }
    for (cpu = 0; cpu < engine.nr_cpus; cpu++) {
        base = addr - percpu_offsets[cpu * engine.stride];
        if (base - (uintptr_t)percpu_start < symbols_percpu_size() &&
            symbols_print(name, sizeof(name), base)) {
            snprintf(text, size, "%s@cpu%u", name, cpu);
            return;
        }
    }
    if (addr < 0x10000 || !symbols_print(text, size, addr)) {
        snprintf(text, size, "%#lx", (unsigned long)addr);
    }
}

static void
symbols_ask(char *text, size_t size, uintptr_t pc)
{
    char command[128], function[48], place[192];
    const char *file;
    FILE *pipe;

    snprintf(text, size, "%#lx", (unsigned long)pc);
    snprintf(command, sizeof(command),
             "addr2line -f -e /proc/%d/exe %#lx 2>/dev/null", (int)getpid(),
             (unsigned long)pc - 1);
    pipe = popen(command, "r");
    if (pipe == NULL) {
        return;
    }
    if (fscanf(pipe, "%47s %191s", function, place) == 2) {
        file = strrchr(place, '/');
        snprintf(text, size, "%s %.40s", function,
                 file != NULL ? file + 1 : place);
    }
    pclose(pipe);
}

const char *
symbols_code(uintptr_t pc)
{
    unsigned i;

    for (i = 0; i < symbols_nr_known; i++) {
        if (symbols_known[i].pc == pc) {
            return symbols_known[i].text;
        }
    }
    if (symbols_nr_known == SYMBOLS_CODE_MAX) {
        return "?";
    }
    symbols_nr_known++;
    symbols_known[i].pc = pc;
    symbols_ask(symbols_known[i].text, sizeof(symbols_known[i].text), pc);
    return symbols_known[i].text;
}
